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
grep -q '&lt;</b><small>[^<]*</small></span><span class="word"><b [^>]*>amazing</b>' why.html || fail "$(cat why.html)"
[ "$(grep -c '<h3>' why.html)" = 2 ] || fail "$(cat why.html)"
! grep -q '<amazing>' why.html || fail "not escaped"
[ "$(grep -c 'class="scale"' why.html)" = 2 ] || fail "no scale"
# More words than a batch has texts.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o long.so --seq 128
succeeds "$BERTC" run long.so --explain "$(yes good | head -100 | tr '\n' ' ')"
[ "$(wc -l <out)" = 101 ] || fail "$(wc -l <out) lines"
if has_terminal; then
    env -u NO_COLOR script -qec "$BERTC run m.so --explain 'An amazing film.'" /dev/null >typed && grep -q "48;2;" typed || fail "no colours: $(cat typed)"
else
    skip_part tools "script(1) and /dev/pts, to make a terminal"
fi
if [ -d "$SHARED/models/small-ner" ]; then
    # Each entity by itself: the word that it hangs on.
    succeeds "$BERTC" run "$SHARED/models/small-ner" --seq 32 --explain "Angela Merkel met Barack Obama in Berlin."
    [ "$(grep -c '^Angela Merkel: PER 0.9\|^Barack Obama: PER 0.9\|^Berlin: LOC 0.9' out)" = 3 ] || fail "$(cat out)"
    [ "$(sed -n '/^Berlin/,$p' out | sed 1d | sort -rn | head -1 | sed 's/.*  //')" = Berlin ] || fail "$(cat out)"
    succeeds "$BERTC" run "$SHARED/models/small-ner" --seq 32 --explain --json "In Berlin."
    expect '"entities": \[{"entity_group": "LOC", "word": "Berlin", "start": 3, "end": 9, "score": 0\.9.*"word": "Berlin", "weight": 0\.[1-9]'
    succeeds "$BERTC" run "$SHARED/models/small-ner" --seq 32 --explain "nothing here"
    expect '^nothing found$'
    rejects 1 'explains no windows' "$BERTC" run "$SHARED/models/small-ner" --seq 32 --explain --long window "In Berlin."
    # An answer, by the words of the question and of the context; framed on the page.
    succeeds "$BERTC" run "$SHARED/models/small-qa" --seq 64 --explain --json --pair "The Eiffel Tower is in Paris." "Where is the Eiffel Tower?"
    expect '"answer": "Paris", "start": 23, "end": 28.*"word": "Paris", "weight": 0\.[1-9][0-9]*, "text": 1'
    succeeds "$BERTC" run "$SHARED/models/small-qa" --seq 64 --explain -o why.html --pair "The Eiffel Tower is in Paris." "Where is the Eiffel Tower?"
    grep -q '<u><span class="word"><b [^>]*>Paris</b><small>+0' why.html || fail "$(cat why.html)"
    rejects 1 'explains labels, entities and answers' "$BERTC" run "$MODEL" --head embedding --seq 32 --explain "Paris"
else
    skip_part shared small-ner
fi
