# A broken checkpoint: one line that names file and place, no output.
rejects 1 'no/such: ' "$BERTC" compile no/such -o x.so
mkdir empty
rejects 1 'empty.*: ' "$BERTC" compile empty -o x.so
copy_model m
spoil() { rm -f m/model.safetensors; }
spoil
head -c 100000 "$MODEL/model.safetensors" >m/model.safetensors
rejects 1 'model.safetensors: ' "$BERTC" compile m -o x.so
spoil
printf '\377\377\377\377\377\377\377\177{}' >m/model.safetensors
rejects 1 'model.safetensors: .*header' "$BERTC" compile m -o x.so
spoil
safetensors m/model.safetensors '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}' 12
rejects 1 'model.safetensors: .*"b"' "$BERTC" compile m -o x.so
spoil
safetensors m/model.safetensors '{"a":{"dtype":"F7","shape":[2],"data_offsets":[0,8]}}' 8
MANY=1 rejects 1 'model.safetensors: .*F7' "$BERTC" compile m -o x.so
spoil
safetensors m/model.safetensors '{}'
MANY=1 rejects 1 'word_embeddings' "$BERTC" compile m -o x.so
[ "$(grep -c 'model.safetensors' err)" -gt 50 ] || fail "not all the missing tensors are listed"
spoil
safetensors m/model.safetensors '{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}' 8
rejects 1 'model.safetensors: .*"a"' "$BERTC" compile m -o x.so
spoil
safetensors m/model.safetensors '{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}' 8
rejects 1 'model.safetensors: .*"a"' "$BERTC" compile m -o x.so
if [ "$(id -u)" != 0 ]; then
    spoil
    cp "$MODEL/model.safetensors" m/
    chmod 0 m/model.safetensors
    rejects 1 'model.safetensors: .*ermission' "$BERTC" compile m -o x.so
fi
# what a link to nowhere, a pipe or a clone without Git LFS left is not read as if nothing stood there
spoil
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n' >m/model.safetensors
rejects 1 'model.safetensors: is a Git LFS pointer' "$BERTC" compile m -o x.so
spoil
ln -s nowhere m/model.safetensors
rejects 1 'm/model.safetensors: can.t be opened' "$BERTC" compile m -o x.so
spoil
cp "$MODEL/model.safetensors" m/
for file in tokenizer.json tokenizer_config.json; do
    mv m/$file kept
    ln -s nowhere m/$file
    rejects 1 "m/$file: can.t be opened" "$BERTC" compile m -o x.so
    rm m/$file
    mkfifo m/$file
    rejects 1 "m/$file: is no file" "$BERTC" compile m -o x.so
    rm m/$file
    mv kept m/$file
done
ln -s nowhere m/modules.json
rejects 1 "m/modules.json: can.t be opened" "$BERTC" compile m -o x.so
