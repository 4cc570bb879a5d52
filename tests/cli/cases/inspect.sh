# What is inside, for people and as JSON; of a checkpoint also as a picture's source.
succeeds "$BERTC" compile "$MODEL" -o m.so --seq 32,64
succeeds "$BERTC" inspect m.so
expect '^model +bert, sequence-classification: 4 layers x 256, 4 heads'
expect 'negative positive'
expect '_s32 .*32 tokens'
expect '_s64 .*64 tokens'
succeeds "$BERTC" inspect m.so --json
expect '^\{"bertc":'
succeeds "$BERTC" inspect "$MODEL" --dot
expect '^digraph'
