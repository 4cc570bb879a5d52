#!/bin/sh
# aarch64.sh BUILD: does every C file of a configured build folder compile for AArch64? Its own compile commands, by clang-19 with
# Debian's cross headers of the C library; nothing is linked and nothing runs.
set -eu
build=$(cd "$1" && pwd)
headers=/usr/aarch64-linux-gnu/include
compiler=${CLANG:-clang-19}
[ -e "$headers/stdio.h" ] || {
    echo "aarch64.sh: $headers is missing (libc6-dev-arm64-cross, linux-libc-dev-arm64-cross)" >&2
    exit 1
}
# The libraries' headers, without the C library's of this machine beside them.
mkdir -p "$build/aarch64"
for library in check.h check_stdint.h utf8proc.h pcre2.h pcre2posix.h csv.h microhttpd.h zlib.h zconf.h cjson; do
    [ ! -e "/usr/include/$library" ] || ln -sfn "/usr/include/$library" "$build/aarch64/$library"
done
# One line a file: "directory<TAB>command", from compile_commands.json as CMake writes it, a field a line.
sed -n 's/^ *"directory": "\(.*\)",$/D\1/p; s/^ *"command": "\(.*\)",$/C\1/p' "$build/compile_commands.json" |
    sed 's/\\"/"/g; s/\\\\/\\/g' >"$build/aarch64/commands"
total=0 failed=0 directory=.
while IFS= read -r line; do
    case $line in
    C*.cpp) ;;
    D*) directory=${line#D} ;;
    C*)
        command=$(printf '%s\n' "${line#C}" |
            sed -E 's/^[^-]* (-)/\1/; s/ -o [^ ]+//; s/ -M[DFT]( [^ ]+\.o(\.d)?)?//g; s/ -march=[^ ]+//g')
        total=$((total + 1))
        (cd "$directory" && eval "$compiler --target=aarch64-linux-gnu -fsyntax-only -nostdlibinc \
            -isystem $headers -isystem '$build/aarch64' -Wno-unused-command-line-argument $command") || failed=$((failed + 1))
        ;;
    esac
done <"$build/aarch64/commands"
echo "AArch64: $((total - failed)) of $total files compile"
[ "$total" -gt 0 ] && [ "$failed" = 0 ]
