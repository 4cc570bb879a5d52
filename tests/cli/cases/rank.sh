# --rank orders the lines of a file by a cross-encoder's score.
CROSS=$SOURCE/tests/models/answers/cross
succeeds "$BERTC" compile "$CROSS" --mcpu native -o cross.so
cat >documents.txt <<'EOF'
the cat sat on the mat .
who is it ?
where runs the old green river to ? to the sea !
dogs , not cats
a very far city by the sea , not near the dark old house .
EOF
succeeds "$BERTC" run cross.so --rank "old river" documents.txt --json
[ "$(sed -e 's/, "score".*//' out | tr '\n' ' ')" = '{"index": 0 {"index": 4 {"index": 2 {"index": 1 {"index": 3 ' ] || fail "$(cat out)"
expect '^\{"index": 0, "score": 0\.46236[0-9]*\}$'
cp out all
succeeds "$BERTC" run cross.so --rank "old river" documents.txt --json --top-k 2 -j 2
head -2 all | cmp - out || fail "--top-k 2 has others: $(cat out)"
succeeds "$BERTC" run cross.so --rank "old river" documents.txt --top-k 1
[ "$(cat out)" = "$(printf '0.4624\t0\tthe cat sat on the mat .')" ] || fail "$(cat out)"
succeeds "$BERTC" run cross.so --rank "old river" --raw-scores documents.txt --top-k 1
expect '^-0\.15'

# JSON lines, standard input, equal scores in the file's order, many of them, none.
sed -e 's/.*/{"text": "&"}/' documents.txt >documents.jsonl
succeeds "$BERTC" run cross.so --rank "old river" documents.jsonl --json
cmp all out || fail "JSON lines have other scores"
"$BERTC" run cross.so --rank "old river" - --json <documents.txt >out || fail "from standard input"
cmp all out || fail "standard input has other scores"
for i in 1 2 3 4 5 6 7 8; do cat documents.txt; done >more.txt
for i in 1 2 3 4 5 6 7 8; do cat more.txt; done >many.txt
succeeds "$BERTC" run cross.so --rank "old river" many.txt --json --top-k 66
[ "$(sed -e 's/.*"index": \([0-9]*\).*/\1/' out | head -3 | tr '\n' ' ')" = "0 5 10 " ] || fail "$(head -5 out)"
[ "$(wc -l <out)" = 66 ] && sed -n 65p out | grep -q '"index": 4,' || fail "$(tail -3 out)"
: >none.txt
succeeds "$BERTC" run cross.so --rank "old river" none.txt --json
[ ! -s out ] || fail "$(cat out)"
printf 'a\tb\n' >tab.txt
succeeds "$BERTC" run cross.so --rank "old river" tab.txt
expect "$(printf '\t0\ta\tb')"

# What has no score is named; the others are ranked.
printf '{"text": "a", "pair": "b"}\n{"no": 1}\ndogs\n' >bad.lines
status=0
"$BERTC" run cross.so --rank q bad.lines --json >out 2>err || status=$?
[ "$status" = 1 ] || fail "exit status $status"
grep -q 'bad.lines:1: .*is one text here' err && grep -q 'bad.lines:2: ' err || fail "$(cat err)"
grep -q 'bad.lines: 2 of 3 lines have no score' err || fail "$(cat err)"
expect '^\{"index": 2, '
rejects 1 'needs a cross-encoder.*has several labels' "$BERTC" run "$MODEL" --seq 32 --rank q documents.txt
rejects 1 'needs a cross-encoder.*scores no texts' "$BERTC" run "$SOURCE/tests/models/answers/ner" --rank q documents.txt
rejects 1 'nowhere.txt' "$BERTC" run cross.so --rank q nowhere.txt
rejects 2 'takes one file of documents' "$BERTC" run cross.so --rank q
rejects 2 'takes one file of documents' "$BERTC" run cross.so --rank q a.txt b.txt
rejects 2 '--rank and --pair' "$BERTC" run cross.so --rank q --pair p a.txt
rejects 2 'takes one of' "$BERTC" run cross.so --rank q --input a.txt
