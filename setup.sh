#!/bin/sh
# Sets up bertc on Debian 12 or 13 or Ubuntu 24.04: installs what is missing, builds, and runs what is asked for.
#
#   sh setup.sh demo     builds, compiles the bundled model, answers three sentences with it
#   sh setup.sh test     builds with its tests, and passes every one
#   sh setup.sh build    builds alone: build/frontend/cli/bertc
#   sh setup.sh deps     installs what the build needs, and stops
#   sh setup.sh matrix   what CI adds to `test`: the format, a third of the tests with LLVM 19, and under sanitizers
#   sh setup.sh bench    bertc against ONNX Runtime: every figure of docs/benchmarks.md, or what OPTIONS of bench_compare say
#   sh setup.sh portable one static bertc and the benchmark, to be carried to another machine: build-portable/portable
#
# BERTC_LLVM=19..22 picks the LLVM (default: the newest that is installed, or that can be). It can be run again at any time.
set -eu
cd "$(dirname "$0")"

say() { printf '%s\n' "$*"; }
die() {
    printf 'setup.sh: %s\n' "$*" >&2
    exit 1
}

root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

have_package() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
offered() { apt-cache show "$1" >/dev/null 2>&1; }

# The LLVM major to build with: asked for, else the newest installed, else the newest that the system offers.
choose_llvm() {
    if [ -n "${BERTC_LLVM:-}" ]; then
        say "$BERTC_LLVM"
        return
    fi
    for major in 22 21 20 19; do
        if [ -e "/usr/lib/llvm-$major/lib/cmake/llvm/LLVMConfig.cmake" ]; then
            say "$major"
            return
        fi
    done
    command -v apt-cache >/dev/null 2>&1 || return 0
    for major in 22 21 20 19; do
        if offered "llvm-$major-dev"; then
            say "$major"
            return
        fi
    done
}

# Installs the packages named that are missing.
need() {
    missing=
    for package in "$@"; do
        have_package "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    say "installing:$missing"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null 2>&1 || die "not root and no sudo; please install:$missing"
    # shellcheck disable=SC2086 # one word a package
    root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
        die "could not install:$missing"
}

tools_on_other_systems() {
    for tool in cmake pkg-config cc; do
        command -v "$tool" >/dev/null 2>&1 || die "$tool is missing"
    done
    for library in libcjson libutf8proc libpcre2-8 check; do
        pkg-config --exists "$library" || die "the library $library (for development) is missing"
    done
}

dependencies() {
    if ! command -v apt-get >/dev/null 2>&1; then
        say "this is no Debian or Ubuntu: looking for what is needed (LLVM 19 to 22 for development, lld, cmake, pkg-config, a C17 compiler, cJSON, utf8proc, PCRE2, Check)"
        tools_on_other_systems
        return
    fi
    # Lists are fetched once, and only where a package is missing.
    llvm=$(choose_llvm)
    if [ -z "$llvm" ] || ! have_package "llvm-$llvm-dev" || ! have_package check || ! have_package libcjson-dev; then
        [ "$(id -u)" = 0 ] || command -v sudo >/dev/null 2>&1 || die "packages are missing, and this is not root and has no sudo"
        root apt-get update -qq
        llvm=$(choose_llvm)
    fi
    [ -n "$llvm" ] || die "no LLVM 19 to 22 is installed or offered by this system's packages"
    need gcc libc6-dev cmake ninja-build pkg-config "llvm-$llvm-dev" libcjson-dev libutf8proc-dev libpcre2-dev check
    command -v ld >/dev/null 2>&1 || command -v ld.lld >/dev/null 2>&1 || need "lld-$llvm"
}

jobs() { getconf _NPROCESSORS_ONLN 2>/dev/null || say 2; }

# configure FOLDER OPTION...
configure() {
    folder=$1
    shift
    cmake -S . -B "$folder" -G Ninja -DBERTC_LLVM="${BERTC_LLVM:-}" "$@" >"$folder.log" 2>&1 || {
        cat "$folder.log" >&2
        die "cmake could not configure $folder"
    }
    rm -f "$folder.log"
}

build() {
    configure build -DCMAKE_BUILD_TYPE=Release -DBERTC_WERROR=OFF -DBUILD_TESTING=OFF "$@"
    cmake --build build -j "$(jobs)"
}

demo() {
    build
    out=build/demo
    mkdir -p "$out"
    say ""
    say "bertc compile examples/models/mini-sst2 -o $out/sentiment.so"
    build/frontend/cli/bertc compile examples/models/mini-sst2 -o "$out/sentiment.so"
    say ""
    say "bertc run $out/sentiment.so ..."
    build/frontend/cli/bertc run "$out/sentiment.so" "This movie was amazing!" "The plot was dull and the acting worse." \
        "I want my money back."
}

run_tests() { # FOLDER [CTEST-OPTION...]
    folder=$1
    shift
    ctest --test-dir "$folder" --output-on-failure -j "$(jobs)" "$@"
}

tests() {
    build -DBERTC_WERROR=ON -DBUILD_TESTING=ON
    run_tests build
}

# As .clang-format says, by the version whose output CI holds everybody to.
format() {
    need clang-format-19
    find backend examples frontend ir passes runtime tests -name '*.[ch]' -exec clang-format-19 --dry-run -Werror {} + ||
        die "not formatted: clang-format-19 -i FILE"
}

# Two fixed thirds of the tests: every third one, from the first and from the second. models/test_conformance compiles every case
# for every ISA, which takes a third of an hour under sanitizers: `test` alone runs it.
matrix() {
    format
    need llvm-19-dev clang-19 libclang-rt-19-dev
    BERTC_LLVM=19 configure build-llvm19 -DCMAKE_BUILD_TYPE=Release -DBERTC_WERROR=ON
    cmake --build build-llvm19 -j "$(jobs)"
    run_tests build-llvm19 -I 1,,3 -E models/test_conformance
    CC=clang-19 configure build-sanitize -DCMAKE_BUILD_TYPE=Debug -DBERTC_WERROR=ON -DBERTC_SANITIZE=ON
    cmake --build build-sanitize -j "$(jobs)"
    run_tests build-sanitize -I 2,,3 -E models/test_conformance
}

ORT_PACKAGE=onnxruntime-node@1.30.0

# ONNX Runtime's CPU library comes inside the npm package; nothing of the package is run.
peers() {
    [ -z "${BERTC_BENCH_ORT:-}" ] || return 0
    [ ! -e build/peers/node_modules/onnxruntime-node/package.json ] || return 0
    command -v npm >/dev/null 2>&1 || need npm
    say "fetching $ORT_PACKAGE"
    mkdir -p build/peers
    npm install --prefix build/peers --ignore-scripts --no-audit --no-fund --silent "$ORT_PACKAGE" ||
        die "could not fetch $ORT_PACKAGE"
}

bench() { # [OPTION-OF-BENCH-COMPARE...]
    python3 -c 'import onnx, numpy' 2>/dev/null || need python3-onnx python3-numpy
    configure build -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=ON
    cmake --build build -j "$(jobs)" --target bertc bench_compare bench_figures bertc_peer ort_peer
    peers
    build/frontend/cli/bench_compare --work build/bench "$@"
    [ $# -gt 0 ] || build/frontend/cli/bench_figures --work build/bench bert-base minilm-l6 examples/models/mini-sst2
}

# Debian has no static cJSON: its source package, through lists of sources kept beside the build.
cjson_source() {
    [ ! -e build-portable/cjson/cJSON.c ] || return 0
    apt=$PWD/build-portable/apt
    rm -rf "$apt" build-portable/cjson
    mkdir -p "$apt/parts" "$apt/lists/partial"
    for list in debian ubuntu; do
        from=/etc/apt/sources.list.d/$list.sources
        [ ! -e "$from" ] || sed 's/^Types:.*/Types: deb-src/' "$from" >"$apt/parts/$list.sources"
    done
    [ ! -s /etc/apt/sources.list ] || sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$apt/parts/main.list"
    set -- -qq -o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$apt/parts" -o "Dir::State::Lists=$apt/lists"
    apt-get "$@" update && (cd "$apt" && apt-get "$@" source cjson >/dev/null 2>&1) || die "could not fetch cJSON's source package"
    mv "$apt"/cjson-*/ build-portable/cjson
    rm -rf "$apt"
}

portable() {
    need libzstd-dev zlib1g-dev dpkg-dev g++
    cjson_source
    configure build-portable -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DBERTC_PORTABLE=ON \
        -DBERTC_CJSON_SOURCE="$PWD/build-portable/cjson"
    cmake --build build-portable -j "$(jobs)" --target portable
    ls -l build-portable/portable
}

case "${1:-}" in
deps) dependencies ;;
build)
    dependencies
    build
    ;;
demo)
    dependencies
    demo
    ;;
test)
    dependencies
    tests
    ;;
matrix)
    dependencies
    matrix
    ;;
bench)
    shift
    dependencies
    bench "$@"
    ;;
portable)
    dependencies
    portable
    ;;
*)
    sed -n '2,12p' "$0" | sed 's/^# \{0,1\}//'
    exit 2
    ;;
esac
