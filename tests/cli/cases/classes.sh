# Text with graphs of several arithmetic classes: the one that the CPU's class asks for is compiled, each is checked, and all
# are printed.
succeeds "$BERTC" compile "$MODEL" --emit ir --stage packed -o f32.ir
sed 's/^graph @encoder(/graph @encoder class vnni(/; s/approximation = none/approximation = tanh/' f32.ir >vnni.ir
cat f32.ir vnni.ir >both.ir
[ "$(grep -c '^graph ' both.ir)" = 2 ] || fail "no two graphs"

# They come back as they are; equal constants lie where they lay.
succeeds "$BERTC" opt both.ir --passes pack_weights
sed 's/, hash = 0x[0-9a-f]*//' both.ir >want
sed 's/, hash = 0x[0-9a-f]*//' out >got
cmp want got || fail "opt prints other graphs"
succeeds "$BERTC" compile "$MODEL" --graph both.ir --emit ir --stage packed -o again.ir
cmp both.ir again.ir || fail "compile prints other graphs"
"$BERTC" opt both.ir --passes pack_weights --report fusion >out 2>err || fail "opt --report"
grep -q '^pack_weights, class vnni$' err || fail "the report does not name the class: $(cat err)"

# This machine's class is f32.
text="This movie was amazing, or so"
succeeds "$BERTC" run "$MODEL" --json --seq 32 "$text"
cp out answer
succeeds "$BERTC" run "$MODEL" --graph both.ir --json --seq 32 "$text"
cmp out answer || fail "another graph ran: $(cat out)"
grep -q 'note: .*both.ir: the graph of class vnni is left out' err || fail "no note: $(cat err)"
succeeds "$BERTC" verify "$MODEL" --graph both.ir
succeeds "$BERTC" compile "$MODEL" --graph both.ir --seq 32 -o both.so
succeeds "$BERTC" compile "$MODEL" --mcpu native --seq 32 -o f32.so
succeeds "$BERTC" inspect both.so
expect '^  [a-z0-9]+_s32 +class f32, texts up to 32 tokens'
succeeds "$BERTC" inspect both.so --json
expect '"isa": "[a-z0-9]+", "class": "f32"'

# A text of one graph runs on every CPU, whatever its class; inspect says it.
succeeds "$BERTC" run "$MODEL" --graph vnni.ir --json --seq 32 "$text"
! cmp -s out answer || fail "the graph of class vnni has the other one's answer"
succeeds "$BERTC" inspect "$MODEL" --graph vnni.ir --seq 32
expect '^  [a-z0-9]+_s32 +class vnni, texts'

# What is wrong in one of them, and what is missing.
sed 's/^graph @encoder(/graph @encoder class bf16(/' f32.ir >bf16.ir
cat vnni.ir bf16.ir >none.ir
rejects 1 'none.ir: there is no graph of class f32: there are vnni, bf16' "$BERTC" run "$MODEL" --graph none.ir "$text"
cat f32.ir f32.ir >twice.ir
rejects 1 'twice.ir:[0-9]+:1: @encoder of class f32: another graph has this class' "$BERTC" run "$MODEL" --graph twice.ir "$text"
sed 's/bert.encoder.layer.0/bert.encoder.layer.7/' vnni.ir >other.ir
cat f32.ir other.ir >wrong.ir
rejects 1 'wrong.ir: tensor bert.encoder.layer.7.*is not in the checkpoint' "$BERTC" run "$MODEL" --graph wrong.ir "$text"
