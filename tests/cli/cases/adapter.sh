# --adapter adds LoRA to the weights, at compile and wherever a checkpoint is read.
LORA=$SOURCE/tests/models/answers/lora
succeeds "$BERTC" run "$LORA" --adapter "$LORA/adapter" --tensors "$LORA/io.safetensors" -o with.safetensors
succeeds "$BERTC" compile "$LORA" --adapter "$LORA/adapter" --mcpu native -o with.so
succeeds "$BERTC" run with.so --tensors "$LORA/io.safetensors" -o compiled.safetensors
cmp with.safetensors compiled.safetensors || fail "compiled, it gives something else"
succeeds "$BERTC" run "$LORA" --tensors "$LORA/io.safetensors" -o without.safetensors
! cmp -s with.safetensors without.safetensors || fail "the adapter adds nothing"
# Half and half is the whole; so is a list, and the option twice.
succeeds "$BERTC" run "$LORA" --adapter "$LORA/adapter=0.5,$LORA/adapter=0.5" --tensors "$LORA/io.safetensors" -o list.safetensors
succeeds "$BERTC" run "$LORA" --adapter "$LORA/adapter=0.5" --adapter "$LORA/adapter=0.5" --tensors "$LORA/io.safetensors" -o twice.safetensors
cmp list.safetensors twice.safetensors || fail "a list is not the option twice"
succeeds "$BERTC" verify "$LORA" --adapter "$LORA/adapter"
succeeds "$BERTC" verify "$LORA" --adapter "$LORA/adapter" --dtype int8
succeeds "$BERTC" inspect "$LORA" --adapter "$LORA/adapter"
succeeds "$BERTC" compile "$LORA" --adapter "$LORA/adapter" --emit ir --stage input -o with.ir
grep -q 'product(scale(tensor("adapter.0/base_model.model.encoder.layer.0.attention.self.query.lora_B.weight"' with.ir || fail "no recipe: $(grep query with.ir | head -2)"
succeeds "$BERTC" verify "$LORA" --graph with.ir --adapter "$LORA/adapter"

rejects 1 'is an adapter, which is added to a model' "$BERTC" compile "$LORA/adapter" -o x.so
rejects 1 'holds no adapter_config.json' "$BERTC" compile "$LORA" --adapter . -o x.so
rejects 1 "the base model's .* is \[256,256\]: the adapter is another model's" "$BERTC" compile "$MODEL" --adapter "$LORA/adapter" -o x.so
rejects 1 'the model has no tasks' "$BERTC" compile "$LORA" --task retrieval -o x.so
rejects 1 'is none of sum, linear' "$BERTC" compile "$LORA" --adapter "$LORA/adapter" --combine svd -o x.so
rejects 2 '--adapter has no effect on .*compiled already' "$BERTC" run with.so --adapter "$LORA/adapter" "a text"
# A folder of a task's: MODEL/adapters/TASK.
cp -r "$LORA" model
mkdir -p model/adapters
mv model/adapter model/adapters/retrieval
succeeds "$BERTC" run model --task retrieval --tensors "$LORA/io.safetensors" -o task.safetensors
cmp with.safetensors task.safetensors || fail "the task's adapter gives something else"
rejects 1 'the model has no tasks' "$BERTC" compile model --task ../adapters/retrieval -o x.so
