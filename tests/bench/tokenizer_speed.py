#!/usr/bin/env python3
"""How fast texts become tokens on one thread: bench_tokenizer, and Hugging Face `tokenizers` where Python has it.

    python3 tokenizer_speed.py [--rounds N] TEXT_FILE TOKENIZER...     TOKENIZER: a tokenizer.json, or a checkpoint's folder that holds one

Each line of the file is a text. bertc and both ways of Hugging Face (a call a text; encode_batch over all, on one thread) are timed in turn;
a column is the median of the rounds, `x` the faster of Hugging Face's over bertc. `table` is what compiling makes of the file, once;
`open` what a program pays at its start. Files named *.xz are read as such. BENCH_TOKENIZER: the program (default: beside this script)."""
import lzma
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

# Before the library is imported: it reads them once.
os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "true"
try:
    import tokenizers
except ImportError:
    tokenizers = None

SECONDS = 1  # of bench_tokenizer, a round: it takes the best of its passes, as the others do of theirs
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.environ.get("BENCH_TOKENIZER", os.path.join(HERE, "bench_tokenizer"))


def read(path):
    with (lzma.open(path, "rb") if path.endswith(".xz") else open(path, "rb")) as f:
        return f.read()


def best_of(call, seconds):
    best, begin = 1e9, time.perf_counter()
    while True:
        start = time.perf_counter()
        call()
        now = time.perf_counter()
        best = min(best, now - start)
        if now - begin >= seconds:
            return best


def ours(tokenizer, path):
    """MB/s, tokens, and what the program says of table and opening."""
    out = subprocess.run([PROGRAM, tokenizer, path, str(SECONDS)], capture_output=True, text=True)
    if out.returncode:
        sys.exit(f"{tokenizer}: {out.stderr.strip()}")
    table = re.search(r"table of (\d+) bytes in ([\d.]+) s", out.stdout)
    opened = re.search(r"open ([\d.]+) ms", out.stdout)
    speed = re.search(r"([\d.]+) MB/s, (\d+) tokens", out.stdout)
    return float(speed[1]), int(speed[2]), (int(table[1]), float(table[2]), float(opened[1]))


def measure(tokenizer, path, lines, size, rounds):
    peer = None
    if tokenizers:
        peer = tokenizers.Tokenizer.from_file(os.path.join(tokenizer, "tokenizer.json") if os.path.isdir(tokenizer) else tokenizer)
        peer.no_truncation()
        peer.no_padding()
    speeds, calls, batches = [], [], []
    for _ in range(rounds):
        speed, count, costs = ours(tokenizer, path)
        speeds.append(speed)
        if peer:
            calls.append(size / 1e6 / best_of(lambda: [peer.encode(line) for line in lines], SECONDS))
            batches.append(size / 1e6 / best_of(lambda: peer.encode_batch(lines), SECONDS))
    if peer:
        theirs = sum(len(e.ids) for e in peer.encode_batch(lines))
        if theirs != count:
            sys.exit(f"{tokenizer}: {count} tokens, but {theirs} of Hugging Face's")
    name = os.path.basename(tokenizer.rstrip("/")).replace(".tokenizer.json", "").replace(".json", "")
    mine = statistics.median(speeds)
    row = [name, f"{count}", f"{mine:.1f}"]
    if peer:
        one, all_ = statistics.median(calls), statistics.median(batches)
        row += [f"{one:.2f}", f"{all_:.2f}", f"{mine / max(one, all_):.1f}"]
    row += [f"{costs[0] / 1e6:.1f} MB in {costs[1]:.2f} s", f"{costs[2]:.2f}"]
    print("| " + " | ".join(row) + " |", flush=True)


def main():
    arguments, rounds = sys.argv[1:], 5
    if arguments[:1] == ["--rounds"]:
        rounds, arguments = int(arguments[1]), arguments[2:]
    if len(arguments) < 2:
        sys.exit(__doc__)
    data = read(arguments[0])
    lines = data.decode().split("\n")
    if not lines[-1]:
        lines.pop()
    with tempfile.NamedTemporaryFile(suffix=".txt") as f:
        f.write(data)
        f.flush()
        print(f"{len(data) / 1e6:.1f} MB, {len(lines)} texts; Hugging Face tokenizers {tokenizers.__version__ if tokenizers else 'not found'}")
        peer = ["HF encode MB/s", "HF encode_batch MB/s", "x"] if tokenizers else []
        heads = ["tokenizer", "tokens", "bertc MB/s"] + peer + ["table", "open ms"]
        print("| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads), flush=True)
        for tokenizer in arguments[1:]:
            measure(tokenizer, f.name, lines, len(data), rounds)


if __name__ == "__main__":
    main()
