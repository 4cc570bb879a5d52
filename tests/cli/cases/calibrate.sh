# --calibrate: rows get static scales from texts, and answers stay near.
printf 'a great film\n\n   \nno plot at all, and the acting is worse\nI would see it again with my whole family\nboring\r\n' >texts.txt
succeeds "$BERTC" compile "$MODEL" -o static.so --dtype int8 --seq 32 --calibrate texts.txt
succeeds "$BERTC" run static.so "This movie was amazing!"
expect '^positive 0.9[89]'
succeeds "$BERTC" run static.so "I want my money back."
expect '^negative 0.9'
succeeds "$BERTC" compile "$MODEL" -o - --emit ir --stage packed --dtype int8 --calibrate texts.txt
expect 'layer.0.intermediate.scales = broadcast'
expect 'quantize .* limit = '
# A channel that is large in every row of a norm is smoothed.
"$BERTC" compile "$MODEL" -o smooth.ir --emit ir --stage packed --dtype int8 --calibrate texts.txt --report fusion 2>report
grep -q 'smoothing into' report || fail "nothing is smoothed: $(grep -A9 spread_outliers report)"
grep -q 'layer.0.output.spread' smooth.ir || fail "the norm has gamma"
succeeds "$BERTC" compile "$MODEL" -o - --emit ir --stage packed --dtype int8
! grep -q 'broadcast' out || fail "static scales without --calibrate"
# Without texts a few random tokens show which channels are large.
"$BERTC" compile "$MODEL" -o rough.ir --emit ir --stage packed --dtype int8 --report fusion 2>report
grep -q 'smoothing into' report || fail "nothing is smoothed: $(grep -A9 spread_outliers report)"
printf '\n \n' >blank.txt
rejects 1 'blank.txt: holds no text' "$BERTC" compile "$MODEL" -o x.so --dtype int8 --calibrate blank.txt
rejects 1 'none.txt: can.t be read: No such file' "$BERTC" compile "$MODEL" -o x.so --dtype int8 --calibrate none.txt
rejects 1 'is a folder' "$BERTC" compile "$MODEL" -o x.so --dtype int8 --calibrate .
rejects 1 '--calibrate: has no effect without --dtype int8' "$BERTC" compile "$MODEL" -o x.so --calibrate texts.txt
rejects 1 '--calibrate: has no effect without --dtype int8' "$BERTC" compile "$MODEL" -o x.so --dtype bf16 --calibrate texts.txt
mkdir bare
cp "$MODEL/config.json" bare/
ln -s "$MODEL/model.safetensors" bare/model.safetensors
rejects 1 'bare: has no tokenizer' "$BERTC" compile bare -o x.so --dtype int8 --seq 32 --calibrate texts.txt

# Whatever compiles a checkpoint takes it.
succeeds "$BERTC" run "$MODEL" -O0 --dtype int8 --calibrate texts.txt --seq 16 "a charming and often affecting journey"
expect '^positive 0.9'
for command in verify 'bench --rounds 1' inspect; do
    # shellcheck disable=SC2086 # the command's own words
    "$BERTC" $command "$MODEL" -O0 --dtype int8 --calibrate texts.txt --seq 8 --report fusion >out 2>report || fail "$command: $(tail -1 report)"
    grep -q 'rows have static scales' report || fail "$command has no static scales"
done
rejects 1 'none.txt: can.t be read' "$BERTC" run "$MODEL" --dtype int8 --calibrate none.txt text
rejects 1 '--calibrate: has no effect without --dtype int8' "$BERTC" verify "$MODEL" --calibrate texts.txt
rejects 2 '--calibrate' "$BERTC" run static.so --calibrate texts.txt text
