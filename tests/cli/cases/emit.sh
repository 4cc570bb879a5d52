# Every kind of output.
for kind in obj asm llvm header ir; do
    succeeds "$BERTC" compile "$MODEL" -o "m.$kind" --emit $kind --seq 16
    [ -s "m.$kind" ] || fail "$kind is empty"
done
grep -q bertc_artefact m.asm || fail "no symbol in the assembly"
grep -q '^define' m.llvm || fail "no function in the LLVM IR"
