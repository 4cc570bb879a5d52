# The bench prints figures for people and, with --json, nothing but an object a row.
succeeds "$BERTC" bench "$MODEL" --seq 16 --rounds 3 --profile
expect '^ batch +seq +threads'
expect '^  layer\.\*\.attention\.qkv'
succeeds "$BERTC" bench "$MODEL" --seq 16 --rounds 3 --profile -j1,2 --json
expect '^\{"batch": 1, "seq": 16, "tokens": 16, "threads": 2,'
expect '^\{"phase": "layer\.\*\.attention\.qkv",'
! grep -v '^{.*}$' out || fail "lines that are no JSON object"
rejects 1 'mini-sst2: .*512|--seq: 513 ' "$BERTC" bench "$MODEL" --seq 513
