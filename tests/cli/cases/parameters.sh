# A graph that changes parameters (tests/cli/step.ir): compiled, verified, inspected, run; wrong ones are refused.
GRAPH=$SOURCE/tests/cli/step.ir
succeeds "$BERTC" compile "$MODEL" --graph "$GRAPH" -o step.so --seq 16
succeeds "$BERTC" inspect step.so --check
expect '^parameters, 543\.8 kB of states in each session$'
expect '^  bert\.embeddings\.LayerNorm\.weight +f32\[256\]$'
expect '^  bert\.encoder\.layer\.0\.attention\.self\.key\.weight +f32\[256,256\]$'
expect '^  classifier\.weight +f32\[2,256\]$'
succeeds "$BERTC" inspect step.so --json
expect '"state_bytes": [0-9]+'
expect '\{"name": "classifier\.bias", "type": "f32\[2\]"\}'
succeeds "$BERTC" inspect "$MODEL" --seq 16
! grep -q parameters, out || fail "a model that trains nothing has parameters"
# A run of the text is the first call: nothing has changed yet.
succeeds "$BERTC" run step.so --json "a film"
cp out answer
succeeds "$BERTC" run "$MODEL" --graph "$GRAPH" --seq 16 --json "a film"
cmp out answer || fail "JIT has another answer: $(cat out)"
# Text of the last stage goes on from there.
succeeds "$BERTC" compile "$MODEL" --graph "$GRAPH" --emit ir --seq 16 -o final.ir
grep -q 'at state+' final.ir || fail "final.ir has no states"
grep -q '%rate at input+' final.ir || fail "final.ir has no number of the call"
succeeds "$BERTC" run "$MODEL" --graph final.ir --json "a film"
cmp out answer || fail "final.ir has another answer: $(cat out)"
# Every kernel is the evaluator's; the outputs are not the checkpoint's own, and that is said.
status=0
"$BERTC" verify "$MODEL" --graph "$GRAPH" >out 2>err || status=$?
[ "$status" = 1 ] || fail "verify: $status"
expect '^qk\.next +0\.00e\+00'
expect '^classifier\.next +0\.00e\+00'
sed 's/%rate: f32\[\]/%rate: f32[1]/' "$GRAPH" >wrong.ir
rejects 1 '%rate: is f32\[1\]; as a number of the call it is f32\[\]' "$BERTC" compile "$MODEL" --graph wrong.ir -o wrong.so --seq 16
