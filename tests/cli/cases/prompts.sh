# Prompts of a sentence-transformers folder: by name, as they are, by default, in a shared object, in a search.
FOLDER=$SOURCE/tests/models/cases/st-prompts
succeeds "$BERTC" compile "$FOLDER" --mcpu native -o st.so
vector() { # vector NAME ARGUMENT...: what `run` prints
    name=$1
    shift
    succeeds "$BERTC" run "$@"
    cp out "$name"
}
vector default "$FOLDER" "a cat"
vector query st.so --prompt-name query "a cat"
vector typed st.so --prompt "query: " "a cat"
vector passage st.so --prompt-name passage "a cat"
vector bare st.so --prompt "" "a cat"
vector document st.so --prompt-name document "a cat"
cmp -s default query || fail "the default prompt is not its default"
cmp -s query typed || fail "a prompt is not the same by its name and as it is"
cmp -s bare document || fail "an empty prompt is not none"
if cmp -s query passage; then fail "two prompts make no difference"; fi
if cmp -s query bare; then fail "a prompt makes no difference"; fi
vector asked st.so --as query "a cat"
vector found st.so --as document "a cat"
vector both st.so --as document --prompt-name query "a cat"
cmp -s asked query || fail "--as query does not take the prompt of that name"
cmp -s found bare || fail "--as document takes another prompt than document"
cmp -s both query || fail "--as comes before --prompt-name"
printf 'a cat\n' >texts.txt
succeeds "$BERTC" run st.so --input texts.txt --as document
succeeds "$BERTC" run st.so --json --prompt "" "a cat"
cp out want
succeeds "$BERTC" run st.so --input texts.txt --as document
cmp -s out want || fail "--as is not read with --input"
rejects 2 "--as: 'answer' is none of query, document" "$BERTC" run st.so --as answer "a cat"
rejects 2 'no --as' "$BERTC" run st.so --as query --similar texts.txt texts.txt
rejects 2 '--as goes with texts that get an embedding' "$BERTC" run st.so --as query --tensors x -o y
rejects 1 '--as is for embeddings, and the model gives none' "$BERTC" run "$MODEL" --as query "a cat"
# A prompt `passage` of the folder's own goes before the empty `document` that every model has.
mkdir own
cp -r "$FOLDER"/. own
chmod -R u+w own
printf '{"prompts": {"passage": "The Text - "}}' >own/config_sentence_transformers.json
vector kept own --as document "a cat"
vector plain own --as query "a cat"
cmp -s kept passage || fail "--as document does not take the prompt passage"
cmp -s plain bare || fail "--as query takes a prompt where there is none"
succeeds "$BERTC" run st.so --input texts.txt --prompt-name passage --output lines.jsonl
grep -q '^{"embedding": \[' lines.jsonl || fail "$(cat lines.jsonl)"
rejects 1 'has no prompt `nope`; it has document, passage, query' "$BERTC" run st.so --prompt-name nope "a cat"
rejects 2 'not both' "$BERTC" run st.so --prompt x --prompt-name query "a cat"
rejects 2 'texts that get an embedding or labels' "$BERTC" run "$MODEL" --prompt x --explain "a cat"
succeeds "$BERTC" inspect st.so
expect '^ +query "query: " \(default\)$'
# A search puts `query` before the one, `document` before the other; one is then not most like itself.
printf 'the cat\na dog\n' >corpus.txt
printf 'the cat\n' >ask.txt
succeeds "$BERTC" run st.so --similar ask.txt corpus.txt
expect '^  0\.[0-9]+  1	the cat$'
succeeds "$BERTC" run st.so --similar ask.txt --prompt "" corpus.txt
expect '^  1\.0000  1	the cat$'
# A text in capitals is put in lower case first (do_lower_case), by `tokenize` too.
succeeds "$BERTC" tokenize --json "$FOLDER" "A CAT"
cp out capitals
succeeds "$BERTC" tokenize --json "$FOLDER" "a cat"
cmp -s out capitals || fail "do_lower_case is not read: $(cat capitals)"
