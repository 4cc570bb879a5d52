# --train: parameters become states, and the model answers as before.
BERT=$SOURCE/tests/models/cases/bert-mlm
succeeds "$BERTC" run "$BERT" --tensors "$BERT/io.safetensors" -o plain.safetensors
succeeds "$BERTC" run "$BERT" --train states --tensors "$BERT/io.safetensors" -o trained.safetensors
succeeds "$BERTC" compile "$BERT" --train states --emit ir --stage input -o x.ir
grep -q 'constant.*trainable' x.ir || fail "no state"
! grep 'recipe = .*tensor' x.ir | grep -v trainable || fail "a tensor that is no state"
grep -q 'cls.predictions.decoder.weight = transpose %embeddings.word_embeddings.weight' x.ir || fail "the decoder is not tied"

rejects 1 'decode is no task; tasks are classify, tag' "$BERTC" compile "$BERT" -o x.so --train decode
rejects 1 '--head: model: --train mlm is for the head masked-lm' "$BERTC" compile "$BERT" -o x.so --train mlm --head model
rejects 1 'train pretrain: the family electra has no head pretraining' "$BERTC" compile "$SOURCE/tests/models/cases/electra-mlm" -o x.so --train pretrain
rejects 1 "--adapter: can't be trained" "$BERTC" compile "$SOURCE/tests/models/answers/lora" --adapter "$SOURCE/tests/models/answers/lora/adapter" -o x.so --train states
# The loss, and a head that the folder lacks.
succeeds "$BERTC" compile "$BERT" --train mlm --emit ir --stage input -o x.ir
grep -q 'output loss = %loss' x.ir || fail "no loss"
succeeds "$BERTC" opt x.ir
succeeds "$BERTC" compile "$BERT" --train tag --emit ir --stage input -o x.ir
grep -q 'lacks 2 tensors of the head, drawn by seed 0: classifier.weight, classifier.bias' err || fail "$(cat err)"
