#!/bin/sh
# Sets up bertc on Debian 12 or 13 or Ubuntu 24.04: installs what is missing, builds, and runs what is asked for.
#
#   sh setup.sh demo     builds, compiles the bundled model, answers three sentences with it
#   sh setup.sh test     builds with its tests, and passes every one; `test PATTERN`: those whose name matches alone
#   sh setup.sh build    builds alone: build/frontend/cli/bertc; `build tests`: the test programs too, build/tests/...
#   sh setup.sh deps     installs what the build needs, and stops
#   sh setup.sh matrix   what CI adds to `test`: the format, a third of the tests with LLVM 19, and another under sanitizers
#   sh setup.sh full     everything, in parts of less than an hour each; `full PART...`: one or some of format llvm19
#                        sanitize1 sanitize2 sanitize3 thread fuzz browser clients aarch64 minimal wheel mpi compilers packages
#                        repeat quality test
#   sh setup.sh bench    bertc against ONNX Runtime: every figure of docs/benchmarks.md, or what OPTIONS of bench_compare say
#   sh setup.sh portable one static bertc and the benchmark, to be carried to another machine: build-portable/portable
#   sh setup.sh packages bertc, libbertc, libbertc-dev and python3-bertc as .deb: build-packages
#   sh setup.sh wheel    the Python package with its own bertc and libbertc: build-wheel/dist
#
# BERTC_LLVM=19..22 picks the LLVM (default: the newest that is installed, or that can be). BERTC_REQUIRE=avx512,shared,... makes
# it a failure that tests are left out for want of these (tests/README.md). It can be run again at any time.
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
    for library in libcjson libutf8proc libpcre2-8 libmicrohttpd zlib check; do
        pkg-config --exists "$library" || die "the library $library (for development) is missing"
    done
    printf '#include <csv.h>\n' | cc -E - >/dev/null 2>&1 || die "the library libcsv (for development) is missing"
}

dependencies() {
    if ! command -v apt-get >/dev/null 2>&1; then
        say "this is no Debian or Ubuntu: looking for what is needed (LLVM 19 to 22 for development, lld, cmake, pkg-config, a C17 compiler, cJSON, libcsv, libmicrohttpd, zlib, utf8proc, PCRE2, Check)"
        tools_on_other_systems
        return
    fi
    # Lists are fetched once, and only where a package is missing.
    llvm=$(choose_llvm)
    if [ -z "$llvm" ] || ! have_package "llvm-$llvm-dev" || ! have_package check || ! have_package libcjson-dev || ! have_package libcsv-dev || ! have_package libmicrohttpd-dev || ! have_package zlib1g-dev; then
        [ "$(id -u)" = 0 ] || command -v sudo >/dev/null 2>&1 || die "packages are missing, and this is not root and has no sudo"
        root apt-get update -qq
        llvm=$(choose_llvm)
    fi
    [ -n "$llvm" ] || die "no LLVM 19 to 22 is installed or offered by this system's packages"
    need gcc libc6-dev cmake ninja-build pkg-config "llvm-$llvm-dev" libcjson-dev libcsv-dev libmicrohttpd-dev libutf8proc-dev libpcre2-dev zlib1g-dev check
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

# A build folder that has tests keeps them, and they are built again: pages name these programs.
build() {
    if [ $# = 0 ] && [ ! -e build/CMakeCache.txt ]; then set -- -DBERTC_WERROR=OFF -DBUILD_TESTING=OFF; fi
    configure build -DCMAKE_BUILD_TYPE=Release "$@"
    cmake --build build -j "$(jobs)"
}

build_tests() {
    build -DBERTC_WERROR=ON -DBUILD_TESTING=ON
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

# What was left out, and for want of what: a line a kind, with the programs and how many of their tests or parts of tests.
left_out() { # FILE: lines "kind<TAB>program: what"
    if [ ! -s "$1" ]; then
        say "Nothing was left out."
        return
    fi
    say "Left out, for want of:"
    awk -F '\t' '
        { program = $2; sub(/:.*/, "", program); count[$1, program]++
          if (!(($1, program) in seen)) { seen[$1, program]; programs[$1] = programs[$1] " " program } }
        END { for (kind in programs) {
            n = split(programs[kind], list, " "); text = ""
            for (i = 1; i <= n; i++) text = text (i > 1 ? ", " : "") list[i] " " count[kind, list[i]]
            printf "  %-8s %s\n", kind, text } }' "$1" | sort
}

# Ends with the test runner's summary.
run_tests() { # FOLDER [CTEST-OPTION...]
    folder=$1
    shift
    BERTC_SKIPS=$PWD/$folder/left_out
    export BERTC_SKIPS
    : >"$BERTC_SKIPS"
    status=0
    { ctest --test-dir "$folder" --no-tests=error --output-on-failure -j "$(jobs)" "$@" || echo $? >"$folder/failed"; } |
        tee "$folder/tests.log"
    if [ -e "$folder/failed" ]; then
        status=1
        rm "$folder/failed"
    fi
    say ""
    left_out "$BERTC_SKIPS"
    say ""
    grep -E '^[0-9]+% tests passed' "$folder/tests.log" || status=1
    return $status
}

tests() { # [PATTERN]
    build_tests
    run_tests build ${1:+-R "$1"}
}

# As .clang-format says, by the version whose output CI holds everybody to.
format() {
    need clang-format-19
    find backend examples frontend ir passes runtime tests \( -name '*.[ch]' -o -name '*.[ch]pp' \) -exec clang-format-19 --dry-run -Werror {} + ||
        die "not formatted: clang-format-19 -i FILE"
}

build_llvm19() {
    need llvm-19-dev
    BERTC_LLVM=19 configure build-llvm19 -DCMAKE_BUILD_TYPE=Release -DBERTC_WERROR=ON -DBUILD_TESTING=ON
    cmake --build build-llvm19 -j "$(jobs)"
}

# Debug is -O1 here: without any optimisation the tests of gradients, which run the reference evaluator, take more than twice as long.
build_sanitized() { # FOLDER address|thread BUILD-TYPE
    need clang-19 libclang-rt-19-dev
    CC=clang-19 configure "$1" -DCMAKE_BUILD_TYPE="$3" -DCMAKE_C_FLAGS_DEBUG="-g -O1" -DBERTC_WERROR=ON -DBUILD_TESTING=ON \
        -DBERTC_SANITIZE="$2"
    cmake --build "$1" -j "$(jobs)"
}

# 1, 2 or 3: which third of the tests this commit's turn is. BERTC_THIRD says it otherwise.
third() {
    if [ -n "${BERTC_THIRD:-}" ]; then
        say "$BERTC_THIRD"
        return
    fi
    hash=$(git rev-parse --short=6 HEAD 2>/dev/null) || hash=000000
    say $((0x$(say "$hash" | cut -c1-6) % 3 + 1))
}

# Every third test with LLVM 19, and every third under sanitizers, from a first one that the commit's hash picks, so that in time
# each has its turn. models/test_conformance compiles every case for every ISA, and models/test_precision in every precision, which
# takes a third of an hour under sanitizers: `test` and `full` run them.
LONG='models/test_(conformance|precision)'
matrix() {
    format
    of=$(third)
    say "third $of of the tests under sanitizers, third $((of % 3 + 1)) with LLVM 19"
    build_llvm19
    run_tests build-llvm19 -I "$((of % 3 + 1)),,3" -E "$LONG"
    build_sanitized build-sanitize address Debug
    run_tests build-sanitize -I "$of,,3" -E "$LONG"
}

. tests/full.sh

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
    [ $# -eq 0 ] || return 0
    for dtype in f32 bf16 int8 int8w; do
        say "$dtype"
        build/frontend/cli/bench_figures --work build/bench --dtype $dtype bert-base minilm-l6 examples/models/mini-sst2
    done
}

# debian_source PACKAGE FOLDER: a source package of Debian's, through lists of sources kept beside the build.
debian_source() {
    [ ! -e "build-portable/$2" ] || return 0
    apt=$PWD/build-portable/apt
    rm -rf "$apt"
    mkdir -p "$apt/parts" "$apt/lists/partial"
    for list in debian ubuntu; do
        from=/etc/apt/sources.list.d/$list.sources
        [ ! -e "$from" ] || sed 's/^Types:.*/Types: deb-src/' "$from" >"$apt/parts/$list.sources"
    done
    [ ! -s /etc/apt/sources.list ] || sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$apt/parts/main.list"
    set -- "$1" "$2" -qq -o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$apt/parts" -o "Dir::State::Lists=$apt/lists"
    package=$1 folder=$2
    shift 2
    apt-get "$@" update && (cd "$apt" && apt-get "$@" source "$package" >/dev/null 2>&1) || die "could not fetch $package's source package"
    mv "$apt/$package"-*/ "build-portable/$folder"
    rm -rf "$apt"
}

# bertc, libbertc, libbertc-dev and python3-bertc as .deb: build-packages/*.deb. Without MPI, which few need and which is large.
packages() {
    need dpkg-dev file
    configure build-packages -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DBERTC_MPI=OFF -DCMAKE_INSTALL_PREFIX=/usr
    cmake --build build-packages -j "$(jobs)"
    rm -f build-packages/*.deb
    (cd build-packages && cpack -G DEB >cpack.log 2>&1) || die "cpack failed: build-packages/cpack.log"
    ls -l build-packages/*.deb
}

# Debian's static libmicrohttpd needs GnuTLS, of which there is no static library: it is built again without TLS.
microhttpd_source() {
    debian_source libmicrohttpd microhttpd
    [ ! -e build-portable/microhttpd/src/microhttpd/.libs/libmicrohttpd.a ] || return 0
    (cd build-portable/microhttpd && ./configure --disable-https --disable-shared --enable-static --disable-doc --disable-examples \
        --disable-curl --disable-tools --disable-dauth --disable-bauth --disable-postprocessor --disable-httpupgrade &&
        make -j "$(jobs)" -C src/microhttpd libmicrohttpd.la) >build-portable/microhttpd.log 2>&1 ||
        die "could not build libmicrohttpd: build-portable/microhttpd.log"
}

portable() {
    need libzstd-dev zlib1g-dev dpkg-dev g++ make
    debian_source cjson cjson # of which Debian has no static library
    microhttpd_source
    configure build-portable -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DBERTC_PORTABLE=ON \
        -DBERTC_CJSON_SOURCE="$PWD/build-portable/cjson" -DBERTC_MICROHTTPD_SOURCE="$PWD/build-portable/microhttpd"
    cmake --build build-portable -j "$(jobs)" --target portable
    ls -l build-portable/portable
}

# A Python wheel with the static bertc and a libbertc.so that needs libc alone: build-wheel/dist/bertc-*.whl
wheel() {
    need python3 python3-setuptools python3-wheel libzstd-dev zlib1g-dev dpkg-dev g++ make
    debian_source cjson cjson
    microhttpd_source
    configure build-portable -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DBERTC_PORTABLE=ON \
        -DBERTC_CJSON_SOURCE="$PWD/build-portable/cjson" -DBERTC_MICROHTTPD_SOURCE="$PWD/build-portable/microhttpd"
    cmake --build build-portable -j "$(jobs)" --target bertc
    configure build -DCMAKE_BUILD_TYPE=Release
    cmake --build build -j "$(jobs)" --target bertc_bundled
    rm -rf build-wheel
    mkdir build-wheel
    cp -r frontend/python/. build-wheel/
    mkdir -p build-wheel/bertc/bin build-wheel/bertc/lib build-wheel/bertc/licenses
    cp build-portable/frontend/cli/bertc build-wheel/bertc/bin/
    cp build/bundled/libbertc.so build-wheel/bertc/lib/
    sed -n 's/^project(bertc VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt >build-wheel/bertc/VERSION
    cp LICENSE build-wheel/bertc/licenses/bertc
    for package in "llvm-$(choose_llvm)-dev" libcjson-dev libcsv-dev libmicrohttpd-dev libutf8proc-dev libpcre2-dev libzstd-dev zlib1g-dev; do
        [ ! -e "/usr/share/doc/$package/copyright" ] || cp "/usr/share/doc/$package/copyright" "build-wheel/bertc/licenses/$package"
    done
    (cd build-wheel && /usr/bin/python3 setup.py -q bdist_wheel >log 2>&1) || {
        cat build-wheel/log >&2
        die "could not build the wheel"
    }
    ls build-wheel/dist/bertc-*.whl
}

case "${1:-}" in
deps) dependencies ;;
build)
    dependencies
    case ${2:-} in
    '') build ;;
    tests) build_tests ;;
    *) die "build takes nothing, or \`tests\`" ;;
    esac
    ;;
demo)
    dependencies
    demo
    ;;
test)
    dependencies
    tests "${2:-}"
    ;;
full)
    shift
    dependencies
    full "$@"
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
packages)
    dependencies
    packages
    ;;
wheel)
    dependencies
    wheel
    ;;
*)
    sed -n '2,17p' "$0" | sed 's/^# \{0,1\}//'
    exit 2
    ;;
esac
