#!/bin/sh
# repeat.sh BERTC SOURCE [RUNS]: the same training ten times (or RUNS), on 1, 2 and 3 threads in turn, every run but the first killed
# twice at some moment and resumed: all of them have to leave the same bytes. Then the same once more for masked language models.
set -eu
bertc=$1 source=$2 runs=${3:-10}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# A run in the folder $1/out on $2 threads; the rest are options. It takes the shell's place, so that what is killed is bertc.
train() {
    folder=$1 threads=$2
    shift 2
    mkdir -p "$folder"
    cd "$folder"
    exec "$bertc" train "$source/examples/models/mini-sst2" --train "$source/examples/reviews.jsonl" -o out -j "$threads" \
        --seed 7 --learning-rate 1e-4 --per-device-train-batch-size 4 --save-steps 2 --resume "$@" >/dev/null 2>>errors
}

# How long a whole run took says when the others are killed: somewhere in it, each at another place.
compare() { # NAME OPTIONS
    name=$1
    shift
    begun=$(date +%s%N)
    (train "$name-1" 1 "$@")
    took=$((($(date +%s%N) - begun) / 1000000))
    [ -s "$name-1/out/model.safetensors" ] || { cat "$name-1/errors"; exit 1; }
    i=2
    while [ $i -le "$runs" ]; do
        threads=$(((i - 1) % 3 + 1))
        for part in 1 2; do
            train "$name-$i" $threads "$@" &
            sleep "$(awk "BEGIN { printf \"%.3f\", 0.05 + $took / 1000 * (($i * 7 + $part * 13) % 10) / 10 }")"
            kill -9 $! 2>/dev/null || true
            wait $! 2>/dev/null || true
        done
        (train "$name-$i" $threads "$@")
        diff -r "$name-1/out" "$name-$i/out" || { echo "run $i, on $threads threads, left other bytes"; exit 1; }
        rm -r "$name-$i"
        i=$((i + 1))
    done
    echo "$name: $runs runs, the same bytes"
}

compare classify --task classify --num-train-epochs 6 --dropout 0.1 --gradient-accumulation-steps 2
compare mlm --task mlm --num-train-epochs 4 --whole-word-mask
