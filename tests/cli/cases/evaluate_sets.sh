# evaluate on the trained checkpoints' dev sets: for SST-2 and STS-B what Transformers has with the same weights; of the larger sets a part, with
# the figures that seqeval's and SQuAD's rules in Python give for the answers of `bertc run`.
for model in mini-sst2 small-ner small-qa small-sts; do
    [ -d "$SHARED/models/$model" ] || skip shared "the trained checkpoints"
done
[ -e "$SHARED/data/squad.dev.jsonl.xz" ] || skip shared "the dev sets"
command -v xzcat >/dev/null || skip tools "xzcat"
set_of() {
    xzcat "$SHARED/data/$1.dev.jsonl.xz"
}
evaluates() { # evaluates MODEL OPTION...: standard input, as JSON in ./out
    model=$1
    shift
    "$BERTC" evaluate "$SHARED/models/$model" --mcpu native --data - --json "$@" >out 2>err || fail "$model: $(cat err)"
}
set_of sst2 | evaluates mini-sst2 --max-tokens 128
expect '"examples": 872,.*"accuracy": 0\.84288[0-9]*,' # 735
set_of ner | awk 'NR % 4 == 1' | evaluates small-ner --max-tokens 128
expect '"examples": 650,.*"f1": 0\.79704[78][0-9]*, "precision": 0\.790484[0-9]*,.*"f1_macro": 0\.793786'
grep -q '14 words at the end' err || fail "$(cat err)"
set_of sts | evaluates small-sts --max-tokens 128
expect '"examples": 1500,.*"spearman": 0\.7766[5-9]'
set_of squad | awk 'NR % 100 == 1' | evaluates small-qa --max-tokens 384 --seq 384
expect '"examples": 106,.*"f1": 0\.80188[0-9]*, "exact_match": 0\.68867[0-9]*'
