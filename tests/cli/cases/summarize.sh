# --summarize takes the sentences that say most of a text.
ST=$SOURCE/tests/models/cases/st-weightedmean
succeeds "$BERTC" compile "$ST" --mcpu native --seq 32 -o st.so
cat >text.txt <<'EOF'
The river runs to the sea. Dr. Smith saw a dog, e.g. a red one, by the
river. "Is it far?" asked the cat! It was not...

The city is old
but the sea is near
EOF
succeeds "$BERTC" run st.so --summarize 9 text.txt
cat >all <<'EOF'
The river runs to the sea.
Dr. Smith saw a dog, e.g. a red one, by the river.
"Is it far?" asked the cat!
It was not...
The city is old but the sea is near
EOF
cmp all out || fail "other sentences: $(cat out)"
succeeds "$BERTC" run st.so --summarize 2 text.txt
[ "$(wc -l <out)" = 2 ] || fail "$(cat out)"
grep -vxFf all out && fail "no sentences of the text: $(cat out)"
succeeds "$BERTC" run st.so --summarize 2 text.txt --json
expect '^\{"sentences": ?\[\{"text": ?".*", ?"start": ?[0-9]+, ?"end": ?[0-9]+, ?"score": ?0?\.?[0-9.e-]+\}, ?\{"text"'
succeeds "$BERTC" run st.so --summarize 9 text.txt --json -j 2
expect '"text": ?"Dr. Smith saw a dog, e.g. a red one, by the\\nriver.", ?"start": ?27, ?"end": ?77'
"$BERTC" run st.so --summarize 9 - <text.txt >out || fail "from standard input"
cmp all out || fail "standard input has other sentences"
succeeds "$BERTC" run st.so --summarize 1 --novelty 0 text.txt
cp out central
succeeds "$BERTC" run st.so --summarize 1 --novelty 1 text.txt # nothing is taken yet that it could be unlike
succeeds "$BERTC" run st.so --summarize 1 text.txt
cmp central out || fail "the first is not the most central one"

# The formula, worked out from the sentences' own embeddings.
cat >formula.awk <<'EOF'
{
    gsub(/.*\[|\].*/, "")
    width = split($0, x, ", *")
    length2 = 0
    for (k = 1; k <= width; k++) length2 += x[k] * x[k]
    for (k = 1; k <= width; k++) { row[NR, k] = x[k] / sqrt(length2); mean[k] += row[NR, k] }
}
END {
    for (i = 1; i <= NR; i++) for (k = 1; k <= width; k++) central[i] += row[i, k] * mean[k] / NR
    for (n = 0; n < count; n++) {
        best = 0
        for (i = 1; i <= NR; i++) {
            worth = (1 - novelty) * central[i] - novelty * nearest[i]
            if (!(i in taken) && (!best || worth > most)) { best = i; most = worth }
        }
        taken[best]
        for (i = 1; i <= NR; i++) {
            like = 0
            for (k = 1; k <= width; k++) like += row[i, k] * row[best, k]
            if (!n || like > nearest[i]) nearest[i] = like
        }
    }
    for (i = 1; i <= NR; i++) if (i in taken) printf "%d %.4f\n", i, central[i]
}
EOF
cp all sentences.txt
succeeds "$BERTC" run st.so --input sentences.txt
cp out embeddings
for novelty in 0 0.3 0.9; do
    for count in 1 2 3 4; do
        awk -v count=$count -v novelty=$novelty -f formula.awk embeddings >want
        succeeds "$BERTC" run st.so --summarize $count --novelty $novelty --json text.txt
        tr '{' '\n' <out | sed -n 's/.*"score": *\([0-9.e-]*\).*/\1/p' | awk '{ printf "%.4f\n", $1 }' >scores
        sed 's/.* //' want | cmp - scores || fail "novelty $novelty, $count: $(cat want) and $(cat out)"
        succeeds "$BERTC" run st.so --summarize $count --novelty $novelty text.txt
        while read -r i score; do sed -n "${i}p" all; done <want | cmp - out || fail "novelty $novelty, $count sentences: $(cat out)"
    done
done

# One sentence, none, many.
printf 'only one' >one.txt
succeeds "$BERTC" run st.so --summarize 3 one.txt
[ "$(cat out)" = "only one" ] || fail "$(cat out)"
: >none.txt
succeeds "$BERTC" run st.so --summarize 3 none.txt
[ ! -s out ] || fail "$(cat out)"
printf ' \n\n' >none.txt
succeeds "$BERTC" run st.so --summarize 3 none.txt --json
[ "$(tr -d ' ' <out)" = '{"sentences":[]}' ] || fail "$(cat out)"
awk 'BEGIN { for (i = 0; i < 5000; i++) print "The old river " i " runs to the sea." }' >many.txt
succeeds "$BERTC" run st.so --summarize 3 many.txt
[ "$(wc -l <out)" = 3 ] || fail "$(head -c 300 out)"
# A sentence that is too long is cut; elsewhere it is an error.
awk 'BEGIN { for (i = 0; i < 300; i++) printf "the sea "; print "." }' >long.txt
succeeds "$BERTC" run st.so --summarize 1 long.txt
rejects 1 'the sentence at character 0: ' "$BERTC" run st.so --summarize 1 --long error long.txt

rejects 1 'gives none' "$BERTC" run "$MODEL" --seq 32 --summarize 1 text.txt
rejects 1 'nowhere.txt: can.t be opened' "$BERTC" run st.so --summarize 1 nowhere.txt
rejects 2 'takes one file' "$BERTC" run st.so --summarize 1
rejects 2 'is no number from 0 to 1' "$BERTC" run st.so --summarize 1 --novelty 2 text.txt
rejects 2 '--novelty goes with --summarize' "$BERTC" run st.so --novelty 1 text
rejects 2 "is no number from 1 to" "$BERTC" run st.so --summarize 0 text.txt
# A byte that is no UTF-8 is U+FFFD in JSON.
printf 'a river \377 sea.' >bytes.txt
succeeds "$BERTC" run st.so --summarize 1 --json bytes.txt
expect "\"text\": \"a river $(printf '\357\277\275') sea\\.\""
