# A broken config.json: its path in the message.
copy_model m
edit() { sed "$1" "$MODEL/config.json" >m/config.json; }
edit '/"hidden_size"/d' # Transformers' default, 768, which is not this model's width
MANY=1 rejects 1 'config.json: hidden_size: is missing' "$BERTC" compile m -o x.so
edit 's/"hidden_size": 256/"hidden_size": "256"/'
rejects 1 'config.json: hidden_size' "$BERTC" compile m -o x.so
edit 's/"num_attention_heads": 4/"num_attention_heads": 3/'
MANY=1 rejects 1 'config.json: num_attention_heads' "$BERTC" compile m -o x.so
edit 's/"BertForSequenceClassification"/"GPT9"/; s/"model_type": "bert"/"model_type": "gpt9"/'
MANY=1 rejects 1 'config.json: .*gpt9' "$BERTC" compile m -o x.so
edit 's/"hidden_size": 256/"hidden_size": 264/'
MANY=1 rejects 1 'model.safetensors.*word_embeddings.*\[8192, ?256\]' "$BERTC" compile m -o x.so
printf '{' >m/config.json
rejects 1 'config.json' "$BERTC" compile m -o x.so
edit 's/"vocab_size": 8192/"vocab_size": 100/'
MANY=1 rejects 1 'tokenizer|word_embeddings' "$BERTC" compile m -o x.so
