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
