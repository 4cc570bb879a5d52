# Texts longer than the config says: where no table of positions ends them.
cases=$SOURCE/tests/models/cases
"$BERTC" verify "$cases/modernbert-model" --seq 200 >out 2>err || fail "verify: $(cat err)"
grep -q 'max_position_embeddings: is 128: texts of up to 200 tokens go beyond what it is made for' err || fail "no note: $(cat err)"
rejects 1 '200 is too long: the model has 80 positions' "$BERTC" compile "$cases/bert-base-model" -o x.so --seq 200
