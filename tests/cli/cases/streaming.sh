# Standard input from a pipe is answered as it comes: the first answer is there before the second line is written, and the end of
# the pipe isn't waited for.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 32

# lines_in FILE N: waits until FILE has N lines; 20 s at most.
lines_in() {
    for _ in $(seq 200); do
        [ "$(wc -l <"$1")" -ge "$2" ] && return
        sleep 0.1
    done
    fail "$2 lines don't come while the pipe is open, but $(wc -l <"$1"): $(cat "$1" said)"
}

# streams FIRST SECOND LINES CMD...: an answer to FIRST has LINES lines
streams() {
    first=$1 second=$2 lines=$3
    shift 3
    rm -f pipe answers
    : >answers
    mkfifo pipe
    "$@" <pipe >answers 2>said &
    command=$!
    exec 3>pipe
    printf '%s\n' "$first" >&3
    lines_in answers "$lines"
    cp answers first_answer
    printf '%s' "$second" | head -c 3 >&3 # a part of a line holds up nothing that is whole
    printf '%s\n' "$second" | tail -c +4 >&3
    lines_in answers $((2 * lines))
    exec 3>&-
    wait "$command" || fail "exit status $? of: $* ($(cat said))"
    head -n "$lines" answers | cmp - first_answer || fail "another first answer of: $*"
    printf '%s\n%s\n' "$first" "$second" >both
    "$@" <both >together || fail "exit status $? of: $*"
    cmp answers together || fail "a file is answered otherwise than a pipe by: $*"
}
streams "a great film" "a dull film" 1 "$BERTC" run m.so
streams "a great film" "a dull film" 1 "$BERTC" run m.so --json
streams "a great film" "a dull film" 1 "$BERTC" run m.so --input -
streams "a great film" "a dull film" 1 "$BERTC" run m.so --input - --threads 2
streams '{"text": "a great film"}' '{"text": "a dull film"}' 1 "$BERTC" run m.so --input -
streams "unaffable" "unaffably" "$("$BERTC" tokenize m.so unaffable | wc -l)" "$BERTC" tokenize m.so
streams '{"text": "unaffable"}' '{"words": ["una", "b"]}' 1 "$BERTC" tokenize "$MODEL" --json

# A line that can't be answered is named, and those before it have their answers, however many come together.
{
    printf 'a great film\na dull film\n'
    seq -s ' ' 40
    printf 'never read\n'
} >lines
rejects 1 'standard input:3: .*tokens' "$BERTC" run m.so <lines
[ "$(wc -l <out)" = 2 ] || fail "not two answers: $(cat out)"
