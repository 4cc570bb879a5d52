# --graph: op-graph text of every stage in place of the checkpoint's own graph, for every command that compiles.
text="This movie was amazing, or so"
succeeds "$BERTC" run "$MODEL" --json --seq 32 "$text"
cp out answer
for stage in input fused packed final; do
    succeeds "$BERTC" compile "$MODEL" --emit ir --stage $stage -o $stage.ir --seq 32
    succeeds "$BERTC" run "$MODEL" --graph $stage.ir --json "$text"
    cmp out answer || fail "$stage.ir has another answer: $(cat out)"
    succeeds "$BERTC" verify "$MODEL" --graph $stage.ir
    expect '^[0-9]+ kernels, largest error'
    expect '^[0-9]+ values and the outputs are what'
    succeeds "$BERTC" verify "$MODEL" --graph $stage.ir --no-compile
    expect '^[0-9]+ values and the outputs are what'
    ! grep -q kernels out || fail "--no-compile ran kernels"
done
! cmp -s input.ir fused.ir || fail "nothing was fused"
! grep -q 'fuse\|packed\|variant' input.ir || fail "input.ir is past its stage"
grep -q ' = fuse ' fused.ir || fail "fused.ir has no fuse"
! grep -q 'packed\|weight_bytes' fused.ir || fail "fused.ir is past its stage"
grep -q weight_bytes packed.ir || fail "packed.ir has no places"
! grep -q '^variant' packed.ir || fail "packed.ir is past its stage"
grep -q '^variant' final.ir || fail "final.ir has no variant"
succeeds "$BERTC" compile "$MODEL" --graph final.ir --emit ir --stage packed -o again.ir
cmp again.ir packed.ir || fail "final.ir has not come from packed.ir"
succeeds "$BERTC" compile "$MODEL" --graph packed.ir --emit ir --seq 32 -o again.ir
cmp again.ir final.ir || fail "packed.ir does not go on to final.ir"
succeeds "$BERTC" compile "$MODEL" --graph final.ir -o m.so
succeeds "$BERTC" run m.so --json "$text"
cmp out answer || fail "the artefact of final.ir has another answer"
succeeds "$BERTC" inspect m.so --json
expect '"graph": "final.ir"'
succeeds "$BERTC" inspect "$MODEL" --graph final.ir --dot
expect '^digraph'
succeeds "$BERTC" bench "$MODEL" --graph final.ir --rounds 1
succeeds "$BERTC" bench "$MODEL" --graph fused.ir --rounds 1 --seq 16
"$BERTC" run "$MODEL" --graph - --json "$text" <fused.ir >out
cmp out answer || fail "standard input has another answer"

# What was changed is found, with where and how much.
for stage in input fused packed final; do
    sed 's/approximation = none/approximation = tanh/' $stage.ir >tanh.ir
    succeeds "$BERTC" run "$MODEL" --graph tanh.ir --json "$text"
    ! cmp -s out answer || fail "a changed GELU has the same answer"
    MANY=1 rejects 1 'tanh.ir: layer.0.intermediate differs by .*e-04 at element [0-9]+ ' "$BERTC" verify "$MODEL" --graph tanh.ir
    expect '^layer.0.intermediate .* WRONG$'
    grep -q 'output logits differs by' err || fail "$(cat err)"
    MANY=1 rejects 1 'layer.0.intermediate differs' "$BERTC" verify "$MODEL" --graph tanh.ir --no-compile --json
    expect '"name": "layer.0.intermediate".*"against": "checkpoint"'
done
awk '/approximation = none/ && ++n == 2 { sub("none", "tanh") } { print }' input.ir >second.ir
MANY=1 rejects 1 'second.ir: layer.1.intermediate differs' "$BERTC" verify "$MODEL" --graph second.ir --no-compile
sed 's/tile = \[[0-9]*,[0-9]*\]/tile = [1,16]/' final.ir >tile.ir
succeeds "$BERTC" run "$MODEL" --graph tile.ir --json "$text"
cmp out answer || fail "another tile has another answer"

# Text that does not fit what it is asked for.
wrong() { # wrong PATTERN OPTION...
    pattern=$1
    shift
    rejects 1 "$pattern" "$BERTC" run "$MODEL" "$text" "$@"
}
edit() { # edit SED FILE: into edited.ir
    sed "$1" "$2" >edited.ir
    ! cmp -s edited.ir "$2" || fail "nothing to edit by $1"
}
wrong '^bertc: error: --seq: final.ir has no variant for 64 tokens: it has [a-z0-9]*_s32' --graph final.ir --seq 64
wrong '^bertc: error: --batch: .*_s32 of final.ir takes 32 tokens' --graph final.ir --batch 4
wrong '--passes: the graph has variants.*--stage packed' --graph final.ir --passes canonicalize
wrong 'the weights are packed already.*--stage input or fused' --graph packed.ir --passes fold_constants
wrong 'final.ir: output hidden_states.0: is missing' --graph final.ir --outputs hidden_states
wrong 'input.ir: output last_hidden_state: is missing, and the head model' --graph input.ir --head model
wrong 'none.ir: can.t be read' --graph none.ir
edit 's/isa = [a-z0-9]*/isa = other/' final.ir
wrong '--mcpu: edited.ir has no variant for native, which is ' --graph edited.ir
edit 's/, at = [0-9]*//' final.ir
wrong 'edited.ir: variant .*: constant .* has no .at.' --graph edited.ir
edit 's/output logits/output other/' fused.ir
wrong 'edited.ir: output logits: is missing, and the head sequence-classification' --graph edited.ir
edit 's/%ids/%idz/g' fused.ir
wrong 'edited.ir: %idz: is no input of this checkpoint' --graph edited.ir
edit 's/%types/%seed/g' fused.ir
wrong 'edited.ir: %seed: is i32.T.; as a number of the call it is i32.2.' --graph edited.ir
edit 's/^\(graph .*\)) {$/\1, %seed: i32[2]) {\n  %rows = constant -> f32[2,1] {value = [1, 2]}\n  %drawn = gather %rows, %seed/' fused.ir
wrong 'edited.ir: %seed: picks rows of a table: a number of the call may be any' --graph edited.ir
edit 's/hash = 0x./hash = 0xg/;s/0xg/0x/' packed.ir
wrong 'edited.ir: %.*: its recipe makes other bytes.*leave .hash. out' --graph edited.ir
edit 's/tensor("classifier.weight"/tensor("klassifier.weight"/' fused.ir
wrong 'edited.ir: tensor klassifier.weight: is not in the checkpoint' --graph edited.ir
edit 's/at = [1-9][0-9]*}/at = 0}/' packed.ir
wrong 'at = 0: its [0-9]+ bytes overlap' --graph edited.ir
succeeds "$BERTC" synth bert-tiny -o tiny --head sequence-classification
rejects 1 'fused.ir: .*is .* of this checkpoint|fused.ir: tensor .*not .*another one.s|fused.ir: .*picks rows' "$BERTC" run tiny --graph fused.ir --tensors none -o none.out
rejects 1 'packed.ir is packed already: it can.t go back to fused' "$BERTC" compile "$MODEL" --graph packed.ir --emit ir --stage fused -o x.ir
rejects 1 'is the graph that is read' "$BERTC" compile "$MODEL" --graph packed.ir -o packed.ir
rejects 2 '--stage goes with --emit ir' "$BERTC" compile "$MODEL" --stage fused -o x.so
rejects 2 "--stage: 'first' is none of input, fused, packed, final" "$BERTC" compile "$MODEL" --emit ir --stage first -o x.ir
rejects 2 '--graph has no effect on m.so' "$BERTC" run m.so --graph fused.ir "$text"
