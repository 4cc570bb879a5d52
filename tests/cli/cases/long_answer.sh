# Questions about contexts longer than the model takes, and entities of long texts: offsets are in the text as given.
[ -d "$SHARED/models/small-qa" ] || skip shared "the trained checkpoints"
filler="The weather was mild and many people went for a walk along the river before dinner. "
context="$filler$filler$filler The Eiffel Tower is in Paris. $filler$filler"
ask() {
    succeeds "$BERTC" run "$SHARED/models/small-qa" --json --pair "$context" "$@" "Where is the Eiffel Tower?"
    expect '"answer": "Paris"'
    expect "\"start\": $((${#filler} * 3 + 24)),"
}
ask
ask --seq 64 --long window
ask --seq 64 --long window --stride 8
ask --seq 128 --long window --max-tokens 48

text="$filler Elon Musk founded Tesla. $filler$filler Angela Merkel was born in Hamburg. $filler"
succeeds "$BERTC" run "$SHARED/models/small-ner" --json "$text"
grep -o '"entity_group": "[A-Z]*"\|"start": [0-9]*, "end": [0-9]*' out >whole
grep -q PER whole || fail "no person: $(cat out)"
succeeds "$BERTC" run "$SHARED/models/small-ner" --json --seq 48 --long window --stride 24 "$text"
grep -o '"entity_group": "[A-Z]*"\|"start": [0-9]*, "end": [0-9]*' out >windows
cmp whole windows || fail "windows: $(cat windows), whole: $(cat whole)"
