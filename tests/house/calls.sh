#!/bin/sh
# calls.sh SOURCE BUILD NM: no two files of a folder call each other, directly or through others; what both need stands in a
# third.
#
# Reads the symbols of the object files of each folder in the build tree. Recursive descent is exempt: the parser's two files
# are one recursion.
set -eu
source=$1 build=$2 nm=$3
exempt='ir/text_parse.c ir/text_variant.c'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The circles among the "caller callee" lines of standard input, as tsort names them.
circles() {
    tsort 2>&1 >/dev/null | grep -v 'input contains a loop' | sed 's/^tsort: //' || true
}

found=$(printf 'a b\nb c\nc a\nc d\n' | circles | sort | tr '\n' ' ')
[ "$found" = "a b c " ] || { echo "calls.sh does not find a circle: $found"; exit 1; }

# "caller callee" of the object files of the folder $1.
calls() {
    find "$build/$1" -name '*.c.o' | while read -r object; do
        file=$1/${object#*.dir/}
        [ ! -e "$source/${file%.o}" ] || echo "$object" # else of a file that was moved since
    done | xargs -r "$nm" -A | awk -v folder="$1" '
        {
            file = $1
            sub(/:[^:]*$/, "", file)
            sub(/^.*\.dir\//, folder "/", file)
            sub(/\.o$/, "", file)
        }
        {type = $(NF - 1)} # GNU nm joins the address to the file, that of LLVM does not
        type == "U" {print "U", $NF, file}
        type ~ /^[TDRB]$/ {print "D", $NF, file}' | sort | awk -v exempt="$exempt" '
        $1 == "D" {at[$2] = $3}
        $1 == "U" && ($2 in at) && at[$2] != $3 {
            pair = $3 " " at[$2]
            split(exempt, two, " ")
            if (pair == two[1] " " two[2] || pair == two[2] " " two[1]) next
            if (!seen[pair]++) print pair
        }'
}

for folder in backend runtime frontend/hub frontend/cli passes ir; do
    calls "$folder" >"$work/calls"
    [ "$folder" = ir ] || [ -s "$work/calls" ] || { echo "$folder: no calls between files were read"; exit 1; }
    circles <"$work/calls" >"$work/found"
    [ ! -s "$work/found" ] || { echo "files of $folder that call each other in a circle:"; cat "$work/found"; bad=1; }
done
[ -z "${bad:-}" ]
