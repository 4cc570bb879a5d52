# Compiled kernels against the evaluator, for each CPU that this machine has.
for cpu in native x86-64-v2; do
    succeeds "$BERTC" verify "$MODEL" --mcpu $cpu
    expect '^[0-9]+ kernels, largest error'
done
rejects 1 'is no checkpoint' "$BERTC" verify nothing.so
# What overflows or is no number in the checkpoint does so in both, and is said so; it hides no other difference.
succeeds "$BERTC" synth bert-tiny -o tiny
size=$(wc -c <tiny/model.safetensors)
printf '\000\000\300\177' | dd of=tiny/model.safetensors bs=1 seek=$((size - 4)) conv=notrunc 2>err
succeeds "$BERTC" verify tiny --seq 5
[ "$(grep -c 'not all finite' out)" -ge 2 ] || fail "$(cat out)"
expect '^[0-9]+ kernels, largest error [0-9.]*e-'
