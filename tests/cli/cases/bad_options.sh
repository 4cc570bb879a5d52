# What the options ask for and can't be had.
rejects 1 '513.*512 positions' "$BERTC" compile "$MODEL" -o x.so --seq 513
rejects 1 '--batch: .* more than 268435456 tokens' "$BERTC" compile "$MODEL" -o x.so --seq 512 --batch 524289
rejects 1 'pentium9' "$BERTC" compile "$MODEL" -o x.so --mcpu pentium9
rejects 1 'vax-dec-vms' "$BERTC" compile "$MODEL" -o x.so --target vax-dec-vms
rejects 1 'no-such-linker' "$BERTC" compile "$MODEL" -o x.so --seq 16 --linker no-such-linker
rejects 1 'no/such/folder/x.so' "$BERTC" compile "$MODEL" -o no/such/folder/x.so --seq 16
rejects 1 '/dev/full' "$BERTC" compile "$MODEL" -o /dev/full --seq 16
rejects 1 'int4' "$BERTC" compile "$MODEL" -o x.so --dtype int4
rejects 1 'x86-64-v2 has no code for int8.*it has f32' "$BERTC" compile "$MODEL" -o x.so --mcpu x86-64-v2 --dtype int8 --target x86_64-linux-gnu
rejects 2 'takes f32, bf16, int8 or int8w' "$BERTC" opt x.ir --dtype int4
(
    mkdir -p tools
    for tool in ls cat grep sort wc; do ln -sf "$(command -v $tool)" tools/$tool; done
    PATH=$PWD/tools
    rejects 1 'linker' "$BERTC" compile "$MODEL" -o x.so --seq 16
)
