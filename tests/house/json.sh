#!/bin/sh
# json.sh SOURCE: JSON is written by frontend/hub/files/out.c (and the library's answers by runtime/answer/json.c), in one style. So
# nobody else prints cJSON's values, keys or escapes; a header of safetensors is compact, as its format has it.
set -eu
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wrong() {
    (
        cd "$1"
        grep -rnE 'cJSON_Print' --include='*.[ch]' frontend runtime || true
        # A key that is printed without the space, or by another function than those of out.h.
        grep -rnE '(printf|puts|fputs)\(.*\\"[a-z_]+\\":' --include='*.c' frontend runtime || true
        grep -rnE 'out_(text|format)\(.*\\"[a-z_]+\\":([^ ]|$)' --include='*.c' frontend || true
        grep -rnE '%\.(9|1[0-9])g' --include='*.c' frontend/cli/run frontend/cli/evaluate frontend/cli/bench runtime/answer || true
    ) | grep -vE '^(frontend/hub/files/safetensors_write\.c|runtime/train/save\.c|frontend/hub/tokenizer/class\.c):' || true
}

mkdir -p "$work/bad/frontend/cli/run" "$work/bad/frontend/cli/serve" "$work/bad/frontend/cli/evaluate" "$work/bad/frontend/cli/bench" \
    "$work/bad/runtime/answer"
cat >"$work/bad/frontend/cli/run/a.c" <<'END'
char *text = cJSON_PrintUnformatted(o);
printf("{\"score\": %f}", x);
out_text(o, "{\"score\":");
out_text(o, "{\"score\": ");
fprintf(f, "%.9g", x);
END
[ "$(wrong "$work/bad" | wc -l)" = 4 ] || { echo "json.sh does not find what is wrong:"; wrong "$work/bad"; exit 1; }

wrong "$source" >"$work/found"
[ ! -s "$work/found" ] || { echo "JSON that is not written by frontend/hub/files/out.c:"; cat "$work/found"; exit 1; }
