# One artefact for many CPUs: each level that runs here gives the same answers, over one copy of the weights.
[ "$(uname -m)" = x86_64 ] || skip avx2 "levels of x86-64"

# scores FILE: what the artefact says of some texts, a line each
scores() {
    "$BERTC" run "$1" --json "This movie was amazing!" "a dull and endless film" "fine" "I would not watch it again, and yet I liked it" |
        sed 's/.*"label": "\([a-z]*\)", "score": \([0-9.e-]*\).*/\1 \2/'
}

for dtype in f32 bf16 int8 int8w; do
    case $dtype in
    f32 | int8w) bound=0.00002 ;;
    *) bound=0.02 ;;
    esac
    succeeds "$BERTC" compile "$MODEL" -o "$dtype.so" --dtype $dtype --seq 32 --json
    size=$(sed 's/.*"artefact_bytes": //; s/[^0-9].*//' out) code=$(sed 's/.*"code_bytes": //; s/[^0-9].*//' out)
    [ "$code" -lt 3000000 ] || fail "$dtype: $code bytes of code"
    succeeds "$BERTC" compile "$MODEL" -o native.so --dtype $dtype --seq 32 --mcpu avx2 --json
    one=$(sed 's/.*"artefact_bytes": //; s/[^0-9].*//' out)
    # What further levels add is their code, and what their class alone has of sums and scales.
    [ "$size" -lt $((one + code + 200000)) ] || fail "$dtype: $size bytes, and one level $one with $code of code"
    succeeds "$BERTC" inspect "$dtype.so"
    sed -n '/^levels/,/^made by/p' out | sed '$d; s/^levels/      /' >levels
    grep -q ' avx2  *rank 20 ' levels
    grep -q 'runs here, used' levels || { skip_part avx2 "$dtype" && continue; }
    awk '/not run here/ {print $1}' levels >absent
    for level in $(awk '!/not run here/ {print $1}' levels); do
        BERTC_ISA=$level scores "$dtype.so" >"$dtype.$level"
        [ "$(wc -l <"$dtype.$level")" = 4 ] || fail "$dtype $level: $(cat "$dtype.$level")"
        paste -d ' ' "$dtype.avx2" "$dtype.$level" 2>/dev/null >both || cp "$dtype.$level" both
        awk -v bound=$bound 'NF == 4 && ($1 != $3 || $2 - $4 > bound || $4 - $2 > bound) { exit 1 }' both ||
            fail "$dtype: avx2 and $level differ: $(cat both)"
    done
    for level in $(cat absent); do
        BERTC_ISA=$level rejects 1 "BERTC_ISA=$level: it needs the CPU feature " "$BERTC" run "$dtype.so" "a text"
    done
done

# The same input gives the same bytes, whichever of the threads made which level's code.
mv int8.so first.so
succeeds "$BERTC" compile "$MODEL" -o int8.so --dtype int8 --seq 32
cmp first.so int8.so || fail "compiled again, the artefact has other bytes"

# Which level does not run, and why; the graph of each class, with what its products are made of.
succeeds "$BERTC" inspect int8.so
expect '^kernels of class vnni, for .*avxvnni'
expect '^kernels of class avx2, for avx512, avx2$'
expect ' matmul .*\[u8 x i8 to i32\]'
succeeds "$BERTC" inspect f32.so
expect '^kernels$'
expect ' matmul .*\[f32 x f32 to f32\]'

# A dtype that no level of a target has; native can't be it for another architecture.
rejects 1 '--dtype: neon has no code for int8 \(level neon\): it has f32' "$BERTC" compile "$MODEL" -o a.so --target aarch64-linux-gnu --dtype int8
rejects 1 '--dtype: generic has no code for bf16 \(level generic\): it has f32' "$BERTC" compile "$MODEL" -o a.so --mcpu portable,generic --dtype bf16
