# bertc train --lora-rank: adapters in PEFT's files, which --adapter reads, merged ones, and what is refused.
printf '{"model_type": "bert", "vocab_size": 8192, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48, "max_position_embeddings": 48, "type_vocab_size": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.0}' >shape.json
succeeds "$BERTC" synth shape.json -o bert --head masked-lm --seed 1
cp "$MODEL/tokenizer.json" "$MODEL/tokenizer_config.json" "$MODEL/vocab.txt" bert/
for i in 1 2 3 4 5 6; do
    printf '{"text": "a fine film, number %s", "label": "good"}\n{"text": "dull and far too long", "label": "bad"}\n' $i
done >train.jsonl
train() { "$BERTC" train bert --task classify --train train.jsonl --per-device-train-batch-size 2 --learning-rate 0.01 --num-train-epochs 8 "$@"; }

# An adapter: PEFT's files, the layers' factors and what the folder lacks, and the labels' names.
succeeds train --dev train.jsonl -o one --lora-rank 4 --lora-dropout 0.1 --save-steps 5
for file in adapter_config.json adapter_model.safetensors config.json tokenizer.json README.md log.jsonl checkpoint-5/adapter_model.safetensors; do
    [ -s one/$file ] || fail "no one/$file"
done
[ ! -e one/model.safetensors ] || fail "a whole model beside the adapter"
# flat FILE: its JSON on one line
flat() { tr -d '\n' <"$1" | sed 's/  */ /g'; }
for key in '"peft_type": "LORA"' '"task_type": "SEQ_CLS"' '"r": 4' '"lora_alpha": 8' '"target_modules": \[ "query", "value" \]' '"modules_to_save": \[ "pooler.dense", "classifier" \]' '"base_model_name_or_path": "bert"'; do
    flat one/adapter_config.json | grep -Eq -- "$key" || fail "no $key in $(cat one/adapter_config.json)"
done
head -c 4000 one/adapter_model.safetensors | tr ',{' '\n\n' | grep -ao '"base_model[^"]*"' | sort >names
for l in 0 1; do
    for m in query value; do
        for f in A B; do echo "\"base_model.model.bert.encoder.layer.$l.attention.self.$m.lora_$f.weight\""; done
    done
done >wanted
printf '"base_model.model.%s"\n' bert.pooler.dense.weight bert.pooler.dense.bias classifier.weight classifier.bias >>wanted
sort wanted | diff - names || fail "other tensors in the adapter"
grep -q '^library_name: peft$' one/README.md || fail "$(cat one/README.md)"
succeeds "$BERTC" run bert --adapter one "a fine film, number 9" "dull and far too long"
expect '^good .*film'
expect '^bad .*dull'
succeeds "$BERTC" evaluate bert --adapter one --data train.jsonl --json
expect '"accuracy": 1,'

# Merged, it is a model that answers the same.
succeeds train -o whole --lora-rank 4 --lora-dropout 0.1 --lora-merge --save-steps 5
[ -s whole/model.safetensors ] && [ ! -e whole/adapter_config.json ] || fail "no whole model"
for model in whole "bert --adapter one"; do
    # shellcheck disable=SC2086 # two words
    succeeds "$BERTC" run $model "a fine film, number 9" "far too long" "dull"
    cp out answers."${model%% *}"
done
cmp answers.whole answers.bert || fail "other answers of the merged model: $(cat answers.*)"

# Stopped and resumed: the same bytes.
mkdir a
succeeds train -o a/one --lora-rank 4 --lora-dropout 0.1 --save-steps 5 --dev train.jsonl
mv a/one/adapter_model.safetensors kept
rm -r a/one/state.json a/one/checkpoint-1? a/one/checkpoint-[23]?
succeeds train -o a/one --lora-rank 4 --lora-dropout 0.1 --save-steps 5 --dev train.jsonl --resume -j 1
cmp kept a/one/adapter_model.safetensors || fail "other bytes"

# A checkpoint that someone damaged is named, and the one before.
for file in adapter_model.safetensors optimizer.safetensors state.json; do
    rm -rf b
    mkdir b
    cp -r a/one b/one
    rm b/one/state.json b/one/adapter_model.safetensors
    last=$(ls -d b/one/checkpoint-* | sort -t - -k 2 -n | tail -1)
    before=$(ls -d b/one/checkpoint-* | sort -t - -k 2 -n | tail -2 | head -1)
    # one byte near the end, of numbers that any reader takes, or all behind the first 50
    printf '\001' | dd of="$last/$file" bs=1 seek=$(($(wc -c <"$last/$file") - 6)) conv=notrunc 2>err
    rejects 1 "^bertc: error: $last/$file: " train -o b/one --lora-rank 4 --lora-dropout 0.1 --save-steps 5 --dev train.jsonl --resume
    [ $file = state.json ] || grep -q 'was changed since the checkpoint was written: its hash is xxh64:[0-9a-f]*, and state.json has xxh64:' err ||
        fail "$(cat err)"
    head -c 50 "$last/$file" >cut && cp cut "$last/$file"
    rejects 1 "^bertc: error: $last/$file: " train -o b/one --lora-rank 4 --lora-dropout 0.1 --save-steps 5 --dev train.jsonl --resume
    grep -q "^bertc: note: $before: is the checkpoint before: without ${last##*/} --resume goes on" err || fail "$(cat err)"
done
rm "$last/adapter_model.safetensors"
cp a/one/checkpoint-5/state.json "$last/state.json"
rejects 1 "$last/adapter_model.safetensors: is missing, and state.json lists it" train -o b/one --lora-rank 4 --lora-dropout 0.1 --save-steps 5 --dev train.jsonl --resume
rm -r "$last"
succeeds train -o b/one --lora-rank 4 --lora-dropout 0.1 --save-steps 5 --dev train.jsonl --resume
cmp kept b/one/adapter_model.safetensors || fail "other bytes from the checkpoint before"

# --adapter goes on with an adapter: at first it is that one; settings and labels are its own, and its 16-bit numbers become 32-bit ones.
succeeds train --adapter one --learning-rate 0 -o still
cmp one/adapter_model.safetensors still/adapter_model.safetensors || fail 'a run without a rate changed the adapter'
sed 1,3d one/adapter_config.json >kept
sed 1,3d still/adapter_config.json | cmp - kept || fail 'other settings'
succeeds train --adapter one --num-train-epochs 4 --dev train.jsonl -o more
! cmp -s one/adapter_model.safetensors more/adapter_model.safetensors || fail 'nothing was learnt'
succeeds train --num-train-epochs 2 -o narrow --lora-rank 3 --save-dtype bf16 --modules-to-save layer.1.output.dense,embeddings.LayerNorm
succeeds train --adapter narrow --learning-rate 0 -o wide
for folder in narrow wide; do
    succeeds "$BERTC" run bert --adapter $folder --raw-scores "a fine film, number 9" "dull and far too long"
    cp out said.$folder
done
cmp said.narrow said.wide || fail "other answers: $(cat said.*)"
succeeds train --adapter one --lora-merge --num-train-epochs 1 -o joined
[ -s joined/model.safetensors ] || fail 'no whole model'
printf '{"text": "fine", "label": "unheard"}\n' >unheard.jsonl
MANY=1 rejects 1 "'unheard' is not one of the labels bad, good" "$BERTC" train bert --task classify --train unheard.jsonl --adapter one -o x
rejects 1 'one: is for the head sequence-classification, and --task embed trains embedding' "$BERTC" train bert --task embed --train train.jsonl --adapter one -o x
rejects 1 'nowhere/adapter_config.json: can.t be opened' train --adapter nowhere -o x
rejects 2 'lora-rank and --adapter don.t go together' train --adapter one --lora-rank 4 -o x
rejects 2 'lora-alpha and --adapter don.t go together' train --adapter one --lora-alpha 4 -o x
rejects 2 'init and --adapter don.t go together' train --adapter one --init x -o x
mkdir odd
cp one/* odd/ 2>/dev/null || true
for change in 's/"r": 4/"r": 5/;r .or rank_pattern. is 5 for bert.*tensors have rank 4' \
    's/"use_dora": false/"use_dora": true/;use_dora: DoRA' 's/\[ "query", "value" \]/".*query"/;target_modules: is a pattern' 's/"lora_dropout": 0.1/"lora_dropout": 1.5/;lora_dropout: is 1.5' \
    's/"bias"/"rank_pattern": {"query": 2}, "bias"/;r .or rank_pattern. is 2 for bert.*tensors have rank 4' \
    's/"bias"/"layers_to_transform": [1], "bias"/;layers_to_transform: is set'; do
    flat one/adapter_config.json | sed "${change%%;*}" >odd/adapter_config.json
    rejects 1 "odd/adapter_config.json: ${change#*;}" train --adapter odd -o x
done

# Adapters that PEFT made, of a base without a head.
MADE=$SOURCE/tests/models/answers/lora
printf '{"text": "the cat", "label": "LABEL_0"}\n{"text": "a dog", "label": "LABEL_2"}\n' >made.jsonl
succeeds "$BERTC" train "$MADE" --adapter "$MADE/adapters/seq-cls" --task classify --train made.jsonl --learning-rate 0 --max-steps 1 -o made
for folder in "$MADE/adapters/seq-cls" made; do
    "$BERTC" run "$MADE" --adapter "$folder" --raw-scores --json "the cat sat" >"said.$(basename $folder)" 2>err || fail "$(cat err)"
done
cmp said.seq-cls said.made || fail "other answers: $(cat said.seq-cls said.made)"

# Ranks and alphas by patterns, and trained biases: a run without a rate gives the same answers, the same names and settings; with one it
# learns, and the whole model that it merges answers as the adapter does.
printf '{"anchor": "the cat", "positive": "a cat"}\n{"anchor": "a dog", "positive": "dogs"}\n' >two.jsonl
embedding() { "$BERTC" run "$MADE" --head embedding "$@" "the cat sat" 2>err || fail "$(cat err)"; }
tensors_in() { head -c 8000 "$1/adapter_model.safetensors" | tr ',{' '\n\n' | grep -ao '"base_model[^"]*"' | sort; }
for name in rslora bias-all bias-lora-only; do
    on() { "$BERTC" train "$MADE" --adapter "$MADE/adapters/$name" --task embed --train two.jsonl --max-steps 2 "$@"; }
    rm -rf peft-*
    succeeds on --learning-rate 0 -o peft-still
    embedding --adapter "$MADE/adapters/$name" >was
    embedding --adapter peft-still | cmp was - || fail "$name: other answers"
    tensors_in "$MADE/adapters/$name" >names
    tensors_in peft-still | diff names - || fail "$name: other tensors"
    for key in rank_pattern alpha_pattern bias use_rslora lora_alpha; do
        flat "$MADE/adapters/$name/adapter_config.json" | grep -o "\"$key\": \({[^}]*[a-z][^}]*}\|[^{,} ][^{,}]*\)" | sed 's/ *$//' >setting || true
        [ ! -s setting ] || flat peft-still/adapter_config.json | grep -qF -- "$(cat setting)" || fail "$name: not $(cat setting)"
    done
    succeeds on --learning-rate 0.02 -o peft-more
    succeeds on --learning-rate 0.02 --lora-merge -o peft-whole
    embedding --adapter peft-more >learnt
    "$BERTC" run peft-whole --head embedding "the cat sat" >whole-said 2>err || fail "$(cat err)"
    ! cmp -s was learnt || fail "$name: nothing was learnt"
    tr ' ' '\n' <learnt >a.txt
    tr ' ' '\n' <whole-said >b.txt
    paste a.txt b.txt | awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > 1e-4) exit 1 } END { if (NR < 8) exit 1 }' || fail "$name: merged, it answers otherwise"
done

# Of embed, the adapter says that the model gives embeddings, whatever the base's own head is.
printf '{"anchor": "a fine film", "positive": "a good film"}\n{"anchor": "dull", "positive": "too long"}\n' >pairs.jsonl
succeeds "$BERTC" train bert --task embed --train pairs.jsonl --num-train-epochs 1 -o near --lora-rank 2
grep -q '"task_type": "FEATURE_EXTRACTION"' near/adapter_config.json || fail "$(cat near/adapter_config.json)"
succeeds "$BERTC" run bert --adapter near --json "a fine film"
expect '^\{"embedding": \['

# The frozen weights have neither gradients nor moments: what is kept of the run is small.
size=$(wc -c <one/checkpoint-5/optimizer.safetensors)
[ "$size" -lt 40000 ] || fail "the optimiser's states have $size bytes"

rejects 1 "lora-target-modules: 'qurey' ends the name of none of the model's linear layers; their names end in query, key, value, dense" train -o x --lora-rank 2 --lora-target-modules value,qurey
rejects 1 'no layer is chosen' train -o x --lora-rank 2 --lora-target-modules ''
rejects 1 "'head' ends the name of no module" train -o x --lora-rank 2 --modules-to-save head
rejects 2 "lora-rank: '0' is no number from 1" train -o x --lora-rank 0
rejects 2 'lora-alpha goes with --lora-rank' train -o x --lora-alpha 16
rejects 1 'one: is an adapter, which is added to a model' "$BERTC" train one --task classify --train train.jsonl -o x
rejects 1 'every parameter is frozen' train -o x --lora-rank 2 --freeze lora_A,lora_B,classifier,pooler
rejects 1 'is no module that an adapter could keep: --lora-merge' "$BERTC" train "$MODEL" --task mlm --train train.jsonl -o x --lora-rank 2 --max-steps 1
