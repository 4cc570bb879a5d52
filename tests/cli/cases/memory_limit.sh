# Address space that runs out (ulimit -v): one line and status 1 or the answer, and nothing left over. Below the least limit at which the
# program starts, the dynamic loader and LLVM's constructors end it before main.
starts() { (ulimit -v "$1" && "$BERTC" --version) >/dev/null 2>&1; }
starts 8000000 || skip plain "the program does not start in 8 GB of address space (a sanitizer)"
low=20000 high=8000000
while [ $((high - low)) -gt 500 ]; do
    middle=$(((low + high) / 2))
    if starts $middle; then high=$middle; else low=$middle; fi
done

CASE=$SOURCE/tests/models/cases/bert-seqcls
"$BERTC" compile "$MODEL" --mcpu native -o model.so --seq 16 -O 1 >out
failed=0
limited() { # limited KILOBYTES CMD...
    limit=$1
    shift
    ls -A >before
    status=0
    (ulimit -v "$limit" && "$BERTC" "$@") >out 2>err || status=$?
    if [ "$status" = 0 ]; then
        rm -f made.so
        return
    fi
    failed=$((failed + 1))
    [ "$status" = 1 ] || fail "status $status at $limit kB of: $* ($(cat err))"
    [ "$(grep -vc '^bertc: note: ' err)" = 1 ] || fail "more than one line at $limit kB of: $* ($(cat err))"
    grep -Eqi 'bertc: error: .*memory' err || fail "no word of memory at $limit kB of: $* ($(cat err))"
    ls -A >after
    cmp -s before after || fail "left behind at $limit kB by: $* ($(ls -A))"
}
touch before after err
for more in 500 1500 3000 6000 10000 15000 22000 30000 45000 80000; do
    limit=$((high + more))
    limited $limit compile "$CASE" -o made.so --seq 8 -O 0
    limited $limit compile "$MODEL" -o made.so --seq 16 -O 0
    limited $limit run model.so "a fine film"
    limited $limit run "$CASE" --tensors "$CASE/io.safetensors" -o made.so
    limited $limit tokenize "$MODEL" "a fine film"
    limited $limit verify "$CASE" --seq 8 -O 0
    limited $limit opt "$SOURCE/tests/ir/encoder_layer.ir"
    limited $limit inspect "$CASE"
done
[ $failed -ge 10 ] || fail "only $failed commands met the limit"
