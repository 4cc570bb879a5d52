# Help on stdout with status 0; wrong words on stderr with status 2, and where the help is.
for command in compile run serve evaluate train tokenize bench inspect opt verify synth targets; do
    succeeds "$BERTC" "$command" --help
    expect "^usage: bertc $command"
    mv out help
    succeeds "$BERTC" help "$command"
    cmp out help || fail "bertc help $command is not bertc $command --help"
done
succeeds "$BERTC" help
expect '^usage: bertc COMMAND'
rejects 2 "no command 'rum', did you mean run\?" "$BERTC" help rum
rejects 2 "no command 't' \(" "$BERTC" t
rejects 2 "no command 'tr', did you mean train\?" "$BERTC" tr
rejects 2 'takes one command, not 2' "$BERTC" help run compile
succeeds "$BERTC" --help
succeeds "$BERTC" --version
expect '^bertc [0-9]'
rejects 2 "no command 'frobnicate' \(" "$BERTC" frobnicate
rejects 2 'needs one MODEL' "$BERTC" compile -o x.so
rejects 2 'needs -o FILE' "$BERTC" compile "$MODEL"
rejects 1 'bertc reads folders, and downloads nothing: .hf download bert-base-uncased' "$BERTC" compile bert-base-uncased
rejects 2 'unknown option --frob \(' "$BERTC" compile "$MODEL" -o x.so --frob
rejects 2 'unknown option --thread=2, did you mean --threads\?' "$BERTC" run "$MODEL" --thread=2 x
rejects 2 'unknown option --max_tokens, did you mean --max-tokens\?' "$BERTC" run "$MODEL" --max_tokens 5 x
rejects 2 'unknown option -as, did you mean --as\?' "$BERTC" run "$MODEL" -as query x
for pair in --epochs:--num-train-epochs --batch-size=4:--per-device-train-batch-size --Learning_Rate:--learning-rate --lora-r:--lora-rank -task:--task \
    '--warmup:--warmup-ratio or --warmup-steps' '--lora:--lora-rank, --lora-alpha or --lora-dropout'; do
    rejects 2 "unknown option ${pair%%:*}, did you mean ${pair#*:}\? \(" "$BERTC" train "$MODEL" "${pair%%:*}" 3
done
for word in --x -frob --dev-file --a_word_that_is_longer_than_any_option_could_ever_be; do
    rejects 2 "unknown option $word \(" "$BERTC" train "$MODEL" $word 3
done
rejects 2 'unknown option --outptu, did you mean --output\?' "$BERTC" compile "$MODEL" --outptu x.so
rejects 2 "no command 'complie', did you mean compile\?" "$BERTC" complie "$MODEL"
# of an option that is given twice the last value counts, and a note says so; one that takes several values adds them
succeeds "$BERTC" run "$MODEL" --mcpu native --top-k 1 --seq 32 --top-k=2 "This movie was amazing!"
expect 'negative'
grep -q '^bertc: note: --top-k: is given twice, as 1 and 2: the last one counts$' err || fail "no note: $(cat err)"
succeeds "$BERTC" run "$MODEL" --mcpu native --top-k 2 --seq 32 --top-k=2 "This movie was amazing!"
[ ! -s err ] || fail "the same value twice is no news: $(cat err)"
rejects 2 "'12x' is no number" "$BERTC" compile "$MODEL" -o x.so --seq 12x
rejects 2 "'0' is no number from 1 to 2147483647" "$BERTC" compile "$MODEL" -o x.so --seq 0
rejects 2 "'4294967297' is no number from 1 to 2147483647" "$BERTC" run "$MODEL" --threads 4294967297 x
rejects 2 "'4' is no number from 0 to 3" "$BERTC" compile "$MODEL" -o x.so -O4
rejects 2 "'elf' is none of" "$BERTC" compile "$MODEL" -o x.so --emit elf
rejects 2 'go together' "$BERTC" run "$MODEL" --tensors x
MANY=1 rejects 2 'usage: bertc' "$BERTC"
# a letter's argument may be attached, as compilers take it
succeeds "$BERTC" compile "$MODEL" --mcpu native -O1 -ox.so --seq 16
succeeds "$BERTC" run x.so -j2 "This movie was amazing!"
rejects 2 "'x' is no number" "$BERTC" run x.so -jx "This movie was amazing!"
# reports don't mix with figures
succeeds "$BERTC" compile "$MODEL" --mcpu native -o x.so --seq 16 --report memory
expect 'resident at most'
"$BERTC" compile "$MODEL" --mcpu native -o x.so --seq 16 --report fusion --json >out 2>err
[ "$(wc -l <out)" = 1 ] || fail "more than JSON: $(cat out)"
grep -q '^fuse_attention' err || fail "no report"
rejects 1 "--report: takes fusion, memory or time, not 'frob'" "$BERTC" compile "$MODEL" -o y.so --report frob
rejects 2 'one length' "$BERTC" verify "$MODEL" --seq 16,32
rejects 2 'is for --emit ir' "$BERTC" compile "$MODEL" -o -
for command in evaluate compile run; do
    "$BERTC" $command --help >out
    [ "$(awk '{ print length($0) }' out | sort -n | tail -1)" -le 110 ] || fail "a help line is too wide"
done
# options stand in groups, each of which begins once
[ "$(grep -c '^search:$' out)" = 1 ] && [ "$(grep -c '^how it is compiled:$' out)" = 1 ] || fail "no groups: $(cat out)"
[ -z "$(grep '^[a-z ]*:$' out | sort | uniq -d)" ] || fail "a group begins twice"
sed -n '/^search:$/,/^$/p' out | grep -q -- '--rank QUERY' || fail "--rank is in another group"
