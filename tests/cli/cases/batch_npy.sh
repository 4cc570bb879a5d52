# Embeddings to .npy: a header that says the shape, a row a line, NaN for a broken one; a stopped run goes on.
[ -d "$SHARED/models/small-sts" ] || skip shared "the trained checkpoints"
succeeds "$BERTC" compile "$SHARED/models/small-sts" --mcpu native -o st.so --seq 32
i=0
while [ $i -lt 70 ]; do
    echo "A man is playing guitar number $i."
    i=$((i + 1))
done >texts.txt
succeeds "$BERTC" run st.so --input texts.txt --output want.npy
head -c 128 want.npy | grep -aq "'shape': (70, 384)" || fail "$(head -c 128 want.npy)"
[ "$(wc -c <want.npy)" = $((128 + 70 * 384 * 4)) ] || fail "$(wc -c <want.npy) bytes"
for bytes in 0 50 128 5000 70000; do
    rm -f again.npy
    head -c $bytes want.npy >again.npy.partial
    succeeds "$BERTC" run st.so --input texts.txt --output again.npy --resume
    cmp want.npy again.npy || fail "resumed at byte $bytes"
done
head -c 9000 /dev/zero >zero.npy
rejects 1 'holds no rows of 384' "$BERTC" run st.so --input texts.txt --output zero.npy --resume
yes "word" | head -100 | tr '\n' ' ' >long.txt
printf '\nA man is playing guitar number 0.\n' >>long.txt
! "$BERTC" run st.so --input long.txt --output long.npy 2>err || fail "a line too long is no error"
grep -q 'long.txt:1: ' err || fail "$(cat err)"
tail -c $((384 * 4)) long.npy >second
head -c $((128 + 384 * 4)) want.npy | tail -c $((384 * 4)) | cmp - second || fail "a row behind a broken one"
! "$BERTC" run st.so --input long.txt --output long.npy --resume 2>err || fail "resumed, it is none"
grep -q '1 of 2 lines have no answer' err || fail "$(cat err)"
