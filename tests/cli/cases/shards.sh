# bertc run --shard: parts of a file by many processes, and --merge, which checks and joins them.
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do
    printf 'film number %s is long' "$i"
    head -c $((i * 7 % 50)) /dev/zero | tr '\0' x
    printf '\n'
done >texts.txt
printf 'the last line has no end' >>texts.txt
succeeds "$BERTC" compile "$MODEL" --mcpu native --seq 64 -o m.so
answer() { "$BERTC" run m.so --input texts.txt "$@"; }
succeeds answer -o whole.jsonl

# All parts together are the answers of one process, whatever their number; more shards than lines, too.
for n in 2 3 7 31; do
    i=0
    while [ $i -lt $n ]; do
        succeeds answer -o parts.jsonl --shard $i/$n
        i=$((i + 1))
    done
    succeeds "$BERTC" run --merge -o parts.jsonl
    expect "^parts.jsonl: $n parts, 20 lines$"
    cmp parts.jsonl whole.jsonl || fail "$n shards give other answers than one process"
    rm parts.*
done

# Where the environment says which one: Slurm's array (from 3, in steps of 2), processes of srun in an array, Kubernetes.
for i in 3 5 7; do
    succeeds env SLURM_ARRAY_TASK_ID=$i SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_STEP=2 SLURM_ARRAY_TASK_COUNT=3 "$BERTC" run m.so \
        --input texts.txt -o slurm.jsonl
done
for array in 0 1; do
    for process in 0 1; do
        succeeds env SLURM_ARRAY_TASK_ID=$array SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=2 SLURM_PROCID=$process SLURM_STEP_NUM_TASKS=2 \
            "$BERTC" run m.so --input texts.txt -o srun.jsonl
    done
done
for i in 0 1 2; do
    succeeds env JOB_COMPLETION_INDEX=$i "$BERTC" run m.so --input texts.txt -o kubernetes.jsonl --shards 3
done
for name in slurm srun kubernetes; do
    succeeds "$BERTC" run --merge -o $name.jsonl
    cmp $name.jsonl whole.jsonl || fail "$name: other answers than of one process"
done
rejects 2 'JOB_COMPLETION_INDEX: shard 3 of 3: they are counted from 0 to 2' env JOB_COMPLETION_INDEX=3 "$BERTC" run m.so --input texts.txt -o x.jsonl --shards 3
rejects 2 '--shards: the environment has no index' answer -o x.jsonl --shards 3
rejects 2 '--shards is 3, and SLURM_ARRAY_TASK_COUNT says 2' env SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_COUNT=2 "$BERTC" run m.so --input texts.txt -o x.jsonl --shards 3
# without an output, and as one of one, nothing is cut
succeeds env SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_COUNT=2 "$BERTC" run m.so --input texts.txt
cmp out whole.jsonl || fail "standard output is cut"
succeeds env SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_COUNT=2 "$BERTC" run m.so --input texts.txt --shard 0/1 -o one.jsonl
cmp one.jsonl whole.jsonl || fail "one shard of one is cut"

# mpirun: processes find their parts by themselves.
if command -v mpirun >/dev/null 2>&1; then
    mpirun --allow-run-as-root --oversubscribe -n 3 "$BERTC" run m.so --input texts.txt -o mpi.jsonl >out 2>err || fail "$(cat err)"
    succeeds "$BERTC" run --merge -o mpi.jsonl
    cmp mpi.jsonl whole.jsonl || fail "mpirun: other answers than of one process"
else
    skip_part mpi "mpirun"
fi

# One is killed, and run again: nothing is lost, nothing is there twice.
i=0
while [ $i -lt 400 ]; do cat texts.txt && echo && i=$((i + 1)); done >many.txt
succeeds "$BERTC" run m.so --input many.txt -o many.jsonl -j 1
succeeds "$BERTC" run m.so --input many.txt -o killed.jsonl --shard 0/2 -j 1
"$BERTC" run m.so --input many.txt -o killed.jsonl --shard 1/2 -j 1 >/dev/null 2>&1 &
while kill -0 $! 2>/dev/null && [ ! -s killed.00001-of-00002.jsonl.partial ]; do sleep 0.01; done
kill -9 $! 2>/dev/null || true
wait $! || true
[ -e killed.00001-of-00002.manifest.json ] || rejects 1 'shard 1 of 2 is missing: bertc run --shard 1/2 makes it' "$BERTC" run --merge -o killed.jsonl
for again in 1 2; do succeeds "$BERTC" run m.so --input many.txt -o killed.jsonl --shard 1/2 -j 1 --resume; done
grep -q 'killed.00001-of-00002.jsonl: is whole already' err || fail "$(cat err)"
succeeds "$BERTC" run --merge -o killed.jsonl
cmp killed.jsonl many.jsonl || fail "other answers after a part was killed"

# Rows of embeddings, of vectors, and sparse ones, become the file that one process writes.
succeeds "$BERTC" compile "$MODEL" --head embedding --mcpu native --seq 64 -o e.so
succeeds "$BERTC" compile "$SOURCE/tests/models/sparse/max" --mcpu native --seq 64 -o s.so
succeeds "$BERTC" compile "$SOURCE/tests/models/vectors/st-colbert" --mcpu native --seq 64 -o v.so
printf 'the cat sat on the mat .\nwho is it ?\ndogs , not cats\nthe old green river\na very far city by the sea\n' >words.txt
for form in e.npy s.npz v.npz; do
    model=${form%.*}.so
    rm -f ./*.manifest.json
    succeeds "$BERTC" run "$model" --input words.txt -o "whole.$form"
    for i in 0 1 2; do succeeds "$BERTC" run "$model" --input words.txt -o "parts.$form" --shard $i/3; done
    succeeds "$BERTC" run --merge -o "parts.$form"
    cmp "parts.$form" "whole.$form" || fail "$form: other bytes than of one process"
done

# Lines without an answer are counted, and the part is whole.
{ printf '{"text": "good"}\n{"txt": "bad"}\n'; printf '{"text": "good too"}\n%.0s' 1 2 3 4; } >lines.jsonl
MANY=1
"$BERTC" run m.so --input lines.jsonl -o failed.jsonl --shard 0/2 >out 2>err && fail "a line without an answer is no error"
grep -q 'lines.jsonl:2: has neither "text" nor "words"' err || fail "$(cat err)"
"$BERTC" run m.so --input lines.jsonl -o failed.jsonl --shard 1/2 >out 2>err || fail "$(cat err)"
succeeds "$BERTC" run --merge -o failed.jsonl
expect '^failed.jsonl: 2 parts, 6 lines, 1 of them without an answer$'

# What is missing, double, foreign or changed is named, and nothing is written.
parts() { for i in 0 1 2; do succeeds "$BERTC" run m.so --input texts.txt -o bad.jsonl --shard $i/3 "$@"; done; }
merged() { "$BERTC" run --merge -o bad.jsonl "$@"; }
parts
mv bad.00001-of-00003.manifest.json kept.json
rejects 1 'bad.jsonl: shard 1 of 3 is missing' merged
mv kept.json bad.00001-of-00003.manifest.json
mkdir other
cp bad.00000-of-00003.* other/
rejects 1 'other/bad.00000-of-00003.manifest.json: is shard 0, as bad.00000-of-00003.manifest.json is' merged bad.0000?-of-00003.manifest.json other/bad.00000-of-00003.manifest.json
mv bad.00002-of-00003.jsonl kept.jsonl
rejects 1 'bad.00002-of-00003.jsonl: can.t be read' merged
sed 's/0/1/' kept.jsonl >bad.00002-of-00003.jsonl
rejects 1 'bad.00002-of-00003.jsonl: was changed: it is not the part that bad.00002-of-00003.manifest.json says it is' merged
mv kept.jsonl bad.00002-of-00003.jsonl
succeeds "$BERTC" run m.so --input texts.txt -o bad.jsonl --shard 2/3 --top-k 2
rejects 1 'bad.00002-of-00003.manifest.json: is of other options than bad.00000-of-00003.manifest.json' merged
succeeds "$BERTC" run m.so --input lines.jsonl -o bad.jsonl --shard 1/2 --top-k 1
rejects 1 'bad.00001-of-00002.manifest.json: is of another input than bad' merged
rm bad.00001-of-00002.*
head -c 300 bad.00001-of-00003.manifest.json >cut
cp cut bad.00001-of-00003.manifest.json
rejects 1 'bad.00001-of-00003.manifest.json: ' merged
rm bad.*
rejects 1 'bad.jsonl: has no parts: no file bad.\*-of-\*.manifest.json' merged
rejects 2 "--shard: '4' is not I/N" answer -o x.jsonl --shard 4
rejects 2 '--shard: shard 4 of 4: they are counted from 0 to 3' answer -o x.jsonl --shard 4/4
rejects 2 '--shard goes with --input and --output' answer --shard 0/4
rejects 2 '--merge needs -o' "$BERTC" run --merge
rejects 1 'shards are parts of a file, not of standard input' "$BERTC" run m.so --input - -o x.jsonl --shard 0/4
