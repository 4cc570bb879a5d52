# What is inside, for people and as JSON; of a checkpoint also as a picture's source.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 32,64
succeeds "$BERTC" inspect m.so
expect '^model +bert, sequence-classification: 4 layers x 256, 4 heads'
expect 'negative positive'
expect '_s32 .*32 tokens'
expect '_s64 .*64 tokens'
succeeds "$BERTC" inspect m.so --json
expect '^\{"bertc": '
succeeds "$BERTC" inspect "$MODEL" --dot
expect '^digraph'

# Whole, or damaged: a byte of the weights, which loading does not read, and one of the code.
byte_at() { # byte_at FILE SECTION OFFSET: turns the bits of that byte of a section
    at=$(readelf -SW "$1" | sed -n "s/^.* $2  *[A-Z]*  *[0-9a-f]*  *\([0-9a-f]*\) .*/\1/p")
    at=$((0x$at + $3))
    old=$(od -An -tu1 -j "$at" -N 1 "$1")
    # shellcheck disable=SC2059 # the format is the byte
    printf "$(printf '\\%03o' $((255 - old)))" | dd of="$1" bs=1 seek="$at" conv=notrunc 2>dd.log || fail "$(cat dd.log)"
    rm dd.log
}
succeeds "$BERTC" inspect m.so --check
expect '^checked +metadata, tables, code and weights are as they were compiled'
byte_at m.so .bertc.weights 1000
succeeds "$BERTC" inspect m.so
succeeds "$BERTC" run m.so "a fine film"
rejects 1 '^bertc: error: m.so: damaged: the checksum of its weights is [0-9a-f]{16}, not [0-9a-f]{16}' "$BERTC" inspect m.so --check
byte_at m.so .bertc.weights 1000
succeeds "$BERTC" inspect m.so --check
byte_at m.so .text 300
for command in inspect run; do
    text=
    [ $command = inspect ] || text="a fine film"
    rejects 1 '^bertc: error: m.so: damaged: the checksum of its metadata, tables and code is' "$BERTC" $command m.so ${text:+"$text"}
done
rejects 2 '--check needs an artefact' "$BERTC" inspect "$MODEL" --check
