# Long work says how far it is, on a terminal alone: a line that is drawn over, and gone at the end.
has_terminal || skip tools "script(1) and /dev/pts, to make a terminal"
echo '{"model_type": "bert", "hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024, "num_hidden_layers": 6,
    "vocab_size": 80000, "max_position_embeddings": 512, "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12}' >shape.json
for command in "synth shape.json -o made" "compile made -o made.so --seq 16" "verify made"; do
    script -qec "$BERTC $command" /dev/null >out </dev/null || fail "$command: $(cat out)"
    grep -qE 'weights( [0-9]+ %| \.\.\.)|evaluator [0-9]+ %' out || fail "nothing of progress on a terminal: $command"
    # shellcheck disable=SC2086 # words
    succeeds "$BERTC" $command
    ! grep -q '%$' err || fail "progress without a terminal: $command"
done
