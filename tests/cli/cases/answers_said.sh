# What an answer's options and errors say: outputs and heads that a model lacks, options that would have no effect.
cases=$SOURCE/tests/models
rejects 1 'no output foo: there are dense, sparse, colbert, last_hidden_state' "$BERTC" compile "$cases/vectors/bge-m3" --outputs dense,foo -o x.so
! "$BERTC" compile "$MODEL" --pooling splade -o x.so 2>err || fail "a classifier has weights for the vocabulary"
grep -q 'nothing of a masked-LM head is there, whose logits SPLADE pools' err || fail "$(cat err)"
rejects 1 '--top-k: .*gives embeddings' "$BERTC" run "$cases/cases/st-max" --top-k 3 "the cat"
rejects 1 '--top-k: .*gives vectors' "$BERTC" run "$cases/vectors/st-colbert" --top-k 3 "the cat"
rejects 1 '--top-k: .*gives entities' "$BERTC" run "$cases/answers/ner" --top-k 3 "the cat"
rejects 1 'this one has one label' "$BERTC" run "$cases/answers/cross" --labels a,b "the cat"
! grep -q 'is taken' err || fail "a note goes before the error: $(cat err)"
# A measure that the folder says, and nobody typed.
cp -r "$cases/sparse/max" sparse
printf '{"model_type": "SparseEncoder", "similarity_fn_name": "euclidean"}' >sparse/config_sentence_transformers.json
printf 'the old river\na cat\n' >texts.txt
succeeds "$BERTC" run sparse --similar texts.txt texts.txt --top-k 2
grep -q '^ *-*0.0000  1' out || fail "a text is not next to itself: $(cat out)"
cp out folder
succeeds "$BERTC" run "$cases/sparse/max" --similar texts.txt texts.txt --top-k 2 --similarity euclidean
cmp folder out || fail "the folder's measure is not the option's"
