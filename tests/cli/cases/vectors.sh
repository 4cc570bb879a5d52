# A vector per token: as text and JSON, by role, into .npz, in a search; the three layouts of folders, and what is wrong in them.
CASES=$SOURCE/tests/models/vectors
succeeds "$BERTC" compile "$CASES/st-expanded" --mcpu native --seq 16 -o m.so
succeeds "$BERTC" run m.so --as query "the cat"
[ "$(wc -l <out)" = 11 ] || fail "a query is filled up to 11 tokens: $(wc -l <out)"
[ "$(awk '{print NF; exit}' out)" = 8 ] || fail "a vector has 8 numbers"
succeeds "$BERTC" run m.so --as document "the cat ."
[ "$(wc -l <out)" = 5 ] || fail "a document has a marker, and punctuation gets no vector: $(wc -l <out)"
succeeds "$BERTC" run m.so "the cat" "a dog"
[ "$(grep -c '^$' out)" = 2 ] || fail "an empty line stands behind each text's vectors"
succeeds "$BERTC" run m.so --json --as query "the cat"
expect '^\{"vectors": \[\[-?[0-9.]+, '
succeeds "$BERTC" inspect m.so
expect 'compared by MaxSim'
rejects 1 'is not read in windows' "$BERTC" run m.so --long window --as query "the cat"
rejects 1 'more than the limit of 4: it can be truncated \(bertc run --long truncate; tokenize' "$BERTC" run m.so --max-tokens 4 "the cat sat on the mat"
rejects 1 'normalize. is for embeddings, and the model gives none|--normalize: is for embeddings' "$BERTC" run m.so --normalize "the cat"
rejects 1 '11 tokens, and the model takes 8 \(compile it with --seq 11\)' "$BERTC" run "$CASES/st-expanded" --seq 8 --as query "a"
# Text makes no special tokens, and the marker stays one.
for role in query document; do
    succeeds "$BERTC" run m.so --json --as $role "the cat"
    cp out want
    succeeds "$BERTC" run m.so --json --as $role --plain-text "the cat"
    cmp -s out want || fail "--plain-text changes what has no special token, or the marker ($role)"
done
succeeds "$BERTC" run m.so --as document "[SEP] a"
cp out special
succeeds "$BERTC" run m.so --as document --plain-text "[SEP] a"
if cmp -s out special; then fail "--plain-text lets text become a special token"; fi
# Weights in several files of torch.save, by their index.
rm -rf parts
cp -r "$CASES/stanford" parts
chmod -R u+w parts
mv parts/pytorch_model.bin parts/pytorch_model-00001-of-00001.bin
printf '{"weight_map": {"linear.weight": "pytorch_model-00001-of-00001.bin"}}' >parts/pytorch_model.bin.index.json
succeeds "$BERTC" run parts --json --as query "the cat"
cp out want
succeeds "$BERTC" run "$CASES/stanford" --json --as query "the cat"
cmp -s out want || fail "weights by an index of .bin files are others"
printf 'the cat sat\nwho is it ?\n' >ask.txt
printf 'dogs , not cats\nthe old house\na cat\n' >corpus.txt
succeeds "$BERTC" run m.so --similar ask.txt corpus.txt --top-k 2
[ "$(grep -cE '^ +[0-9.]+  [123]	' out)" = 4 ] || fail "two matches a query: $(cat out)"
cp out sum
succeeds "$BERTC" run m.so --similar ask.txt corpus.txt --top-k 2 --similarity MeanMaxSim
awk '/^ /{print $1, $2}' sum >sums
awk '/^ /{print $1, $2}' out >means
paste -d ' ' sums means | awk '{d = $1 / 11 - $3; if (d < -1e-4 || d > 1e-4 || $2 != $4) exit 1}' ||
    fail "the mean is not the sum by the query's vectors"
rejects 1 'gives a vector per token: MaxSim and MeanMaxSim' "$BERTC" run m.so --similar ask.txt corpus.txt --similarity cosine
rejects 1 'gives no vector per token' "$BERTC" run "$SOURCE/tests/models/cases/st-max" --similar ask.txt corpus.txt --similarity MaxSim
succeeds "$BERTC" run m.so --input ask.txt --as query -o v.npz
unzip -l v.npz >listed 2>/dev/null || python3 -m zipfile -l v.npz >listed || skip_part tools 'unzip or python3'
if [ -s listed ]; then
    grep -q vectors.npy listed || fail "$(cat listed)"
    grep -q bounds.npy listed || fail "$(cat listed)"
fi
grep -aq "'shape': (22, 8)" v.npz || fail "two queries have 22 vectors"
grep -aq "'shape': (3,)" v.npz || fail "two texts have three bounds"
rejects 1 '--resume goes on with' "$BERTC" run m.so --input ask.txt -o w.npz --resume
rejects 1 'npy holds a row of numbers per text' "$BERTC" run m.so --input ask.txt -o w.npy
[ ! -e w.npz ] && [ ! -e w.npy ] || fail "a refused file is there"
rejects 1 'vectors: the folder gives a vector per text, or none' "$BERTC" compile "$MODEL" --head vectors -o x.so
rejects 1 'embedding: the folder gives a vector per token' "$BERTC" compile "$CASES/pylate" --head embedding -o x.so
rejects 1 '--pooling: the folder gives a vector per token' "$BERTC" compile "$CASES/pylate" --pooling mean -o x.so
wrong() { # wrong FOLDER FILE SED MESSAGE: the file changed so is an error that says so
    rm -rf bad
    cp -r "$CASES/$1" bad
    chmod -R u+w bad
    sed -i "$3" "bad/$2"
    rejects 1 "$4" "$BERTC" compile bad -o x.so
}
wrong st-expanded sentence_bert_config.json 's/"fixed"/"double"/' 'query_expansion.strategy: "double" is not supported'
wrong st-expanded sentence_bert_config.json 's/"length": 11/"length": 0/' 'query_expansion.length'
wrong st-expanded sentence_bert_config.json 's/"attend"/"attends"/' 'query_expansion.attends: is not supported'
wrong st-expanded sentence_bert_config.json 's/"token": null/"token": "zebra"/' 'filled up with zebra, which the tokenizer has not'
wrong st-at-least sentence_bert_config.json 's/"query_length": 9/"query_length": 5/' 'query_length: is less than'
wrong st-expanded 2_MultiVectorMask/config.json 's/"document"/"corpus"/' 'skiplist_tasks: "corpus" is none of'
wrong st-expanded 2_MultiVectorMask/config.json 's/"keep_only_token_ids": null/"keep_only_token_ids": [-1]/' 'keep_only_token_ids: holds what is no id'
wrong st-expanded modules.json 's/multi_vector_mask.MultiVectorMask/token_pooling.HierarchicalPooling/' 'HierarchicalPooling is not supported here'
wrong st-expanded 1_Dense/config.json 's/"module_input_name": "token_embeddings"/"module_input_name": "x"/' 'module_input_name: "x" is not supported; token_embeddings is'
wrong pylate config_sentence_transformers.json 's/"query_length": 12/"query_length": "x"/' 'query_length'
wrong pylate config_sentence_transformers.json 's/"query_prefix": "\[unused0\]"/"query_prefix": 3/' 'query_prefix: is a number'
wrong stanford artifact.metadata 's/cosine/l2/' 'similarity: "l2" is not supported'
wrong stanford artifact.metadata 's/12/-12/' 'query_maxlen'
# A folder of PyLate's that does not say its kind is told by its keys; one of Stanford's has usual settings without its metadata.
rm -rf bare
cp -r "$CASES/pylate" bare
chmod -R u+w bare
sed -i '/model_type/d' bare/config_sentence_transformers.json
succeeds "$BERTC" run bare --json --as query "who is it ?"
cp out told
succeeds "$BERTC" run "$CASES/pylate" --json --as query "who is it ?"
cmp -s out told || fail "a folder of PyLate's is another one without its kind"
rm -rf bare
cp -r "$CASES/stanford" bare
chmod -R u+w bare
rm bare/artifact.metadata
succeeds "$BERTC" run bare --as query "who is it ?"
[ "$(wc -l <out)" = 32 ] || fail "queries have 32 tokens where nothing says otherwise"
# BGE-M3: what of it is asked for.
succeeds "$BERTC" compile "$CASES/bge-m3" --mcpu native --outputs dense,sparse,colbert --seq 16 -o m3.so
succeeds "$BERTC" run m3.so --json "the cat sat"
expect '^\{"embedding": \[.*\], "sparse": \[.*\], "vectors": \[\[.*\]\]\}$'
succeeds "$BERTC" run m3.so "the zebra sat , the cat sat"
expect '^\{[a-z#]+: [0-9.]+'
succeeds "$BERTC" run m3.so --similar ask.txt corpus.txt
cp out cosine
succeeds "$BERTC" run m3.so --similar ask.txt corpus.txt --similarity MaxSim
if cmp -s cosine out; then fail "MaxSim and the cosine are the same"; fi
succeeds "$BERTC" run m3.so --input ask.txt -o m3.npz
succeeds "$BERTC" run "$CASES/bge-m3" --outputs dense --json "the cat sat"
expect '^\{"embedding": \['
rejects 1 'is not read in windows' "$BERTC" run m3.so --long window "the cat sat"
rejects 1 'sparse: .*/pylate holds no sparse_linear.pt' "$BERTC" compile "$CASES/pylate" --outputs sparse -o x.so
rejects 1 'colbert take no --pooling' "$BERTC" compile "$CASES/bge-m3" --outputs colbert --pooling mean -o x.so
rejects 1 'several: --outputs says which' "$BERTC" compile "$CASES/bge-m3" --head several -o x.so
rm -rf bad
cp -r "$CASES/bge-m3" bad
chmod -R u+w bad
cp bad/colbert_linear.pt bad/sparse_linear.pt
rejects 1 'sparse_linear.pt: tensor "weight": has another shape' "$BERTC" compile bad --outputs sparse -o x.so
printf 'PK\003\004' >bad/sparse_linear.pt
rejects 1 'sparse_linear.pt: is no whole zip file' "$BERTC" compile bad --outputs sparse -o x.so
