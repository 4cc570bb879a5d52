# The lines of a corpus most like each query.
[ -d "$SHARED/models/small-sts" ] || skip shared "the trained checkpoints"
cat >corpus.txt <<'END'
A man is playing a guitar on the stage.
Stock prices fell sharply on Monday.
A cat sleeps on the sofa.
Two dogs run across a field.
The band gave a concert last night.
END
printf 'A person plays the guitar.\nThe dogs are running.\n' >query.txt
succeeds "$BERTC" run "$SHARED/models/small-sts" --seq 32 --similar query.txt corpus.txt --top-k 2
[ "$(wc -l <out)" = 7 ] || fail "$(cat out)"
sed -n 2p out | grep -q '^  0\.[0-9]*  1	A man is playing a guitar' || fail "$(cat out)"
sed -n 6p out | grep -q '^  0\.[0-9]*  4	Two dogs' || fail "$(cat out)"
succeeds "$BERTC" run "$SHARED/models/small-sts" --seq 32 --similar query.txt --json corpus.txt
[ "$(wc -l <out)" = 2 ] || fail "$(cat out)"
[ "$(sed -n 1p out | grep -o '"score"' | wc -l)" = 5 ] || fail "$(cat out)"
# A text is most like itself.
succeeds "$BERTC" run "$SHARED/models/small-sts" --seq 32 --similar corpus.txt corpus.txt --top-k 1
[ "$(grep -c '^  1\.0000  ' out)" = 5 ] || fail "$(cat out)"
rejects 1 'gives none' "$BERTC" run "$MODEL" --similar query.txt corpus.txt
rejects 2 'one file' "$BERTC" run "$MODEL" --similar query.txt
: >empty.txt
rejects 1 'empty.txt: has no query' "$BERTC" run "$SHARED/models/small-sts" --seq 32 --similar empty.txt corpus.txt
rejects 1 'nowhere.txt' "$BERTC" run "$SHARED/models/small-sts" --seq 32 --similar query.txt nowhere.txt
succeeds "$BERTC" run "$SHARED/models/small-sts" --seq 32 --similar query.txt corpus.txt --top-k 2147483647
[ "$(wc -l <out)" = 13 ] || fail "$(cat out)"
# A byte that is no UTF-8 is U+FFFD in JSON.
printf 'a river \377 sea\n' >bytes.txt
succeeds "$BERTC" run "$SOURCE/tests/models/answers/st-static" --similar bytes.txt bytes.txt --json
expect "\"query\": \"a river $(printf '\357\277\275') sea\""

# Files without a line, and standard input for both.
: >empty.txt
echo a >one.txt
succeeds "$BERTC" compile "$SOURCE/tests/models/cases/st-prompts" -o lines.so --seq 32
rejects 1 'empty.txt: is empty: it has no line to find' "$BERTC" run lines.so --similar one.txt empty.txt
rejects 1 'empty.txt: has no query' "$BERTC" run lines.so --similar empty.txt one.txt
rejects 1 'standard input: is empty' "$BERTC" run lines.so --similar one.txt - </dev/null
rejects 2 'standard input can be QUERIES or the file to search in, not both' "$BERTC" run lines.so --similar - - <one.txt
