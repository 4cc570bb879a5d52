# Levels of instruction sets: what there is, which one is run, and BERTC_ISA.
succeeds "$BERTC" targets
grep -q '^  level  *rank  *bf16  *int8  *here$' out
grep -q '^  amx  *70 ' out
case $(uname -m) in
x86_64) least=generic other=neon ;;
*) least=neon other=avx2 ;;
esac
grep -q "^  $least  *0  *-  *-  *yes$" out
grep -q "^  $other  *[0-9]*  .*  no: another architecture$" out

# By JIT: code is made for the level that is asked for.
BERTC_ISA=$least succeeds "$BERTC" inspect "$MODEL" --seq 16
grep -q "^levels  *$least  *rank 0  *runs here, used$" out
BERTC_ISA=nothing rejects 1 'BERTC_ISA=nothing: it has code for ' "$BERTC" run "$MODEL" "a text" --seq 16
succeeds "$BERTC" inspect "$MODEL" --seq 16 --json
grep -q '"levels": \[{"name": "[a-z0-9]*", "rank": [0-9]*, "runs_here": true}\]' out
[ "$(uname -m)" = x86_64 ] || exit 0

# Levels whose code is the same are emitted once; the best comes first whatever the order is.
succeeds "$BERTC" compile "$MODEL" -o m.so --seq 16 --mcpu generic,avx512vnni,avx2,avxvnni,avx512
BERTC_ISA=generic succeeds "$BERTC" inspect m.so
sed -n '/^levels/,/^made by/p' out | sed '$d' | awk '{ sub(/^levels/, ""); print $1, $3 }' >names
printf 'avx512 40\navx2 20\ngeneric 0\n' | diff names -
grep -q 'generic  *rank 0  *runs here, used' out
[ "$(grep -c 'BERTC_ISA asks for generic\|which this machine lacks' out)" = 2 ]
BERTC_ISA=avx512vnni rejects 1 'm.so: BERTC_ISA=avx512vnni: it has code for avx512, avx2, generic' "$BERTC" run m.so "a text"
rejects 1 "'haswell,znver3' names two CPUs of the same level, avx2" "$BERTC" compile "$MODEL" -o n.so --mcpu haswell,znver3
[ ! -e n.so ]

# Without --mcpu: portable. Its levels are those from avx2 on whose code is not that of a lower one.
succeeds "$BERTC" compile "$MODEL" -o p.so --seq 16
BERTC_ISA=avx2 succeeds "$BERTC" inspect p.so
sed -n '/^levels/,/^made by/p' out | sed '$d' | awk '{ sub(/^levels/, ""); print $1, $3 }' >names
printf 'avx512 40\navx2 20\n' | diff names -
succeeds "$BERTC" compile "$MODEL" -o q.so --seq 16 --mcpu portable,generic --json
BERTC_ISA=generic succeeds "$BERTC" run q.so "a text"
rejects 1 "'portable,avx512' names two CPUs of the same level, avx512" "$BERTC" compile "$MODEL" -o n.so --mcpu portable,avx512
# Graph text with variants of one level alone is compiled for that one.
succeeds "$BERTC" compile "$MODEL" -o one.ir --emit ir --seq 16 --mcpu avx2
succeeds "$BERTC" compile "$MODEL" -o one.so --graph one.ir
BERTC_ISA=avx2 succeeds "$BERTC" inspect one.so
[ "$(grep -c ' rank ' out)" = 1 ]
rejects 1 'one.ir has no variant for avx512, which is avx512' "$BERTC" compile "$MODEL" -o n.so --graph one.ir --mcpu avx512
# A graph of 8-bit rows runs on levels whose products of pairs hold 7 bits alone: multiplied without those.
succeeds "$BERTC" compile "$MODEL" -o vnni.ir --emit ir --stage packed --dtype int8 --mcpu avx512vnni --seq 16
grep -q '^graph .* class vnni(' vnni.ir
succeeds "$BERTC" verify "$MODEL" --graph vnni.ir --dtype int8 --mcpu avx2 --seq 16
