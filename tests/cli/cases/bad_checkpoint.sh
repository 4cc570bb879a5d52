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
