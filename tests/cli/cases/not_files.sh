# What is no file is refused where a file is meant, at once: pipes, devices, sockets, folders.
succeeds "$BERTC" compile "$MODEL" --mcpu native -o m.so --seq 8
mkfifo pipe pipe.so pipe.txt pipe.json pipe.safetensors pipe.st pipe.ir
mkdir folder.so
for file in pipe pipe.so folder.so /dev/zero /dev/null /dev/tty0; do
    [ -e $file ] || continue
    case $file in folder.so) why='holds no model.safetensors|a folder|is no' ;; *) why='no file' ;; esac
    rejects 1 "$file: .*($why)" timeout 60 "$BERTC" run $file x
    rejects 1 "$file: .*($why)" timeout 60 "$BERTC" inspect $file
    rejects 1 "$file: .*($why)" timeout 60 "$BERTC" bench $file
    case $file in folder.so) ;; *) rejects 1 "$file: .*($why)" timeout 60 "$BERTC" tokenize $file x ;; esac
    rejects 1 "$file: .*(is no|can.t be read|holds no)" timeout 60 "$BERTC" opt $file
    rejects 1 "$file: .*(is no|holds no)" timeout 60 "$BERTC" verify $file
done
for file in pipe.json pipe.safetensors pipe.st; do
    for command in run inspect bench verify; do
        MANY=1 rejects 1 "is no file|holds no|can.t be opened" timeout 60 "$BERTC" $command $file </dev/null
    done
    MANY=1 rejects 1 "is no file|holds no|can.t be opened" timeout 60 "$BERTC" compile $file -o x.so
done
for file in pipe.json pipe.txt; do
    rejects 1 "$file: is no file" timeout 60 "$BERTC" tokenize $file x
    rejects 1 "$file: is no file" timeout 60 "$BERTC" run "$MODEL" x --tokenizer $file
done
rejects 1 'pipe.ir: is no file .*`-`' timeout 60 "$BERTC" opt pipe.ir
rejects 1 'pipe: is no file' timeout 60 "$BERTC" run m.so --tensors pipe -o x.safetensors
rejects 1 'pipe.json: is no file' timeout 60 "$BERTC" synth pipe.json -o new
rejects 1 'folder.so: is a folder' timeout 60 "$BERTC" run m.so --input folder.so
# each file of a model's folder
for part in config.json tokenizer.json tokenizer_config.json model.safetensors; do
    rm -rf m
    copy_model m
    rm m/$part
    mkfifo m/$part
    for command in run inspect verify; do
        rejects 1 "m/$part: is no file" timeout 60 "$BERTC" $command m </dev/null
    done
    case $part in tokenizer*) rejects 1 "m/$part: is no file" timeout 60 "$BERTC" tokenize m x ;; esac
done
