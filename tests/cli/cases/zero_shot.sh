# --labels scores texts for labels that the command line gives.
NLI=$SOURCE/tests/models/answers/nli
succeeds "$BERTC" compile "$NLI" --mcpu native -o nli.so
succeeds "$BERTC" run nli.so --labels "the sea, a dog,old city , ,red" "who is it ?"
[ "$(cat out)" = "the sea 0.2519  red 0.2504  old city 0.2497  a dog 0.2480" ] || fail "$(cat out)"
succeeds "$BERTC" run nli.so --labels "the sea,a dog,old city,red" --hypothesis "it is {} ." --multi-label --json "who is it ?"
expect '^\{"labels": \["the sea", "red", "old city", "a dog"\], "scores": \[0\.24977[0-9]*, 0\.2494[0-9]*, 0\.2480[0-9]*, 0\.2477[0-9]*\]\}$'
succeeds "$BERTC" run nli.so --labels "red,a dog" --top-k 1 --json "who is it ?" "dogs , not cats"
[ "$(grep -c '"labels": \["[a-z ]*"\]' out)" = 2 ] || fail "$(cat out)"

# A file of texts has the answers that each text has alone; a line that has none is named.
printf 'who is it ?\n{"text": "a", "pair": "b"}\ndogs , not cats\n' >texts.lines
status=0
"$BERTC" run nli.so --labels "red,a dog" --input texts.lines -j 2 >lines 2>err || status=$?
[ "$status" = 1 ] || fail "exit status $status"
grep -q 'texts.lines:2: .*has a pair' err || fail "$(cat err)"
succeeds "$BERTC" run nli.so --labels "red,a dog" --json "who is it ?" "dogs , not cats"
sed -e 2d lines >good
cmp good out || fail "other answers from a file: $(cat good)"

# Standard input, and a text that is cut.
awk 'BEGIN { for (i = 0; i < 90; i++) printf "the sea "; print "" }' >long.txt
succeeds "$BERTC" run nli.so --labels red,sea <long.txt

rejects 1 'the hypothesis "it is" has no \{\}' "$BERTC" run nli.so --labels red --hypothesis "it is" "a text"
rejects 1 'only \{\} and \{0\} stand for the label' "$BERTC" run nli.so --labels red --hypothesis "it is {label}" "a text"
rejects 1 'names no label' "$BERTC" run nli.so --labels " , " "a text"
rejects 2 '--multi-label goes with --labels' "$BERTC" run nli.so --multi-label "a text"
rejects 2 '--hypothesis goes with --labels' "$BERTC" run nli.so --hypothesis "{}" "a text"
rejects 2 '--labels and --pair' "$BERTC" run nli.so --labels red --pair b "a text"
rejects 2 '--labels cuts texts' "$BERTC" run nli.so --labels red --long window "a text"
rejects 2 '--labels goes with texts' "$BERTC" run nli.so --labels red --explain "a text"
# A model without an entailment: two labels, of which the last is taken, with a note; one label, and none.
succeeds "$BERTC" run "$MODEL" --seq 32 --labels "good,bad" "a text"
grep -q 'note: --labels: no label of the model begins with "entail": its last one, "positive"' err || fail "$(cat err)"
rejects 1 'this one has one label' "$BERTC" run "$SOURCE/tests/models/answers/cross" --labels red "a text"
rejects 1 'this one has no labels of texts' "$BERTC" run "$SOURCE/tests/models/answers/ner" --labels red "a text"
