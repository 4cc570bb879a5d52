# Man pages and bash completion: all commands and options that the program has, and nothing that roff or bash trips over.
succeeds "$BERTC" --help
sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p' out >commands
[ "$(wc -l <commands)" -gt 10 ] || fail "$(cat commands)"
succeeds "$BERTC" --help=man
mv out page
succeeds "$BERTC" --help=bash
mv out completion
while read -r command; do
    grep -q "^.BR bertc.-$command (1)" page || fail "bertc.1 lacks $command"
    succeeds "$BERTC" "$command" --help
    grep -oE '^  (-[A-Za-z], |    )--[a-z0-9-]+' out | sed 's/.*--/--/' | sort >options
    succeeds "$BERTC" "$command" --help=man
    sed -n '/^\.TP/{n;p;}' out | sed 's/\\f[BIR]//g; s/\\-/-/g; s/.*\(--[a-z0-9-]*\).*/\1/' | sort >paged
    cmp options paged || fail "the page of $command has other options: $(diff options paged)"
    grep -q "^.TH BERTC.-" out || fail "$(head -3 out)"
    sed -n "/^    $command)/,/;;/s/.*options='--help\(.*\)'/\1/p" completion | tr ' ' '\n' | grep . | sort >completed || true
    cmp options completed || fail "the completion of $command has other options: $(diff options completed)"
    if command -v man >/dev/null 2>&1; then
        man --warnings -l -Tutf8 out >shown 2>warnings || true
        [ ! -s warnings ] || fail "$command: $(cat warnings)"
    fi
done <commands
command -v bash >/dev/null 2>&1 || skip tools bash
complete() { bash -c '. ./completion; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bertc; printf "%s\n" "${COMPREPLY[@]}"' x "$@" >out; }
complete bertc tr
[ "$(cat out)" = train ] || fail "$(cat out)"
complete bertc run m.so --top
[ "$(cat out)" = --top-k ] || fail "$(cat out)"
: >texts.jsonl
complete bertc run m.so --input tex
[ "$(cat out)" = texts.jsonl ] || fail "$(cat out)"
complete bertc run m.so --top-k tex
[ "$(cat out)" = "" ] || fail "$(cat out)"
