# A known shape with random weights: it compiles, verifies and can be timed; the same seed gives the same bytes.
succeeds "$BERTC" synth bert-tiny -o tiny
succeeds "$BERTC" synth bert-tiny -o again --seed 1
cmp tiny/model.safetensors again/model.safetensors || fail "seed 1 twice differs"
succeeds "$BERTC" synth bert-tiny -o other --seed 2
! cmp -s tiny/model.safetensors other/model.safetensors || fail "seeds 1 and 2 agree"
succeeds "$BERTC" verify tiny
succeeds "$BERTC" bench tiny --seq 32 --threads 1,2 --rounds 3 --json
expect '"percent_of_peak"'
rejects 1 'no-such-shape' "$BERTC" synth no-such-shape -o x
# a decoder whose weight is the embedding's, and whose bias is its own
cat >tied.json <<'END'
{"model_type": "distilbert", "dim": 32, "n_heads": 2, "n_layers": 1, "hidden_dim": 64, "vocab_size": 50, "max_position_embeddings": 16}
END
succeeds "$BERTC" synth tied.json --head masked-lm -o tied
succeeds "$BERTC" verify tied --seq 8
