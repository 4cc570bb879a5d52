#!/bin/sh
# compilers.sh BERTC OTHER: two bertc, made by different compilers, write the same graphs of every model of tests/models. C leaves open in
# which order arguments are computed, so what makes nodes must not stand in two arguments of one call.
set -eu
first=$(realpath "$1") second=$(realpath "$2")
cd "$(dirname "$0")/models"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
count=0 bad=0
for config in */*/config.json; do
    folder=$(dirname "$config")
    "$first" compile "$folder" --emit ir --stage packed --mcpu x86-64-v3 -o "$out/a" >/dev/null 2>&1 || continue
    "$second" compile "$folder" --emit ir --stage packed --mcpu x86-64-v3 -o "$out/b" >/dev/null 2>&1 || true
    count=$((count + 1))
    cmp -s "$out/a" "$out/b" || {
        printf '%s\n' "$folder: another graph"
        bad=$((bad + 1))
    }
    rm -f "$out/a" "$out/b"
done
printf '%s graphs, %s of them different\n' "$count" "$bad"
[ "$count" -gt 50 ] && [ "$bad" = 0 ]
