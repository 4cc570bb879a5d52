# Stored vectors: --input writes them, dense and sparse; --search finds what --similar finds, without the texts; files that don't fit.
cases=$SOURCE/tests/models
succeeds "$BERTC" compile "$cases/cases/st-prompts" -o dense.so --seq 32
succeeds "$BERTC" compile "$cases/sparse/max" -o sparse.so --seq 32
succeeds "$BERTC" compile "$cases/vectors/st-colbert" -o several.so --seq 32
printf '%s\n' 'the cat sat on the mat .' 'who is it ?' 'dogs , not cats' 'the old green river' 'a very far city by the sea' >texts.txt
printf '%s\n' 'cats and dogs' 'the sea' >queries.txt
for kind in dense sparse several; do
    file=$kind.npy
    [ $kind = dense ] || file=$kind.npz
    succeeds "$BERTC" run $kind.so --input texts.txt --as document --output $file
    other='--similarity dot'
    [ $kind != several ] || other='--similarity MeanMaxSim'
    [ $kind != sparse ] || other='--similarity cosine'
    third=$other fourth=$other
    [ $kind = several ] || third='--similarity euclidean' fourth='--similarity manhattan'
    for measure in '' "$other" "$third" "$fourth"; do
        "$BERTC" run $kind.so --similar queries.txt texts.txt --top-k 3 $measure 2>/dev/null | sed -n 's/^ *\(-*[0-9.]*\)  \([0-9]*\)\t.*/\1 \2/p' |
            awk '{print $1, $2 - 1}' >want
        "$BERTC" run $kind.so --search $file 'cats and dogs' 'the sea' --top-k 3 $measure | sed -n 's/^ *\(-*[0-9.]*\)  \([0-9]*\)$/\1 \2/p' >has
        [ "$(wc -l <want)" = 6 ] || fail "$(cat want)"
        cmp -s want has || fail "$kind $measure: $(cat has), not $(cat want)"
    done
    "$BERTC" run $kind.so --search $file 'the sea' --json --top-k 1 --threads 1 | grep -q '^{"index": [0-9]*, "score": [-0-9.e]*}$' || fail "no JSON"
    "$BERTC" run $kind.so --search $file 'the sea' 'a' --json | grep -q '^{"query": 1, "index": ' || fail "which query it is"
done
rejects 1 'sparse.npz: holds sparse vectors of 160 numbers, and the model gives dense vectors of' "$BERTC" run dense.so --search sparse.npz a
rejects 1 'dense.npy: holds dense vectors of [0-9]* numbers, and the model gives sparse vectors of 160 numbers' "$BERTC" run sparse.so --search dense.npy a
rejects 1 'texts.txt: is .*, where vectors as .npy or .npz are searched' "$BERTC" run dense.so --search texts.txt a
rejects 1 'sparse vectors are compared by cosine, dot, euclidean or manhattan, not by MaxSim' "$BERTC" run sparse.so --search sparse.npz a --similarity MaxSim
rejects 1 'sparse vectors are compared by cosine, dot, euclidean or manhattan, not by MeanMaxSim' "$BERTC" run sparse.so --similar queries.txt texts.txt --similarity MeanMaxSim
rejects 1 'several.npz: holds a vector per token, of [0-9]* numbers' "$BERTC" run dense.so --search several.npz a
rejects 1 'compared by MaxSim or MeanMaxSim' "$BERTC" run several.so --search several.npz a --similarity dot
rejects 1 'none.npy: ' "$BERTC" run dense.so --search none.npy a
head -c 300 dense.npy >cut.npy
rejects 1 'cut.npy: .*cut short' "$BERTC" run dense.so --search cut.npy a
succeeds "$BERTC" run dense.so --input texts.txt --output dense.npz
rejects 1 'dense.npz: holds dense vectors of [0-9]* numbers, and the model gives sparse vectors of 160 numbers' "$BERTC" run sparse.so --search dense.npz a
rejects 1 'x.npy: .npy holds a row of numbers per text' "$BERTC" run sparse.so --input texts.txt --output x.npy
rejects 1 'goes on with .jsonl and .npy' "$BERTC" run sparse.so --input texts.txt --output sparse.npz --resume
rejects 2 'takes a text to search for' "$BERTC" run dense.so --search dense.npy
[ ! -e x.npy ] || fail "x.npy is left"
# A model with an embedding and a vector per token is searched by what the file holds.
succeeds "$BERTC" compile "$cases/vectors/bge-m3" -o m3.so --seq 32 --outputs dense,sparse,colbert
for file in m3.npy m3.npz; do
    succeeds "$BERTC" run m3.so --input texts.txt --output $file
    measure=
    [ $file = m3.npy ] || measure='--similarity MaxSim'
    "$BERTC" run m3.so --similar queries.txt texts.txt --top-k 3 $measure | sed -n 's/^ *\(-*[0-9.]*\)  \([0-9]*\)\t.*/\1 \2/p' | awk '{print $1, $2 - 1}' >want
    "$BERTC" run m3.so --search $file 'cats and dogs' 'the sea' --top-k 3 | sed -n 's/^ *\(-*[0-9.]*\)  \([0-9]*\)$/\1 \2/p' >has
    [ "$(wc -l <want)" = 6 ] || fail "$(cat want)"
    cmp -s want has || fail "$file: $(cat has), not $(cat want)"
done
# Its weights too, and alone; lines without one are never found in a file.
succeeds "$BERTC" compile "$cases/vectors/bge-m3" -o weights.so --seq 32 --outputs sparse
succeeds "$BERTC" run m3.so --input texts.txt --output m3.sparse.npz
printf '%s\n' 'a very far city by the sea' 'who is by the sea ?' >queries.txt
"$BERTC" run weights.so --similar queries.txt texts.txt --top-k 9 | sed -n 's/^ *\(-*[0-9.]*\)  \([0-9]*\)\t.*/\1 \2/p' | awk '$1 != 0 {print $1, $2 - 1}' >want
for model in m3 weights; do
    "$BERTC" run $model.so --search m3.sparse.npz 'a very far city by the sea' 'who is by the sea ?' --top-k 9 | sed -n 's/^ *\(-*[0-9.]*\)  \([0-9]*\)$/\1 \2/p' | awk '$1 != 0' >has
    [ -s has ] && cmp -s want has || fail "$model, weights: $(cat has), not $(cat want)"
done
# The weights of JSON and of the files, of both models, are the same.
succeeds "$BERTC" run weights.so --input texts.txt --output weights.npz
cmp m3.sparse.npz weights.npz || fail "the weights alone are others"
rejects 1 'm3.npy holds one a text' "$BERTC" run m3.so --search m3.npy a --similarity MaxSim
rejects 1 'compared by MaxSim or MeanMaxSim' "$BERTC" run m3.so --search m3.npz a --similarity cosine
# Cosines are at most 1, and the documents' lengths count: a text is most like itself.
printf 'dogs , not cats\n' >same.txt
"$BERTC" run sparse.so --similar same.txt texts.txt --top-k 1 --similarity cosine --json | grep -q '"score": \(1\|1\.00000.*\|0\.99999.*\), "line": 3' || fail "no cosine"
# A line that has no answer is an empty row, and is never found.
{ cat texts.txt; yes cat | head -40 | tr '\n' ' '; echo; } >long.txt
! "$BERTC" run sparse.so --input long.txt --output long.npz 2>err || fail "a line too long is no error"
"$BERTC" run sparse.so --search long.npz 'the cat' --top-k 9 >has
[ "$(wc -l <has)" = 6 ] || fail "$(cat has)"
