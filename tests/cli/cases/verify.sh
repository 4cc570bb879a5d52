# Compiled kernels against the evaluator, for each CPU that this machine has.
for cpu in native x86-64-v2; do
    succeeds "$BERTC" verify "$MODEL" --mcpu $cpu
    expect '^[0-9]+ kernels, largest error'
done
rejects 1 'nothing.so: can.t be opened' "$BERTC" verify nothing.so
echo a >other.xyz
rejects 1 'is no checkpoint' "$BERTC" verify other.xyz
# Of another precision each value says what it costs.
for dtype in bf16 int8; do
    succeeds "$BERTC" verify "$MODEL" --dtype $dtype --seq 9
    expect '^[0-9]+ kernels, largest error'
    expect '^layer.1.attention.output(.spread)? .* [0-9.]+ %$'
    expect '^logits .* [0-9.]+ %$'
done
succeeds "$BERTC" verify "$MODEL" --dtype int8w --no-compile
expect '^layer.1.attention.output(.spread)? .* [0-9.]+ %$'
succeeds "$BERTC" verify "$MODEL" --dtype int8 --json
expect '"cost": ?0.0'
succeeds "$BERTC" verify "$MODEL" --seq 9
! grep -q '%$' out || fail "float32 costs something: $(grep '%$' out)"
# What overflows or is no number in the checkpoint does so in both, and is said so; it hides no other difference.
succeeds "$BERTC" synth bert-tiny -o tiny
size=$(wc -c <tiny/model.safetensors)
printf '\000\000\300\177' | dd of=tiny/model.safetensors bs=1 seek=$((size - 4)) conv=notrunc 2>err
succeeds "$BERTC" verify tiny --seq 5
[ "$(grep -c 'not all finite' out)" -ge 2 ] || fail "$(cat out)"
expect '^[0-9]+ kernels, largest error [0-9.]*e-'
# Kernels whose results are of other element types are held to them too.
succeeds "$BERTC" compile "$MODEL" --emit ir --stage fused -o fused.ir
sed -i 's/^  %classifier = fuse (%x = %pooler,/\
  %as.bf16 = cast %pooler {to = bf16}\
  %as.i8 = fuse (%pooler) {\
    %1 = constant 127\
    %2 = mul %pooler, %1\
    yield cast %2 {to = i8}\
  }\
  %as.i4 = cast %as.i8 {to = i4}\
  %zeros = fuse (%a = %as.bf16, %b = %as.i8, %c = %as.i4) {\
    %3 = cast %a {to = f32}\
    %4 = cast %b {to = f32}\
    %5 = cast %c {to = f32}\
    %6 = add %3, %4\
    %7 = add %6, %5\
    %8 = constant 0\
    yield mul %7, %8\
  }\
  %mixed = add %pooler, %zeros\
  %classifier = fuse (%x = %mixed,/' fused.ir
succeeds "$BERTC" verify "$MODEL" --graph fused.ir
for kernel in as.bf16 as.i8 as.i4; do expect "^$kernel  *[0-9.e+-]*  *[0-9.]*  [0-9]+$"; done

# The numbers of a call are not 0 here, so what they scale shows.
succeeds "$BERTC" compile "$MODEL" --emit ir --stage input -o moves.ir
sed -i '1s/) {$/, %rate: f32[]) {/
s/^\(  %classifier.bias = .*\)}$/\1, trainable}/
s/^  output logits/  %scaled = mul %classifier.bias, %rate\n  %moved = assign %classifier.bias, %scaled\n&/' moves.ir
succeeds "$BERTC" verify "$MODEL" --graph moves.ir
expect '^scaled  *[0-9.e+-]*  *[0-9.e-]*[1-9]  [0-9]+$'
