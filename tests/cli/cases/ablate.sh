# Without a pass kernels move no fewer bytes than with it (with fuse_mlp, which is off by default, no more), the scores of
# attention among them; and no bound exceeds a measured time.
succeeds "$BERTC" bench "$MODEL" --seq 64 --rounds 15 --ablate --json
number() { sed -n "s/.*\"$1\": *\([-0-9.e]*\).*/\1/p"; }
rows=0
while read -r line; do
    name=$(printf '%s\n' "$line" | sed 's/.*"without": "\([^"]*\)".*/\1/')
    without=$(printf '%s\n' "$line" | number megabytes) default=$(printf '%s\n' "$line" | number default_megabytes)
    bound=$(printf '%s\n' "$line" | number bound_milliseconds) fastest=$(printf '%s\n' "$line" | number fastest_milliseconds)
    awk "BEGIN { exit !($bound <= $fastest * 1.000001) }" || fail "$name: a bound of $bound ms, measured $fastest ms"
    case $name in
    +*) awk "BEGIN { exit !($without <= $default) }" || fail "$name moves $without MB, without it $default MB" ;;
    *) awk "BEGIN { exit !($without >= $default) }" || fail "$name moves $without MB, with it $default MB" ;;
    esac
    [ "$name" != -fuse_attention ] || awk "BEGIN { exit !($without > $default) }" || fail "the scores are not counted"
    rows=$((rows + 1))
done <out
[ "$rows" -ge 9 ] || fail "$rows rows"
