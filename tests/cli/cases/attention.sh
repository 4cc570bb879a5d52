# Whom each token looks at: by JIT without being asked for the output, from an artefact only where it was compiled in.
text='The <cat> & "dog" sat.'
succeeds "$BERTC" run "$MODEL" --seq 32 --attention 1,2 "$text"
[ "$(wc -l <out)" = 13 ] || fail "$(cat out)"
expect '^\[CLS\] .*[01]\.[0-9]{3}'
cp out table
awk 'NR > 1 { sum = 0; for (i = NF - 11; i <= NF; i++) sum += $i; if (sum < 0.99 || sum > 1.01) exit 1 }' table || fail "a row's sum isn't 1"
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 32 --outputs attentions
succeeds "$BERTC" run m.so --attention 1,2 "$text"
cmp table out || fail "the artefact says otherwise"
succeeds "$BERTC" run m.so --attention 1,2 --json "$text"
expect '"layer": 1, "head": 2, "tokens": \["\[CLS\]", "The"'
succeeds "$BERTC" run m.so --attention 1,2 -o map.svg "$text"
grep -q '&lt;' map.svg && grep -q '&amp;' map.svg && ! grep -q '<cat>' map.svg || fail "not escaped"
[ "$(grep -c '<title>' map.svg)" = 144 ] || fail "cells: $(grep -c '<title>' map.svg)"
grep -q 'is looked at' map.svg && grep -q '>weight<' map.svg || fail "no axes or scale"
# Pieces of a word are one row and one column, unless they are asked for; a large map is an image.
succeeds "$BERTC" run m.so --attention 1,2 -o map.svg "unaffable dogs"
[ "$(grep -c '<title>' map.svg)" = 16 ] || fail "cells: $(grep -c '<title>' map.svg)"
grep -q '>unaffable</text>' map.svg || fail "not joined"
succeeds "$BERTC" run m.so --attention 1,2 --pieces -o map.svg "unaffable dogs"
[ "$(grep -c '<title>' map.svg)" = 49 ] || fail "cells: $(grep -c '<title>' map.svg)"
rejects 2 'pieces goes with --attention and -o' "$BERTC" run m.so --attention 1,2 --pieces "$text"
succeeds "$BERTC" run "$MODEL" --seq 128 --attention 1,2 -o large.svg "$(yes good | head -100 | tr '\n' ' ')"
[ "$(wc -c <large.svg)" -lt 60000 ] && grep -q 'data:image/png;base64' large.svg || fail "$(wc -c <large.svg) bytes"
sed -n 's/.*base64,\([^"]*\)".*/\1/p' large.svg | base64 -d >large.png
[ "$(head -c 8 large.png | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] || fail "no PNG"
succeeds "$BERTC" run m.so --attention 0,0 "one two three four five six seven eight nine ten one two three four five six seven eight nine ten"
[ "$(wc -l <out)" = 22 ] || fail "$(cat out)"

rejects 1 'there is no layer 9: the model gives attentions of 0, 1, 2, 3' "$BERTC" run m.so --attention 9,0 "$text"
rejects 1 'heads 0 to 3' "$BERTC" run m.so --attention 0,4 "$text"
rejects 2 'LAYER,HEAD' "$BERTC" run m.so --attention 1 "$text"
rejects 2 'one text' "$BERTC" run m.so --attention 1,2
rejects 2 'drawn as .svg' "$BERTC" run m.so --attention 1,2 -o map.png "$text"
rejects 1 'no/such/map.svg' "$BERTC" run m.so --attention 1,2 -o no/such/map.svg "$text"
succeeds "$BERTC" compile "$MODEL" --mcpu native -o plain.so --seq 32
rejects 1 'compile it with --outputs attentions' "$BERTC" run plain.so --attention 1,2 "$text"
# a file of the user's that has the name of a partial one is spared
echo mine >map.svg.partial
succeeds "$BERTC" run m.so --attention 1,2 -o map.svg "$text"
[ "$(cat map.svg.partial)" = mine ] || fail "map.svg.partial is gone"
