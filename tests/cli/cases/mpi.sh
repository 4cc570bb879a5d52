# bertc train as several processes: the curve of one; killed and resumed; what is wrong with one of them. tests/mpi.sh has all tasks.
. "$SOURCE/tests/cli/mpi.sh"
needs_mpi

# Three processes take two examples each, or none: the last batch has five for six. The same bytes again.
set -- --task classify --train train.jsonl --learning-rate 0.01 --num-train-epochs 2 --save-steps 3 -j 1
succeeds "$BERTC" train bert "$@" --per-device-train-batch-size 6 -o one
mkdir a b
together 3 "$@" --per-device-train-batch-size 2 -o a/run
same_curve one a/run
(
    status=0
    # shellcheck disable=SC2086
    $MPIRUN -n 3 "$BERTC" train bert "$@" --per-device-train-batch-size 2 -o b/run >killed.out 2>killed.err || status=$?
    echo $status >killed.status
) &
while kill -0 $! 2>/dev/null && [ ! -d b/run/checkpoint-3 ]; do sleep 0.01; done
if [ ! -e b/run/state.json ]; then kill_one b/run; fi
wait
if ! [ -e b/run/state.json ]; then
    [ "$(cat killed.status)" = 1 ] || fail "exit status $(cat killed.status)"
    grep -Eq '^bertc: error: process [0-2] of 3 was ended by signal 9 .*--resume goes on from its last checkpoint' killed.err || fail "$(cat killed.err)"
    status=0
    # shellcheck disable=SC2086
    $MPIRUN -n 2 "$BERTC" train bert "$@" --per-device-train-batch-size 2 -o b/run --resume >out 2>err || status=$?
    [ $status = 1 ] || fail "exit status $status"
    grep -q 'the run was started with processes 3, not 2' err || fail "$(cat err)"
    together 3 "$@" --per-device-train-batch-size 2 -o b/run --resume
fi
diff -r a/run b/run || fail "other bytes than of a run that was not stopped"

# wrong PATTERN COMMAND...: all processes end, one says why, and nothing is left
wrong() {
    pattern=$1 status=0
    shift
    "$@" >out 2>err || status=$?
    [ $status = 1 ] || fail "exit status $status, not 1: $(cat err)"
    [ "$(grep -c '^bertc: error' err)" = 1 ] && grep -Eq "^bertc: error: .*$pattern" err || fail "no '$pattern' alone in: $(cat err)"
    [ ! -e nothing ] || fail "the folder was made"
}
set -- --task classify --max-steps 1 -j 1 -o nothing
# shellcheck disable=SC2086
wrong 'gone.jsonl: can.t be read' $MPIRUN -n 2 "$BERTC" train bert --train gone.jsonl "$@"
# shellcheck disable=SC2086
wrong 'standard input is one process.s alone' $MPIRUN -n 2 "$BERTC" train bert --train - "$@"
head -20 train.jsonl >other.jsonl
# shellcheck disable=SC2086
wrong 'process 1 of 2 reads other training data than process 0' $MPIRUN -n 1 "$BERTC" train bert --train train.jsonl "$@" : \
    -n 1 "$BERTC" train bert --train other.jsonl "$@"
# shellcheck disable=SC2086
wrong 'gone.jsonl: can.t be read' $MPIRUN -n 1 "$BERTC" train bert --train train.jsonl "$@" : \
    -n 1 "$BERTC" train bert --train gone.jsonl "$@"
grep -q '^bertc: note: bert: of process 1 of 2' err || fail "$(cat err)"
