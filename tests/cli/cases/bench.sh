# The bench prints figures for people and, with --json, nothing but an object a row.
succeeds "$BERTC" bench "$MODEL" --seq 16 --rounds 3 --profile
expect '^ batch +seq +threads'
expect '^  layer\.\*\.attention\.qkv'
succeeds "$BERTC" bench "$MODEL" --seq 16 --rounds 3 --profile -j1,2 --json
expect '^\{"batch": 1, "seq": 16, "tokens": 16, "threads": 2,'
expect '^\{"phase": "layer\.\*\.attention\.qkv",'
! grep -v '^{.*}$' out || fail "lines that are no JSON object"
rejects 1 'mini-sst2: .*512|--seq: 513 ' "$BERTC" bench "$MODEL" --seq 513

# --train: a call is a whole step. Its phases are those of backward and update too, and the artefact of such a step is timed likewise.
printf '{"model_type": "bert", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48, "max_position_embeddings": 32, "type_vocab_size": 2, "hidden_act": "gelu"}' >shape.json
succeeds "$BERTC" synth shape.json -o tiny --head pretraining
for task in classify embed pretrain; do
    succeeds "$BERTC" bench tiny --train $task --seq 8 --batch 2 --rounds 1 --profile --json
    expect '^\{"batch": 2, "seq": 8,.*"anonymous_megabytes": [0-9]'
    expect '^\{"phase": "gradient\.layer\.\*\.output'
    expect '^\{"phase": "embeddings\.word_embeddings\.weight\.next'
done
succeeds "$BERTC" bench tiny --train classify --dropout 0.1 --freeze embeddings --seq 8 --batch 2 --rounds 1 --profile --json
! grep -q '"embeddings\.word_embeddings\.weight\.next' out || fail "what is frozen is written"
if "$BERTC" compile tiny --train classify --mcpu native --seq 8 --batch 2 --dropout 0.1 -o step.so >out 2>err; then
    succeeds "$BERTC" bench step.so --rounds 1 --profile
    expect '^  gradient\.layer\.\*\.output'
else
    grep -q 'linker' err || fail "$(cat err)"
fi
succeeds "$BERTC" bench tiny --train states --seq 8 --rounds 1 --profile
! grep -q gradient out || fail "parameters alone make no step"
rejects 2 'options of a step go with --train' "$BERTC" bench tiny --dropout 0.1
rejects 2 'options of a step go with --train' "$BERTC" compile tiny --dropout 0.1 -o none.so
