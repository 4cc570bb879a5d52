# Text over the longest length: an error that says by how much, or cut where asked. Bytes that are no UTF-8 are answered.
succeeds "$BERTC" compile "$MODEL" -o m.so --seq 16
long="one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
rejects 1 '6 more than the limit of 16' "$BERTC" run m.so "$long"
succeeds "$BERTC" run m.so --truncate "$long"
printf 'bad \377\376 bytes\n' >lines
succeeds "$BERTC" run m.so <lines
