# Memory that runs out while lines are answered: a line that says so, never a crash, and what was answered stands.
(ulimit -v 1000000 && "$BERTC" --version) >out 2>&1 || skip "this build needs more addresses than a limit gives"
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 64
i=0
while [ $i -lt 9000 ]; do
    echo "the $i actors were good but the story was not and nobody in the room laughed even once"
    i=$((i + 1))
done >texts.txt
limit=16000
until (ulimit -v $limit && "$BERTC" --version) >out 2>&1; do limit=$((limit + 16000)); done
# from too little for a session to enough for all lines
status=1
while [ $status != 0 ]; do
    limit=$((limit + 6000))
    [ $limit -lt 1000000 ] || fail "no limit is enough"
    rm -f answers.jsonl answers.jsonl.partial
    status=0
    (ulimit -v $limit && timeout 250 "$BERTC" run m.so --input texts.txt -o answers.jsonl --threads 1) >out 2>err || status=$?
    case $status in
    0) ;;
    1) [ -s err ] || fail "not a line, with $limit kB" ;;
    *) fail "exit status $status with $limit kB: $(tail -3 err)" ;;
    esac
    for file in answers.jsonl answers.jsonl.partial; do
        [ -s $file ] || continue
        grep -vE '^\{"(label|error)".*\}$' $file >strange || continue
        [ $file = answers.jsonl.partial ] && [ "$(wc -l <strange)" = 1 ] || fail "$file, with $limit kB: $(head -2 strange)"
    done
done
[ "$(wc -l <answers.jsonl)" = 9000 ] || fail "$(wc -l <answers.jsonl) answers"
