# The examples that --help shows are run as they stand, in the project's folder and one after the other.
mkdir -p bin
ln -s "$BERTC" bin/bertc
ln -s "$SOURCE/examples" examples
PATH=$PWD/bin:$PATH
for command in compile run evaluate train tokenize inspect opt verify synth bench; do
    "$BERTC" "$command" --help >help
    sed -n '/^example: /,$p' help | sed 's/^example: //; s/^ *//' >recipe
    [ -s recipe ] || fail "no example in the help of $command"
    sh -eu recipe >out 2>err || fail "the example of $command fails: $(cat recipe err)"
done
"$BERTC" opt encoder.ir --passes merge_qkv,fuse_epilogue >fused.ir
"$BERTC" opt --help | grep -q 'opt encoder.ir --passes merge_qkv,fuse_epilogue' || fail "the recipe of opt is another one"
grep -q ' = fuse ' fused.ir || fail "the recipe of opt fuses nothing"
