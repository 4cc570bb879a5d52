# What `bertc serve` says where it can't begin; tests/cli/test_serve.c asks one that runs.
"$BERTC" compile "$MODEL" --mcpu native --seq 16 -o mood.so >/dev/null
rejects 2 'needs an artefact or a checkpoint' "$BERTC" serve
rejects 2 "--log: 'frob' is none of text, json, none" "$BERTC" serve mood.so --log frob
rejects 2 'unknown option --port' "$BERTC" serve mood.so --port 80
rejects 1 'missing.so' "$BERTC" serve missing.so
rejects 1 'a second model is named "mood": say NAME=mood.so' "$BERTC" serve mood.so mood.so
rejects 1 '"embed" is a route.s name: say NAME=mood.so' "$BERTC" serve embed=mood.so
rejects 1 'has a character other than letters' "$BERTC" serve 'a b=mood.so'
for where in nonsense 1.2.3.4 127.0.0.1: 127.0.0.1:99999 127.0.0.1:x ::1:80 host.name:80 ''; do
    rejects 1 '--listen: .* is none of ADDRESS:PORT' "$BERTC" serve mood.so --log none --listen "$where"
done
rejects 1 '--listen: unix:: a path has 1 to' "$BERTC" serve mood.so --log none --listen unix:
rejects 1 '--listen: unix:/nowhere/s: No such file' "$BERTC" serve mood.so --log none --listen unix:/nowhere/s
# A file that is no socket stays.
echo kept >file
rejects 1 '--listen: unix:file: Address already in use' "$BERTC" serve mood.so --log none --listen unix:file
[ "$(cat file)" = kept ] || fail "the file is gone"
# A socket that a killed server left is taken over; one that is listened at is not, and the server that ends leaves none.
"$BERTC" serve mood.so --log none --listen unix:s & first=$!
for _ in $(seq 100); do [ ! -S s ] || break; sleep 0.1; done
rejects 1 '--listen: unix:s: Address already in use' "$BERTC" serve mood.so --log none --listen unix:s
[ -S s ] || fail "another server's socket is gone"
kill -9 $first
wait $first || true
"$BERTC" serve mood.so --listen unix:s --listen 127.0.0.1:0 2>log & second=$!
for _ in $(seq 100); do ! grep -q ready log || break; sleep 0.1; done
grep -q 'listening at http://127.0.0.1:[1-9]' log || fail "no port: $(cat log)"
kill $second
wait $second || fail "status $? of a server that was told to end: $(cat log)"
[ ! -e s ] || fail "its socket is left"
