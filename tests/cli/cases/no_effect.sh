# Options that can't do anything are refused: of an artefact what was said when it was compiled, and the like.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 32
for option in "--seq 64" "--head model" "--pooling cls" "--outputs attentions" "--mcpu x86-64-v2" "--dtype f32" "--passes -merge_qkv" \
    "--config x" "--tokenizer x" "--batch 2" "--target x" "--print-after all" "--report memory" "-O 1" "--train classify"; do
    # shellcheck disable=SC2086 # two words
    rejects 2 "${option%% *} has no effect on m.so, which is compiled already" "$BERTC" run m.so "a text" $option
done
rejects 2 '--head has no effect on m.so' "$BERTC" inspect m.so --head model
rejects 2 '--mcpu has no effect on m.so' "$BERTC" bench m.so --mcpu native --seq 32
rejects 2 '--tokenizer has no effect on m.so' "$BERTC" tokenize m.so --tokenizer "$MODEL/vocab.txt" "a text"
succeeds "$BERTC" bench m.so --seq 16 --rounds 1
printf 'a text\n' >texts.txt
rejects 1 '--pooling: mean makes the head embedding: leave out --head model' "$BERTC" compile "$MODEL" --head model --pooling mean -o x.so
succeeds "$BERTC" compile "$MODEL" --mcpu native --head embedding --pooling mean -o x.so
rejects 2 '--huge-pages would copy the weights for each thread' "$BERTC" run m.so --input texts.txt --huge-pages
succeeds "$BERTC" run m.so "a text" --huge-pages
succeeds "$BERTC" run m.so "a text" --explain --huge-pages
