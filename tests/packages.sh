#!/bin/sh
# packages.sh: runs as root in a new Debian, beside the packages and examples/: installs them one after the other and uses them as a newcomer.
set -eu
cd "$(dirname "$0")"
export DEBIAN_FRONTEND=noninteractive
say() { printf '%s\n' "$*"; }
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}
install() { # PACKAGE...: with what they depend on, and nothing more
    apt-get install -y -qq --no-install-recommends "$@" >install.log 2>&1 || {
        tail -30 install.log >&2
        fail "apt-get install $*"
    }
}
apt-get update -qq >/dev/null 2>&1

# The command alone compiles and answers.
install ./bertc_*.deb
bertc --version
bertc compile examples/models/mini-sst2 --seq 32 -o sentiment.so >/dev/null
bertc run sentiment.so "This movie was amazing!" | grep -q '^positive ' || fail "another answer"
[ -s /usr/share/man/man1/bertc-run.1 ] || [ -s /usr/share/man/man1/bertc-run.1.gz ] || dpkg -L bertc | grep -q man1/bertc-run.1 || fail "no man page"
[ -s /usr/share/bash-completion/completions/bertc ] || fail "no completion"
! ldconfig -p | grep -q libbertc || fail "the command brings the library"
say "bertc: compiles and answers"

# A program that was built elsewhere needs the library alone; headers come with -dev.
install ./libbertc0*.deb
ldconfig -p | grep -q 'libbertc\.so\.0\.[0-9]' || fail "no library"
[ ! -e /usr/include/bertc.h ] || fail "the library brings headers"
install ./libbertc-dev_*.deb gcc libc6-dev pkg-config
for source in classify ner embed; do
    cc "examples/$source.c" $(pkg-config --cflags --libs bertc) -lm -o "$source" || fail "examples/$source.c"
done
./classify sentiment.so "This movie was amazing!" | grep -q positive || fail "the example gives another answer"
say "libbertc-dev: the examples are built, and one answers"

# Python finds the library and the command.
install ./python3-bertc_*.deb
python3 - <<'P' || fail "Python"
import bertc
print("python3-bertc", bertc.__version__ if hasattr(bertc, "__version__") else "")
model = bertc.Model("sentiment.so")
answers = model.classify(["This movie was amazing!", "dull and far too long"])
labels = [a[0]["label"] if isinstance(a, list) else a["label"] for a in answers]
assert labels == ["positive", "negative"], answers
P
say "python3-bertc: answers"

# All of it goes again, and leaves nothing.
apt-get purge -y -qq bertc 'libbertc*' python3-bertc >/dev/null 2>&1 || fail "apt-get purge"
left=$(find /usr -name '*bertc*' ! -name '*.pyc' ! -path '*__pycache__*' | head)
[ -z "$left" ] || fail "left behind: $left"
say "all packages: installed, used, removed"
