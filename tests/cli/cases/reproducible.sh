# The same checkpoint and options give the same bytes, wherever and whenever; the artefact says what it was made by and of.
cases=$SOURCE/tests/models/cases
mkdir -p here there/with/longer/name
same() { # FOLDER OPTION...
    model=$1
    shift
    cp -r "$model" here/model
    cp -rL "$model" there/with/longer/name/model
    touch -d '2001-01-01' there/with/longer/name/model/*
    (cd here && succeeds "$BERTC" compile model "$@" -o a.so)
    (cd there/with/longer/name && succeeds env -i PATH="$PATH" HOME=/ LANG=tr_TR.UTF-8 TZ=Asia/Tokyo "$BERTC" compile "$PWD/model/" "$@" -o other.so)
    cmp here/a.so there/with/longer/name/other.so || fail "other bytes of $model $*"
    rm -r here/model there/with/longer/name/model
}
same "$MODEL" --seq 32
succeeds "$BERTC" inspect here/a.so
expect '^made by    bertc [0-9.]+, LLVM [0-9.]+, of weights with the hash xxh64:[0-9a-f]{16}$'
expect '^options    seq 32, batch 1, mcpu portable, optimise 2$'
expect '^passes     canonicalize, .*pack_weights, schedule, plan_memory$'
succeeds "$BERTC" inspect here/a.so --json
expect '"llvm": "[0-9.]+", "checkpoint": "xxh64:[0-9a-f]{16}", "options": \{"seq": \[32\], "batch": 1, "mcpu": "portable", "optimise": 2\}, "passes": \["canonicalize"'
sed -n 's/.*"checkpoint": "\([^"]*\)".*/\1/p' out >hash
same "$MODEL" --seq 16 --dtype int8 --mcpu x86-64-v3 --passes -fuse_norm
succeeds "$BERTC" inspect here/a.so --json
expect '"options": \{"seq": \[16\], "batch": 1, "mcpu": "x86-64-v3", "dtype": "int8", "passes": "-fuse_norm", "optimise": 2\}'
grep -q "$(cat hash)" out || fail "another hash of the same weights"
grep -q '"fuse_norm"' out && fail "a pass that did not run is listed"
grep -q '"spread_outliers"' out || fail "a pass that ran is not listed"
same "$MODEL" --seq 16 --train classify --mcpu x86-64-v3
for name in deberta-v2-conv deberta-model; do
    same "$cases/$name" --seq 16 --mcpu x86-64-v3
done
# other weights have another hash
succeeds "$BERTC" synth "$MODEL/config.json" -o random --seed 7
succeeds "$BERTC" compile random --mcpu x86-64-v3 --seq 16 -o r.so
succeeds "$BERTC" inspect r.so --json
! grep -q "$(cat hash)" out || fail "other weights have the same hash"
