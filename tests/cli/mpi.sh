# Shared by cases/mpi.sh and ../mpi.sh: a small model, examples, and runs of several processes.
MPIRUN="mpirun --allow-run-as-root --oversubscribe"

# A build without MPI says what it lacks to one process of two.
needs_mpi() {
    printf '{"model_type": "bert", "vocab_size": 8192, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 48, "type_vocab_size": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}' >shape.json
    succeeds "$BERTC" synth shape.json -o bert --head masked-lm --seed 1
    cp "$MODEL/tokenizer.json" "$MODEL/tokenizer_config.json" "$MODEL/vocab.txt" bert/
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
        printf '{"text": "a fine film, number %s", "label": "good"}\n{"text": "dull and far too long", "label": "bad"}\n' $i
    done | head -23 >train.jsonl
    status=0
    PMI_RANK=0 PMI_SIZE=2 "$BERTC" train bert --task classify --train train.jsonl -o none >out 2>err || status=$?
    [ $status = 1 ] && [ ! -e none ] || fail "exit status $status of one process of two"
    if grep -q 'PMI_SIZE: says that this is one of 2 processes, and this bertc is built without MPI' err; then
        skip mpi "bertc is built without it"
    fi
    grep -q "PMI_SIZE: .*start them with that MPI's mpirun" err || fail "$(cat err)"
    command -v mpirun >/dev/null 2>&1 || skip mpi "mpirun"
}

# together N OPTION...: bertc train as N processes, which must do well
together() {
    n=$1
    shift
    # shellcheck disable=SC2086 # options
    $MPIRUN -n "$n" "$BERTC" train bert "$@" >out 2>err || {
        cat err >&2
        fail "exit status of $n processes: $*"
    }
    expect "^$n processes: in each step each sends [0-9.]+ .B of gradients; [0-9]+ % of the time"
}

# same_curve FOLDER FOLDER: as many steps, and the losses and the dev file's within 1e-5 of each other
same_curve() {
    grep -c '"loss"' "$1/log.jsonl" >lines1
    grep -c '"loss"' "$2/log.jsonl" >lines2
    cmp lines1 lines2 || fail "$2 has other steps than $1"
    awk 'FNR == 1 { file++ }
        match($0, /loss": [^,}]*/) {
            v = substr($0, RSTART + 7, RLENGTH - 7) + 0
            if (file == 1) { was[FNR] = v; next }
            d = v - was[FNR]; if (d < 0) d = -d
            s = was[FNR] > 0.1 ? was[FNR] : 0.1
            if (!(d <= 1e-5 * s)) { print "line " FNR ": " was[FNR] " and " v; bad = 1 }
        }
        END { exit bad }' "$1/log.jsonl" "$2/log.jsonl" || fail "the curve of $2 is not that of $1"
}

# kill_one FOLDER: one process of the run that writes it, with -9; the last of those that compute
kill_one() {
    pid=$(ps -eo pid,args | awk -v to="-o $1" '$2 ~ /bertc$/ && index($0, to) { print $1 }' | sort -n | tail -1)
    [ -n "$pid" ] || fail "no process writes $1"
    kill -9 "$pid"
}
