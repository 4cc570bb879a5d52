# Shared by the cases of tests/cli: each is sourced after this by run.sh, in an empty folder of its own.
# BERTC is the program, SOURCE the project's folder, SHARED what is read from outside it (may be missing).
MODEL=$SOURCE/examples/models/mini-sst2

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}
# skip_part KIND TEXT: part of the case is left out, for want of something of that kind (tests/main.h lists them).
skip_part() {
    kind=$1
    shift
    printf 'skipped, no %s: %s: %s\n' "$kind" "$CASE" "$*"
    [ -z "${BERTC_SKIPS:-}" ] || printf '%s\t%s: %s\n' "$kind" "$CASE" "$*" >>"$BERTC_SKIPS"
    case ",${BERTC_REQUIRE:-}," in
    *",$kind,"*) fail "BERTC_REQUIRE has $kind, and it is not here: $*" ;;
    esac
}
# skip KIND TEXT: all of it
skip() {
    skip_part "$@"
    exit 77
}

# Can a case make a terminal? A root without /dev/pts has none.
has_terminal() { command -v script >/dev/null && script -qec true /dev/null >/dev/null 2>&1 </dev/null; }

# succeeds CMD...: exit status 0, nothing on stderr but notes; stdout in ./out
succeeds() {
    "$@" >out 2>err || {
        cat err >&2
        fail "exit status $? of: $*"
    }
    ! grep -v '^bertc: note: ' err >/dev/null || fail "said something on stderr: $(cat err)"
}

# rejects STATUS PATTERN CMD...: that exit status, one line on stderr (or more, where MANY=1) that matches, nothing left behind
rejects() {
    want=$1 pattern=$2
    shift 2
    ls -A >before
    status=0
    "$@" >out 2>err || status=$?
    ls -A >after
    [ "$status" = "$want" ] || fail "exit status $status, not $want, of: $* ($(cat err))"
    grep -Eq -- "$pattern" err || fail "no '$pattern' in: $(cat err)"
    errors=$(grep -vc '^bertc: note: ' err || true)
    [ "${MANY:-0}" = 1 ] || [ "$errors" = 1 ] || fail "$errors lines on stderr: $(cat err)"
    { cat before; echo after; echo err; echo out; } | sort -u >expected_files
    sort -u after | grep -vxF -f expected_files >left || true
    [ ! -s left ] || fail "left behind: $(cat left)"
}

expect() { # expect PATTERN: a line of ./out matches
    grep -Eq -- "$1" out || fail "no '$1' in: $(head -50 out)"
}

# safetensors FILE HEADER [DATA-BYTES]: a file with that header text and so many zero bytes
safetensors() {
    n=$(printf %s "$2" | wc -c)
    # shellcheck disable=SC2059 # the format is the bytes
    printf "$(printf '\\%03o\\%03o\\%03o\\%03o\\0\\0\\0\\0' $((n & 255)) $((n >> 8 & 255)) $((n >> 16 & 255)) $((n >> 24 & 255)))" >"$1"
    printf %s "$2" >>"$1"
    [ -z "${3:-}" ] || head -c "$3" /dev/zero >>"$1"
}

# A folder with the bundled model's files, of which a case spoils one.
copy_model() {
    mkdir -p "$1"
    for file in config.json tokenizer.json tokenizer_config.json vocab.txt; do cp "$MODEL/$file" "$1/"; done
    ln -s "$MODEL/model.safetensors" "$1/model.safetensors"
}
