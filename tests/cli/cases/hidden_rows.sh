# Families whose mathematics reads hidden tokens: of texts each is run at its own length, so an answer is the same alone and beside others;
# a graph of theirs is verified like any other.
shape='"vocab_size": 8192, "max_position_embeddings": 64, "type_vocab_size": 2, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 2, "embedding_size": 16, "intra_bottleneck_size": 16, "conv_kernel_size": 5, "num_labels": 3, "pad_token_id": 0'
for family in convbert mobilebert fnet; do
    echo "{\"model_type\": \"$family\", $shape}" >shape.json
    succeeds "$BERTC" synth shape.json --head sequence-classification -o $family
    cp "$MODEL/vocab.txt" "$MODEL/tokenizer.json" $family/
    for text in "a good film" "this one is rather longer, and was seen twice by all of us"; do
        succeeds "$BERTC" run $family --json "$text"
        cat out >>$family.alone
    done
    succeeds "$BERTC" run $family --json "a good film" "this one is rather longer, and was seen twice by all of us"
    cmp -s out $family.alone || fail "$family: alone $(cat $family.alone), together $(cat out)"
    succeeds "$BERTC" verify $family
    expect "kernels, largest error"
done
succeeds "$BERTC" synth shape.json --head masked-lm -o filled
succeeds "$BERTC" verify filled
expect "predictions"
