# What else is refused in one line: files that can't be read, tokenizers of other models, machines that are not this one.
copy_model m
rm m/model.safetensors
ln -s loop.safetensors loop.safetensors
rejects 1 'loop.safetensors: .*symbolic links' "$BERTC" compile loop.safetensors --config m/config.json -o x.so
rm loop.safetensors
safetensors m/model.safetensors '{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}' 16
rejects 1 'model.safetensors: .*"(a|b)"' "$BERTC" compile m -o x.so
safetensors m/model.safetensors '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,800]}}' 8
rejects 1 'model.safetensors: .*"a"' "$BERTC" compile m -o x.so
printf '\144\0\0\0\0\0\0\0{"a":' >m/model.safetensors
rejects 1 'model.safetensors: .*header' "$BERTC" compile m -o x.so

# tokenizer ids beyond the vocabulary: a note that names the file, and an error of the text that has one. An added token's id is not the file's to choose where the vocabulary has one.
rm -rf m
copy_model m
sed 's/"movie": [0-9]*,/"movie": 9000,/' "$MODEL/tokenizer.json" >m/tokenizer.json
succeeds "$BERTC" compile m --mcpu native -o x.so --seq 16
grep -q "note: m/tokenizer.json: the tokenizer's ids go up to 9000, the model's vocabulary has 8192" err || fail "$(cat err)"
rm x.so
sed '43s/"id": 4,/"id": 9000,/' "$MODEL/tokenizer.json" >m/tokenizer.json
succeeds "$BERTC" compile m --mcpu native -o added.so --seq 16
grep -q 'm/tokenizer.json: added_tokens\[4\]: `\[MASK\]` has id 4, not 9000' err || fail "the id is changed without a word: $(cat err)"
printf '{' >m/tokenizer.json
rejects 1 'm/tokenizer.json' "$BERTC" compile m -o x.so --seq 16
rm m/tokenizer.json
yes '[UNK]' | head -9000 | awk '{ print $0 NR }' >m/vocab.txt
printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n' | cat - m/vocab.txt >v
mv v m/vocab.txt
succeeds "$BERTC" compile m --mcpu native -o x.so --seq 16
grep -q "note: m/vocab.txt: the tokenizer's ids go up to 9004" err || fail "$(cat err)"

# text that is no UTF-8, and text that is too long
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 16
succeeds "$BERTC" run m.so "$(printf 'a \377\376 b')"
cp out replaced
succeeds "$BERTC" run m.so "$(printf 'a \357\277\275\357\277\275 b')"
cmp out replaced || fail "bytes that are no UTF-8 are not read as U+FFFD"
long=$(yes word | head -40 | tr '\n' ' ')
rejects 1 '^bertc: error: m.so: text of 42 tokens, 26 more than the limit of 16' "$BERTC" run m.so "$long"
rejects 1 '^bertc: error: .*mini-sst2: text of 42 tokens, 26 more' "$BERTC" run "$MODEL" --seq 16 "$long"
succeeds "$BERTC" run m.so --long truncate "$long"

# masks that show nothing, or hide the column that the head reads
row() { # FILE MASK-BYTES...: ids 2 5 3 in two rows, and a mask of two rows
    safetensors "$1" '{"input_ids":{"dtype":"I32","shape":[2,3],"data_offsets":[0,24]},"attention_mask":{"dtype":"I32","shape":[2,3],"data_offsets":[24,48]}}'
    for id in 2 5 3 2 5 3 $2; do printf "\\$id\\0\\0\\0" >>"$1"; done
}
row all.st '1 1 1 1 1 0'
succeeds "$BERTC" run m.so --tensors all.st -o o.st
row none.st '1 1 1 0 0 0'
rejects 1 'none.st: .*row 1' "$BERTC" run m.so --tensors none.st -o x.st
row left.st '1 1 1 0 1 1'
rejects 1 'left.st: .*row 1' "$BERTC" run m.so --tensors left.st -o x.st
rejects 1 '/dev/full' "$BERTC" run m.so --tensors all.st -o /dev/full
