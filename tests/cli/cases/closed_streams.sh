# Standard streams that are closed, in all eight combinations: no file takes their place, and nothing waits for ever.
printf 'graph @g(%%x: f32[T,4]) {\n  %%y = tanh %%x\n  output y = %%y\n}\n' >g.ir
succeeds "$BERTC" compile "$MODEL" --mcpu native -o want.so --seq 8
quietly() { # quietly COMBINATION CMD...: with the streams of these digits closed
    closed=$1
    shift
    case $closed in
    0) timeout 60 "$@" >out 2>err </dev/null ;;
    1) timeout 60 "$@" <&- >out 2>err ;;
    2) timeout 60 "$@" </dev/null >&- 2>err ;;
    3) timeout 60 "$@" <&- >&- 2>err ;;
    4) timeout 60 "$@" </dev/null >out 2>&- ;;
    5) timeout 60 "$@" <&- >out 2>&- ;;
    6) timeout 60 "$@" </dev/null >&- 2>&- ;;
    7) timeout 60 "$@" <&- >&- 2>&- ;;
    esac || fail "status $? with streams $closed closed: $*"
    case $closed in 0 | 1 | 4 | 5) [ -s out ] || fail "nothing printed with streams $closed closed: $*" ;; esac
    case $closed in 0 | 1 | 2 | 3) [ ! -s err ] || fail "$(cat err)" ;; esac
    rm -f out err
}
for closed in 0 1 2 3 4 5 6 7; do
    quietly $closed "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 8
    cmp m.so want.so || fail "another artefact with streams $closed closed"
    quietly $closed "$BERTC" run m.so "Amazing!"
    quietly $closed "$BERTC" opt g.ir
    quietly $closed "$BERTC" inspect m.so
    quietly $closed "$BERTC" inspect "$MODEL" --seq 8
    quietly $closed "$BERTC" tokenize m.so "Amazing!"
    rm -f m.so
done
ls -A >left
! grep -vxE 'g.ir|want.so|left' left || fail "left behind: $(cat left)"
# a linker that prints is heard, and one that fails is an error
for closed in 0 7; do
    quietly $closed "$BERTC" compile "$MODEL" -o m.o --emit obj --seq 8
done
