# The graph as text: printed, read back, passes run over it by name.
succeeds "$BERTC" compile "$MODEL" --emit ir -o - --seq 32
expect '^graph @'
succeeds "$BERTC" compile "$MODEL" --emit ir -o plain.ir --passes canonicalize --seq 32
succeeds "$BERTC" opt plain.ir --passes canonicalize
succeeds "$BERTC" opt plain.ir --passes merge_qkv,fuse_epilogue
expect 'fuse'
succeeds "$BERTC" opt --list
expect '^narrow_rows'
rejects 1 "no_such_pass" "$BERTC" opt plain.ir --passes no_such_pass
printf 'graph @g(' >bad.ir
rejects 1 'bad.ir:1:' "$BERTC" opt bad.ir
