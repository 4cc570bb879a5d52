# What is no artefact, or not one for here.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 16
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

# another ABI version: the number behind the magic, 8 bytes on
cp m.so other.so
at=$(grep -abo BERTCart other.so | head -1 | cut -d: -f1)
printf '\143' | dd of=other.so bs=1 seek=$((at + 8)) conv=notrunc 2>/dev/null
rejects 1 'other.so: .*version 99' "$BERTC" run other.so hello
# a model file that is no artefact, and a text where there is no tokenizer
rejects 1 'no.json: ' "$BERTC" run "$MODEL/model.safetensors" --config "$MODEL/no.json" hello
mkdir lone
cp "$MODEL/config.json" lone/
ln -s "$MODEL/model.safetensors" lone/model.st
succeeds "$BERTC" compile lone/model.st --mcpu native -o lone.so --seq 16
rejects 1 'tokenizer' "$BERTC" run lone.so hello
succeeds "$BERTC" compile lone/model.st --mcpu native -o with.so --seq 16 --tokenizer "$MODEL/tokenizer.json"
succeeds "$BERTC" run with.so "This movie was amazing!"
