# --dtype and --keep: what artefacts hold, answers, and what can't be had.
text="a charming and often affecting journey"
for dtype in f32 bf16 int8 int8w; do
    succeeds "$BERTC" compile "$MODEL" -o $dtype.so --dtype $dtype --mcpu native --seq 16
    succeeds "$BERTC" run $dtype.so "$text"
    expect '^positive 0.99'
    succeeds "$BERTC" inspect $dtype.so --json
    expect "\"dtype\": *\"$dtype\""
    [ $dtype = f32 ] && continue
    succeeds "$BERTC" verify "$MODEL" --dtype $dtype --mcpu native
    expect 'kernels, largest error'
done
size() {
    wc -c <"$1"
}
# Tables of this checkpoint have 16 bits already.
[ "$(size int8.so)" -lt $(($(size bf16.so) * 2 / 3)) ] || fail "int8.so has $(size int8.so) bytes, bf16.so $(size bf16.so)"
[ "$(size int8w.so)" -lt $(($(size bf16.so) * 2 / 3)) ] || fail "int8w.so has $(size int8w.so) bytes"
[ "$(size bf16.so)" -lt $(($(size f32.so) * 2 / 3)) ] || fail "bf16.so has $(size bf16.so) bytes, f32.so $(size f32.so)"

# The graph says it all, one class or several; text that is lowered goes on from there.
for cpu in avx2 avx512vnni; do
    succeeds "$BERTC" compile "$MODEL" --target x86_64-linux-gnu --mcpu $cpu --dtype int8 --emit ir --stage packed -o $cpu.ir
done
grep -q '^graph @encoder class avx2(' avx2.ir || fail "no class avx2"
grep -q 'limit = 63' avx2.ir || fail "avx2 has no 7 bits"
grep -q '^graph @encoder class vnni(' avx512vnni.ir || fail "no class vnni"
! grep -q 'limit = 63' avx512vnni.ir || fail "vnni has 7 bits"
succeeds "$BERTC" compile "$MODEL" --target x86_64-linux-gnu --mcpu avx2,avx512vnni --dtype int8 --emit ir --stage packed -o both.ir
[ "$(grep -c '^graph' both.ir)" = 2 ] || fail "$(grep -c '^graph' both.ir) graphs of two classes"
succeeds "$BERTC" compile "$MODEL" --target x86_64-linux-gnu --mcpu avx2,avx512vnni --dtype int8 --graph both.ir --emit asm --seq 16 -o both.s
succeeds "$BERTC" compile "$MODEL" --emit ir --stage fused -o fused.ir
succeeds "$BERTC" opt fused.ir --dtype int8 --mcpu avx512vnni --passes lower_precision
expect '^graph @encoder class vnni'
expect 'quantize_columns'
succeeds "$BERTC" opt fused.ir --passes lower_precision
! grep -q quantize out || fail "lowered without --dtype"

# --keep, by a kernel's name, a weight's, a tensor's, a pattern.
for keep in layer.0.output encoder.layer.0.output.dense.weight bert.encoder.layer.0.output.dense.weight 'layer.0.out*'; do
    "$BERTC" compile "$MODEL" --mcpu native --dtype int8 --keep "f32:$keep" --emit ir --stage packed -o kept.ir --report fusion 2>report || fail "$(cat report)"
    grep -q 'layer.0.output.spread: the product stays f32: --keep names it' report || fail "$keep does not keep"
    [ "$(grep -c 'keep names it' report)" = 1 ] || fail "$keep keeps $(grep -c 'keep names it' report)"
done
succeeds "$BERTC" compile "$MODEL" --mcpu native --dtype int8 --keep 'f32:*' -o x.so --seq 16
succeeds "$BERTC" inspect x.so
expect '^kept *f32:\*'
# Given again, it adds to what was given before.
"$BERTC" compile "$MODEL" --mcpu native --dtype int8 --keep f32:layer.0.output --keep 'f32:layer.1.int*' --emit ir --stage packed -o kept.ir --report fusion 2>report || fail "$(cat report)"
grep -q 'layer.0.output.spread: the product stays f32: --keep' report || fail "the first --keep is gone"
grep -q 'layer.1.intermediate: the product stays f32: --keep' report || fail "the second --keep is gone"
succeeds "$BERTC" inspect "$MODEL" --dtype int8 --keep f32:layer.0.output --keep f32:layer.1.output --seq 16
expect '^kept *f32:layer.0.output,layer.1.output$'
rejects 1 "--keep: takes f32:NAMES, not 'classifier'" "$BERTC" compile "$MODEL" -o x.so --dtype int8 --keep f32:layer.0.output --keep classifier
rejects 1 "--keep: nothing is called 'clasifier'; there are, for example, classifier," "$BERTC" compile "$MODEL" -o x.so --dtype int8 --keep f32:layer.0.output,clasifier
rejects 1 '--keep: takes f32:NAMES' "$BERTC" compile "$MODEL" -o x.so --dtype int8 --keep classifier
rejects 1 '--keep: has no effect without --dtype' "$BERTC" compile "$MODEL" -o x.so --keep f32:classifier
rejects 1 "takes f32, bf16, int8 or int8w, not 'fp8'" "$BERTC" compile "$MODEL" -o x.so --dtype fp8

# What int8 can't represent is named, in a weight and in a table.
"$BERTC" synth bert-tiny -o bad --head model
cp -r bad worse
cp bad/model.safetensors good.safetensors
spoil() {
    # shellcheck disable=SC2059 # the format is the bytes
    printf "$3" | dd of="$1/model.safetensors" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
header=$(od -An -t u8 -N 8 bad/model.safetensors | tr -d ' ')
at() { # at TENSOR: where its data begin
    dd if=bad/model.safetensors bs=1 skip=8 count="$header" 2>/dev/null | tr '}' '\n' | grep "\"$1\"" | sed 's/.*data_offsets":\[\([0-9]*\),.*/\1/'
}
weight=encoder.layer.0.attention.self.key.weight table=embeddings.word_embeddings.weight
spoil bad $((8 + header + $(at $weight) + 64)) '\000\000\300\177'
spoil worse $((8 + header + $(at $table) + 64)) '\000\000\200\177'
for dtype in int8 int8w; do
    rejects 1 "tensor \"$weight\": holds NaN or infinity, which int8 can't represent" "$BERTC" compile bad --mcpu native -o x.so --dtype $dtype --mcpu native --seq 16
    rejects 1 "tensor \"$table\": holds NaN or infinity, which int8 can't represent" "$BERTC" compile worse --mcpu native -o x.so --dtype $dtype --mcpu native --seq 16
done
rejects 1 "leaves it in float32" "$BERTC" compile bad --mcpu native -o x.so --dtype int8 --seq 16
succeeds "$BERTC" compile bad --mcpu native -o x.so --dtype int8 --keep "f32:$weight" --seq 16
succeeds "$BERTC" compile bad --mcpu native -o x.so --dtype bf16 --seq 16
# So it is in what int8 leaves in float: a bias, a norm's gamma, a table of two rows. (bf16 holds it.)
for tensor in encoder.layer.1.intermediate.dense.bias encoder.layer.0.output.LayerNorm.weight embeddings.token_type_embeddings.weight; do
    cp good.safetensors bad/model.safetensors
    spoil bad $((8 + header + $(at $tensor) + 8)) '\000\000\300\177'
    for dtype in int8 int8w; do
        rejects 1 "tensor \"$tensor\": holds NaN or infinity, which int8 can't represent" "$BERTC" compile bad --mcpu native -o x.so --dtype $dtype --seq 16
    done
done

# A class that is none, in text.
sed 's/class vnni/class vni/' avx512vnni.ir >none.ir
rejects 1 "none.ir: there is no arithmetic class 'vni': there are f32, avx2, vnni, bf16" "$BERTC" opt none.ir --passes canonicalize
rejects 1 "none.ir: there is no arithmetic class 'vni'" "$BERTC" compile "$MODEL" --graph none.ir -o x.so
