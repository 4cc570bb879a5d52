#!/usr/bin/env python3
"""Files to train on from dev sets:

    split.py fifths DEV.jsonl TRAIN.jsonl REST.jsonl   four fifths of the lines in another order, and the last fifth
    split.py head NAME ROWS COLUMNS FILE.safetensors   a new head NAME: weights at random, a bias of zeros
    split.py contexts SQUAD.jsonl TRAIN.txt DEV.txt    each context once, a sentence per line, an empty line behind it; the contexts
                                                       of every tenth article-sized run of 20 are the dev part
    split.py scratch MODEL PIECES LAYERS WIDTH OUT     MODEL's config and tokenizer in OUT, made smaller: the first PIECES of its WordPiece
                                                       vocabulary, heads of 32; `bertc synth OUT/config.json -o OUT` adds weights
    split.py entropy BERTC MODEL DEV.txt               the entropy of the text's tokens, one by one, in nats
"""
import collections
import json
import math
import pathlib
import random
import re
import struct
import subprocess
import sys

RUN = 20  # contexts that stand together, about half an article


def fifths(source, train, rest):
    with open(source, encoding="utf-8") as f:
        lines = f.readlines()
    cut = len(lines) * 4 // 5
    first = lines[:cut]
    random.Random(1).shuffle(first)
    for path, part in ((train, first), (rest, lines[cut:])):
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(part)


def head(name, rows, columns, path):
    rows, columns, draw = int(rows), int(columns), random.Random(1)
    weights = struct.pack(f"<{rows * columns}f", *(draw.gauss(0, 0.02) for _ in range(rows * columns)))
    tensors = {f"{name}.weight": {"dtype": "F32", "shape": [rows, columns], "data_offsets": [0, len(weights)]},
               f"{name}.bias": {"dtype": "F32", "shape": [rows], "data_offsets": [len(weights), len(weights) + 4 * rows]}}
    header = json.dumps(tensors).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(header)) + header + weights + bytes(4 * rows))


def contexts(source, train, dev):
    with open(source, encoding="utf-8") as f:
        seen = dict.fromkeys(" ".join(json.loads(line)["context"].split()) for line in f)
    with open(train, "w", encoding="utf-8") as of_train, open(dev, "w", encoding="utf-8") as of_dev:
        for i, text in enumerate(seen):
            out = of_dev if i // RUN % 10 == 9 else of_train
            out.write("\n".join(re.split(r"(?<=[.!?]) (?=[A-Z\"(])", text)) + "\n\n")


def scratch(model, pieces, layers, width, out):
    pieces, layers, width = int(pieces), int(layers), int(width)
    source, out = pathlib.Path(model), pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["vocab"] = {k: i for k, i in tokenizer["model"]["vocab"].items() if i < pieces}
    (out / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    (out / "tokenizer_config.json").write_bytes((source / "tokenizer_config.json").read_bytes())
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config.update(vocab_size=pieces, hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
                  num_attention_heads=width // 32, max_position_embeddings=128)
    config.pop("dtype", None)
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def entropy(bertc, model, dev):
    with open(dev, encoding="utf-8") as f:
        lines = [json.dumps(line) for line in f.read().split("\n") if line]
    answer = subprocess.run([bertc, "tokenize", model, "--json"], input="\n".join(lines), capture_output=True, text=True, check=True)
    counts = collections.Counter()
    for line in answer.stdout.splitlines():
        counts.update(json.loads(line)["ids"][1:-1])  # without [CLS] and [SEP]
    n = sum(counts.values())
    print(f"{n} tokens, entropy {-sum(c / n * math.log(c / n) for c in counts.values()):.4f} nats")


{"fifths": fifths, "head": head, "contexts": contexts, "scratch": scratch, "entropy": entropy}[sys.argv[1]](*sys.argv[2:])
