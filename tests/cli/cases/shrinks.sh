# A file that becomes shorter while it is read: one line that names it, status 1, and no output.
copy_model m
rm m/model.safetensors
cp "$MODEL/model.safetensors" m/
mkfifo said
# The graph goes to standard error, which nobody reads yet: the compiler waits in the middle of its passes, before it reads the weights.
"$BERTC" compile m --mcpu native -o x.so --seq 8 --print-after all >out 2>said &
compiler=$!
exec 3<said
dd bs=1000 count=1 <&3 >start 2>dd.err
truncate -s 4096 m/model.safetensors
cat <&3 >rest
exec 3<&-
status=0
wait $compiler || status=$?
[ "$status" = 1 ] || fail "exit status $status, not 1: $(tail -1 rest)"
tail -1 rest | grep -q 'm/model.safetensors: became shorter while it was read' || fail "$(tail -1 rest)"
[ ! -e x.so ] || fail "an output was made"
! ls -A | grep -q bertc || fail "left behind: $(ls -A)"
# by a page or less, or written to: no signal comes
cp "$MODEL/model.safetensors" m/
"$BERTC" compile m --mcpu native -o x.so --seq 8 --print-after all >out 2>said &
compiler=$!
exec 3<said
dd bs=1000 count=1 <&3 >start 2>dd.err
truncate -s -10 m/model.safetensors
cat <&3 >rest
exec 3<&-
status=0
wait $compiler || status=$?
[ "$status" = 1 ] || fail "exit status $status, not 1: $(tail -1 rest)"
tail -1 rest | grep -q 'm/model.safetensors: was changed while it was read' || fail "$(tail -1 rest)"
[ ! -e x.so ] || fail "an output was made"
# An artefact while it answers: what was answered stands.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 16
mkfifo lines
"$BERTC" run m.so --input lines -o answers.jsonl --threads 1 2>err &
runner=$!
exec 3>lines
texts() {
    i=0
    while [ $i -lt 300 ]; do
        echo "a film that is number $i"
        i=$((i + 1))
    done
}
texts >&3
for _ in $(seq 200); do
    [ -s answers.jsonl.partial ] && break
    sleep 0.05
done
[ -s answers.jsonl.partial ] || fail "no answer"
truncate -s 4096 m.so
(texts >&3) 2>/dev/null || true # it may have ended
exec 3>&-
status=0
wait $runner || status=$?
[ "$status" = 1 ] || fail "exit status $status, not 1: $(cat err)"
[ "$(wc -l <err)" = 1 ] || fail "$(cat err)"
grep -q 'm.so: became shorter while it was read' err || fail "$(cat err)"
[ ! -e answers.jsonl ] && head -1 answers.jsonl.partial | grep -q '"label"' || fail "the answers are gone"
