# Text over the longest length: an error that says by how much, cut, or read in windows, as asked. Bytes that are no UTF-8 are answered.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 16
long="one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
rejects 1 '6 more than the limit of 16' "$BERTC" run m.so "$long"
rejects 1 '6 more than the limit of 16' "$BERTC" run m.so --long error "$long"
succeeds "$BERTC" run m.so --long truncate "$long"
succeeds "$BERTC" run m.so --long truncate-first "$long"
rejects 1 'only the second text may be cut' "$BERTC" run m.so --long truncate-second "$long"
rejects 2 'none of error' "$BERTC" run m.so --long cut "$long"
rejects 2 'goes with --long window' "$BERTC" run m.so --stride 4 "$long"
rejects 1 "stride 14: windows hold " "$BERTC" run m.so --long window --stride 14 "$long"
rejects 1 'more than the limit of 8' "$BERTC" run m.so --max-tokens 8 "$long"

# A window that agrees with the rest keeps the label; the mean of the logits decides.
good="a wonderful and moving film that i loved from the beginning to the end , funny , warm and beautiful"
for stride in 0 2 6; do
    succeeds "$BERTC" run m.so --long window --stride $stride "$good"
    expect '^positive 0\.9'
done
succeeds "$BERTC" run m.so --json --long window "$good"
cp out alone
printf 'a bad film\n%s\na dull , dreadful mess\n' "$good" >lines
succeeds "$BERTC" run m.so --json --long window <lines
sed -n 2p out | cmp - alone || fail "a text in windows has another answer among others"

printf 'bad \377\376 bytes\n' >lines
succeeds "$BERTC" run m.so <lines
