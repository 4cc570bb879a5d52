# Stopped while the linker runs, by whatever signal: the linker ends too, and nothing is left beside the output.
cat >slow-ld <<'END'
#!/bin/sh
while [ "$1" != -o ]; do shift; done
echo half >"$2"
echo $$ >"$STARTED"
sleep 60
END
chmod +x slow-ld
wait_for() { # wait_for COMMAND...: until it succeeds, ten seconds at most
    for _ in $(seq 200); do
        "$@" && return
        sleep 0.05
    done
    fail "in vain: $*"
}
gone() { # whoever adopts it may be slow to take note of its end
    [ -z "$(ls -A made)" ] || return 1
    state=$(grep State "/proc/$(cat started)/status" 2>/dev/null || echo 'State: Z')
    [ "${state#State:*Z}" != "$state" ]
}
mkdir made
for signal in TERM HUP KILL; do
    rm -f started
    STARTED=$PWD/started "$BERTC" compile "$MODEL" -o made/x.so --seq 8 --linker ./slow-ld >out 2>err &
    compiler=$!
    wait_for test -s started
    [ -n "$(ls -A made)" ] || fail "where does it write?"
    kill -$signal $compiler
    wait $compiler && fail "not stopped by $signal"
    wait_for gone
done
# a linker that does nothing is no linker
rejects 1 'true wrote nothing' "$BERTC" compile "$MODEL" -o x.so --seq 8 --linker true
rejects 1 'false failed' "$BERTC" compile "$MODEL" -o x.so --seq 8 --linker false
# random weights on the way have no name yet (where the folder's file system can do that: tmpfs can)
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
    base=$(mktemp -d /dev/shm/bertc-XXXXXX)
    "$BERTC" synth bert-small -o "$base" >out 2>err &
    writer=$!
    sleep 0.05
    kill -KILL $writer 2>/dev/null || true
    wait $writer 2>/dev/null || true
    left=$(ls -A "$base")
    rm -r "$base"
    case $left in *.part) fail "left behind: $left" ;; esac
fi
