# Outputs that are further results of kernels: an attention's log-sum-exp, and the mean and 1 / standard deviation of a norm behind a product.
text="This movie was amazing, or so"
succeeds "$BERTC" run "$MODEL" --json --seq 32 "$text"
cp out answer
succeeds "$BERTC" compile "$MODEL" --emit ir --stage input -o input.ir
awk '
/%layer.0.attention.context = per_sequence/ { inside = 1 }
inside && /yield reshape/ {
    sub("yield", "%merged =")
    print
    print "    %most = reduce_max %scores {axes = [2]}\n    %less = sub %scores, %most\n    %e = exp %less"
    print "    %sum = reduce_sum %e {axes = [2]}\n    %log = log %sum\n    %lse = add %log, %most"
    print "    %t = transpose %lse {perm = [1,0,2]}\n    %l = reshape %t {shape = [L,4]}\n    yield %merged, %l"
    next
}
inside && /^  }/ {
    print $0 "\n  %lse = result %layer.0.attention.context {index = 1}"
    inside = 0
    next
}
# Rows of other types on the way to an output, in which a step of theirs is small.
/%layer.0.output = layer_norm/ {
    y = $1
    print $0 "\n  %minus = neg " y "\n  %size = maximum " y ", %minus\n  %largest = reduce_max %size {axes = [1]}\n  %limit = constant 127"
    print "  %scale = div %largest, %limit\n  %bytes = quantize " y ", %scale {to = i8, group = 256, limit = 127}"
    print "  %halves = cast " y " {to = bf16}\n  %lost = fuse (%bytes, %scale, %halves) {\n    %3 = dequantize %bytes, %scale {group = 256}"
    print "    %4 = cast %halves {to = f32}\n    %5 = sub %3, %4\n    %6 = constant 0.0001\n    yield mul %5, %6\n  }"
    next
}
/%layer.0.attention.output = layer_norm/ {
    x = $4
    sub(",", "", x)
    print $0 "\n  %mean = reduce_mean " x " {axes = [1]}\n  %d = sub " x ", %mean\n  %d2 = mul %d, %d"
    print "  %variance = reduce_mean %d2 {axes = [1]}\n  %eps = constant 1e-12\n  %shifted = add %variance, %eps\n  %rstd = rsqrt %shifted"
    next
}
/^  output/ && !n++ { print "  output lse.0 = %lse\n  output mean.0 = %mean\n  output rstd.0 = %rstd\n  output lost.0 = %lost" }
{ print }' input.ir >more.ir

# They join the kernels that have them anyway, and change no answer.
succeeds "$BERTC" compile "$MODEL" --graph more.ir --emit ir --stage fused -o fused.ir
for line in '%lse = result %layer.0.attention.context -> f32\[T,4\]' '%mean = result %layer.0.attention.output -> f32\[T,1\]' \
    '%rstd = result %layer.0.attention.output -> f32\[T,1\]'; do
    grep -q "^  $line" fused.ir || fail "no $line"
done
succeeds "$BERTC" run "$MODEL" --graph more.ir --json --seq 32 "$text"
cmp out answer || fail "another answer"
succeeds "$BERTC" verify "$MODEL" --graph more.ir
for name in lse mean rstd scale bytes halves lost; do expect "^$name  .*e[-+]0[0-9]"; done
expect '^[0-9]+ kernels, largest error'
# The rows cast to bf16 join the kernel that makes them (fuse_precision).
grep -q "^31 kernels" out || fail "results are no kernels of their own: $(grep kernels, out)"

# Compiled ahead, in memory, in many variants and on several threads they have the same bits.
safetensors in.safetensors '{"input_ids":{"dtype":"I32","shape":[3,21],"data_offsets":[0,252]}}' 252
succeeds "$BERTC" compile "$MODEL" --graph more.ir -o m.so --seq 24,64
succeeds "$BERTC" run m.so --tensors in.safetensors -o want.safetensors
for name in lse.0 mean.0 rstd.0; do grep -aq "\"$name\"" want.safetensors || fail "no output $name"; done
for threads in 1 2 4; do
    succeeds "$BERTC" run m.so --threads $threads --tensors in.safetensors -o got.safetensors
    cmp got.safetensors want.safetensors || fail "other bits on $threads threads"
    succeeds "$BERTC" run "$MODEL" --graph more.ir --seq 32 --batch 2 --threads $threads --tensors in.safetensors -o got.safetensors
    cmp got.safetensors want.safetensors || fail "other bits in memory on $threads threads"
done
succeeds "$BERTC" inspect m.so
expect '^  layer.0.attention.output +f32.T,256. +.*layer_norm.*; f32.T,1.; f32.T,1.  *\[f32 x f32 to f32\]$'
succeeds "$BERTC" inspect m.so --json
expect '"name": "layer.0.attention.context".*"results": ."f32.T,4."'
succeeds "$BERTC" inspect "$MODEL" --graph more.ir --dot
expect '^digraph'
! grep -q result out || fail "a result has a box of its own"
succeeds "$BERTC" bench "$MODEL" --graph more.ir --rounds 1 --seq 16 --profile
! grep -q 'result' out || fail "a result has a phase of its own"
