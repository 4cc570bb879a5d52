# bertc train --teacher and --class-weights: answers of another model, and labels that count more.
printf '{"model_type": "bert", "vocab_size": 8192, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 48, "type_vocab_size": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}' >shape.json
succeeds "$BERTC" synth shape.json -o bert --head masked-lm --seed 1
cp "$MODEL/tokenizer.json" "$MODEL/tokenizer_config.json" "$MODEL/vocab.txt" bert/
printf '{"text": "good", "label": "yes"}\n{"text": "bad", "label": "no"}\n{"text": "so so", "label": "maybe"}\n{"text": "very bad", "label": "no"}\n' >classify.jsonl
printf '{"text": "good", "label": ["a", "b"]}\n{"text": "bad", "label": ["b"]}\n{"text": "so so", "label": []}\n' >several.jsonl
printf '{"text": "good", "score": 0.5}\n{"text": "very bad indeed", "score": -1}\n' >regress.jsonl
printf '{"tokens": ["good", "Bobby", "unbelievably"], "tags": ["O", "PER", "O"]}\n{"tokens": ["bad"], "tags": ["O"]}\n' >tag.jsonl
printf '{"question": "Who came?", "context": "Last week Bob came.", "answers": {"text": ["Bob"], "answer_start": [10]}}\n{"question": "When?", "context": "Last week Bob came.", "answers": {"text": ["Last week"], "answer_start": [0]}}\n' >answer.jsonl
printf '{"anchor": "a film", "positive": "a movie"}\n{"anchor": "a dog", "positive": "a hound"}\n' >embed.jsonl
printf 'a good film with a cast that is warm and funny all the way\nnothing here is good at all, and the rest is worse\n' >mlm.txt
succeeds "$BERTC" compile "$MODEL" --mcpu native --seq 48 -o model.so

loss() { sed -n 's/^{"step": 1, "loss": \([^,]*\),.*/\1/p' "$1/log.jsonl"; }
# near A B: the numbers are the same to within 1e-5
near() { awk "BEGIN {d = ($1) - ($2); exit !(d < 1e-5 && d > -1e-5)}" || fail "$1 is not $2"; }

# A model that is its own teacher has nothing to learn from it.
for task in classify several regress tag answer embed mlm; do
    data=$(ls $task.*) options=
    [ $task != several ] || options='--problem-type multi_label_classification'
    name=$task
    [ $task != several ] || name=classify
    # shellcheck disable=SC2086 # two words
    succeeds "$BERTC" train bert --task $name --train "$data" -o $task $options --max-steps 3 --learning-rate 0.01
    # shellcheck disable=SC2086
    succeeds "$BERTC" train $task --task $name --train "$data" --dev "$data" -o $task.own $options --max-steps 1 --teacher $task --alpha 1
    near "$(loss $task.own)" 0
    rm -r $task.own
done

# A new head has the teacher's labels, and comes to its answers; a folder and its artefact teach the same.
printf '{"text": "a warm and funny film", "label": "positive"}\n{"text": "dull, and far too long", "label": "positive"}\n' >wrong.jsonl
distil() { "$BERTC" train bert --task classify --train wrong.jsonl --num-train-epochs 20 --learning-rate 0.02 --alpha 1 --temperature 1 "$@"; }
succeeds distil -o small --teacher "$MODEL"
succeeds "$BERTC" run small "a warm and funny film" "dull, and far too long"
expect '^positive .*warm'
expect '^negative .*dull'
succeeds distil -o again --teacher model.so
cmp small/model.safetensors again/model.safetensors || fail "the artefact teaches otherwise"

rejects 1 'model.so: .*t teach --task tag: a teacher of it is a model for token-classification' "$BERTC" train bert --task tag --train tag.jsonl -o x --teacher model.so
MANY=1 rejects 1 "'yes' is not one of the labels negative, positive" "$BERTC" train bert --task classify --train classify.jsonl -o x --teacher model.so
rejects 1 'has the labels negative, positive, and the model to be trained maybe, no, yes: they must have the same names' "$BERTC" train classify --task classify --train classify.jsonl -o x --teacher model.so
MANY=1 rejects 1 'note: bert: a teacher of --task classify is a model for sequence-classification' "$BERTC" train bert --task classify --train classify.jsonl -o x --teacher bert
rejects 1 "nowhere: can't be opened: No such file" distil -o x --teacher nowhere
rejects 2 'teacher goes with --task classify, tag' "$BERTC" train bert --task pretrain --train mlm.txt -o x --teacher "$MODEL"
rejects 2 'alpha goes with --teacher' "$BERTC" train bert --task classify --train wrong.jsonl -o x --alpha 0.2
rejects 2 'class-weights and --teacher don.t go together' distil -o x --teacher "$MODEL" --class-weights balanced

# Weights: equal ones change nothing, as the mean is divided by their sum; balanced ones are scikit-learn's.
weigh() { "$BERTC" train classify --task classify --train classify.jsonl --max-steps 1 "$@"; }
succeeds weigh -o plain
succeeds weigh -o equal --class-weights yes=3,no=3,maybe=3
near "$(loss plain)" "$(loss equal)"
succeeds weigh -o balanced --class-weights balanced
succeeds weigh -o same --class-weights no=0.6666667,yes=1.3333333,maybe=1.3333333
near "$(loss balanced)" "$(loss same)"
! cmp -s balanced/log.jsonl plain/log.jsonl || fail "weights change nothing"
succeeds "$BERTC" train tag --task tag --train tag.jsonl -o tags --class-weights balanced --max-steps 1
succeeds "$BERTC" train several --task classify --problem-type multi_label_classification --train several.jsonl -o more --class-weights a=2 --max-steps 1
rejects 1 "class-weights: 'good' is not one of the labels maybe, no, yes" weigh -o x --class-weights good=2
rejects 1 "'no=0': a weight is a number above 0" weigh -o x --class-weights no=0
rejects 1 "'no=2': no has a weight already" weigh -o x --class-weights no=1,no=2
rejects 1 "'heavy': is neither balanced nor LABEL=NUMBER" weigh -o x --class-weights heavy
rejects 2 'class-weights goes with --task classify and tag' "$BERTC" train bert --task regress --train regress.jsonl -o x --class-weights balanced
