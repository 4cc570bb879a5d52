# What config_sentence_transformers.json says of embeddings: how many numbers, how they are compared, which prompts
# there are. The numbers are sentence-transformers 6.0's.
FOLDER=$SOURCE/tests/models/cases/st-max
mkdir st
for file in "$FOLDER"/*; do ln -s "$file" st/; done
settings() {
    rm -f st/config_sentence_transformers.json
    printf '%s\n' "$1" >st/config_sentence_transformers.json
}
settings '{"truncate_dim": 4}'
succeeds "$BERTC" run st "one two three"
expect '^-0\.43739[67][0-9]* -0\.20008[0-9]* 1\.17530[78][0-9]* -0\.36254[0-9]*$'
succeeds "$BERTC" compile st --mcpu native -o four.so
succeeds "$BERTC" run four.so --normalize --json "one two three"
expect '^\{"embedding": \[-0\.33119[56][0-9]*, -0\.15150[0-9]*, 0\.88994[0-9]*, -0\.27451[89][0-9]*\]\}$'
succeeds "$BERTC" run four.so --dimensions 16 "one two three"
[ "$(wc -w <out)" = 16 ] || fail "$(cat out)"
succeeds "$BERTC" inspect four.so
expect '^embedding  4 numbers, the first of 16, compared by cosine$'
# By the command line: when it is compiled, and when it is run.
settings '{}'
succeeds "$BERTC" compile st --mcpu native -o three.so --dimensions 3 --normalize
succeeds "$BERTC" run three.so "one two three"
expect '^-0\.34442[78][0-9]* -0\.15755[0-9]* 0\.925497[0-9]*$'
printf 'one two three\nhello world\n' >texts.txt
succeeds "$BERTC" run three.so --input texts.txt --dimensions 5 --output five.npy
grep -aq "'shape': (2, 5), " five.npy || fail "$(head -1 five.npy)"
[ "$(wc -c <five.npy)" = $((128 + 2 * 5 * 4)) ] || fail "$(wc -c five.npy)"
rejects 1 'dimensions: is 17, and the model.s embeddings have 16 numbers' "$BERTC" run three.so --dimensions 17 "a"
rejects 1 'dimensions: is 17, and the model.s embeddings have 16 numbers' "$BERTC" compile st -o no.so --dimensions 17
rejects 1 'normalize: is for embeddings' "$BERTC" run "$MODEL" --normalize "a"
rejects 1 'dimensions: is for embeddings' "$BERTC" compile "$MODEL" -o no.so --dimensions 4
rejects 2 'dimensions' "$BERTC" run three.so --dimensions 0 "a"
# Python's slices: all but the last 12; more than there are are all; none is nothing.
settings '{"truncate_dim": -12}'
succeeds "$BERTC" run st "one two three"
expect '^-0\.43739[67][0-9]* -0\.20008[0-9]* 1\.17530[78][0-9]* -0\.36254[0-9]*$'
settings '{"truncate_dim": 100}'
succeeds "$BERTC" run st "one two three"
[ "$(wc -w <out)" = 16 ] || fail "$(cat out)"
settings '{"truncate_dim": 0}'
rejects 1 'truncate_dim: is 0' "$BERTC" run st "one two three"
settings '{"truncate_dim": -16}'
rejects 1 'truncate_dim leaves nothing' "$BERTC" run st "one two three"
settings '{"truncate_dim": "4"}'
rejects 1 'truncate_dim: is a string' "$BERTC" run st "one two three"

# How they are compared.
printf 'one two three\n' >query.txt
printf 'hello world\nfour\n' >corpus.txt
compared() { # compared SETTING FIRST SECOND [OPTION]...: the likenesses, best first
    settings "$1"
    first=$2 second=$3
    shift 3
    succeeds "$BERTC" run st --similar query.txt "$@" corpus.txt
    sed -n 2p out | grep -Eq "^ +$first  " || fail "no $first: $(cat out)"
    sed -n 3p out | grep -Eq "^ +$second  " || fail "no $second: $(cat out)"
}
compared '{}' 0.9813 0.9760
compared '{"similarity_fn_name": null}' 0.9813 0.9760
compared '{"similarity_fn_name": "cosine"}' 0.9813 0.9760
compared '{"similarity_fn_name": "dot"}' 46.6300 41.2625
compared '{"similarity_fn_name": "euclidean"}' -1.3133 -1.5852
compared '{"similarity_fn_name": "manhattan"}' -4.5738 -5.0573
compared '{"similarity_fn_name": "dot"}' -4.5738 -5.0573 --similarity manhattan
compared '{"truncate_dim": 4}' 0.8585 0.8548
compared '{}' 0.9813 0.9760 --normalize --similarity dot
for name in '"dot_product"' '"Cosine"' '"nosuch"' 7; do # as there, but not without a word
    compared "{\"similarity_fn_name\": $name}" 0.9813 0.9760
    grep -q 'note: .*similarity_fn_name: .* taken for cosine' err || fail "no note: $(cat err)"
done
settings '{"similarity_fn_name": "dot"}'
succeeds "$BERTC" inspect st
expect '^embedding  16 numbers, compared by dot$'
rejects 2 "'l2' is none of cosine, dot, euclidean, manhattan" "$BERTC" run st --similar query.txt --similarity l2 corpus.txt
rejects 2 'goes with --similar' "$BERTC" run st --similarity dot "a"

# An empty `query` and `document` are there without being named.
settings '{"prompts": {}, "default_prompt_name": "query"}'
succeeds "$BERTC" run st "one two three"
cp out bare
succeeds "$BERTC" inspect st
expect '^prompts    query "" \(default\)$'
expect '^ +document ""$'
rm st/config_sentence_transformers.json
for name in query document; do
    succeeds "$BERTC" run st --prompt-name $name "one two three"
    cmp -s out bare || fail "$name: $(cat out)"
done
settings '{"prompts": {"query": null, "a": "x: "}}'
succeeds "$BERTC" run st --prompt-name query "one two three"
cmp -s out bare || fail "query: $(cat out)"
rejects 1 'has no prompt `nosuch`; it has query, a, document' "$BERTC" run st --prompt-name nosuch "one"
settings '{"prompts": {"a": "x: "}, "default_prompt_name": "nosuch"}'
rejects 1 'default_prompt_name: "nosuch" is none of the prompts' "$BERTC" run st "one"
# Of any encoder.
succeeds "$BERTC" run "$MODEL" --head embedding --prompt-name document --dimensions 3 "one"
[ "$(wc -w <out)" = 3 ] || fail "$(cat out)"
# A search puts the folder's own prompt before the corpus, not the empty one.
settings '{"prompts": {"passage": "hello world "}}'
succeeds "$BERTC" run st --similar corpus.txt --similarity euclidean corpus.txt
grep -q ' -0\.0000  ' out && fail "no prompt: $(cat out)"
true
