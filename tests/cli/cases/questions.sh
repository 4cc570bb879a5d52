# Scores of answers, several of them, no answer, and questions that can't be answered.
[ -d "$SHARED/models/small-qa" ] || skip shared "the trained checkpoints"
QA=$SHARED/models/small-qa
succeeds "$BERTC" compile "$QA" --mcpu native -o qa.so --seq 64
context="The Eiffel Tower is in Paris."
succeeds "$BERTC" run qa.so --json --pair "$context" "Where is the Eiffel Tower?"
expect '^\{"answer": "Paris", "start": 23, "end": 28, "score": 0\.98693[0-9]*, "logit_score": 13\.1769[0-9]*\}$'
succeeds "$BERTC" run qa.so --json --top-k 2 --pair "$context" "Where is the Eiffel Tower?"
expect '"answers": \[\{"answer": "Paris", .*\}, \{"answer": "Paris\.", "start": 23, "end": 29, "score": 0\.0069'
succeeds "$BERTC" run qa.so --top-k 2 --pair "$context" "Where is the Eiffel Tower?"
[ "$(wc -l <out)" = 2 ] || fail "$(cat out)"
expect '^Paris  0\.9869 \[23,28\]$'
# The answer stands in one of the windows; its score is of that window.
succeeds "$BERTC" run qa.so --json --long window --max-tokens 32 --stride 4 --pair "Nobody knows. $context It rains. It rains. It rains. It rains. It rains." "Where is the Eiffel Tower?"
expect '"answer": "Paris", "start": 37, "end": 42, "score": 0\.[89]'
# A context that has none, and one without a token.
succeeds "$BERTC" run qa.so --json --no-answer --max-answer 1 --pair " " "Where is the Eiffel Tower?"
expect '^\{"answer": "", "start": 0, "end": 0, "score": 1, "logit_score": '
succeeds "$BERTC" run qa.so --no-answer --pair " " "Where is the Eiffel Tower?"
expect '^\(no answer\)  1\.0000 \[0,0\]$'
rejects 1 'the context is empty' "$BERTC" run qa.so --pair "" "Where is it?"
rejects 1 'the question is empty' "$BERTC" run qa.so --pair "$context" ""
rejects 1 'the context has no token' "$BERTC" run qa.so --pair " " "Where is it?"
# One line's error is that line's.
printf 'Where is it?\t\nWhere is it?\t%s\n' "$context" >questions.txt
status=0
"$BERTC" run qa.so --input questions.txt --output answers.jsonl 2>err || status=$?
[ "$status" = 1 ] || fail "exit status $status"
grep -q '^{"error": "the context is empty"}$' answers.jsonl || fail "$(cat answers.jsonl)"
[ "$(grep -c '"answer": "Paris"' answers.jsonl)" = 1 ] || fail "$(cat answers.jsonl)"
