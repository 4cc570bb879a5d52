# --format, or the ending of -o: text, JSON lines, CSV, .npy and .npz for each kind of answer; what fits none is named.
cases=$SOURCE/tests/models
printf 'Amazing!\nHe said "no, never" , and left\n' >texts.txt
run() { "$BERTC" run m.so "$@"; }
succeeds "$BERTC" compile "$MODEL" --mcpu native --seq 64 -o m.so

# Labels. The same rows on the command line, from standard input and from a file.
succeeds run --format csv 'Amazing!' 'He said "no, never" , and left'
cp out said.csv
[ "$(head -1 said.csv)" = "$(printf 'line,text,label,score,error\r')" ] || fail "header: $(cat said.csv)"
expect "^1,Amazing!,positive,0\.[0-9]+,$(printf '\r')$"
expect '^2,"He said ""no, never"" , and left",'
succeeds run --format csv <texts.txt
cmp out said.csv || fail "CSV from standard input"
for name in a.csv b.out; do
    format=
    [ $name = a.csv ] || format='--format csv'
    succeeds run --input texts.txt -o $name $format
    cmp $name said.csv || fail "CSV in $name"
done
succeeds run --input texts.txt --format csv
cmp out said.csv || fail "CSV of --input on standard output"
succeeds run <texts.txt
cp out said.txt
for options in '-o a.txt' '-o c.out --format text'; do
    succeeds run --input texts.txt $options
    cmp "$(echo "$options" | cut -d ' ' -f 2)" said.txt || fail "text: $options"
done
succeeds run --json <texts.txt
cp out said.jsonl
for ending in jsonl ndjson json; do
    succeeds run --input texts.txt -o a.$ending
    cmp a.$ending said.jsonl || fail "JSON lines in .$ending"
done
succeeds run --format jsonl 'Amazing!'
head -1 said.jsonl | cmp - out || fail "--format jsonl is not --json"
succeeds run --input texts.txt -o odd.name --format jsonl
cmp odd.name said.jsonl || fail "--format says it for any name"
succeeds run --input texts.txt -o c.csv --format jsonl
cmp c.csv said.jsonl || fail "--format counts, not the ending"
succeeds run --format csv --top-k 2 'Amazing!'
[ "$(wc -l <out)" = 3 ] || fail "two labels are two rows: $(cat out)"
# Devices and pipes have no ending.
succeeds run --input texts.txt -o /dev/null
succeeds run --input texts.txt -o /dev/null --format csv
rejects 1 '/dev/full|standard output' run --input texts.txt -o /dev/full --format csv

# -o of texts on the command line: the file that --input writes of the same lines.
for form in csv jsonl txt npy npz; do
    succeeds run --input texts.txt -o lines.$form
    succeeds run 'Amazing!' 'He said "no, never" , and left' -o words.$form
    cmp lines.$form words.$form || fail "-o words.$form"
done
succeeds run 'Amazing!' -o words.odd --format csv --pair 'So good!'
[ "$(wc -l <words.odd)" = 2 ] || fail "$(cat words.odd)"
rejects 1 'x.foo: has an ending that says no form' run -o x.foo a
long=$(printf 'word %.0s' $(seq 100))
! run a "$long" b -o some.csv 2>err || fail "a text that is too long is an answer"
grep -Eq 'TEXT:2: .*tokens' err && grep -q '1 of 3 texts have no answer' err || fail "$(cat err)"
grep -q '^2,word .*tokens' some.csv && [ "$(wc -l <some.csv)" = 4 ] || fail "$(cat some.csv)"
rm some.csv

# A line without an answer has a row that says why.
printf '{"text": "Amazing!"}\n{"txt": "a,b"}\n{"text": "Amazing!"}\n' >lines.jsonl
MANY=1
rejects 1 '1 of 3 lines have no answer' run --input lines.jsonl --format csv
[ "$(wc -l <out)" = 4 ] || fail "$(cat out)"
expect '^2,,,,"?has neither ""text"" nor ""words""'
rejects 1 '1 of 3 lines have no answer' run --input lines.jsonl --format text
sed -n 2p out | grep -q '^(no answer: has neither "text" nor "words"' || fail "$(cat out)"
MANY=0

# What isn't known, or doesn't fit, and nothing is left.
for name in x.tsv x.CSV x x.foo x.jsonl.gz; do
    rejects 1 "^bertc: error: $name: has an ending that says no form: .jsonl .*\.csv, \.txt, \.npy, \.npz" run --input texts.txt -o $name
done
rejects 2 "--format: 'xml' is not one of text, jsonl, csv, npy or npz" run --format xml a
rejects 2 'takes --json or --format csv, not both' run --json --format csv a
rejects 2 '--json and -o x.npy are two forms' run --json --input texts.txt -o x.npy
rejects 2 '--format npy goes with -o, and with TEXT or --input' run --format npy a
rejects 2 '--format npz goes with -o, and with TEXT or --input' run --input texts.txt --format npz
rejects 2 '-o goes with TEXT, --input \(-: standard input\)' run -o x.csv
for mode in --similar --search --rank; do
    rejects 2 "--format npz: $mode gives text, jsonl or csv" run $mode texts.txt --format npz texts.txt
done
rejects 2 '--tensors writes safetensors: no --format' run --tensors t.safetensors -o x.safetensors --format csv
rejects 2 '--format csv: --explain gives text or jsonl' run --explain --format csv a
rejects 2 '--explain is drawn as .html, not as x.svg' run --explain -o x.svg a
rejects 1 '--resume goes on with .jsonl and .npy' run --input texts.txt -o x.csv --resume
rejects 1 '--top-k: x.npy holds the scores of all labels' run --input texts.txt -o x.npy --top-k 1

# Arrays of scores, in the labels' order; numpy reads them.
succeeds run --input texts.txt -o a.npy
succeeds run --input texts.txt -o a.npz
numpy() {
    for python in "${PYTHON:-python3}" /usr/bin/python3; do
        if "$python" -c 'import numpy' 2>/dev/null; then
            "$python" -c "$1" || fail "numpy: $2"
            return 0
        fi
    done
    skip_part tools "Python with numpy: $2"
}
grep -aq "'shape': (2, 2)" a.npy || fail "a row of scores per text"
numpy '
import numpy, json
z, a = numpy.load("a.npz"), numpy.load("a.npy")
want = [{s["label"]: s["score"] for s in json.loads(l)["scores"]} for l in open("said.jsonl")]
assert sorted(z.files) == ["labels", "scores"], z.files
assert (z["scores"] == a).all() and a.dtype == numpy.float32
for row, w in zip(a, want):
    assert {n: float(x) for n, x in zip(z["labels"], row)} == {n: float(numpy.float32(x)) for n, x in w.items()}
' 'arrays of scores'

# Parts of a run are joined in each form, to the bytes that one process writes.
succeeds run --input texts.txt -o whole.odd --format csv
for i in 0 1; do succeeds run --input texts.txt -o parts.odd --format csv --shard $i/2; done
succeeds "$BERTC" run --merge -o parts.odd
cmp parts.odd whole.odd || fail "CSV of odd names in parts"
for form in csv txt npy npz; do
    rm -f ./*.manifest.json
    for i in 0 1; do succeeds run --input texts.txt -o parts.$form --shard $i/2; done
    succeeds "$BERTC" run --merge -o parts.$form
    cmp parts.$form a.$form || fail ".$form in parts"
done
rejects 1 'is another kind of file than its part' "$BERTC" run --merge -o parts.npz --format csv

# Embeddings: rows of CSV, of .npy and of .npz, which --search reads.
succeeds "$BERTC" compile "$cases/cases/st-prompts" -o e.so --seq 32
printf 'the cat sat on the mat .\nwho is it ?\ndogs , not cats\n' >words.txt
for form in csv npy npz; do succeeds "$BERTC" run e.so --input words.txt -o e.$form; done
head -1 e.csv | grep -q '^line,v0,v1,.*,error' || fail "$(head -1 e.csv)"
[ "$(wc -l <e.csv)" = 4 ] || fail "a row per text"
[ "$(awk -F, '{print NF}' e.csv | sort -u | wc -l)" = 1 ] || fail "rows of other lengths than the header"
for form in npy npz; do "$BERTC" run e.so --search e.$form 'a cat' --json >found.$form || fail "$form"; done
cmp found.npy found.npz || fail "an .npz of embeddings is searched otherwise"
"$BERTC" run e.so --search e.npy 'a, cat' dogs --format csv >found.csv
[ "$(head -1 found.csv | tr -d '\r')" = query,index,score ] && [ "$(wc -l <found.csv)" = 7 ] || fail "$(cat found.csv)"
"$BERTC" run e.so --similar words.txt words.txt --top-k 1 --format csv >similar.csv
"$BERTC" run e.so --similar words.txt words.txt --top-k 1 --json | sed 's/.*"score": \([^,]*\), "line": \([0-9]*\), .*/\2,\1/' >want
[ "$(head -1 similar.csv | tr -d '\r')" = query,line,score,text ] || fail "$(cat similar.csv)"
grep -q '^"dogs , not cats",' similar.csv || fail "$(cat similar.csv)"
sed -n 2,3p similar.csv | cut -d , -f 2 >has
head -2 want | cut -d , -f 1 | cmp - has || fail "other lines than as JSON: $(cat similar.csv)"
rm -f ./*.manifest.json
for i in 0 1 2; do succeeds "$BERTC" run e.so --input words.txt -o parts.npz --shard $i/3; done
succeeds "$BERTC" run --merge -o parts.npz
cmp parts.npz e.npz || fail "an .npz of embeddings in parts"

# Other answers: their columns, and the arrays that they haven't.
columns() { # columns FOLDER HEADER TEXT [OPTION]...
    folder=$1 header=$2 text=$3
    shift 3
    succeeds "$BERTC" run "$folder" --seq 32 --format csv "$@" "$text"
    [ "$(head -1 out | tr -d '\r')" = "$header" ] || fail "$folder: $(head -1 out)"
    [ "$(awk -F, '{print NF}' out | sort -u | wc -l)" = 1 ] || fail "$folder: $(cat out)"
    [ "$(wc -l <out)" -gt 1 ] || fail "$folder: no row"
}
for head in token-classification question-answering masked-lm next-sentence pretraining; do
    succeeds "$BERTC" synth bert-tiny -o $head --head $head
    cp "$MODEL/tokenizer.json" $head/
done
columns "$cases/sparse/max" line,id,token,weight,error 'the cat' --top-k 3
succeeds "$BERTC" run "$cases/vectors/st-colbert" --seq 32 --format csv 'the cat'
expect '^line,vector,v0,v1,.*,error'
columns token-classification line,type,entity,score,start,end,error 'the cat sat on a mat'
columns question-answering line,question,answer,score,start,end,error who --pair 'the cat sat' --no-answer --top-k 3
columns masked-lm line,mask,token,score,error 'the [MASK] sat on [MASK]' --top-k 2
[ "$(cut -d , -f 2 out | tr '\n' ' ')" = 'mask 0 0 1 1 ' ] || fail "two words for each of two masks: $(cat out)"
columns next-sentence line,text,pair,next_sentence,error 'the cat' --pair 'a mat'
printf 'the cat\ta mat\nthe dog\n' >pairs.txt
MANY=1
rejects 1 'pairs.txt:2: has no second text' "$BERTC" run next-sentence --seq 32 --input pairs.txt -o /dev/null --format npz
MANY=0
printf 'the cat\ta mat\n' >pairs.txt
succeeds "$BERTC" run next-sentence --seq 32 --input pairs.txt -o next.npz
grep -aq "'descr': '<U13'" next.npz && grep -aq "'shape': (1, 1)" next.npz || fail "one score per pair, with its name"
for head in token-classification masked-lm pretraining; do
    for form in npy npz; do
        rejects 1 "x.$form: .$form holds a row of numbers per text" "$BERTC" run $head --seq 32 --input words.txt -o x.$form
    done
done
rejects 1 'answers are of several kinds' "$BERTC" run pretraining --seq 32 --format csv 'a [MASK]'
rejects 1 'answers are of several kinds' "$BERTC" run "$cases/vectors/bge-m3" --seq 32 --outputs dense,sparse --input words.txt -o x.csv

# The other commands: the same words, and each says which forms it has.
succeeds "$BERTC" tokenize m.so --format csv 'Hello, "you"' b
[ "$(head -1 out | tr -d '\r')" = line,token,id,type,start,end,word,error ] || fail "$(cat out)"
expect "^1,\",\",[0-9]+,0,5,6,1,$(printf '\r')$"
expect "^2,b,[0-9]+,0,0,1,0,$(printf '\r')$"
[ "$(awk -F, '!/"/ {print NF}' out | sort -u)" = 8 ] || fail "$(cat out)"
succeeds "$BERTC" tokenize m.so --format jsonl Hello
cp out one
succeeds "$BERTC" tokenize m.so --json Hello
cmp out one || fail "--json is not --format jsonl"
data=$SOURCE/examples/reviews.jsonl
succeeds "$BERTC" evaluate m.so --data "$data" --json --group-by about
cp out figures.json
succeeds "$BERTC" evaluate m.so --data "$data" --format csv --group-by about
[ "$(head -1 out | tr -d '\r')" = of,name,figure,value ] || fail "$(head -1 out)"
for key in accuracy matthews calibration_error; do
    expect "^,,$key,[0-9.]+$(printf '\r')$"
    grep -q "\"$key\": $(sed -n "s/^,,$key,\([0-9.]*\).*/\1/p" out)" figures.json || fail "$key differs from JSON"
done
expect '^labels,positive,f1,0\.'
expect '^confusion,negative,positive,1'
expect '^groups,film,accuracy,0\.'
expect '^between_groups,accuracy,difference,'
expect '^rates of positive,actor,selection_rate,'
succeeds "$BERTC" bench m.so --seq 8 --rounds 2 --threads 1,2 --format csv
[ "$(wc -l <out)" = 3 ] && head -1 out | grep -q '^batch,seq,tokens,threads,milliseconds,' || fail "$(cat out)"
succeeds "$BERTC" verify "$MODEL" --seq 8 --format csv
[ "$(head -1 out | tr -d '\r')" = name,error,largest,at,against,cost ] && [ "$(wc -l <out)" -gt 5 ] || fail "$(head -3 out)"
rejects 2 "--format: 'xml' is not one of text, jsonl or csv" "$BERTC" tokenize m.so --format xml a
rejects 2 '--format npy: this command gives text, jsonl or csv' "$BERTC" evaluate m.so --data "$data" --format npy
rejects 2 '--format csv: this command gives text or jsonl' "$BERTC" inspect m.so --format csv
rejects 2 '--format csv: this command gives text or jsonl' "$BERTC" compile "$MODEL" -o x.so --format csv
rejects 2 '--format csv: --profile gives text or jsonl' "$BERTC" bench m.so --profile --format csv
rejects 2 'takes --json or --format text, not both' "$BERTC" verify "$MODEL" --json --format text
