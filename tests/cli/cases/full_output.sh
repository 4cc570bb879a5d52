# Output that can't be written is status 1, whatever the command; and the status of compile says what happened to its output.
[ -c /dev/full ] || skip "no /dev/full"
full() { # full CMD...: with a full standard output: status 1, one line that says so
    status=0
    "$@" >/dev/full 2>err </dev/null || status=$?
    [ "$status" = 1 ] || fail "exit status $status, not 1, of: $*"
    [ "$(grep -c "standard output: can't be written" err)" = 1 ] || fail "of: $*: $(cat err)"
    [ "$(wc -l <err)" = 1 ] || fail "$(cat err)"
    rm err
}
printf 'graph @g(%%x: f32[T,4]) {\n  %%y = tanh %%x\n  output y = %%y\n}\n' >g.ir
full "$BERTC" --help
full "$BERTC" help
full "$BERTC" --version
for command in compile run evaluate train tokenize bench inspect opt verify synth targets; do
    full "$BERTC" $command --help
done
full "$BERTC" opt --list
full "$BERTC" opt g.ir
full "$BERTC" targets
# before: no output is made, and one that is there stays
full "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 8
full "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 8 --json
full "$BERTC" compile "$MODEL" -o m.s --emit asm --seq 8
[ "$(ls -A)" = g.ir ] || fail "left behind: $(ls -A)"
full "$BERTC" compile "$MODEL" -o - --emit ir --seq 8
echo old >m.so
full "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 8
[ "$(cat m.so)" = old ] || fail "status 1, and the output was replaced"
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 8
for options in "" --json; do
    full "$BERTC" run m.so $options "Amazing!"
    full "$BERTC" run m.so $options --explain "Amazing!"
    full "$BERTC" tokenize m.so $options "Amazing!"
    full "$BERTC" inspect m.so $options
    full "$BERTC" verify "$MODEL" --seq 4 $options
done
full "$BERTC" inspect "$MODEL" --dot --seq 8
full "$BERTC" bench m.so --rounds 1 --json
echo "a film" >texts.txt
full "$BERTC" run m.so --input texts.txt
# what goes to standard error alone
for stream in "--report fusion" "--print-after canonicalize"; do
    status=0
    "$BERTC" compile "$MODEL" --mcpu native -o x.so --seq 8 $stream 2>/dev/full >out || status=$?
    [ "$status" = 1 ] && [ ! -e x.so ] || fail "exit status $status with a full standard error, $stream"
    status=0
    "$BERTC" opt g.ir --passes canonicalize $stream 2>/dev/full >out || status=$?
    [ "$status" = 1 ] || fail "opt: exit status $status with a full standard error, $stream"
done
! "$BERTC" run nowhere.so x 2>/dev/full || fail "an error that can't be printed is none"

# A device that takes nothing: the error, and no line that says what was written.
for kind in so obj; do
    rejects 1 "/dev/full: can't be written" "$BERTC" compile "$MODEL" --mcpu native --seq 8 --emit $kind -o /dev/full
    [ ! -s out ] || fail "figures of what was not written: $(cat out)"
done
