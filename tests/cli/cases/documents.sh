# Data sets that are one JSON document: SQuAD's own form, a list of objects, a list under "data"; others are named. And what messages say
# of files that are no data set, or no whole checkpoint.
qa() { "$BERTC" evaluate qa --seq 64 --json "$@"; }
succeeds "$BERTC" synth bert-tiny -o qa --head question-answering
cp "$MODEL/tokenizer.json" qa/
cat >nested.json <<'EOF'
{"version": "v2.0", "data": [{"title": "T", "paragraphs": [{"context": "The cat sat \"on\" the mat.", "qas": [
  {"id": "a", "question": "Who sat?", "answers": [{"text": "The cat", "answer_start": 0}], "is_impossible": false},
  {"id": "b", "question": "Who flew?", "answers": [], "is_impossible": true}]},
 {"context": "A dog ran.", "qas": [{"id": "c", "question": "What ran?", "answers": [{"text": "A dog", "answer_start": 0}]}]}]},
 {"title": "U", "paragraphs": []}]}
EOF
cat >flat.jsonl <<'EOF'
{"context": "The cat sat \"on\" the mat.", "question": "Who sat?", "answers": {"text": ["The cat"], "answer_start": [0]}}
{"context": "The cat sat \"on\" the mat.", "question": "Who flew?", "answers": {"text": [], "answer_start": []}}
{"context": "A dog ran.", "question": "What ran?", "answers": {"text": ["A dog"], "answer_start": [0]}}
EOF
tr -d '\n' <nested.json >one-line.json
printf '\357\273\277' | cat - nested.json >marked.json
qa --data flat.jsonl >want 2>err || fail "$(cat err)"
grep -q '"examples": 3, ' want || fail "$(cat want)"
for file in nested.json one-line.json marked.json; do
    qa --data $file >out 2>err || fail "$file: $(cat err)"
    cmp out want || fail "$file is read otherwise than its lines: $(cat out)"
done
qa --data - <nested.json >out 2>err || fail "$(cat err)"
cmp out want || fail "standard input is read otherwise"
sed 's/"A dog", "answer_start": 0/"A dog", "answer_start": 3/' nested.json >wrong.json
rejects 1 "wrong.json: example 3: .*'A dog' does not stand at character 3" qa --data wrong.json
succeeds "$BERTC" train qa --task answer --train nested.json --max-steps 1 --max-seq-length 64 -o trained

printf '[{"text": "good", "label": "positive"},\n {"text": "bad", "label": "negative"}]\n' >list.json
printf '{"data": [{"text": "good", "label": "positive"}, {"text": "bad", "label": "negative"}]}\n' >data.json
for file in list.json data.json; do
    succeeds "$BERTC" evaluate "$MODEL" --seq 16 --data $file --json
    expect '"examples": 2, .*"accuracy": 1,'
done
printf '{"a": 1,\n "b": 2}\n' >other.json
rejects 1 'other.json: is one JSON document: a line per example is wanted' "$BERTC" evaluate "$MODEL" --seq 16 --data other.json
printf '[1, 2]\n' >numbers.json
rejects 1 'numbers.json: is one JSON document' "$BERTC" evaluate "$MODEL" --seq 16 --data numbers.json

# Nothing, plain text, labels that the model lacks, words and tags.
: >empty.txt
rejects 1 'empty.txt: is empty: it holds no example' "$BERTC" evaluate "$MODEL" --seq 16 --data empty.txt
printf 'words\n' >plain.txt
rejects 1 'plain.txt: is plain text, whose lines have no labels' "$BERTC" evaluate "$MODEL" --seq 16 --data plain.txt
printf '{"text": "a", "label": "goood"}\n' >unknown.jsonl
rejects 1 "unknown.jsonl:1: 'goood' is not one of the labels negative, positive" "$BERTC" evaluate "$MODEL" --seq 16 --data unknown.jsonl
grep -q "note: unknown.jsonl: only the model's own labels can be compared" err || fail "$(cat err)"
succeeds "$BERTC" synth bert-tiny -o tags --head token-classification
cp "$MODEL/tokenizer.json" tags/
printf '{"tokens": ["a"], "ner_tags": [0, 1]}\n' >tags.jsonl
rejects 1 'tags.jsonl:1: has 1 word and 2 tags: each word needs one tag' "$BERTC" evaluate tags --seq 16 --data tags.jsonl
rejects 1 "gives 'he' two words to be swapped with, 'she' and 'they'" "$BERTC" evaluate "$MODEL" --seq 16 --data list.json --swap he:she,he:they
succeeds "$BERTC" evaluate "$MODEL" --seq 16 --data list.json --swap his:her,him:her,his:her

# A part of a checkpoint, and one without a tokenizer.
mkdir parts
cp "$MODEL/config.json" parts/
ln -s "$MODEL/model.safetensors" parts/model-00001-of-00003.safetensors
rejects 1 'parts: holds model-00001-of-00003.safetensors, part 1 of 3 of a checkpoint, and the index model.safetensors.index.json is missing' \
    "$BERTC" compile parts -o x.so
rejects 1 'model-00001-of-00003.safetensors: is part 1 of 3 of a checkpoint, and the index model.safetensors.index.json beside it is missing' \
    "$BERTC" compile parts/model-00001-of-00003.safetensors -o x.so
echo '{}' >parts/model.safetensors.index.json
rejects 1 'is part 1 of 3 of a checkpoint: give the folder parts instead' "$BERTC" compile parts/model-00001-of-00003.safetensors -o x.so
succeeds "$BERTC" synth bert-tiny -o bare --head sequence-classification
succeeds "$BERTC" compile bare --mcpu native --seq 16 -o bare.so
grep -q 'note: bare.so: has no tokenizer, so it takes token ids (bertc run --tensors, bertc bench) and no texts' err || fail "$(cat err)"
rejects 1 'has no tokenizer' "$BERTC" run bare.so a

# Texts of --calibrate are read as those of --input.
printf 'good\n\377\376 bad\n' >bad.txt
rejects 1 'bad.txt: line 2 is not UTF-8 from byte 1 on' "$BERTC" compile "$MODEL" --mcpu native --dtype int8 --calibrate bad.txt -o x.so
printf '\357\273\277good\r\n\r\nbad\r\n' >crlf.txt
printf 'good\nbad\n' >lf.txt
for file in crlf lf; do succeeds "$BERTC" compile "$MODEL" --mcpu native --seq 16 --dtype int8 --calibrate $file.txt -o $file.so; done
cmp crlf.so lf.so || fail "a byte order mark, CR or an empty line counts"
succeeds "$BERTC" compile "$MODEL" --mcpu native --seq 16 --dtype int8 --calibrate - -o piped.so <lf.txt
cmp piped.so lf.so || fail "standard input is read otherwise"
