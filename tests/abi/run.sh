#!/bin/sh
# run.sh SOURCE BUILD CC: an application that was built with earlier headers, and artefacts of an earlier compiler, work
# with this library, shared and static. What is kept here is never renewed: docs/abi.md, "What may grow".
set -eu
SOURCE=$1 build=$2 cc=$3 kept=$1/tests/abi CASE=abi/kept
. "$SOURCE/tests/cli/lib.sh"
[ "$(uname -m)" = x86_64 ] || skip generic "tests/abi/model.so holds code for x86-64"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
common="-std=c11 -Wall -Wextra -Werror -Wno-missing-field-initializers -I$kept/include $kept/program.c"
# shellcheck disable=SC2086,SC2046 # lists of words
$cc $common -o "$work/shared" -L"$build/runtime" -lbertc -Wl,-rpath,"$build/runtime"
# shellcheck disable=SC2086,SC2046
$cc $common -o "$work/static" "$build/runtime/libbertc.a" $(pkg-config --libs libutf8proc libpcre2-8) -lpthread -lm
for program in shared static; do
    for level in generic avx2; do
        if [ $level = avx2 ] && ! grep -qw avx2 /proc/cpuinfo; then
            skip_part avx2 "the kept artefacts' code for it"
            continue
        fi
        BERTC_ISA=$level "$work/$program" "$kept/model.so" "$kept/states.so" >"$work/out" ||
            fail "$program, $level: the kept program fails on a kept artefact: $(tail -1 "$work/out")"
        diff "$kept/answers.txt" "$work/out" || fail "$program, $level: other answers than those kept"
    done
done
