# bertc tokenize --as: the tokens that the model reads of a query or a document, by artefact and by folder.
cases=$SOURCE/tests/models
succeeds "$BERTC" compile "$cases/vectors/stanford" -o late.so --seq 32
for model in late.so "$cases/vectors/stanford"; do
    for plain in '' --plain-text; do
        succeeds "$BERTC" tokenize "$model" --as query "the old" --json $plain
        expect '^\{"ids": \[2, 5, 56, 67, 3, 4, 4, 4, 4, 4, 4, 4\], .*"offsets": \[\[0, 0\], \[0, 0\], \[0, 3\], \[4, 7\], \[0, 0\],.*"words": \[null, null, 0, 1, null,'
    done
    succeeds "$BERTC" tokenize "$model" --as document "the old" --json
    expect '^\{"ids": \[2, 6, 56, 67, 3\], .*"words": \[null, null, 0, 1, null\]\}$'
done
# As many as there are vectors, where none is left out.
succeeds "$BERTC" run late.so --as query "the old" --json
[ "$(tr -cd '[' <out | wc -c)" = 13 ] || fail "$(cat out)"
# A tokenizer without a mask token, as decoders have: queries are filled up with the token that ends texts.
cp -r "$cases/vectors/st-expanded" decoder
chmod -R u+w decoder
sed -i 's/\[MASK\]/[QUUX]/g' decoder/tokenizer.json
sed -i 's/"mask_token": "\[MASK\]"/"eos_token": "[SEP]"/' decoder/tokenizer_config.json
succeeds "$BERTC" tokenize decoder --as query "the cat" --json
expect '^\{"ids": \[2, 5, 56, 61, 3, 3, 3, 3, 3, 3, 3\],'
sed -i 's/"eos_token"/"other"/' decoder/tokenizer_config.json
rejects 1 'filled up with the mask token, or else the eos token, which the tokenizer has not' "$BERTC" tokenize decoder --as query "the cat"
# A prompt's tokens are of no text, and a longer text is cut only where that is asked for.
succeeds "$BERTC" tokenize "$cases/cases/st-prompts" --as query "the old city" --json
expect '"offsets": \[\[0, 0\], \[0, 0\], \[0, 0\], \[0, 3\], \[4, 7\],.*"words": \[null, null, null, 0, 1, 2,'
succeeds "$BERTC" tokenize "$cases/cases/st-prompts" --as query "the old city" --json --max-tokens 5 --truncate
expect '^\{"ids": \[[0-9]*, [0-9]*, [0-9]*, [0-9]*, [0-9]*\],'
rejects 1 'tokens, .* more than the limit of 5' "$BERTC" tokenize "$cases/cases/st-prompts" --as query "the old city" --max-tokens 5
succeeds "$BERTC" tokenize "$cases/sparse/router" --as query "the old"
rejects 1 'role is for embeddings, and the model gives none' "$BERTC" tokenize "$MODEL" --as query a
rejects 2 "'word' is none of query, document" "$BERTC" tokenize late.so --as word a
rejects 2 'is a tokenizer alone' "$BERTC" tokenize "$MODEL/tokenizer.json" --as query a
