# Tokens of an artefact, a folder, tokenizer.json and vocab.txt alone: the same.
succeeds "$BERTC" compile "$MODEL" -o m.so --seq 32
succeeds "$BERTC" tokenize m.so "unaffable"
expect '^\[CLS\]'
expect '^\[SEP\]'
cp out wanted
for path in "$MODEL" "$MODEL/tokenizer.json" "$MODEL/vocab.txt"; do
    succeeds "$BERTC" tokenize "$path" "unaffable"
    cmp out wanted || fail "$path gives other tokens"
done
printf '{"text":"a b","pair":"c"}\n{"text":"caf\\u00e9"}\n' >lines
succeeds "$BERTC" tokenize --json m.so <lines
expect '^\{"ids":\[.*"types":\[0,0,0,0,1,1\],"offsets":\[\[0,0\],\[0,1\],\[2,3\],\[0,0\],\[0,1\],\[0,0\]\],"words":\[null,0,1,null,0,null\]\}$'
expect '"offsets":\[\[0,0\],\[0,4\]|"offsets":\[\[0,0\],\[0,'
printf '{"text":1}\n' >lines
rejects 1 'standard input:1: "text" must be a string' "$BERTC" tokenize --json m.so <lines
printf '{"words":["a,b","c"]}\n' >lines
succeeds "$BERTC" tokenize --json m.so <lines
expect '"words":\[null,0,0,0,1,null\]\}$'
