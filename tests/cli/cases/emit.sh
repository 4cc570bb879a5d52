# Every kind of output.
for kind in obj asm llvm header ir; do
    succeeds "$BERTC" compile "$MODEL" -o "m.$kind" --emit $kind --seq 16
    [ -s "m.$kind" ] || fail "$kind is empty"
done
grep -q bertc_artefact m.asm || fail "no symbol in the assembly"
grep -q '^define' m.llvm || fail "no function in the LLVM IR"
# What is no file is written to, never replaced; a full disk is an error for each kind.
mkfifo pipe
for kind in so obj asm llvm header ir; do
    cat pipe >got &
    succeeds "$BERTC" compile "$MODEL" -o pipe --emit $kind --seq 16
    [ -p pipe ] || fail "the pipe was replaced by --emit $kind"
    wait $!
    [ -s got ] || fail "nothing came through the pipe, --emit $kind"
    rejects 1 '/dev/full: ' "$BERTC" compile "$MODEL" -o /dev/full --emit $kind --seq 16
done
succeeds "$BERTC" compile "$MODEL" -o - --emit ir --seq 16
cmp -s out m.ir || fail "standard output holds another graph"
# the linker's memory is its own: GNU ld needs less than bertc with LLVM in it
if command -v ld.bfd >/dev/null; then
    succeeds "$BERTC" compile "$MODEL" -o m.so --seq 16 --linker ld.bfd --json
    own=$(sed 's/.*"resident_kb": //; s/[^0-9].*//' out) linker=$(sed 's/.*"linker_peak_kb": //; s/[^0-9].*//' out)
    [ "$linker" -gt 0 ] && [ "$linker" -lt "$own" ] || fail "linker $linker kB, bertc $own kB"
else
    skip_part linker ld.bfd
fi
