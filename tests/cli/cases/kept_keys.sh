# The other keys of a JSON line stand in its answer, letter for letter; a text typed at a terminal gets a prompt.
succeeds "$BERTC" compile "$MODEL" --mcpu native -O 0 --seq 32 -o m.so
printf '%s\n' '{"id": 9007199254740993123, "text": "good", "label": "gold", "m\"": {"a": [1, "\u0000z}],"]} }' \
    '{ "id":"b" ,"txt": 1 }' '"plain"' '{"text":"x","a":1,"b":[{"c":"}"}]}' '{"id": 1, "words": ["so", "good"], "pair": null}' >lines.jsonl
"$BERTC" run m.so --input lines.jsonl -o answers.jsonl 2>err && fail "a line has no text"
[ "$(wc -l <answers.jsonl)" = 5 ] || fail "$(cat answers.jsonl)"
line() { sed -n "$1p" answers.jsonl >out; }
line 1 && expect '^\{"id": 9007199254740993123, "m\\"": \{"a": \[1, "\\u0000z\}\],"\]\}, "label": "positive", "score": '
! grep -q gold out || fail "$(cat out)"
line 2 && expect '^\{"error": "has neither .*", "id":"b", "txt": 1\}$'
line 3 && expect '^\{"label": '
line 4 && expect '^\{"a":1, "b":\[\{"c":"\}"\}\], "label": '
line 5 && expect '^\{"id": 1, "label": '
# Lines with an error are counted where a run goes on.
head -c "$(head -3 answers.jsonl | wc -c)" answers.jsonl >rest.jsonl.partial
"$BERTC" run m.so --input lines.jsonl -o rest.jsonl --resume 2>err && fail "a line has no text"
cmp answers.jsonl rest.jsonl || fail "--resume says otherwise"
grep -q '1 of 5 lines have no answer' err || fail "$(cat err)"

if has_terminal; then
    script -qec "$BERTC run m.so" /dev/null >typed </dev/null || fail "$(cat typed)"
    grep -q 'Ctrl-D ends' typed && grep -q '^> ' typed || fail "$(cat typed)"
    TERM=dumb script -qec "$BERTC run m.so --explain good" /dev/null >typed </dev/null
    ! grep -q '48;2;' typed || fail "colours on a dumb terminal: $(cat typed)"
else
    skip_part tools "script(1) and /dev/pts, to make a terminal"
fi
