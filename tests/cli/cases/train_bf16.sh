# bertc train --dtype bf16: the same bytes on any number of threads and after a kill; what stays float32; options that don't fit.
printf '{"model_type": "bert", "vocab_size": 8192, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48, "max_position_embeddings": 48, "type_vocab_size": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.0}' >shape.json
succeeds "$BERTC" synth shape.json -o bert --head masked-lm --seed 1
cp "$MODEL/tokenizer.json" "$MODEL/tokenizer_config.json" "$MODEL/vocab.txt" bert/
for i in 1 2 3 4 5 6; do
    printf '{"text": "a fine film, number %s", "label": "good"}\n{"text": "dull and far too long", "label": "bad"}\n' $i
done >train.jsonl
train() { "$BERTC" train bert --task classify --train train.jsonl --per-device-train-batch-size 2 --learning-rate 0.003 --num-train-epochs 2 "$@"; }

# Levels that this machine has, from rounded weights alone to products of bf16.
for cpu in x86-64-v3 native; do
    "$BERTC" targets | grep -q '^  avx2 .* yes$' || [ $cpu = native ] || continue
    for threads in 1 2 $([ $cpu != native ] || echo 3); do
        mkdir -p $cpu-$threads
        succeeds train --dtype bf16 --mcpu $cpu -o $cpu-$threads/run -j $threads --save-steps 4 --dev train.jsonl
        diff -r $cpu-1/run $cpu-$threads/run || fail "$threads threads change bytes"
    done
done

# Killed and resumed: the checkpoints, float32, hold all that counts.
mkdir killed
(exec "$BERTC" train bert --task classify --train train.jsonl --per-device-train-batch-size 2 --learning-rate 0.003 --num-train-epochs 2 \
    --dtype bf16 --mcpu native -o killed/run -j 2 --save-steps 4 --dev train.jsonl) >/dev/null 2>&1 &
while kill -0 $! 2>/dev/null && [ ! -d killed/run/checkpoint-4 ]; do sleep 0.01; done
kill -9 $! 2>/dev/null || true
wait $! || true
succeeds train --dtype bf16 --mcpu native -o killed/run --resume --save-steps 4 --dev train.jsonl
diff -r native-1/run killed/run || fail "other bytes than of a run that was not stopped"
head -c 4000 native-1/run/model.safetensors | grep -q '"dtype":"F32"' || fail "no float32 in the folder"
for file in native-1/run/model.safetensors native-1/run/checkpoint-4/optimizer.safetensors; do
    ! head -c 4000 $file | grep -q BF16 || fail "$file holds bf16"
done

# bf16 differs from float32, and is float32 where all is kept.
succeeds train -o f32
! cmp -s f32/model.safetensors native-1/run/model.safetensors || fail "nothing is in bf16"
succeeds train --dtype bf16 --keep 'f32:*' -o kept
cmp f32/model.safetensors kept/model.safetensors || fail "not all is kept in float32"

# The result's type is another option.
succeeds train --dtype bf16 --save-dtype bf16 -o small
head -c 4000 small/model.safetensors | grep -q '"dtype":"BF16"' || fail "no bf16 in the folder"
succeeds "$BERTC" run small "a fine film, number 7"
expect '^good '

# An artefact that trains in bf16.
succeeds "$BERTC" compile bert --train classify --dtype bf16 --mcpu native --seq 16 -o trains.so
rejects 1 'int8 can.t be trained' "$BERTC" compile bert --train classify --dtype int8 --mcpu native --seq 16 -o none.so

# Options
rejects 2 "--dtype: 'int8' is none of f32, bf16" train -o nothing --dtype int8
rejects 2 '--keep goes with --dtype bf16' train -o nothing --keep f32:layer.0
rejects 2 "--keep takes f32:NAMES, not 'layer.0'" train -o nothing --dtype bf16 --keep layer.0
rejects 1 "--keep: nothing is called 'layer.9'" train -o nothing --dtype bf16 --keep f32:layer.9
