# What each word does for the label.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 64
succeeds "$BERTC" run m.so --explain "An amazing film."
[ "$(sed -n 1p out | cut -c1-9)" = "positive " ] || fail "$(cat out)"
[ "$(sed 1d out | tr -d + | sort -rn | head -1 | sed 's/.*  //')" = amazing ] || fail "$(cat out)"
succeeds "$BERTC" run m.so --explain --json "An amazing film."
expect '"label": "positive".*"word": "amazing", "weight": 0\.[0-9]'
echo mine >why.html.partial
succeeds "$BERTC" run m.so --explain -o why.html "An <amazing> film." "Dull & long."
[ "$(cat why.html.partial)" = mine ] || fail "a file of the user's is gone"
grep -q '&lt;</span><span [^>]*>amazing</span>' why.html || fail "$(cat why.html)"
[ "$(grep -c '<h3>' why.html)" = 2 ] || fail "$(cat why.html)"
! grep -q '<amazing>' why.html || fail "not escaped"
# More words than a batch has texts.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o long.so --seq 128
succeeds "$BERTC" run long.so --explain "$(yes good | head -100 | tr '\n' ' ')"
[ "$(wc -l <out)" = 101 ] || fail "$(wc -l <out) lines"
if command -v script >/dev/null; then
    env -u NO_COLOR script -qec "$BERTC run m.so --explain 'An amazing film.'" /dev/null >typed && grep -q "48;2;" typed || fail "no colours: $(cat typed)"
else
    skip_part tools "script(1), to make a terminal"
fi
if [ -d "$SHARED/models/small-ner" ]; then
    rejects 1 'gives none' "$BERTC" run "$SHARED/models/small-ner" --seq 32 --explain "Paris"
else
    skip_part shared small-ner
fi
