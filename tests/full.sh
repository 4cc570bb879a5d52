# The full run: what takes too long for every change, in parts of less than an hour each. setup.sh reads this file and has the
# functions that it calls; `sh setup.sh full PART...` runs it.

# What runs on several threads: pool, sessions, batches of the command.
THREADED='unit/test_(threads|thread_calls|session|answer|windows|allocations|fork|trainer)|models/test_(bits|sentences)|cli/(batch|batch_npy|similar|spared|interrupted|train|test_serve)'

thread_tests() {
    build_sanitized build-thread thread RelWithDebInfo
    TSAN_OPTIONS=die_after_fork=0 run_tests build-thread -R "^($THREADED)\$"
}

# Each fuzz target for a minute, from tests/fuzz/corpus and from what earlier runs found (build-fuzz/found, not kept by git).
fuzz() {
    need clang-19 libclang-rt-19-dev
    CC=clang-19 configure build-fuzz -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBERTC_SANITIZE=address -DBERTC_FUZZ=ON -DBUILD_TESTING=ON
    failed=
    for source in tests/fuzz/fuzz_*.c; do
        name=$(basename "$source" .c)
        cmake --build build-fuzz -j "$(jobs)" --target "$name"
        mkdir -p "build-fuzz/found/$name"
        say "$name for ${BERTC_FUZZ_SECONDS:-60} s"
        (cd build-fuzz && tests/"$name" -max_total_time="${BERTC_FUZZ_SECONDS:-60}" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 \
            -artifact_prefix="$name-" "found/$name" ../tests/fuzz/corpus/"${name#fuzz_}" >"$name.log" 2>&1) || failed="$failed $name"
        grep -E 'stat::number_of_executed_units|SUMMARY|Test unit written' "build-fuzz/$name.log" || true
    done
    [ -z "$failed" ] || die "failed:$failed (build-fuzz/NAME.log; the input lies beside it)"
}

# bertc train as several processes, in every task. MPI is installed for this alone: a build without it does everything else.
mpi() {
    need libopenmpi-dev openmpi-bin
    build_tests
    sh tests/mpi.sh build/frontend/cli/bertc
    BERTC_REQUIRE=mpi run_tests build -R '^cli/mpi$'
}

# The graphs that a bertc built by clang makes are those of one built by gcc.
compilers() {
    need clang-19
    build
    CC=clang-19 configure build-clang -DCMAKE_BUILD_TYPE=Release -DBERTC_WERROR=ON -DBUILD_TESTING=OFF
    cmake --build build-clang -j "$(jobs)" --target bertc
    sh tests/compilers.sh build/frontend/cli/bertc build-clang/frontend/cli/bertc
}

# The trained checkpoints on their whole dev sets, in every precision and for each arithmetic class of this machine, against float32.
quality() {
    need xz-utils
    configure build -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=ON
    cmake --build build -j "$(jobs)" --target models_test_quality_dtypes
    build/tests/models_test_quality_dtypes --all --svg build/quality.svg "$@"
}

# The same training again and again, killed and resumed, on other numbers of threads: the same bytes.
repeat() {
    build
    sh tests/repeat.sh "$PWD/build/frontend/cli/bertc" "$PWD"
}

aarch64() {
    need clang-19 libc6-dev-arm64-cross linux-libc-dev-arm64-cross
    build_tests
    sh tests/aarch64.sh build
}

# The page of `bertc serve` in a real browser; pictures of it lie in build/page.
browser() {
    command -v chromium >/dev/null 2>&1 || need chromium-headless-shell
    build
    sh tests/browser.sh build/frontend/cli/bertc . "${BERTC_SHARED:-../shared}" build/page
}

# 10,000 connections in turn, bodies of 100 MB.
clients() {
    build_tests
    build/tests/cli_test_serve_clients --all
}

# A Debian that holds nothing but its base, with this one's sources of packages: sets `folder`.
fresh_root() { # NAME
    need debootstrap
    folder=$PWD/$1
    [ "$(id -u)" = 0 ] || die "the minimal root needs a root's chroot"
    umount "$folder/proc" 2>/dev/null || true
    rm -rf --one-file-system "$folder"
    mkdir -p "$folder"
    . /etc/os-release
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | sed -nE 's/^(URIs:|deb( \[[^]]*\])?) *([a-z]+:[^ ]*).*/\3/p' | head -1)
    debootstrap --variant=minbase "$VERSION_CODENAME" "$folder" ${mirror:+"$mirror"} >"$folder.log" 2>&1 ||
        die "debootstrap failed: $folder.log"
    cp -a /etc/apt/. "$folder/etc/apt/"
    cp /etc/resolv.conf "$folder/etc/"
    mount -t proc proc "$folder/proc"
}

# From there: installs, builds, and runs the demo and the tests that need no shared data.
minimal() {
    fresh_root build-minimal
    mkdir "$folder/bertc"
    git ls-files -z | tar c --null -T - | tar x -C "$folder/bertc"
    chroot "$folder" sh /bertc/setup.sh demo
    chroot "$folder" sh /bertc/setup.sh test "${BERTC_MINIMAL_TESTS:-unit/|ir/|passes/|cli/}"
    umount "$folder/proc"
    rm -rf --one-file-system "$folder"
}

# They are installed in a Debian that holds nothing but its base, and do what they are for.
package_tests() {
    packages
    fresh_root build-packages-root
    mkdir "$folder/bertc"
    cp -r examples tests/packages.sh build-packages/*.deb "$folder/bertc/"
    chroot "$folder" sh /bertc/packages.sh
    umount "$folder/proc"
    rm -rf --one-file-system "$folder"
}

# The wheel, installed into a new virtual environment, passes the package's tests with its own command and library.
wheel_tests() {
    wheel
    need python3-venv python3-numpy
    rm -rf build-wheel/venv
    /usr/bin/python3 -m venv --system-site-packages build-wheel/venv
    build-wheel/venv/bin/pip install -q --no-index --no-deps build-wheel/dist/bertc-*.whl
    for test in tests/python/test_*.py; do
        say "$test"
        env -u BERTC -u BERTC_LIBRARY SOURCE="$PWD" SHARED="$PWD/../shared" CASE="python/$(basename "$test" .py)" \
            build-wheel/venv/bin/python "$test" || die "$test failed with the wheel"
    done
}

part() {
    case $1 in
    format) format ;;
    test) tests ;;
    llvm19)
        build_llvm19
        run_tests build-llvm19
        ;;
    sanitize[123])
        build_sanitized build-sanitize address Debug
        run_tests build-sanitize -I "${1#sanitize},,3"
        ;;
    thread) thread_tests ;;
    fuzz) fuzz ;;
    browser) browser ;;
    clients) clients ;;
    aarch64) aarch64 ;;
    minimal) minimal ;;
    wheel) wheel_tests ;;
    mpi) mpi ;;
    compilers) compilers ;;
    packages) package_tests ;;
    repeat) repeat ;;
    quality) quality ;;
    *) die "full has no part '$1'" ;;
    esac
}

# Each part with its time; a part that fails does not keep the others from running.
full() { # [PART...]
    if [ $# = 1 ]; then
        part "$1"
        return
    fi
    [ $# -gt 0 ] || set -- format llvm19 sanitize1 sanitize2 sanitize3 thread fuzz browser clients aarch64 minimal wheel mpi compilers packages repeat test
    report='' bad=''
    for name in "$@"; do
        begin=$(date +%s)
        if sh setup.sh full "$name"; then result=passed; else result=FAILED bad=1; fi
        report="$report
  $name: $result, $((($(date +%s) - begin) / 60)) min"
    done
    say ""
    say "full:$report"
    [ -z "$bad" ]
}
