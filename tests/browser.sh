#!/bin/sh
# browser.sh BERTC SOURCE SHARED [PICTURES]: the page of `bertc serve` in Chromium, light and dark: each task is run, its answer must stand in
# the page, and the console must stay empty. PICTURES: a folder for a picture of each (default: none are kept).
set -eu
BERTC=$1 SOURCE=$2 SHARED=$3 pictures=${4:-}
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
[ -n "$pictures" ] || pictures=$work
mkdir -p "$pictures"
for chromium in chromium-headless-shell chromium chromium-browser ''; do
    [ -n "$chromium" ] || { echo "no Chromium here"; exit 1; }
    ! command -v "$chromium" >/dev/null 2>&1 || break
done

compile() { # NAME FOLDER OPTION...
    name=$1 folder=$2
    shift 2
    "$BERTC" compile "$folder" "$@" -o "$work/$name.so" >/dev/null
    models="$models $work/$name.so"
}
models=
compile mood "$SOURCE/examples/models/mini-sst2" --outputs attentions
compile vectors "$SOURCE/examples/models/mini-sst2" --head embedding
compile tags "$SOURCE/tests/models/answers/ner"
compile nli "$SOURCE/tests/models/answers/nli"
compile cross "$SOURCE/tests/models/answers/cross"
compile sparse "$SOURCE/tests/models/sparse/max"
compile late "$SOURCE/tests/models/vectors/st-colbert"
tasks='mood:predict:positive mood:attention:each_row mood:tokenize:believable vectors:embed:1.000 vectors:summarize:<mark tags:entities:class="(text|k0)|No_entities
    nli:zero_shot:politics cross:rerank:Stocks sparse:embed_sparse:class="value" late:embed_all:MaxSim_[0-9]'
if [ -d "$SHARED/models/small-qa" ]; then
    compile question "$SHARED/models/small-qa"
    compile words "$SHARED/models/mini-pretrained"
    tasks="$tasks question:answer:<mark words:fill_mask:capital"
fi
# shellcheck disable=SC2086 # one word a model
"$BERTC" serve $models --listen 127.0.0.1:0 2>"$work/log" &
server=$!
for _ in $(seq 100); do
    ! grep -q ready "$work/log" || break
    sleep 0.1
done
at=$(sed -n 's/.*listening at //p' "$work/log")
[ -n "$at" ] || { cat "$work/log"; exit 1; }

# What this looks for is there to be found.
timeout 60 "$chromium" --no-sandbox --disable-gpu --enable-logging=stderr --dump-dom 'data:text/html,<script>console.error("planted")</script>' \
    >/dev/null 2>"$work/console" || true
grep -q 'CONSOLE.*planted' "$work/console" || { echo "the console's messages are not seen"; exit 1; }

failed=0
visit() { # NAME HASH PATTERN SCHEME: 0 is dark
    set -- "$1" "$2" "$(echo "$3" | tr _ ' ')" "$4"
    timeout 120 "$chromium" --no-sandbox --disable-gpu --hide-scrollbars --enable-logging=stderr --window-size=900,900 --virtual-time-budget=8000 \
        --blink-settings=preferredColorScheme="$4" --screenshot="$pictures/$1-$4.png" --dump-dom "$at/#$2" >"$work/dom" 2>"$work/console" || true
    if grep -E 'CONSOLE|Uncaught|Refused' "$work/console"; then failed=1; fi
    if grep -q 'class="wrong"' "$work/dom" || ! grep -q 'data-done' "$work/dom" || ! grep -Eq "$3" "$work/dom"; then
        echo "$1: no '$3' in the page"
        sed -n '/id="result"/,/<details/p' "$work/dom" | head -20
        failed=1
    fi
    [ -s "$pictures/$1-$4.png" ] || { echo "$1: no picture"; failed=1; }
}
for task in $tasks; do
    model=${task%%:*} rest=${task#*:}
    for scheme in 0 1; do visit "$model-${rest%%:*}" "model=$model&task=${rest%%:*}&layer=1" "${rest#*:}" $scheme; done
done
# What a user writes stays text.
visit markup "model=mood&task=tokenize&text=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E" '&lt;|onerror' 1
! grep -q '<img' "$work/dom" || { echo "text became markup"; failed=1; }
# An error of the server is shown.
before=$failed
visit wrong "model=mood&task=predict&text=" 'cannot be empty' 1 >"$work/wrong"
failed=$before
grep -q 'role="alert">`inputs` cannot be empty' "$work/dom" || { echo "no error in the page"; failed=1; }
[ "$failed" = 0 ] && echo "the page works in Chromium"
kill "$server"
wait "$server" || { echo "the server's status: $?"; failed=1; }
server=
exit $failed
