# Compiled kernels against the evaluator, for each CPU that this machine has.
for cpu in native x86-64-v2; do
    succeeds "$BERTC" verify "$MODEL" --mcpu $cpu
    expect '^[0-9]+ kernels, largest error'
done
rejects 1 'is no checkpoint' "$BERTC" verify nothing.so
