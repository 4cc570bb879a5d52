# Text that never makes special tokens, which end of a long text is cut, and NULs.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 32
succeeds "$BERTC" tokenize m.so --json "a [SEP] b"
expect '^\{"ids": \[2, 43, 3,'
for path in m.so "$MODEL"; do
    succeeds "$BERTC" tokenize "$path" --json --plain-text "a [SEP] b"
    ! grep -q '"ids": \[2, 43, 3,' out || fail "plain text makes a special token: $(cat out)"
    expect '^\{"ids": \[2, 43,.*, 3\],'
done
# An answer to text with a special token written into it is another one; plain text's is that of text.
succeeds "$BERTC" run m.so --json "bad film [SEP] amazing"
cp out special
succeeds "$BERTC" run m.so --json --plain-text "bad film [SEP] amazing"
! cmp -s out special || fail "--plain-text does nothing"
printf 'bad film [SEP] amazing\n' >lines.txt
cp out wanted
succeeds "$BERTC" run m.so --plain-text --input lines.txt
cmp out wanted || fail "--plain-text and --input: $(cat out)"

# tokenizer_config.json's split_special_tokens does the same; so does truncation_side for long texts.
copy_model split
sed 's/^{/{"split_special_tokens": true, "truncation_side": "left",/' "$MODEL/tokenizer_config.json" >split/tokenizer_config.json
succeeds "$BERTC" compile split --mcpu native -o split.so --seq 32
succeeds "$BERTC" run split.so --json "bad film [SEP] amazing"
cmp out wanted || fail "split_special_tokens: $(cat out)"
long="one two three four five six"
succeeds "$BERTC" tokenize m.so --truncate --max-tokens 4 "$long"
expect '^one '
for how in left longest-left first-left; do
    succeeds "$BERTC" tokenize m.so --truncate=$how --max-tokens 4 "$long"
    expect '^five '
    expect '^six '
    expect '^\[CLS\] '
done
succeeds "$BERTC" tokenize split.so --truncate --max-tokens 4 "$long"
expect '^six '
succeeds "$BERTC" tokenize split.so --truncate=right --max-tokens 4 "$long"
expect '^one '
succeeds "$BERTC" run m.so --json "five six"
cp out wanted
succeeds "$BERTC" run m.so --json --long truncate-left --max-tokens 4 "$long"
cmp out wanted || fail "truncate-left: $(cat out)"
succeeds "$BERTC" run split.so --json --long truncate --max-tokens 4 "$long"
cmp out wanted || fail "truncation_side: $(cat out)"
succeeds "$BERTC" run m.so --json "two three" --pair "b c"
cp out wanted
succeeds "$BERTC" run m.so --json --long truncate-left --max-tokens 7 "one two three" --pair "a b c"
cmp out wanted || fail "truncate-left of a pair: $(cat out)"
rejects 2 "'up' is none of longest, first, second \(and -left or -right\)" "$BERTC" tokenize m.so --truncate=up a
rejects 2 "'truncate-first-' is none" "$BERTC" run m.so --long truncate-first- a

# A NUL is a character of a text, which BERT's normaliser drops.
printf '"a\\u0000b"\n{"text":"x \\u0000 y","pair":"\\u0000"}\n{"words":["a\\u0000b","c\\\\u0000"]}\n' >lines.jsonl
succeeds "$BERTC" tokenize --json m.so <lines.jsonl
expect '"offsets": \[\[0, 0\], \[0, 3\], \[0, 0\]\]'
expect '"types": \[0, 0, 0, 0, 1\], "offsets": \[\[0, 0\], \[0, 1\], \[4, 5\], \[0, 0\], \[0, 0\]\]'
expect '"words": \[null, 0, 1,'
printf 'a\0b\n' >lines
succeeds "$BERTC" tokenize m.so <lines
expect '^ab .* 0-3$'
succeeds "$BERTC" run m.so --json <lines
cp out wanted
printf '"a\\u0000b"\n' >one.jsonl
succeeds "$BERTC" run m.so --json --input one.jsonl
cmp out wanted || fail "a NUL in text and in JSON: $(cat out)"
printf '"a\0b"\n' >raw.jsonl
MANY=1 rejects 1 'raw.jsonl:1: holds a NUL byte, which JSON writes as' "$BERTC" run m.so --input raw.jsonl

# `tokenize` goes on behind a line that has no tokens.
printf '"a"\n{"text":1}\n"b"\n{\n' >bad.jsonl
MANY=1 rejects 1 'standard input:2: "text" must be a string' "$BERTC" tokenize --json m.so <bad.jsonl
[ "$(grep -c '"ids"' out)" = 2 ] || fail "not all lines: $(cat out)"
[ "$(wc -l <out)" = 4 ] || fail "not a line a line: $(cat out)"
expect '^\{"error": "\\"text\\" must be a string"\}$'
grep -q 'standard input:4: is no JSON' err || fail "the last line is not named: $(cat err)"
printf 'one two three four\na\n' >lines
rejects 1 'standard input:1: text of 6 tokens' "$BERTC" tokenize m.so --max-tokens 4 <lines
expect '^a '

# An id beyond the model's vocabulary: the text that uses it is an error, others are answered.
copy_model more
sed 's/"added_tokens": *\[/&{"id":8192,"content":"<extra>","special":true},/' "$MODEL/tokenizer.json" >more/tokenizer.json
succeeds "$BERTC" compile more --mcpu native -o more.so --seq 32
grep -q "note: .*ids go up to 8192, the model's vocabulary has 8192" err || fail "no note: $(cat err)"
rejects 1 'token 2, `<extra>`: id 8192: the model has ids 0 to 8191' "$BERTC" run more.so "a <extra>"
printf 'a <extra>\nb\n' >lines.txt
MANY=1 rejects 1 'lines.txt:1: token 2, `<extra>`: id 8192' "$BERTC" run more.so --input lines.txt
[ "$(grep -c label out)" = 1 ] || fail "the other line has no answer: $(cat out)"
