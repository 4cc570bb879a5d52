# No output takes the place of what is read, by whatever name.
copy_model m
cp -L m/model.safetensors weights && rm m/model.safetensors && cp weights m/model.safetensors
ln -s m/model.safetensors link.so
cp m/config.json other.json
for output in m/model.safetensors m/tokenizer.json m/vocab.txt ./m/../m/config.json link.so; do
    rejects 1 "$output: is a file of the checkpoint" "$BERTC" compile m -o $output --seq 8
done
rejects 1 'other.json: is a file of the checkpoint' "$BERTC" compile m/model.safetensors -o other.json --config other.json --seq 8
(cd m && rejects 1 'config.json: is a file of the checkpoint' "$BERTC" compile model.safetensors -o config.json --seq 8)
cmp weights m/model.safetensors || fail "the weights are gone"
for _ in first again; do succeeds "$BERTC" compile m --mcpu native -o m/m.so --seq 8; done # an artefact may stand there
rejects 1 'holds weights beside this config.json' "$BERTC" synth m/config.json -o m
rejects 1 'holds weights beside this config.json' "$BERTC" synth m -o m/
cmp weights m/model.safetensors || fail "the weights are gone"
succeeds "$BERTC" synth m/config.json -o fresh

cp m/m.so m.so
echo "a film" >texts.txt
rejects 1 './texts.txt: is what is read' "$BERTC" run m.so --input texts.txt -o ./texts.txt
rejects 1 'm.so: is what is read' "$BERTC" run m.so --input texts.txt -o m.so
rejects 1 'm/vocab.txt: is a file of the checkpoint' "$BERTC" run m --input texts.txt -o m/vocab.txt --seq 8
[ "$(cat texts.txt)" = "a film" ] || fail "the texts are gone"
# a link is followed, as by compile
ln -s target.jsonl named.jsonl
: >target.jsonl
succeeds "$BERTC" run m.so --input texts.txt -o named.jsonl
grep -q label target.jsonl && [ -L named.jsonl ] || fail "the link is gone"

# Rows of another width are not gone on with, and stay as they are.
succeeds "$BERTC" compile m --mcpu native -o e.so --head embedding --seq 8
succeeds "$BERTC" synth bert-tiny -o tiny
cp m/tokenizer.json tiny/
succeeds "$BERTC" compile tiny --mcpu native -o narrow.so --head embedding --seq 8
succeeds "$BERTC" run e.so --input texts.txt -o x.npy
cp x.npy was
rejects 1 'x.npy: --resume: holds no rows of 128' "$BERTC" run narrow.so --input texts.txt -o x.npy --resume
cmp x.npy was || fail "the rows are gone"
mv x.npy x.npy.partial
rejects 1 'x.npy: --resume: holds no rows of 128' "$BERTC" run narrow.so --input texts.txt -o x.npy --resume
cmp x.npy.partial was || fail "the rows are gone"
