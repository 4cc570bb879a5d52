# All JSON that the command writes has one style: a document per line, one space behind each colon and comma and nowhere else, the fewest
# digits that read back (at most nine, as results are floats; metrics and state.json keep doubles), keys in lower case with underscores.

# style FILE [DIGITS]
style() {
    [ -s "$1" ] || fail "$1 is empty"
    sed 's/"\([^"\\]\|\\.\)*"/S/g' "$1" >bare
    ! grep -nE '[:,]($|[^ ]|  )|(^|[^:,]) |^[^{[]|[^]}]$' bare || fail "spacing in $1: $(head -c 300 "$1")"
    tr ' ,:{}[]' '\n\n\n\n\n\n\n' <bare | grep -vxE '|S|true|false|null' >numbers || true
    ! grep -vxE -- '-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?(e[-+][0-9]{2,3})?' numbers || fail "numbers of $1"
    sed 's/^-//; s/e.*//; /\./!d; s/\.//; s/^0*//' numbers | awk -v most="${2:-9}" 'length($0) > most' >long
    [ ! -s long ] || fail "digits in $1: $(cat long)"
    grep -oE '"([^"\\]|\\.)*": ' "$1" | grep -vxE '"(--[a-z0-9-]+|[a-z][a-z0-9_]*(@[0-9]+)?|[a-z0-9_-]+\.(json|txt|safetensors))": ' >keys || true
    [ ! -s keys ] || fail "keys of $1: $(cat keys)"
}
# said CMD...: what it prints has the style
said() {
    succeeds "$@"
    style out
}

# The check itself finds what is wrong.
for bad in '{"a":1}' '{"a": 1,"b": 2}' '{"a":  1}' '{ "a": 1}' '{"a": 1.0}' '{"a": 0.1234567891}' '{"A": 1}' '{"a-b": 1}' '{"a": 1' '{"a": .5}'; do
    printf '%s\n' "$bad" >bad.json
    ! (style bad.json) >/dev/null 2>&1 || fail "the check takes $bad"
done

"$BERTC" compile "$MODEL" --mcpu native --seq 64 -o m.so --json >out
style out
printf 'A fine film, "truly".\nDull: slow, long.\n' >texts.txt
said "$BERTC" run m.so --json "A fine film: \"truly\", really."
said "$BERTC" run m.so --json --raw-scores --input texts.txt
said "$BERTC" run m.so --explain --json "A fine film."
said "$BERTC" run "$MODEL" --seq 16 --outputs attentions --attention 0,0 --json "A fine film."
said "$BERTC" tokenize m.so --json "A fine film: unaffable."
said "$BERTC" inspect m.so --json
said "$BERTC" bench m.so --seq 8 --rounds 2 --json
said "$BERTC" bench m.so --seq 8 --rounds 2 --profile --json
said "$BERTC" verify "$MODEL" --seq 8 --json
"$BERTC" evaluate m.so --data "$SOURCE/examples/reviews.jsonl" --json >out
style out 17 # metrics are doubles
"$BERTC" run m.so --input texts.txt --shard 1/2 -o part.jsonl 2>err
style part.00001-of-00002.jsonl
style part.00001-of-00002.manifest.json
"$BERTC" train "$MODEL" --task classify --train "$SOURCE/examples/reviews.jsonl" --dev "$SOURCE/examples/reviews.jsonl" --max-steps 3 \
    --save-steps 2 -o trained >out 2>&1
style trained/log.jsonl
style trained/state.json 17
style trained/checkpoint-2/state.json 17
