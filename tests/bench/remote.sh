#!/bin/sh
# On a machine that has neither LLVM nor this project: unpacks the programs beside this script (`sh setup.sh portable` made them)
# and prints the table against the peers that Python finds there (onnxruntime, torch).
#
#   sh remote.sh [OPTION of bench_compare]...     default: --shapes base-128 --threads 1,4,8,16
#   sh remote.sh tests [NAME [CASE]]                the tests that need nothing else: ops, bits, conformance
#   sh remote.sh tokenizers TEXT_FILE TOKENIZER...  against Hugging Face tokenizers instead: see tokenizer_speed.py
#
# Files of some GB go to BERTC_BENCH_WORK (default: a folder under /tmp, removed at the end).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${BERTC_BENCH_PYTHON:-python3}
if [ -n "${BERTC_BENCH_WORK:-}" ]; then
    work=$BERTC_BENCH_WORK
    mkdir -p "$work"
else
    work=$(mktemp -d /tmp/bertc-bench.XXXXXX)
    trap 'rm -rf "$work"' EXIT
fi
tar -xJf "$here/programs.tar.xz" -C "$work" 2>/dev/null ||
    "$python" -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$here/programs.tar.xz" "$work"
programs=$work/programs

grep -m1 'model name' /proc/cpuinfo || true
echo "CPUs $(getconf _NPROCESSORS_ONLN), $("$programs/bertc" --version), load $(cut -d' ' -f1-3 /proc/loadavg)"
if [ "${1:-}" = tests ]; then
    shift
    status=0
    "$programs/bertc_tests" "$@" || status=$?
    exit $status
fi
if [ "${1:-}" = tokenizers ]; then
    shift
    "$python" "$programs/tokenizer_speed.py" "$@"
    exit
fi
"$python" -c 'import onnxruntime; print("ONNX Runtime", onnxruntime.__version__)' 2>/dev/null || echo "no ONNX Runtime for Python"
"$python" -c 'import torch; print("PyTorch", torch.__version__)' 2>/dev/null || echo "no PyTorch"
# Artefacts need a linker; without one, only what bertc compiles in memory can be timed.
if ! command -v ld >/dev/null 2>&1 && ! command -v ld.lld >/dev/null 2>&1 && ! command -v cc >/dev/null 2>&1; then
    echo "no linker here: bertc bench alone, without peers"
    "$programs/bertc" synth bert-base -o "$work/base"
    "$programs/bertc" bench "$work/base" --seq 32,128,384,512 --threads 1,2,4,8,16 --profile
    exit 0
fi
[ $# -gt 0 ] || set -- --shapes base-128 --threads 1,4,8,16
"$programs/bench_compare" --work "$work/files" --scripts "$programs" --ort python --python "$python" "$@"
