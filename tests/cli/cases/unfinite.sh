# NaN and infinity in the weights: compiling names the tensors, and an answer that is not finite is an error of its text.
tokenizer=$MODEL/tokenizer.json

# spoil FOLDER BYTES BACK: writes four bytes that far before the end of the weights
spoil() {
    size=$(wc -c <"$1/model.safetensors")
    # shellcheck disable=SC2059 # the format is the bytes
    printf "$2" | dd of="$1/model.safetensors" bs=1 seek=$((size - $3)) conv=notrunc 2>err
}
nan='\000\000\300\177' infinity='\000\000\200\177'

for head in sequence-classification token-classification question-answering masked-lm next-sentence pretraining embedding; do
    kind=$head
    [ $head = embedding ] && kind=model
    for number in "$nan" "$infinity"; do
        case $number$head in "$infinity"[!se]*) continue ;; esac # of one task with labels, and of one with numbers
        rm -rf bad
        "$BERTC" synth bert-tiny -o bad --head $kind
        # the last tensor of all, and one that every head reads
        spoil bad "$number" 4
        "$BERTC" compile bad --mcpu native --tokenizer "$tokenizer" --head $head -o bad.so --seq 16 >out 2>err || fail "$(cat err)"
        grep -q 'note: tensor ".*": holds NaN or infinity: 1 of [0-9]* elements, the first at \[[0-9,]*\]$' err || fail "$head: no note: $(cat err)"
        rejects 1 'bad.so: the answer is not finite' "$BERTC" run bad.so "a [MASK] text" --pair "and another"
        rejects 1 'bad.so: the answer is not finite' "$BERTC" run bad.so --json "a [MASK] text" --pair "and another"
        printf 'a [MASK] text\tand another\nthe [MASK]\tthird\n' >lines.txt
        MANY=1 rejects 1 '2 of 2 lines have no answer' "$BERTC" run bad.so --input lines.txt
        expect '^\{"error": "the answer is not finite'
        long="a [MASK] text that is longer than what the sixteen tokens of a window can ever hold of it, so it is read in several"
        set -- "q [MASK]" --pair "$long"
        [ $head != token-classification ] || set -- "$long"
        rejects 1 'bad.so: the answer is not finite' "$BERTC" run bad.so --long window --stride 2 "$@"
    done
done
printf 'a query\n' >queries.txt
MANY=1 rejects 1 'lines.txt:1: the answer is not finite|queries.txt:1: the answer is not finite' "$BERTC" run bad.so --similar queries.txt lines.txt

# Only the text that reads what is broken has no answer: a word's embedding is NaN, and other texts don't have the word.
"$BERTC" synth bert-tiny -o bad --head model
"$BERTC" tokenize "$tokenizer" dull --json >out
id=$(sed 's/^{"ids": \[[0-9]*, \([0-9]*\),.*/\1/;q' out)
header=$(head -c 4 bad/model.safetensors | od -An -tu4 | tr -d ' ')
words=$(head -c $((header + 8)) bad/model.safetensors | tail -c "$header" | grep -ao '"[a-z._]*word_embeddings.weight":{[^}]*}' | sed 's/.*offsets":\[\([0-9]*\),.*/\1/')
size=$(wc -c <bad/model.safetensors)
spoil bad "$nan" $((size - 8 - header - words - id * 128 * 4 - 8))
succeeds "$BERTC" compile bad --mcpu native --tokenizer "$tokenizer" --head embedding -o one.so --seq 16
grep -q "note: tensor \".*word_embeddings.weight\": holds NaN or infinity: 1 of [0-9]* elements, the first at \[$id,2\]$" err || fail "no note: $(cat err)"
succeeds "$BERTC" run one.so "a good film"
rejects 1 'one.so: text 2 of 3: the answer is not finite' "$BERTC" run one.so "a good film" "a dull film" "a film"
printf 'a good film\na dull film\na film\n' >three.txt
MANY=1 rejects 1 '1 of 3 lines have no answer' "$BERTC" run one.so --input three.txt
grep -q 'three.txt:2: the answer is not finite' err || fail "$(cat err)"
rejects 1 'standard input:2: the answer is not finite' "$BERTC" run one.so <three.txt
[ "$(wc -l <out)" = 1 ] || fail "not one answer: $(cat out)"
# tensors are given as they are
succeeds "$BERTC" run bad --tokenizer "$tokenizer" --head embedding --seq 16 "a good film"
succeeds "$BERTC" compile bad --mcpu native --tokenizer "$tokenizer" -o maps.so --seq 16 --outputs attentions --head embedding
rejects 1 '--attention: layer 1 gives NaN' "$BERTC" run maps.so --attention 1,0 "a dull film"
succeeds "$BERTC" run maps.so --attention 1,0 "a good film"
