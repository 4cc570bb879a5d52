# evaluate: labels, several labels, numbers, tags, embeddings; groups and swapped words; every format; bad lines and files.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o sentiment.so --seq 32
REVIEWS=$SOURCE/examples/reviews.jsonl
figure() { # figure NAME VALUE: of ./out
    expect "^$1  +$2\$"
}

# One label: the counts are those of the answers that run gives.
succeeds "$BERTC" evaluate sentiment.so --data "$REVIEWS"
figure examples 16
figure accuracy 0.8750
figure f1_micro 0.8750
figure matthews 0.7500
expect '^negative +0\.8750 +0\.8750 +0\.8750 +8$'
expect '^positive +1 +7$'
cp out by_artefact
succeeds "$BERTC" evaluate "$MODEL" --data "$REVIEWS" -j 1 --max-tokens 20 --mcpu native --seq 24
cmp by_artefact out || fail "a checkpoint, one thread, another length: $(cat out)"
"$BERTC" evaluate sentiment.so --data - <"$REVIEWS" >out || fail "from standard input"
cmp by_artefact out || fail "standard input has other figures: $(cat out)"
succeeds "$BERTC" evaluate sentiment.so --data "$REVIEWS" --json
expect '^\{"task": "classify", "examples": 16, "bad_lines": 0, "metrics": \{"accuracy": 0\.875,'
expect '"labels": \[\{"label": "negative", "precision": 0\.875, "recall": 0\.875, "f1": 0\.875, "support": 8\},'
expect '"confusion": \[\[7, 1\], \[1, 7\]\]'

# Formats, numbers for labels, other names of columns.
sed -e 's/.*"text": "\(.*\)", "label": "\(.*\)", "about".*/"\1",\2/' "$REVIEWS" >reviews.csv
{ printf 'text,label\r\n'; cat reviews.csv; } >a.csv
succeeds "$BERTC" evaluate sentiment.so --data a.csv
cmp by_artefact out || fail "CSV has other figures: $(cat out)"
{ printf 'review\tstars\n'; sed -e 's/^"\(.*\)",\(.*\)/\1\t\2/; s/negative$/0/; s/positive$/1/' reviews.csv; } >a.tsv
succeeds "$BERTC" evaluate sentiment.so --data a.tsv --columns text=review,label=stars
cmp by_artefact out || fail "TSV has other figures: $(cat out)"
rejects 1 'a\.tsv: has no label: looked for label, labels, target, and its columns are review, stars' "$BERTC" evaluate sentiment.so --data a.tsv

# Groups: Fairlearn's figures, worked out by hand from the 16 answers (7 of 9 and 9 lines).
"$BERTC" evaluate sentiment.so --data "$REVIEWS" --group-by about >out 2>err || fail "groups"
expect '^group +examples +accuracy '
expect '^actor +7 +0\.8571'
expect '^film +9 +0\.8889'
expect '^difference +0\.0317'
expect '^ratio +0\.9643'
expect '^actor +0\.4286 +0\.7500 +0\.0000$'
expect '^demographic parity  difference  0\.1270  ratio  0\.7714$'
expect '^equalized odds      difference  0\.2500  ratio  0\.0000$'
grep -q "note: .*group 'film' has 9 examples: its figures are rough" err || fail "no warning: $(cat err)"
"$BERTC" evaluate sentiment.so --data "$REVIEWS" --group-by about --positive negative --json >out 2>err || fail "groups as JSON"
expect '"group_by": "about", "ungrouped": 0, "groups": \[\{"group": "actor", "examples": 7, "small": true, "metrics": '
expect '"rates": \[\{"label": "negative", "groups": \[\{"group": "actor", "selection_rate": 0\.57'
sed -e '3s/, "about": "film"//' "$REVIEWS" >ungrouped.jsonl
"$BERTC" evaluate sentiment.so --data ungrouped.jsonl --group-by about >out 2>err || fail "a line without a group"
expect '^film +8 '
grep -q 'note: ungrouped.jsonl: 1 examples have no about' err || fail "$(cat err)"
rejects 1 "'good' is not one of the labels negative, positive" "$BERTC" evaluate sentiment.so --data "$REVIEWS" --group-by about --positive good
rejects 2 'goes with --group-by' "$BERTC" evaluate sentiment.so --data "$REVIEWS" --positive positive

# Swapped words: "good" and "bad" turn these answers round, "he" and "she" don't.
printf '{"text": "%s", "label": 1}\n' 'A good film.' 'GOOD and bad.' 'Nothing of it.' 'goodness' >swap.jsonl
succeeds "$BERTC" evaluate sentiment.so --data swap.jsonl --swap good:bad --json
expect '"swap": \{"words": "good:bad", "examples": 2, "changed": [12],'
"$BERTC" run sentiment.so --json --top-k 2 "A good film." "A bad film." | sed -n 's/.*"label": "positive", "score": \([0-9.e-]*\).*/\1/p' >scores
"$BERTC" evaluate sentiment.so --data - --swap good:bad --json <<'EOF' >out || fail "one text"
{"text": "A good film.", "label": 1}
EOF
awk -v line="$(cat out)" 'NR == 1 {a = $1} NR == 2 {b = $1}
    END {sub(/.*"mean_change": /, "", line); sub(/,.*/, "", line); d = a - b; d = (d < 0 ? -d : d) - line; exit !(d < 1e-4 && d > -1e-4)}' scores ||
    fail "the change is no difference of scores: $(cat scores out)"
"$BERTC" evaluate sentiment.so --data swap.jsonl --swap he:she >out 2>err || fail "no such word"
grep -q 'no text has one of the words' err || fail "$(cat err)"
rejects 1 "--swap: 'he' is not a list of pairs" "$BERTC" evaluate sentiment.so --data swap.jsonl --swap he
rejects 1 'takes single words of letters and digits' "$BERTC" evaluate sentiment.so --data swap.jsonl --swap 'he is:she is'

# Bad lines are named; the others count.
cat >bad.jsonl <<'EOF'
{"text": "A good film.", "label": "positive"}
{"text": "A good film.", "label": "great"}
{"text": "A good film."
{"text": "", "label": 1}

{"label": 1}
{"text": "A bad film.", "label": 7}
EOF
MANY=1 rejects 1 "bad\.jsonl:2: 'great' is not one of the labels negative, positive" "$BERTC" evaluate sentiment.so --data bad.jsonl
grep -q 'bad.jsonl:3: is no JSON' err && grep -q 'bad.jsonl:6: has no text: looked for .*, text, ' err && grep -q "bad.jsonl:7: '7' is not one" err ||
    fail "$(cat err)"
figure examples 2
: >empty.jsonl
rejects 1 'empty\.jsonl: is empty: it holds no example' "$BERTC" evaluate sentiment.so --data empty.jsonl
: >empty.csv
rejects 1 'empty\.csv: is empty' "$BERTC" evaluate sentiment.so --data empty.csv
rejects 1 'nothing\.jsonl: can.t be read' "$BERTC" evaluate sentiment.so --data nothing.jsonl
rejects 2 'needs --data FILE' "$BERTC" evaluate sentiment.so
rejects 1 'goes with tags' "$BERTC" evaluate sentiment.so --data bad.jsonl --strict
rejects 1 'goes with answers' "$BERTC" evaluate sentiment.so --data bad.jsonl --no-answer
i=0
while [ $i -lt 60 ]; do i=$((i + 1)) && echo '{"text": 1, "label": 1}'; done >many.jsonl
MANY=1 rejects 1 'many\.jsonl: 60 lines are bad in all' "$BERTC" evaluate sentiment.so --data many.jsonl
[ "$(grep -c 'many.jsonl:[0-9]*: \$.text: is not a text' err)" = 50 ] || fail "$(wc -l <err) lines"
# Another task's file.
printf '{"tokens": ["a"], "ner_tags": ["O"]}\n' >tags.jsonl
rejects 1 'tags\.jsonl:1: has no text' "$BERTC" evaluate sentiment.so --data tags.jsonl

# Texts that are too long are cut, or an error of their line.
long=$(i=0; while [ $i -lt 60 ]; do i=$((i + 1)); printf 'good '; done)
printf '{"text": "%s", "label": 1}\n' "$long" >long.jsonl
succeeds "$BERTC" evaluate sentiment.so --data long.jsonl
MANY=1 rejects 1 'long\.jsonl:1: .*tokens' "$BERTC" evaluate sentiment.so --data long.jsonl --long error

# Several labels: sigmoids of the same logits.
copy_model several
sed -e 's/single_label_classification/multi_label_classification/' "$MODEL/config.json" >several/config.json
cat >several.jsonl <<'EOF'
{"text": "This movie was amazing!", "labels": ["positive"]}
{"text": "This movie was terrible.", "labels": [1, 0]}
{"text": "What a waste of two hours.", "labels": []}
EOF
succeeds "$BERTC" evaluate several --data several.jsonl --seq 32 --mcpu native -O 0
figure examples 3
expect '^f1_micro  +[0-9.]+$'
expect '^subset_accuracy'
succeeds "$BERTC" evaluate several --data several.jsonl --seq 32 --mcpu native -O 0 --threshold 1
figure f1_micro 0.0000
figure subset_accuracy 0.3333

# Numbers.
mkdir regression
cp "$SOURCE/tests/models/answers/cross/"model.safetensors "$SOURCE/tests/models/answers/cross/"tokenizer*.json regression/
sed -e 's/"model_type"/"problem_type": "regression", "model_type"/' "$SOURCE/tests/models/answers/cross/config.json" >regression/config.json
printf '{"text": "%s", "pair": "%s", "score": %s}\n' one 'the cat' 1 two 'old river' 2 three 'by the sea' 4 >numbers.jsonl
succeeds "$BERTC" evaluate regression --data numbers.jsonl --mcpu native -O 0
expect '^(spearman|pearson|mse|rmse|mae|r2) '
figure examples 3
printf '{"text": "a", "score": [1, 2]}\n' >two.jsonl
rejects 1 'two\.jsonl:1: has 2 numbers, and the model answers with 1' "$BERTC" evaluate regression --data two.jsonl --mcpu native -O 0

cat numbers.jsonl two.jsonl >some.jsonl
rejects 1 'some\.jsonl:4: has 2 numbers' "$BERTC" evaluate regression --data some.jsonl --mcpu native -O 0
succeeds "$BERTC" evaluate regression --data some.jsonl --mcpu native -O 0 --skip-bad-lines
grep -q 'note: some.jsonl:4: has 2 numbers' err || fail "$(cat err)"
figure examples 3

# Tags: what run answers is right by itself.
TAGGER=$SOURCE/tests/models/answers/ner
succeeds "$BERTC" compile "$TAGGER" --mcpu native -o ner.so
printf '{"words": ["the", "cat", "sat", "on", "the", "mat", "."]}\n' >words.jsonl
"$BERTC" run ner.so --input words.jsonl -o found.jsonl || fail "run"
tags=$(sed -n 's/.*"labels": *\(\[[^]]*\]\).*/\1/p' found.jsonl)
[ -n "$tags" ] || fail "no labels in $(cat found.jsonl)"
printf '{"tokens": ["the", "cat", "sat", "on", "the", "mat", "."], "tags": %s}\n' "$tags" >tags.jsonl
succeeds "$BERTC" evaluate ner.so --data tags.jsonl
figure accuracy 1.0000
figure f1 1.0000
printf '{"tokens": ["the", "cat"], "tags": ["O", "B-DATE"]}\n' >unknown.jsonl
rejects 1 "unknown\.jsonl:1: 'B-DATE' is not one of the labels O, B-PER" "$BERTC" evaluate ner.so --data unknown.jsonl
printf '{"tokens": ["sat", "sat"], "tags": [2, 2]}\n' >inside.jsonl
succeeds "$BERTC" evaluate ner.so --data inside.jsonl --strict
figure recall 0.0000

# Embeddings: pairs with scores, and queries with documents.
STATIC=$SOURCE/tests/models/answers/st-static
printf '{"sentence1": "%s", "sentence2": "%s", "score": %s}\n' 'the cat' 'the cat' 5 'the cat' 'a river' 1 'old house' 'an old house' 4 >pairs.jsonl
succeeds "$BERTC" evaluate "$STATIC" --data pairs.jsonl
figure examples 3
expect '^spearman +[0-9.-]+$'
printf '{"query": "%s", "positive": "%s", "negative": "%s"}\n' 'the cat' 'the cat' 'a river' 'old house' 'old house' 'the sea' >ranked.jsonl
succeeds "$BERTC" evaluate "$STATIC" --data ranked.jsonl --cut 1,2
figure 'ndcg@1' 1.0000
figure mrr 1.0000
figure 'recall@2' 1.0000
{ cat ranked.jsonl; head -1 pairs.jsonl; } >mixed.jsonl
rejects 1 'mixed\.jsonl:3: has a score or a label, which the lines before it have not' "$BERTC" evaluate "$STATIC" --data mixed.jsonl
{ head -1 pairs.jsonl; cat ranked.jsonl; } >mixed.jsonl
MANY=1 rejects 1 'mixed\.jsonl:2: has no score, as the lines before it have' "$BERTC" evaluate "$STATIC" --data mixed.jsonl

# A masked language model of one's own figures: docs/evaluation.md's rule by hand.
[ -d "$SHARED/models/mini-pretrained" ] || skip_part shared "a masked language model"
[ ! -d "$SHARED/models/mini-pretrained" ] || {
    printf 'the cat\n\n' >plain.txt
    succeeds "$BERTC" compile "$SHARED/models/mini-pretrained" --mcpu native -o mlm.so --seq 16
    succeeds "$BERTC" evaluate mlm.so --data plain.txt --json
    expect '^\{"task": "mlm", "examples": 1,'
    expect '"tokens": 2'
    "$BERTC" run mlm.so --top-k 8192 --json "[MASK] cat" "the [MASK]" >all || fail "run"
    a=$(sed -n '1s/.*"token_str": "the", "token": [0-9]*, "score": \([0-9.e-]*\)}.*/\1/p; 1s/.*"score": \([0-9.e-]*\), "token": [0-9]*, "token_str": "the".*/\1/p' all)
    b=$(sed -n '2s/.*"token_str": "cat", "token": [0-9]*, "score": \([0-9.e-]*\)}.*/\1/p; 2s/.*"score": \([0-9.e-]*\), "token": [0-9]*, "token_str": "cat".*/\1/p' all)
    [ -n "$a" ] && [ -n "$b" ] || fail "no scores: $(head -c 300 all)"
    awk -v a="$a" -v b="$b" -v line="$(cat out)" 'BEGIN {sub(/.*"loss": /, "", line); sub(/,.*/, "", line)
        d = -(log(a) + log(b)) / 2 - line; exit !(d < 1e-4 && d > -1e-4)}' || fail "another loss: $a $b $(cat out)"
}
# What answers no texts.
rejects 1 'answers with nothing that is evaluated' "$BERTC" evaluate "$MODEL" --data bad.jsonl --head model --mcpu native -O 0 --seq 16
rejects 1 "--columns: 'good=text' is no ROLE=NAME; roles are text, pair, label" "$BERTC" evaluate sentiment.so --data "$REVIEWS" --columns good=text
rejects 1 'reviews\.jsonl: has no example with colour \(--group-by\)' "$BERTC" evaluate sentiment.so --data "$REVIEWS" --group-by colour
printf 'PAR1\0\0' >x.parquet
rejects 1 'x\.parquet: is a Parquet file: JSON lines, CSV, TSV and plain text are read' "$BERTC" evaluate sentiment.so --data x.parquet
# Names of groups reach no terminal as they are.
printf '{"text": "fine", "label": 1, "g": "a\\u001b[31m"}\n' >escape.jsonl
"$BERTC" evaluate sentiment.so --data escape.jsonl --group-by g >out 2>err || fail "$(cat err)"
expect '^a\?\[31m '
grep -q "group 'a?\[31m' has 1 example:" err || fail "$(cat err)"
"$BERTC" evaluate sentiment.so --data escape.jsonl --group-by g --json >out 2>err || fail "$(cat err)"
expect '"group": "a\\u001b\[31m"'
