# The README's first commands: compile, run from the artefact alone, the same by JIT, and from standard input.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o sentiment.so
expect '^sentiment.so: .* MB .* s$'
succeeds "$BERTC" run sentiment.so "This movie was amazing!"
[ "$(cat out)" = "positive 0.9961" ] || fail "$(cat out)"
succeeds "$BERTC" run "$MODEL" "This movie was amazing!"
[ "$(cat out)" = "positive 0.9961" ] || fail "JIT: $(cat out)"
printf 'This movie was amazing!\nI want my money back.\n' >lines
succeeds "$BERTC" run sentiment.so <lines
expect '^positive 0.9961.*amazing'
expect '^negative 0.9822.*money'
succeeds "$BERTC" run sentiment.so --json "This movie was amazing!"
expect '"label": ?"positive"'
expect '"scores"'
for threads in 2 3; do
    "$BERTC" run sentiment.so --json --threads $threads "This movie was amazing!" >threaded
    cmp out threaded || fail "$threads threads answer otherwise"
done
