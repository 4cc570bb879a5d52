# Ids in, raw tensors out; what is wrong with them is named.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 32 --outputs hidden_states
safetensors in.safetensors '{"input_ids":{"dtype":"I32","shape":[2,5],"data_offsets":[0,40]}}' 40
succeeds "$BERTC" run m.so --tensors in.safetensors -o out.safetensors
grep -aq '"logits"' out.safetensors || fail "no logits"
grep -aq '"hidden_states.4"' out.safetensors || fail "no hidden states"
safetensors in.safetensors '{"input_ids":{"dtype":"F32","shape":[2,5],"data_offsets":[0,40]}}' 40
rejects 1 'in.safetensors: tensor "input_ids": must be I32 or I64' "$BERTC" run m.so --tensors in.safetensors -o x.safetensors
safetensors in.safetensors '{"ids":{"dtype":"I32","shape":[2,5],"data_offsets":[0,40]}}' 40
rejects 1 '"input_ids": is missing' "$BERTC" run m.so --tensors in.safetensors -o x.safetensors
safetensors in.safetensors '{"input_ids":{"dtype":"I32","shape":[2,5],"data_offsets":[0,40]},"attention_mask":{"dtype":"I32","shape":[2,5],"data_offsets":[40,80]}}' 80
rejects 1 'row 0|row 1' "$BERTC" run m.so --tensors in.safetensors -o x.safetensors
safetensors in.safetensors '{"input_ids":{"dtype":"I32","shape":[1,33],"data_offsets":[0,132]}}' 132
rejects 1 '33' "$BERTC" run m.so --tensors in.safetensors -o x.safetensors
