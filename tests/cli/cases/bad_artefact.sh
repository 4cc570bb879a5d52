# What is no artefact, or not one for here.
succeeds "$BERTC" compile "$MODEL" -o m.so --seq 16
printf 'hello' >text.so
rejects 1 'text.so: ' "$BERTC" run text.so hello
rejects 1 'missing.so: ' "$BERTC" run missing.so hello
head -c 100000 m.so >short.so
rejects 1 'short.so: ' "$BERTC" run short.so hello
head -c 8000000 m.so >short.so
rejects 1 'short.so: ' "$BERTC" run short.so hello
libc=$(ldd "$BERTC" | sed -n 's/.*=> \([^ ]*libc\.so[^ ]*\).*/\1/p')
[ -z "$libc" ] || rejects 1 'not a bertc artefact' "$BERTC" run "$libc" hello
if "$BERTC" compile "$MODEL" -o arm.so --target aarch64-linux-gnu --mcpu generic --seq 16 >out 2>err; then
    rejects 1 'arm.so: .*(aarch64|AArch64|architecture)' "$BERTC" run arm.so hello
fi
