# --memory: whatever a step keeps and makes again, training gives the same bytes, in families of several kinds and with dropout.
base='"vocab_size": 8192, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 80, "max_position_embeddings": 48'
drops='"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1'
shape() { printf '{"model_type": "%s", %s, %s}' "$1" "$base" "$2" >shape.json; }
make() { # FAMILY FIELDS
    shape "$1" "$2"
    succeeds "$BERTC" synth shape.json -o "$1" --head masked-lm --seed 1
    cp "$MODEL/tokenizer.json" "$MODEL/tokenizer_config.json" "$MODEL/vocab.txt" "$1/"
}
make bert "\"type_vocab_size\": 2, \"hidden_act\": \"gelu\", $drops"
make albert "\"embedding_size\": 16, \"type_vocab_size\": 2, \"hidden_act\": \"gelu_new\", \"num_hidden_groups\": 1, \"inner_group_num\": 1, $drops"
make modernbert '"global_attn_every_n_layers": 2, "local_attention": 8, "mlp_dropout": 0.1, "pad_token_id": 0'
for i in 1 2 3 4 5 6 7; do
    printf '{"text": "a fine film, number %s, and one to see again", "label": "good"}\n{"text": "dull", "label": "bad"}\n' $i
done >train.jsonl
train() { # FAMILY FOLDER ...
    family=$1 out=$2
    shift 2
    "$BERTC" train "$family" --task classify --train train.jsonl --per-device-train-batch-size 5 --learning-rate 0.01 --max-steps 3 -o "$out" "$@"
}
for family in bert albert modernbert; do
    succeeds train $family $family-everything --memory everything -j 1
    expect '^memory [0-9.]+ MB: states and weights [0-9.]+ MB, values of a step [0-9.]+ MB, all else'
    succeeds train $family $family-nothing --memory nothing -j 2
    cmp $family-everything/model.safetensors $family-nothing/model.safetensors || fail "$family: other bytes with --memory nothing"
    cmp $family-everything/log.jsonl $family-nothing/log.jsonl || fail "$family: another log with --memory nothing"
done

# A budget: what is chosen is said, and what can't be had is an error that says what can.
long() { "$BERTC" compile bert --train mlm --seq 48 --batch 64 --emit ir --mcpu native -o step.ir "$@"; }
succeeds long --memory everything
all=$(sed -n 's/^memory \([0-9.]*\) MB: .*/\1/p' out)
rejects 1 '^bertc: error: --memory: 1.0 MB are too few: states and weights take [0-9.]+ MB, .* so the least is [0-9.]+ MB$' long --memory 1MB
least=$(sed -n 's/.* the least is \([0-9.]*\) MB$/\1/p' err)
succeeds long --memory "$least MB"
expect '^computed again in the backward part, in [0-9.]+ % of a step'
expect '^ +3 layer.N.intermediate +[0-9.]+ MB$'
awk -v l="$least" -v a="$all" 'BEGIN {exit !(l + 0 < a + 0)}' || fail "the least is $least, and everything takes $all MB"
taken=$(sed -n 's/^memory \([0-9.]*\) MB: .*/\1/p' out)
awk -v t="$taken" -v l="$least" 'BEGIN {exit !(t + 0 <= l + 0)}' || fail "$taken MB are taken of $least"
succeeds train bert budget --memory 150MB
cmp bert-everything/model.safetensors budget/model.safetensors || fail "other bytes under a budget"
rejects 1 '--memory: .* too few' train bert few --memory 40MB
for word in 2.2XB -1GB some GB 1e400GB nan ''; do
    rejects 1 "^bertc: error: --memory: '$word' is no size, as 2.2GB or 800MB, and none of products" long --memory "$word"
done
rejects 2 'options of a step go with --train' "$BERTC" compile bert --memory 2GB -o x.so

# The pass by itself, as bertc opt runs and prints it: its choice on stderr, the graph on standard output.
succeeds "$BERTC" compile "$MODEL" --train classify --emit ir --stage packed --passes -recompute -o plain.ir
! grep -q '\.again' plain.ir || fail 'recompute ran'
for how in everything products nothing 150MB; do
    "$BERTC" opt plain.ir --passes recompute --memory $how --mcpu x86-64-v3 >"opt.$how" 2>err || fail "$(cat err)"
    grep -Eq '^memory [0-9.]+ MB: states and weights [0-9.]+ MB, values of a step [0-9.]+ MB$' err || fail "$(cat err)"
    [ $how = everything ] || grep -q '^computed again in the backward part, in' err || fail "$(cat err)"
    grep -c '\.again' "opt.$how" >"count.$how" || [ $how = everything ] || fail "nothing is computed again: $how"
done
[ "$(cat count.everything)" = 0 ] && [ "$(cat count.nothing)" -gt "$(cat count.products)" ] || fail "$(cat count.*)"
"$BERTC" opt plain.ir --passes recompute --memory nothing --seq 32 --batch 2 --mcpu x86-64-v3 2>less >/dev/null
"$BERTC" opt plain.ir --passes recompute --memory nothing --mcpu x86-64-v3 2>more >/dev/null
values() { sed -n 's/^memory.*values of a step \([0-9]*\).*/\1/p' "$1"; }
[ "$(values less)" -lt "$(values more)" ] || fail "$(head -1 less more)"
"$BERTC" opt opt.nothing --passes '' >again.ir && cmp opt.nothing again.ir || fail 'its text does not round-trip'
rejects 1 'memory: 9.0 MB are too few' "$BERTC" opt plain.ir --passes recompute --memory 9MB --mcpu x86-64-v3
rejects 1 'memory: the pass recompute did not run over a step' "$BERTC" opt plain.ir --passes canonicalize --memory nothing
rejects 1 "memory: 'much' is no size" "$BERTC" opt plain.ir --memory much
rejects 2 'seq and --batch go with --memory' "$BERTC" opt plain.ir --seq 32
