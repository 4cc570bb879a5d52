# bench --ablate of a step: the passes that are for training alone are turned off too, but not those that make the step; a fusion saves
# kernels, all together most.
number() { sed -n "s/.*\"$1\": *\([-0-9.e]*\).*/\1/p"; }
printf '{"model_type": "bert", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48, "max_position_embeddings": 32, "type_vocab_size": 2, "hidden_act": "gelu"}' >shape.json
succeeds "$BERTC" synth shape.json -o tiny --head masked-lm
succeeds "$BERTC" bench tiny --train tag --seq 16 --batch 2 --rounds 1 --ablate=canonicalize,fuse_attention,fuse_epilogue,fuse_sums,fuse_rows,fusions --json -O 0
for pass in canonicalize fuse_attention; do grep -q "\"-$pass\"" out || fail "no row of $pass"; done
[ "$(wc -l <out)" = 6 ] || fail "$(cat out)"
for pass in fuse_epilogue fuse_sums fuse_rows 'fuse_\*'; do
    line=$(grep "\"-$pass\"" out) || fail "no row of $pass"
    without=$(printf '%s\n' "$line" | number phases) default=$(printf '%s\n' "$line" | number default_phases)
    [ "$without" -gt "$default" ] || fail "-$pass: $without kernels, with it $default"
done
rejects 1 "--ablate: 'differentiate' is no pass that can be turned off here" "$BERTC" bench tiny --train tag --seq 16 --ablate=differentiate
rejects 1 "--ablate: 'fuse_rows' is no pass that can be turned off here" "$BERTC" bench tiny --seq 16 --ablate=fuse_rows
