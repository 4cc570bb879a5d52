# Tables that the checkpoint holds in 16 bits stay so in the artefact, and no bit of an answer changes: against the same
# checkpoint with tables that are made float32 first, behind a reshape that changes nothing.
safetensors in.safetensors '{"input_ids":{"dtype":"I32","shape":[2,5],"data_offsets":[0,40]}}' 0
printf '\145\0\0\0\370\52\0\0\1\0\0\0\147\0\0\0\2\20\0\0\145\0\0\0\0\100\0\0\377\0\0\0\5\0\0\0\0\3\0\0' >>in.safetensors
cat >odd.json <<'JSON'
{"model_type": "bert", "hidden_size": 100, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 150, "vocab_size": 20000, "max_position_embeddings": 500}
JSON
for dtype in F16 BF16; do
    elem=$(echo $dtype | tr FB fb)
    succeeds "$BERTC" synth odd.json --head masked-lm --dtype $dtype -o $dtype
    succeeds "$BERTC" compile $dtype --emit ir --stage fused -o fused.ir
    [ "$(grep -c "embeddings.* = constant -> $elem\[.*{recipe = tensor" fused.ir)" = 3 ] || fail "tables: $(grep embeddings fused.ir)"
    grep -q "decoder.* = constant -> f32" fused.ir || fail "the decoder's weight is not f32"
    succeeds "$BERTC" compile $dtype --emit ir --stage input -o input.ir --outputs hidden_states
    sed 's/recipe = cast(tensor(\("[^"]*_embeddings.weight"\), \([a-z0-9]*\)\(\[[0-9,]*\]\)), f32), hash = 0x[0-9a-f]*/recipe = reshape(cast(tensor(\1, \2\3), f32), \3)/' input.ir >wide.ir
    succeeds "$BERTC" compile $dtype --graph wide.ir --emit ir --stage fused -o fused.ir
    ! grep -q "constant -> $elem" fused.ir || fail "wide.ir has narrow tables"
    for cpu in x86-64-v2 native; do
        succeeds "$BERTC" compile $dtype --mcpu $cpu --seq 16 -o narrow.so --outputs hidden_states
        succeeds "$BERTC" compile $dtype --mcpu $cpu --graph wide.ir --seq 16 -o wide.so --outputs hidden_states
        [ $(($(wc -c <wide.so) - $(wc -c <narrow.so))) -gt 4000000 ] || fail "the tables are not smaller: $(wc -c narrow.so wide.so)"
        for so in narrow wide; do succeeds "$BERTC" run $so.so --tensors in.safetensors -o $so.out; done
        cmp narrow.out wide.out || fail "$dtype, $cpu: other bits"
    done
done
