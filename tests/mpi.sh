#!/bin/sh
# mpi.sh BERTC: every task of bertc train as 2, 3 and 4 processes against one with the same batches, in an empty folder of its own.
set -eu
BERTC=$(realpath "$1")
SOURCE=$(cd "$(dirname "$0")/.." && pwd)
CASE=mpi SHARED=
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
. "$SOURCE/tests/cli/lib.sh"
. "$SOURCE/tests/cli/mpi.sh"
needs_mpi

for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do
    more=$(printf 'and on %.0s' $(seq $((i % 5 + 1))))
    printf '{"sentence1": "number %s %s", "sentence2": "a film", "label": %s.5}\n' $i "$more" $((i % 3)) >>regress.jsonl
    printf '{"tokens": ["Ann", "saw", "%s", "films", "in", "Rome"], "ner_tags": ["B-PER", "O", "O", "O", "O", "B-LOC"]}\n' $i >>tag.jsonl
    printf '{"question": "how many films?", "context": "She saw %s %s films.", "answers": {"text": ["%s"], "answer_start": [8]}}\n' $i "$more" $i >>answer.jsonl
    printf '{"anchor": "number %s", "positive": "film %s %s"}\n' $i $i "$more" >>embed.jsonl
    printf '{"sentence1": "number %s", "sentence2": "film %s", "score": 0.%s}\n' $i $i $((i % 10)) >>pairs.jsonl
    printf 'the film number %s is long %s\nand the next one is not.\nIt was seen twice.\n\n' $i "$more" >>text.txt
done
sed 's/"label": "good"/"labels": ["good", "long"]/; s/"label": "bad"/"labels": []/' train.jsonl >several.jsonl

# compare NAME NUMBERS OPTION...: 12 examples a step, of one process and of so many
compare() {
    name=$1 numbers=$2
    shift 2
    set -- "$@" --learning-rate 0.01 --max-steps 5 -j 1
    succeeds "$BERTC" train bert "$@" --per-device-train-batch-size 12 -o "$name-1"
    for n in $numbers; do
        together $n "$@" --per-device-train-batch-size $((12 / n)) -o "$name-$n"
        same_curve "$name-1" "$name-$n"
    done
    say "$name: as one process"
}
say() { printf '%s\n' "$*"; }
compare classify '2 3 4' --task classify --train train.jsonl --dev train.jsonl
set -- --task classify --train train.jsonl --learning-rate 0.01 --max-steps 5 -j 1
succeeds "$BERTC" train bert "$@" --per-device-train-batch-size 4 --gradient-accumulation-steps 3 -o micro-1
together 2 "$@" --per-device-train-batch-size 2 --gradient-accumulation-steps 3 -o micro-2
same_curve micro-1 micro-2
succeeds "$BERTC" train bert "$@" --batch-tokens 120 -o tokens-1
together 3 "$@" --batch-tokens 40 -o tokens-3
same_curve tokens-1 tokens-3
say "micro-batches, and batches by tokens: as one process"
compare several 3 --task classify --problem-type multi_label_classification --train several.jsonl
compare regress 2 --task regress --train regress.jsonl --dev regress.jsonl
compare tag 3 --task tag --train tag.jsonl --dev tag.jsonl --label-all-tokens
compare answer 2 --task answer --train answer.jsonl --dev answer.jsonl --max-seq-length 32
compare pairs 3 --task embed --train pairs.jsonl --dev pairs.jsonl
compare mlm 4 --task mlm --train text.txt --dev text.txt
compare pretrain 3 --task pretrain --train text.txt --max-seq-length 32

# A text finds its own among its process's texts: n processes are n micro-batches of one.
set -- --task embed --train embed.jsonl --learning-rate 0.01 --max-steps 4 --no-shuffle -j 1
for n in 2 3; do
    head -$((4 * n)) embed.jsonl >whole.jsonl
    succeeds "$BERTC" train bert "$@" --train whole.jsonl --per-device-train-batch-size 4 --gradient-accumulation-steps $n -o embed-one-$n
    together $n "$@" --train whole.jsonl --per-device-train-batch-size 4 -o embed-$n
    same_curve embed-one-$n embed-$n
done
# The same numbers are drawn, too.
sed -i 's/"hidden_dropout_prob": 0.0/"hidden_dropout_prob": 0.3/' bert/config.json
succeeds "$BERTC" train bert "$@" --train whole.jsonl --per-device-train-batch-size 4 --gradient-accumulation-steps 3 -o drop-1
together 3 "$@" --train whole.jsonl --per-device-train-batch-size 4 -o drop-3
same_curve drop-1 drop-3
say "embed: as micro-batches of one process"
