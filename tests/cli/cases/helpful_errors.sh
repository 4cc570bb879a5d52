# Errors that name what helps: the wrong kind of file for each command, and what is asked for that isn't there.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 16
succeeds "$BERTC" compile "$MODEL" --emit ir --stage input -o graph.ir
printf 'PK\003\004and more of a zip archive' >pytorch_model.bin
printf '\200\002}q\000.and more of a pickle' >model.pt
printf 'GGUF\003\000\000\000and more' >model.gguf
printf '\010\007\022\007pytorch\000\001\002' >model.onnx
printf '\211HDF\r\n\032\nand more' >tf_model.h5
printf '\037\213\010\000and more' >model.tar.gz
tar cf model.tar graph.ir
printf 'some text\nin lines\n' >texts.txt
printf 'some text\nin lines\n' >README
: >nothing
cp "$MODEL/config.json" config.json
cp "$MODEL/config.json" settings
printf '\003\001\004\001\005\011\002\006\005\003\005' >unknown
succeeds "$BERTC" synth bert-tiny -o tiny
ln -s tiny/model.safetensors weights

help_of() { # FILE: the words that must be there
    case $1 in
    graph.ir) echo 'op-graph text: --graph takes it' ;;
    model.gguf) echo 'GGUF.*safetensors' ;;
    model.onnx) echo 'ONNX.*safetensors' ;;
    tf_model.h5) echo 'HDF5.*safetensors' ;;
    model.tar.gz) echo 'gzip: unpack it' ;;
    model.tar) echo 'tar archive: unpack it' ;;
    README) echo 'text: texts to answer go to bertc run --input' ;;
    settings) echo 'JSON: of a checkpoint name the folder' ;;
    nothing) echo 'empty' ;;
    weights) echo 'must end in .safetensors' ;;
    esac
}
for file in graph.ir model.gguf model.onnx tf_model.h5 model.tar.gz model.tar README settings nothing weights; do
    words=$(help_of $file)
    rejects 1 "^bertc: error: $file: is no .*$words" "$BERTC" run $file "a text"
    rejects 1 "^bertc: error: $file: is no .*$words" "$BERTC" bench $file
    rejects 1 "^bertc: error: $file: is no .*$words" "$BERTC" inspect $file
    rejects 1 "^bertc: error: $file: is no .*$words" "$BERTC" verify $file
    rejects 1 "^bertc: error: $file: is no .*$words" "$BERTC" tokenize $file "a text"
    [ $file = weights ] || rejects 1 "^bertc: error: $file: is no safetensors file.*$words" "$BERTC" run tiny --seq 16 --tensors $file -o out.st
    [ $file = weights ] || rejects 1 "^bertc: error: $file: is no safetensors file.*$words" "$BERTC" compile $file -o x.so
    case $file in
    graph.ir | README) ;;
    *)
        rejects 1 "^bertc: error: $file: is no op-graph text .*--emit ir.*$words" "$BERTC" opt $file
        rejects 1 "^bertc: error: $file: is no op-graph text .*--emit ir.*$words" "$BERTC" compile "$MODEL" --graph $file -o x.so
        ;;
    esac
done
# Files of torch.save are weights; what is none says so.
for command in run bench inspect verify; do
    rejects 1 '^bertc: error: pytorch_model.bin: is no whole zip file' "$BERTC" $command pytorch_model.bin
    rejects 1 '^bertc: error: model.pt: is a pickle by itself.*no code of a pickle is ever run' "$BERTC" $command model.pt
done
rejects 1 '^bertc: error: pytorch_model.bin: is no safetensors file.*zip archive' "$BERTC" run tiny --seq 16 --tensors pytorch_model.bin -o out.st
rejects 1 '^bertc: error: pytorch_model.bin: is no op-graph text.*zip archive' "$BERTC" opt pytorch_model.bin
rejects 1 'README:1:' "$BERTC" opt README
rejects 1 'unknown: not a bertc artefact' "$BERTC" run unknown "a text"
rejects 1 'unknown: is no safetensors file, or truncated: its first 8 bytes' "$BERTC" compile unknown -o x.so
rejects 1 'm.so: is no safetensors file but a shared object: .*run, tokenize, bench and inspect' "$BERTC" compile m.so -o x.so
rejects 1 'm.so: is no checkpoint, but a shared object' "$BERTC" verify m.so
rejects 1 'm.so: is no op-graph text .*but a shared object' "$BERTC" opt m.so
rejects 1 'is no op-graph text .*but a folder' "$BERTC" opt "$MODEL"
rejects 1 'config.json: weight_map: .*MODEL is a folder' "$BERTC" compile config.json -o x.so
mkdir -p folder bare
cp pytorch_model.bin folder/
cp config.json folder/
rejects 1 'folder/pytorch_model.bin: is no whole zip file' "$BERTC" compile folder -o x.so
mv folder/pytorch_model.bin folder/model.onnx
rejects 1 'folder: holds no model.safetensors \(model.onnx is not read: save' "$BERTC" run folder "a text"
cp tiny/model.safetensors bare/
rejects 1 'bare/config.json: is missing \(--config FILE' "$BERTC" compile bare -o x.so

# What is asked for and isn't there.
long=$(seq -s ' ' 40)
rejects 1 'limit of 16: it can be truncated, or read in windows .*--long truncate, --long window' "$BERTC" run m.so "$long"
rejects 1 "there is no pass 'fuse_all' \(bertc opt --list" "$BERTC" compile "$MODEL" -o x.so --passes -fuse_all
rejects 1 "there is no pass 'fuse_all' \(bertc opt --list" "$BERTC" opt graph.ir --print-after fuse_all
rejects 1 'the model has no output attentions.4: .*attentions \(or one of .0 to .3\)' "$BERTC" run "$MODEL" --attention 4,0 "a text"
rejects 1 'the model gives no attentions: compile it with --outputs attentions' "$BERTC" run m.so --attention 0,0 "a text"
succeeds "$BERTC" compile "$MODEL" --mcpu native -o maps.so --seq 16 --outputs attentions.1,attentions.2
rejects 1 'there is no layer 4: the model gives attentions of 1, 2' "$BERTC" run maps.so --attention 4,0 "a text"
rejects 1 'there are heads 0 to 3' "$BERTC" run maps.so --attention 1,4 "a text"
succeeds "$BERTC" synth bert-tiny -o qa --head question-answering
rejects 1 'needs the context as the text.s pair \(bertc run --pair CONTEXT' "$BERTC" run qa --seq 16 --tokenizer "$MODEL/tokenizer.json" "a question"
rejects 1 '--explain: .*--head sequence-classification' "$BERTC" run qa --head embedding --seq 16 --tokenizer "$MODEL/tokenizer.json" --explain "a question"
rejects 1 "--mcpu: 'native,,native': takes names of .bertc targets." "$BERTC" compile "$MODEL" -o x.so --mcpu native,,native

# A name of the hub, not a folder: how to get one. A path that is none of the hub's names has no such advice.
rejects 1 'bert-base-uncased: can.t be opened: No such file.*hf download bert-base-uncased --local-dir bert-base-uncased' "$BERTC" compile bert-base-uncased -o x.so
rejects 1 'hf download intfloat/e5-small --local-dir e5-small' "$BERTC" run intfloat/e5-small "a text"
rejects 1 'hf download bert-base-uncased' "$BERTC" verify bert-base-uncased
for path in nothing.so ./bert no/such/folder "two words"; do
    rejects 1 "$path: can.t be opened: No such file or directory$" "$BERTC" run "$path" "a text"
done
