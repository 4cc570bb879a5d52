# A sparse encoder whose queries have static weights: what its files may say, and each thing that they may not, named.
fresh() {
    rm -rf r
    cp -r "$SOURCE/tests/models/sparse/router" r
    chmod -R u+w r
}
query=query_0_SparseStaticEmbedding
# refused FILE SED MESSAGE: a file changed so is an error that names it and says so.
refused() {
    fresh
    sed "$2" "r/$1" >changed
    cmp -s changed "r/$1" && fail "$2 changes nothing"
    cat changed >"r/$1"
    rejects 1 "$3" "$BERTC" run r --as query a
}
refused router_config.json 's/"query": \[/"question": [/' 'router_config.json: structure.question: is not supported'
refused router_config.json 's/"query_0_SparseStaticEmbedding"$/"document_1_SpladePooling"/' 'structure.query: is not supported: the way of queries must be one SparseStaticEmbedding'
refused router_config.json 's/SparseStaticEmbedding": "sentence_transformers/SparseStaticEmbedding": "custom/' 'structure.query: is not supported'
refused router_config.json 's/"default_route": "document"/"default_route": "image"/' 'parameters.default_route: "image" is none of query and document'
refused router_config.json "s/\"route_mappings\": {}/\"route_mappings\": {\"(None, 'text')\": \"query\"}/" 'parameters.route_mappings: is not supported'
refused router_config.json 's/modules.splade_pooling.SpladePooling/models.Pooling/' 'Pooling is not supported here; behind a masked LM a SpladePooling is'
refused router_config.json 's/"document_0_Transformer": "/"document_0": "/' 'types.document_0_Transformer: is missing'
refused $query/config.json 's/"frozen": true/"frozen": true, "path": "x\/weights.json"/' "path: weights.json is neither in the module's folder nor in the model's"
refused $query/tokenizer.json 's/"cat"/"dog2"/' "its tokenizer is another one than the documents'"
fresh
rm r/$query/model.safetensors
rejects 1 "$query: holds neither model.safetensors nor idf.json" "$BERTC" run r --as query a
for text in '[]' '{"cat": "x"}' '{"cat": 1e99}' '{}' '{"none of them": 1}' '{"cat": NaN}' '{"cat": 1'; do
    echo "$text" >r/$query/idf.json
    rejects 1 "$query" "$BERTC" run r --as query a
done
echo '{"cat": 2.5, "mat": 1, "sat": 0}' >r/idf.json
rm r/$query/idf.json
succeeds "$BERTC" compile r -o r.so --seq 16 --mcpu native
[ "$("$BERTC" run r.so --as query 'the cat sat on the cat mat .')" = '{cat: 2.5000, mat: 1.0000}' ] || fail "$("$BERTC" run r.so --as query 'the cat sat on the cat mat .')"
[ "$("$BERTC" run r.so --as query --json 'the dog')" = '{"sparse": []}' ] || fail "a query of tokens without weights"
"$BERTC" run r.so 'the cat' >none
"$BERTC" run r.so --as document 'the cat' | cmp - none || fail "texts are documents where nothing is said"
fresh
sed -i 's/"default_route": "document"/"default_route": "query"/' r/router_config.json
succeeds "$BERTC" compile r -o r.so --seq 16 --mcpu native
"$BERTC" run r.so 'the cat' >none
"$BERTC" run r.so --as query 'the cat' | cmp - none || fail "the default way is queries"
