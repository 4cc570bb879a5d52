#!/bin/sh
# smoke.sh PROGRAMS: that the benchmark runs and that the contenders agree, on a model of two layers. Times are not looked at.
# A part is left out where ONNX Runtime, or Python's onnx, is not here.
set -eu
programs=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$programs/bertc" synth bert-tiny -o "$work/lengths" >/dev/null
"$programs/bertc" compile "$work/lengths" --mcpu native -o "$work/lengths.so" --seq 16 >/dev/null
lengths=$("$programs/bench_lengths" --to 16 --rounds 2 --worst-from 1 "$work/lengths.so" "$work/lengths.so")
[ "$(printf '%s\n' "$lengths" | grep -c '^| *[0-9]')" = 16 ]
[ "$(printf '%s\n' "$lengths" | grep -c 'of the work')" = 4 ]
kernels=$("$programs/bench_kernels" --seq 8 --batch 2 --rounds 1 "$(dirname "$0")/kernels/products.ir")
[ "$(printf '%s\n' "$kernels" | grep -c ' outer ')" = 2 ]
"$programs/bench_figures" --work "$work" --json bert-tiny | grep -q '"verify_seconds"'
alone=$("$programs/bench_compare" --work "$work" --peers none --rounds 2 --shapes tiny,tiny-ragged,tiny-bf16,tiny-int8,tiny-int8w --threads 1)
[ "$(printf '%s\n' "$alone" | grep -c '^| tiny')" = 5 ]
steps=$("$programs/bench_compare" --work "$work" --peers none --rounds 1 --shapes train-tiny --threads 1 --json)
printf '%s\n' "$steps" | grep -q '"anonymous_megabytes"'
if command -v python3 >/dev/null 2>&1; then
    versions=$(python3 "$(dirname "$0")/versions.py" "$programs" "$programs" --rounds 1 --work "$work" --shapes tiny,tiny-ragged --threads 1)
    [ "$(printf '%s\n' "$versions" | grep -c '^| tiny')" = 2 ]
fi
if ! "$programs/bench_compare" --peers ort --probe 2>/dev/null; then
    SOURCE=$(dirname "$0")/../.. CASE=bench/smoke
    . "$SOURCE/tests/cli/lib.sh"
    skip_part peers "ONNX Runtime, or Python's onnx"
    exit 0
fi
with=$("$programs/bench_compare" --work "$work" --peers ort --rounds 2 --json --threads 1,2 \
    --shapes tiny,tiny-ragged,tiny-classify,tiny-int8,tiny-start)
[ "$(printf '%s\n' "$with" | grep -c '"times_best_ort"')" = 8 ]
[ "$(printf '%s\n' "$with" | grep -c '"beyond_one_call_milliseconds"')" = 6 ]
