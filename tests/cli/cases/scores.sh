# --raw-scores gives logits, and --aggregation says how tokens become entities.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o sentiment.so --seq 32
succeeds "$BERTC" run sentiment.so --raw-scores "This movie was amazing!"
[ "$(cat out)" = "positive 3.2003" ] || fail "$(cat out)"
succeeds "$BERTC" run sentiment.so --raw-scores --json "This movie was amazing!"
expect '"label": "positive", "score": 3\.2002.*"negative", "score": -2\.347'
printf 'This movie was amazing!\n' >texts.txt
succeeds "$BERTC" run sentiment.so --raw-scores --input texts.txt
expect '"score": 3\.2002'
rejects 2 "--aggregation: 'last' is none of words, first, simple, average, max, none" "$BERTC" run sentiment.so --aggregation last "a text"
rejects 1 '--aggregation is for entities, and the model finds none' "$BERTC" run sentiment.so --aggregation first "a text"
for option in --no-answer --answer-tokens '--max-answer 3'; do
    # shellcheck disable=SC2086 # an option and its value
    rejects 1 "${option% *} is for questions, and the model answers none" "$BERTC" run sentiment.so $option "a text"
done
rejects 1 '--raw-scores is for scores, and the model gives vectors' "$BERTC" run "$SOURCE/tests/models/sparse/max" --raw-scores "a text"
rejects 2 '--raw-scores and --aggregation go with texts' "$BERTC" run sentiment.so --raw-scores --similar texts.txt texts.txt

NER=$SOURCE/tests/models/answers/ner
succeeds "$BERTC" compile "$NER" --mcpu native -o ner.so
text="where runs the old green river to ? to the sea !"
succeeds "$BERTC" run ner.so "$text"
cp out words
succeeds "$BERTC" run ner.so --aggregation first "$text"
cmp out words || fail "first answers otherwise"
expect '^non-toxic "where" 0\.5882 \[0,5\]  PER "runs"'
succeeds "$BERTC" run ner.so --aggregation none --json "$text"
expect '"entity": "I-non-toxic", "score": 0\.588[0-9]*, "index": [01], "word": "where", "start": 0, "end": 5'
succeeds "$BERTC" run ner.so --aggregation simple --json "$text"
expect '"entity_group": "PER", "score": 0\.678[0-9]*, "word": "river to", "start": 25, "end": 33'

# A text without the model's mask is its line's error.
succeeds "$BERTC" synth bert-tiny -o mlm --head masked-lm
cp "$MODEL/tokenizer.json" mlm/
succeeds "$BERTC" compile mlm --mcpu native -o mlm.so --seq 16
rejects 1 "the model's mask token is \[MASK\], and <mask> is another model's" "$BERTC" run mlm.so "a <mask> film"
rejects 1 'the text has no mask: put \[MASK\] where' "$BERTC" run mlm.so "a film"
printf 'a [MASK] film\na <mask> film\na [MASK]\n' >texts.txt
status=0
"$BERTC" run mlm.so --input texts.txt >out 2>err || status=$?
[ "$status" = 1 ] || fail "exit status $status"
[ "$(wc -l <out)" = 3 ] || fail "$(cat out)"
sed -n 2p out | grep -q '^{"error": *".*mask token is \[MASK\]' || fail "$(cat out)"
[ "$(grep -c '"masks"' out)" = 2 ] || fail "$(cat out)"
grep -q 'texts.txt:2: ' err || fail "$(cat err)"
