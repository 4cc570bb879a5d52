# Tokens of an artefact, a folder, tokenizer.json and vocab.txt alone: the same.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 32
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
expect '^\{"ids": \[.*"types": \[0, 0, 0, 0, 1, 1\], "offsets": \[\[0, 0\], \[0, 1\], \[2, 3\], \[0, 0\], \[0, 1\], \[0, 0\]\], "words": \[null, 0, 1, null, 0, null\]\}$'
expect '"offsets": \[\[0, 0\], \[0, 4\]|"offsets": \[\[0, 0\], \[0,'
printf '{"text":1}\n' >lines
rejects 1 'standard input:1: "text" must be a string' "$BERTC" tokenize --json m.so <lines
printf '{"words":["a,b","c"]}\n' >lines
succeeds "$BERTC" tokenize --json m.so <lines
expect '"words": \[null, 0, 0, 0, 1, null\]\}$'

# An empty second text is one: its special token is there. Words may be empty too.
pair='"types": \[0, 0, 0, 1\], "offsets": \[\[0, 0\], \[0, 1\], \[0, 0\], \[0, 0\]\], "words": \[null, 0, null, null\]\}$'
succeeds "$BERTC" tokenize --json m.so a --pair ""
expect "$pair"
printf '{"text":"a","pair":""}\n' >lines
succeeds "$BERTC" tokenize --json m.so <lines
expect "$pair"
succeeds "$BERTC" run m.so --json a --pair ""
cp out wanted
printf 'a\t\n' >lines
succeeds "$BERTC" run m.so --json <lines
cmp out wanted || fail "a tab with nothing behind it is no empty second text"
printf '{"words":["","a",""," "]}\n' >lines
succeeds "$BERTC" tokenize --json m.so <lines
expect '"types": \[0, 0, 0\].*"words": \[null, 1, null\]\}$'
printf '{"words":[]}\n' >lines
succeeds "$BERTC" tokenize --json m.so <lines
expect '"types": \[0, 0\].*"words": \[null, null\]\}$'

# sentencepiece's own file alone: what makes it readable is said, and the model takes ids till then.
copy_model spm
rm spm/tokenizer.json spm/vocab.txt
printf x >spm/spiece.model
rejects 1 'spiece.model: is sentencepiece.*save_pretrained' "$BERTC" tokenize spm a
succeeds "$BERTC" compile spm --mcpu native -o spm.so --seq 32
grep -q 'note: .*spiece.model: is sentencepiece.*takes ids only' err || fail "no note: $(cat err)"
rejects 1 'spiece.model: is sentencepiece' "$BERTC" compile "$MODEL" --tokenizer spm/spiece.model -o none.so

# Columns are as wide as a terminal shows them: a Chinese character takes two, a combining mark none.
printf '[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\n\344\270\255\ncafe\nab\n' >vocab.txt
succeeds "$BERTC" tokenize vocab.txt "$(printf '\344\270\255 ab')"
grep -q "^$(printf '\344\270\255')$(printf '%18s' '') *5 " out || fail "$(cat out)"
grep "^$(printf '\344\270\255')" out | sed "s/^$(printf '\344\270\255')/xx/" >wide
grep '^ab' out | sed 's/^ab/xx/' >narrow
[ "$(cut -c 1-30 wide | sed 's/5$/6/' | wc -c)" = "$(cut -c 1-30 narrow | wc -c)" ] && [ "$(cut -c 1-28 wide)" = "$(cut -c 1-28 narrow)" ] || fail "other columns: $(cat out)"
