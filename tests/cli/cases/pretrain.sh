# bertc train --task pretrain: the dev file's loss is that of the masks and that of the pairs, and both are said.
printf '{"model_type": "bert", "vocab_size": 8192, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 48, "type_vocab_size": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}' >shape.json
succeeds "$BERTC" synth shape.json -o bert --head pretraining --seed 1
cp "$MODEL/tokenizer.json" "$MODEL/tokenizer_config.json" "$MODEL/vocab.txt" bert/
for i in 1 2 3 4 5 6; do printf 'The first line of a text, number %s.\nIt has a second line.\nAnd a third one, which ends it.\n\n' $i; done >text
number() { sed -n "s/.*\"eval_$1\": *\([-0-9.e]*\).*/\1/p" trained/log.jsonl; }
succeeds "$BERTC" train bert --task pretrain --train text --dev text -o trained --num-train-epochs 1 --max-seq-length 32
expect 'dev loss [0-9.]+  mlm_loss [0-9.]+  perplexity [0-9.]+  next_loss [0-9.]+  next_accuracy [0-9.]+'
# The dev file is one batch: the means add up.
awk "BEGIN { d = $(number loss) - $(number mlm_loss) - $(number next_loss); exit !(d * d < 1e-10) }" || fail "$(cat trained/log.jsonl)"
awk "BEGIN { d = log($(number perplexity)) - $(number mlm_loss); exit !(d * d < 1e-10) }" || fail "$(cat trained/log.jsonl)"
awk "BEGIN { n = $(number next_accuracy) * 6; exit !(n == int(n)) }" || fail "six pairs, of which $(number next_accuracy) are told right"
# The best epoch by a part of the loss.
succeeds "$BERTC" train bert --task pretrain --train text --dev text -o best --num-train-epochs 2 --max-seq-length 32 --metric-for-best-model mlm_loss --load-best-model-at-end
grep -q '| mlm_loss |' best/README.md || fail "$(cat best/README.md)"
