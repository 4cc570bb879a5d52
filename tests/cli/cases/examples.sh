# The programs of examples/: what each prints for a model of its kind, and for one of another kind.
EXAMPLES=$(dirname "$BERTC")/../../tests
SMALL=$SOURCE/tests/models/conformance
compiled() { # compiled FOLDER NAME
    "$BERTC" compile "$1" --mcpu native -O 0 -o "$2" 2>err || fail "$(cat err)"
}
compiled "$MODEL" sentiment.so

if [ -x "$EXAMPLES/example_cxx" ]; then
    succeeds "$EXAMPLES/example_cxx" sentiment.so 'This movie was amazing!'
    [ "$(sed -n 1p out)" = 'positive 0.9961' ] || fail "$(cat out)"
    [ "$(wc -l <out)" = 2 ] || fail "$(cat out)"
    rejects 1 'nowhere.so: No such file' "$EXAMPLES/example_cxx" nowhere.so text
else
    skip_part tools 'a C++ compiler'
fi

# Embeddings of one call are those of bertc run.
"$BERTC" compile "$MODEL" --head embedding --mcpu native -O 0 -o embeds.so 2>err || fail "$(cat err)"
succeeds "$EXAMPLES/example_embed" embeds.so 'A good film.' 'A very good film.' 'Two cats sleep.'
cut -f 1,2,3 out >twins
[ "$(wc -l <twins)" = 3 ] || fail "$(cat twins)"
[ "$(sed -n 1p twins | cut -f 2-)" = "$(printf 'A good film.\tA very good film.')" ] || fail "$(cat twins)"
sort -r -n twins | cmp -s - twins || fail "not by falling cosine: $(cat twins)"
printf 'A very good film.\n' >corpus.txt
"$BERTC" run embeds.so --similar - corpus.txt <<'TEXT' >out 2>err || fail "$(cat err)"
A good film.
TEXT
expect "$(sed -n 1p twins | cut -f 1)"
rejects 1 'the model gives no embeddings' "$EXAMPLES/example_embed" sentiment.so a b

# Threads of the application: three ways, the same model.
succeeds "$EXAMPLES/example_pool" sentiment.so 2 'This movie was amazing!'
[ "$(grep -c 'microseconds$' out)" = 3 ] || fail "$(cat out)"
rejects 2 '^usage' "$EXAMPLES/example_pool" sentiment.so 0 text

# Entities.
rejects 1 'sentiment.so: the model finds no entities' "$EXAMPLES/example_ner" sentiment.so
if [ -d "$SHARED/models/small-ner" ]; then
    compiled "$SHARED/models/small-ner" ner.so
    printf 'Angela Merkel met Barack Obama in Berlin.\n\nNothing is here\n' | "$EXAMPLES/example_ner" ner.so >out 2>err || fail "$(cat err)"
    expect '^0-13	PER	0\.[0-9]+	Angela Merkel$'
    expect 'LOC	0\.[0-9]+	Berlin$'
else
    skip_part shared 'models/small-ner'
fi
