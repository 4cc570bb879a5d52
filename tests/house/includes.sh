#!/bin/sh
# includes.sh SOURCE: holds the includes of every folder to the arrows between its sub-rooms (docs/architecture.md).
#
# CMake holds the arrows between folders (cmake/Modules.cmake). Here, one line a sub-room says which others of its folder it
# may include from. Headers in the folder itself (backend/backend.h) are open to all of its sub-rooms, and its files may
# include from every one.
set -eu
source=$1

arrows() {
    cat <<'END'
backend/emit:
backend/target: matmul
backend/matmul: emit
backend/attention: emit matmul
backend/loop_nest: emit matmul
backend/output: emit target
runtime/tokenizer:
runtime/load: tokenizer
runtime/session: load tokenizer
runtime/answer: session load tokenizer
runtime/train: session load
frontend/hub/files:
frontend/hub/sentence: files
frontend/hub/config: files sentence
frontend/hub/adapter: files
frontend/hub/encoder: files sentence config adapter
frontend/hub/tokenizer: files sentence
frontend/hub/objective:
frontend/hub/save: files sentence config encoder
frontend/cli/arrays:
frontend/cli/data:
frontend/cli/metrics:
frontend/cli/search: arrays
frontend/cli/run: arrays data search
frontend/cli/evaluate: data metrics run
frontend/cli/bench:
frontend/cli/train: data metrics
frontend/cli/serve: data
passes/differentiate:
passes/fuse:
passes/lower:
passes/narrow:
passes/optimize:
passes/plan:
passes/recompute: plan
END
}

# The includes of the tree at $1 that no line allows, and the sub-rooms that have no line.
wrong() {
    (
        cd "$1"
        arrows >"$work/arrows"
        for folder in backend runtime frontend/hub frontend/cli passes ir; do
            find "$folder" -mindepth 2 -name '*.[ch]' -exec grep -HE '^#include "' {} + || true
        done | awk -F '[:"]' -v table="$work/arrows" '
            BEGIN {
                while ((getline line < table) > 0) {
                    room = line; sub(/:.*/, "", room); known[room] = 1
                    folder = room; sub(/\/[^\/]*$/, "", folder); house[folder] = 1
                    n = split(substr(line, length(room) + 3), others, " ")
                    for (i = 1; i <= n; i++) may[room, folder "/" others[i]] = 1
                }
            }
            {
                from = $1; sub(/\/[^\/]*$/, "", from)
                to = $3; sub(/\/[^\/]*$/, "", to)
                if (!(from in known)) { print $1 ": " from " has no line in tests/house/includes.sh"; next }
                if (to == from || !(to in known)) next
                here = from; sub(/\/[^\/]*$/, "", here)
                there = to; sub(/\/[^\/]*$/, "", there)
                if (here == there && !((from, to) in may)) print $1 " includes " $3
            }'
    )
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A house with two faults: both must be found, and nothing else.
mkdir -p "$work/bad/backend/emit" "$work/bad/backend/cellar"
for folder in runtime frontend/hub frontend/cli passes ir; do mkdir -p "$work/bad/$folder"; done
printf '#include "backend/matmul/tile.h"\n#include "backend/emit/view.h"\n#include "ir/ir.h"\n' >"$work/bad/backend/emit/a.c"
printf '#include "backend/emit/emit.h"\n' >"$work/bad/backend/cellar/b.c"
printf '%s\n' 'backend/cellar/b.c: backend/cellar has no line in tests/house/includes.sh' \
    'backend/emit/a.c includes backend/matmul/tile.h' >"$work/expected"
wrong "$work/bad" | sort >"$work/found"
diff "$work/expected" "$work/found" || { echo "includes.sh does not find what is wrong"; exit 1; }

wrong "$source" >"$work/found"
[ ! -s "$work/found" ] || { echo "against the arrows:"; cat "$work/found"; exit 1; }
