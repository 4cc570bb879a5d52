# A table of embeddings is a model like any other.
STATIC=$SOURCE/tests/models/answers/st-static
succeeds "$BERTC" compile "$STATIC" --mcpu native -o static.so
succeeds "$BERTC" run static.so --json "who is it ?"
expect '^\{"embedding": \[-0\.2038096[0-9]*, 0\.294132[0-9]*, '
cp out one
succeeds "$BERTC" run "$STATIC" --json "who is it ?"
cmp one out || fail "by JIT it is another: $(cat out)"
succeeds "$BERTC" tokenize static.so "the sea"
! grep -qE 'CLS|SEP' out || fail "special tokens: $(cat out)"
succeeds "$BERTC" verify "$STATIC"
succeeds "$BERTC" verify "$STATIC" --dtype int8
succeeds "$BERTC" inspect static.so
expect '^model +static, embedding'
succeeds "$BERTC" bench "$STATIC" --seq 16
printf 'the sea\n\nwho is it ?\n' >texts.txt
succeeds "$BERTC" run static.so --input texts.txt -o vectors.npy
[ "$(tail -c +129 vectors.npy | wc -c)" = $((3 * 24 * 4)) ] || fail "vectors.npy has $(wc -c <vectors.npy) bytes"
succeeds "$BERTC" run static.so --input texts.txt
sed -n 2p out | grep -q '"embedding": \[0, 0, ' || fail "the empty line: $(sed -n 2p out)"
printf 'the sea\n' >query.txt
succeeds "$BERTC" run static.so --similar query.txt texts.txt --top-k 1
expect '^ *1\.0000  1'
succeeds "$BERTC" run static.so --dimensions 4 --normalize "the sea"
[ "$(wc -w <out)" = 4 ] || fail "$(cat out)"
for outputs in dense attentions hidden_states.0 last_hidden_state; do
    rejects 1 "outputs: $outputs: .*gives an embedding alone" "$BERTC" compile "$STATIC" --outputs $outputs -o x.so
done
rejects 1 'attentions.0: .*gives an embedding alone' "$BERTC" run "$STATIC" --attention 0,0 "the sea"

# model2vec's form, without modules.json.
mkdir m2v
cp "$STATIC/tokenizer.json" m2v/
sed 's/"embedding.weight"/"embeddings"      /' "$STATIC/model.safetensors" >m2v/model.safetensors
printf '{"model_type": "model2vec", "normalize": true}' >m2v/config.json
succeeds "$BERTC" run m2v --json "who is it ?"
expect '^\{"embedding": '
! cmp -s one out || fail "it is not made of length 1"
awk 'BEGIN { for (i = 0; i < 600; i++) printf "sea "; print "" }' >long.txt
rejects 1 '600 tokens.*512|512.*600' "$BERTC" run m2v "$(cat long.txt)"
succeeds "$BERTC" run m2v --long truncate "$(cat long.txt)"
rejects 1 'is a table of embeddings, and gives an embedding alone' "$BERTC" compile m2v --head masked-lm -o x.so
rejects 1 'of a table of embeddings is the mean' "$BERTC" compile m2v --pooling max -o x.so
rejects 1 'is for encoders' "$BERTC" compile m2v --adapter "$SOURCE/tests/models/answers/lora/adapter" -o x.so
safetensors m2v/model.safetensors '{"embeddings":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}' 16
rejects 1 'tensor "embeddings": is no matrix of numbers' "$BERTC" compile m2v -o x.so
safetensors m2v/model.safetensors '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}' 16
rejects 1 'tensor "embeddings": is missing' "$BERTC" compile m2v -o x.so
