# A file of texts: order kept, a broken line alone is lost, memory and threads don't show in the answers, a stopped run goes on.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 32,64
i=0
while [ $i -lt 300 ]; do
    case $((i % 5)) in
    0) echo "a wonderful film" ;;
    1) echo "dull , dreadful , and far too long for what little it has to say about anything at all" ;;
    2) echo "I want my money back $i times." ;;
    3) echo "Amazing!" ;;
    4) echo "the $i actors were good but the story was not and nobody in the room laughed even once" ;;
    esac
    i=$((i + 1))
done >texts.txt
succeeds "$BERTC" run m.so --json <texts.txt
cp out want
for threads in 1 3; do
    succeeds "$BERTC" run m.so --input texts.txt --output out.jsonl --threads $threads
    cmp want out.jsonl || fail "other answers from a file, $threads threads"
done
rejects 1 '--threads: 5000: not between 1 and 4096' "$BERTC" run m.so --input texts.txt --threads 5000
succeeds "$BERTC" run m.so --input texts.txt
cmp want out || fail "other answers on standard output"
"$BERTC" run m.so --input - --output piped.jsonl <texts.txt
cmp want piped.jsonl || fail "other answers from standard input"
[ ! -e out.jsonl.partial ] || fail "left behind"

# JSON lines, of which some are broken.
cat >lines.jsonl <<'END'
{"text": "Amazing!"}
{"text": 7}
"Amazing!"
{"text": "Amazing!"
{"words": ["Amazing", "!"]}
{"pair": "x"}

[1]
{"text": "Amazing!", "pair": null, "id": 3}
END
MANY=1 rejects 1 'lines.jsonl:2: "text" must be a string' "$BERTC" run m.so --input lines.jsonl
for line in 4 6 7 8; do grep -q "lines.jsonl:$line: " err || fail "line $line isn't named: $(cat err)"; done
grep -q '5 of 9 lines have no answer' err || fail "$(cat err)"
[ "$(wc -l <out)" = 9 ] || fail "$(cat out)"
[ "$(grep -c '^{"error": ' out)" = 5 ] || fail "$(cat out)"
[ "$(grep '"label"' out | sed 's|"id": 3, ||' | sort -u | wc -l)" = 1 ] || fail "$(cat out)"
sed -n 9p out | grep -q '"positive"' || fail "order: $(cat out)"
# lines that had no answer before a stop have none after it
! "$BERTC" run m.so --input lines.jsonl --output lines.answers.jsonl 2>err || fail "lines without an answer are no error"
! "$BERTC" run m.so --input lines.jsonl --output lines.answers.jsonl --resume 2>err || fail "resumed, they are none"
grep -q '5 of 9 lines have no answer' err || fail "$(cat err)"
# An escaped NUL is a character of the text; a NUL byte is none of JSON's.
printf '"a\\u0000b"\n{"text": "a\\\\u0000"}\n"a\000b"\n' >nul.jsonl
MANY=1 rejects 1 'nul.jsonl:3: holds a NUL byte' "$BERTC" run m.so --input nul.jsonl
[ "$(cut -c1-9 out | tr '\n' ' ')" = '{"label": {"label": {"error": ' ] || fail "$(cat out)"
yes "word" | head -100 | tr '\n' ' ' >long.txt
printf '\nAmazing!\n' >>long.txt
MANY=1 rejects 1 'long.txt:1: .*more than the limit of 64' "$BERTC" run m.so --input long.txt
sed -n 2p out | grep -q '"positive"' || fail "$(cat out)"
succeeds "$BERTC" run m.so --input long.txt --long window

# Bytes of any kind are lines too, with an answer or an error each.
head -c 60000 "$BERTC" >bytes
for name in bytes.txt bytes.jsonl bytes.any; do
    cp bytes $name
    "$BERTC" run m.so --input $name --output answers.jsonl --long window 2>err || grep -q 'have no answer' err || fail "$(cat err)"
    [ "$(wc -l <answers.jsonl)" -ge "$(wc -l <bytes)" ] || fail "lines are missing"
done

# Stopped anywhere, it goes on behind the last whole line.
for bytes in 0 1 100 5000 $(wc -c <want); do
    head -c "$bytes" want >again.jsonl.partial
    rm -f again.jsonl
    succeeds "$BERTC" run m.so --input texts.txt --output again.jsonl --resume
    cmp want again.jsonl || fail "resumed at byte $bytes"
done
head -c 2000 want >cut.jsonl
succeeds "$BERTC" run m.so --input texts.txt --output cut.jsonl --resume
cmp want cut.jsonl || fail "resumed from the file itself"
cat want want >more.jsonl
rejects 1 'more.jsonl: has 600 rows, more than texts.txt has lines' "$BERTC" run m.so --input texts.txt --output more.jsonl --resume
[ "$(wc -l <more.jsonl)" = 600 ] || fail "what was there is gone"

# without --resume, what a stopped run left, or a file of the user's, is not written over
head -c 2000 want >kept.jsonl.partial
cp kept.jsonl.partial was
rejects 1 'kept.jsonl.partial: .*--resume' "$BERTC" run m.so --input texts.txt --output kept.jsonl
cmp was kept.jsonl.partial || fail "the rows are gone"
echo mine >notes.jsonl.partial
rejects 1 'notes.jsonl: --resume: line 1 is no answer' "$BERTC" run m.so --input texts.txt --output notes.jsonl --resume
[ "$(cat notes.jsonl.partial)" = mine ] || fail "notes are gone"

"$BERTC" synth bert-tiny -o tagger --head token-classification >out
cp "$MODEL/tokenizer.json" tagger/
succeeds "$BERTC" compile tagger --mcpu native -o tagger.so --seq 32
rejects 1 '.npy holds a row of numbers per text' "$BERTC" run tagger.so --input texts.txt --output x.npy
rejects 1 'nowhere.txt: can.t be read' "$BERTC" run m.so --input nowhere.txt --output x.jsonl
rejects 1 ' nowhere/x.jsonl: can.t be written: No such file or directory' "$BERTC" run m.so --input texts.txt --output nowhere/x.jsonl
rejects 2 'goes with' "$BERTC" run m.so --output x.jsonl
rejects 2 'goes with' "$BERTC" run m.so --resume --input texts.txt
rejects 2 'not both' "$BERTC" run m.so --input texts.txt "text"
: >empty.txt
succeeds "$BERTC" run m.so --input empty.txt --output empty.jsonl
[ -e empty.jsonl ] && [ ! -s empty.jsonl ] || fail "of no lines"
# standard input without a line's end is not held in memory whole
head -c 70000000 /dev/zero | tr '\0' a >endless
rejects 1 'standard input:1: is longer than 64 MiB' "$BERTC" run m.so <endless
rm endless
printf '\357\273\277a film\r\nfine\tday' >marked.txt
"$BERTC" run m.so --json <marked.txt >got
succeeds "$BERTC" run m.so --input marked.txt
cmp got out || fail "other answers from standard input"
