# Of each config that is published on the hub: random weights, compiled, against the evaluator.
for config in "$SOURCE"/tests/models/published/*/config.json; do
    name=$(basename "$(dirname "$config")")
    grep -q model_type "$config" || continue # its family is told by the names of tensors
    succeeds "$BERTC" synth "$config" -o "$name"
    succeeds "$BERTC" verify "$name" --seq 8
    expect '^[0-9]+ kernels, largest error'
done
# A part of each head turned by its position, and none.
for part in 0.5 0; do
    sed "s/\"rotary_emb_fraction\": 1.0/\"rotary_emb_fraction\": $part/" \
        "$SOURCE/tests/models/published/nomic-bert-2048/config.json" >part.json
    succeeds "$BERTC" synth part.json -o "part-$part"
    succeeds "$BERTC" verify "part-$part" --seq 8
done
