# compile --train: a step with its optimiser in an artefact, and the example that fine-tunes on what its user corrects.
CORRECT=$(dirname "$BERTC")/../../tests/example_correct
MODEL=$SOURCE/examples/models/mini-sst2
succeeds "$BERTC" compile "$MODEL" --train classify --weight-decay 0.01 --mcpu native --seq 32 -O 0 -o trains.so
printf 'This movie was great\n=negative\nThis movie was great\nWhat a nice day\n=negative\nWhat a nice day\nThis movie was great\n=bad\n' >lines
"$CORRECT" trains.so saved.safetensors <lines >out 2>err || fail "$(cat err)"
[ "$(sed -n 1p out | cut -d ' ' -f 1)" = positive ] || fail "$(cat out)"
[ "$(grep -c '^negative 0.[6-9]\|^negative 1.00' out)" = 3 ] || fail "$(cat out)"
[ "$(grep -c '^learnt' out)" = 2 ] || fail "$(cat out)"
grep -q '^no label is called bad$' out || fail "$(cat out)"

# What it saved is the model's parameters, under the checkpoint's names.
grep -q '"classifier.weight":{"dtype":"F32","shape":\[2,256\]' saved.safetensors || fail "$(head -c 300 saved.safetensors)"
"$CORRECT" trains.so nowhere/x.safetensors </dev/null >out 2>err && fail "it wrote into a folder that is not there"
grep -q '^nowhere/x.safetensors.*No such file' err || fail "$(cat err)"
[ "$(ls | grep -c part)" = 0 ] || fail "$(ls)"
ln -s gone/away linked.safetensors
"$CORRECT" trains.so linked.safetensors </dev/null >out 2>err || fail "a rename replaces a link: $(cat err)"
[ ! -L linked.safetensors ] || fail "the link stayed"

# It goes on from what it saved; a file that is damaged is named, and stays.
echo 'This movie was great' | "$CORRECT" trains.so saved.safetensors >out 2>err || fail "$(cat err)"
grep -q '^negative' out || fail "it forgot: $(cat out)"
head -c 100000 saved.safetensors >cut.safetensors
echo x | "$CORRECT" trains.so cut.safetensors >out 2>err && fail 'a file that is cut was taken'
grep -q "^cut.safetensors: tensor '.*': data_offsets .* but the file holds" err || fail "$(cat err)"
[ "$(wc -c <cut.safetensors)" = 100000 ] || fail 'the damaged file was replaced'

# As a model it answers forward alone; another artefact does not train.
succeeds "$BERTC" run trains.so 'This movie was great'
grep -q positive out || fail "$(cat out)"
succeeds "$BERTC" compile "$MODEL" --seq 32 --mcpu native -O 0 -o plain.so
"$CORRECT" plain.so </dev/null >out 2>err && fail "it trains"
grep -q 'the model does not train: it has no output `loss`' err || fail "$(cat err)"

# What is frozen has no states; options that can't be meant.
succeeds "$BERTC" compile "$MODEL" --train classify --freeze embeddings,layer.0-99 --emit ir --stage packed -o x.ir
grep -q 'exp_avg.classifier.weight' x.ir || fail "the head is frozen"
! grep -q 'exp_avg.bert.embeddings\|exp_avg.bert.encoder.layer.0' x.ir || fail "it is not frozen"
rejects 1 "--freeze: 'layer.99' names no parameter that is trained" "$BERTC" compile "$MODEL" --train classify --freeze layer.99 -o x.so
rejects 1 "--freeze: 'layer.3-1' names no parameter" "$BERTC" compile "$MODEL" --train classify --freeze layer.3-1 -o x.so
rejects 1 'every parameter is frozen' "$BERTC" compile "$MODEL" --train classify --freeze bert,classifier -o x.so
rejects 1 "--dtype: int8w can't be trained" "$BERTC" compile "$MODEL" --train classify --dtype int8w -o x.so
rejects 2 'options of a step go with --train' "$BERTC" compile "$MODEL" --weight-decay 0.1 -o x.so
