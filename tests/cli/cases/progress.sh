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

# bench, too: between the rounds, and each row of its table begins a clean line.
for options in '--rounds 40 --threads 1' '--rounds 9 --ablate=fusions'; do
    script -qec "$BERTC bench made --seq 16 $options" /dev/null >out </dev/null || fail "$options: $(cat out)"
    grep -qE '(batch 1, seq 16, threads 1|-fuse_[a-z*]+) [0-9]+ %' out || fail "bench $options: nothing of progress: $(cat out)"
    ! tr '\r' '\n' <out | tail -1 | grep -q '[0-9] %$' || fail "bench $options: progress is left: $(cat out)"
    # shellcheck disable=SC2086 # words
    succeeds "$BERTC" bench made --seq 16 $options
    [ ! -s err ] || fail "progress without a terminal: $(cat err)"
    TERM=dumb script -qec "$BERTC bench made --seq 16 $options" /dev/null >dumb </dev/null || fail "dumb: $(cat dumb)"
    ! grep -q "$(printf '\r\033')" dumb || fail "bench $options: progress on a dumb terminal"
done
