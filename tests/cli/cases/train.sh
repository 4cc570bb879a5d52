# bertc train: from a folder and examples to a folder; runs that are killed and go on; data, options and disks that are no good.
printf '{"model_type": "bert", "vocab_size": 8192, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 48, "type_vocab_size": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}' >shape.json
succeeds "$BERTC" synth shape.json -o bert --head masked-lm --seed 1
cp "$MODEL/tokenizer.json" "$MODEL/tokenizer_config.json" "$MODEL/vocab.txt" bert/
for i in 1 2 3 4 5 6; do
    printf '{"text": "a fine film, number %s", "label": "good"}\n{"text": "dull and far too long", "label": "bad"}\n' $i
done >train.jsonl
sed 's/fine/great/' train.jsonl | head -4 >dev.jsonl
train() { "$BERTC" train bert --task classify --train train.jsonl --per-device-train-batch-size 2 --learning-rate 0.01 "$@"; }

# The whole way: the folder answers, and knows the labels.
succeeds train --dev dev.jsonl -o mine --early-stopping-patience 2 --metric-for-best-model accuracy --num-train-epochs 9
expect '^epoch 1  step 6  loss [0-9.]+  dev loss [0-9.]+  accuracy [0-9.]+'
for file in model.safetensors config.json tokenizer.json vocab.txt README.md log.jsonl loss.svg state.json; do
    [ -s mine/$file ] || fail "no mine/$file"
done
grep -Eq '^\{"step": 1, "loss": [0-9.]+, "grad_norm": [0-9.]+, "learning_rate": 0.01\}$' mine/log.jsonl || fail "$(head -1 mine/log.jsonl)"
grep -Eq '^\{"epoch": 1, "step": 6, "eval_loss": [0-9.]+, "eval_accuracy": ' mine/log.jsonl || fail "$(cat mine/log.jsonl)"
grep -q '^<svg .*' mine/loss.svg || fail "no drawing"
grep -q '| accuracy | 1.0000 |' mine/README.md || fail "$(cat mine/README.md)"
[ "$(grep -c '"epoch"' mine/log.jsonl)" -lt 9 ] || fail "no early stop"
succeeds "$BERTC" run mine "a great film, number 7"
expect '^good '
succeeds "$BERTC" compile mine --mcpu native -o mine.so --seq 16
succeeds "$BERTC" run mine.so "dull and far too long"
expect '^bad '
succeeds "$BERTC" train mine --task classify --train train.jsonl -o again --max-steps 1 --save-dtype f16
succeeds "$BERTC" train bert --resume --task classify --train train.jsonl --per-device-train-batch-size 2 --learning-rate 0.01 --dev dev.jsonl -o mine --early-stopping-patience 2 --metric-for-best-model accuracy
grep -q 'mine: the run is at its end' err || fail "$(cat err)"

# Killed at any moment and resumed, it ends with the same bytes, on any number of threads.
mkdir a b
long() { train --dev dev.jsonl --num-train-epochs 4 --save-steps 3 --gradient-accumulation-steps 2 --load-best-model-at-end "$@"; }
succeeds long -o a/run -j 1
for after in 3 6; do
    (exec "$BERTC" train bert --task classify --train train.jsonl --per-device-train-batch-size 2 --learning-rate 0.01 \
        --dev dev.jsonl --num-train-epochs 4 --save-steps 3 --gradient-accumulation-steps 2 --load-best-model-at-end -o b/run --resume -j 2) >/dev/null 2>&1 &
    while kill -0 $! 2>/dev/null && [ ! -d b/run/checkpoint-$after ]; do sleep 0.01; done
    kill -9 $! 2>/dev/null || true
    wait $! || true
    # what a kill in the middle of a line or of a checkpoint leaves
    printf '{"step": 9' >>b/run/log.jsonl
    mkdir -p b/run/checkpoint-999.partial
done
succeeds long -o b/run -j 2 --resume
diff -r a/run b/run || fail "other bytes than of a run that was not stopped"

# One that goes on needs the same options and data.
rm -r b/run/model.safetensors b/run/state.json
rejects 1 'state.json: the run was started with --learning-rate 0.01, not 0.02' long -o b/run --resume --learning-rate 0.02
rejects 1 'state.json: the run was started with --dropout .* not 0.25' long -o b/run --resume --dropout 0.25
head -11 train.jsonl >fewer.jsonl
rejects 1 'the training data are others' long -o b/run --resume --train fewer.jsonl
sed 's/dull/drab/' train.jsonl >other.jsonl
rejects 1 'the training data are others' long -o b/run --resume --train other.jsonl
rejects 1 'a/run: is there already; --resume' train -o a/run
mkdir other
: >other/file
rejects 1 'other: is no output folder of bertc train' train -o other --resume
rm -r other

# What is frozen stays as it is.
succeeds train -o frozen --max-steps 2 --freeze embeddings,layer.0
succeeds train -o free --max-steps 2
cmp -s frozen/model.safetensors free/model.safetensors && fail "nothing is frozen"
rejects 1 "--freeze: 'layer.7' names no parameter" train -o nothing --freeze classifier,layer.7
rejects 1 'every parameter is frozen by --freeze' train -o nothing --freeze bert,classifier

# A full disk at a checkpoint: the one before stays, and the run goes on from it.
disk() { (trap '' XFSZ && ulimit -f 4000 && "$BERTC" train bert --task classify --train train.jsonl -o full "$@"); }
"$BERTC" train bert --task classify --train train.jsonl -o full --max-steps 8 --save-steps 1 --per-device-train-batch-size 1 >/dev/null 2>&1 &
while kill -0 $! 2>/dev/null && [ ! -d full/checkpoint-2 ]; do sleep 0.01; done
kill -9 $! 2>/dev/null || true
wait $! || true
last=$(ls full | sed -n 's/^checkpoint-\([0-9]*\)$/\1/p' | sort -n | tail -1)
MANY=1 rejects 1 "full/checkpoint-$((last + 1)).partial/.*(can't be written|File too large)" disk --resume --max-steps 8 --save-steps 1 --per-device-train-batch-size 1
grep -q "full/checkpoint-$last: is the last good checkpoint" err || fail "$(cat err)"
[ ! -e full/checkpoint-$((last + 1)).partial ] || fail "a part of a checkpoint is left"
succeeds "$BERTC" train bert --task classify --train train.jsonl -o full --resume --max-steps 8 --save-steps 1 --per-device-train-batch-size 1 --save-total-limit 2
[ "$(ls -d full/checkpoint-* | wc -l)" = 2 ] || fail "$(ls full)"

# A loss that is no number: the step and the lines
status=0
train -o nan --learning-rate 1e38 --no-shuffle --max-grad-norm 0 >out.txt 2>err || status=$?
[ $status = 1 ] || fail "status $status: $(cat err)"
grep -Eq 'train.jsonl: step [0-9]+: the (loss|gradients. norm) is -?(nan|inf), on lines [0-9]+, [0-9]+: a smaller --learning-rate' err || fail "$(cat err)"

rejects 1 'nan: is there already, of a run that stopped before its first checkpoint; --resume begins it anew' train -o nan
succeeds train -o nan --resume --max-steps 1
rejects 1 "no/such/folder: can.t be made in no/such/: No such file" train -o no/such/folder

# Data
printf '{"text": "x", "label": "fair"}\n{"text": "y", "label": "good"}\n' >labels.jsonl
MANY=1 rejects 1 "labels.jsonl:1: 'fair' is not one of the labels bad, good" "$BERTC" train mine --task classify --train labels.jsonl -o new
grep -q 'labels.jsonl: 1 line is bad; --skip-bad-lines leaves it out' err || fail "$(cat err)"
grep -q 'labels are those of the model.s head: --ignore-mismatched-sizes' err || fail "$(cat err)"
printf '{"text": "x", "label": "fair"}\n{"text": "y", "label": "good"}\n{"text": "z", "label": "bad"}\n' >three.jsonl
succeeds "$BERTC" train mine --task classify --train three.jsonl -o wider --ignore-mismatched-sizes --max-steps 1
grep -q '"2":.*"good"' wider/config.json || fail "$(cat wider/config.json)"
printf '{"text": "x", "label": 0}\n{"text": "y", "label": 3}\n' >gaps.jsonl
train -o gaps --train gaps.jsonl --max-steps 1 2>err || fail "$(cat err)"
grep -q 'the labels 1, 2, below the largest number, do not occur' err || fail "$(cat err)"
! grep -q 'doc-stride\|mlm-probability\|--alpha' gaps/README.md || fail "$(cat gaps/README.md)"
"$BERTC" train mine --task classify --train labels.jsonl -o new --skip-bad-lines --max-steps 1 2>err
grep -q 'note: labels.jsonl: 1 line is bad, and left out' err || fail "$(cat err)"
: >empty.jsonl
rejects 1 'empty.jsonl: holds no example' train -o nothing --train empty.jsonl
printf '{"tokens": ["a"], "ner_tags": [0]}\n' >tags.jsonl
MANY=1 rejects 1 'tags.jsonl: 1 line is bad' train -o nothing --dev tags.jsonl
MANY=1 rejects 1 'labels.jsonl:1: .fair. is not one of' train -o nothing --dev labels.jsonl
printf '{"text": "x", "label": 3}\n{"text": "y", "label": 3}\n' >single.jsonl
rejects 1 'single.jsonl: all its examples have the label 3: classify needs' train -o nothing --train single.jsonl
printf '{"text": "x", "label": 3}\n{"text": "y", "label": "fair"}\n' >mixed.jsonl
rejects 1 "mixed.jsonl: some labels are whole numbers, as 3, and some are names, as 'fair'" train -o nothing --train mixed.jsonl
rejects 1 'missing.jsonl' train -o nothing --train missing.jsonl
rejects 1 "is none of the dev file's metrics: loss, accuracy" train -o nothing --dev dev.jsonl --metric-for-best-model bleu
rejects 1 '--max-seq-length: 512 is too long: the model has 48 positions' train -o nothing --max-seq-length 512

# Options
rejects 2 "needs --task" "$BERTC" train bert --train train.jsonl -o nothing
rejects 2 "'sort' is none of classify, tag" "$BERTC" train bert --task sort --train train.jsonl -o nothing
rejects 2 'needs --train' "$BERTC" train bert --task tag -o nothing
rejects 2 'needs -o' "$BERTC" train bert --task tag --train train.jsonl
rejects 2 'needs a model' "$BERTC" train --task tag --train train.jsonl -o nothing
rejects 2 "'often' is no number from 0" train -o nothing --learning-rate often
rejects 2 "'nan' is no number from 0" train -o nothing --learning-rate nan
rejects 2 "'2' is no number from 0 to 1" train -o nothing --warmup-ratio 2
rejects 2 "'fast' is none of linear, cosine" train -o nothing --lr-scheduler-type fast
rejects 2 'needs --dev' train -o nothing --early-stopping-patience 2
rejects 2 'mlm-probability goes with --task mlm' train -o nothing --mlm-probability 0.2
rejects 2 '--dropout: takes a number below 1' train -o nothing --dropout 1

# What dropout drops is the seed's, on any number of threads.
succeeds train --dropout 0.2 -o dropped1 --max-steps 3 -j 1
succeeds train --dropout 0.2 -o dropped2 --max-steps 3 -j 2
cmp dropped1/model.safetensors dropped2/model.safetensors || fail "threads change what is dropped"
succeeds train --dropout 0 -o whole --max-steps 3
! cmp -s dropped1/model.safetensors whole/model.safetensors || fail "nothing is dropped"
