"""What Model.encode takes beside bertc_embed_texts, for one text: in turn, medians.

    PYTHONPATH=frontend/python BERTC_LIBRARY=build/runtime/libbertc.so python3 tests/bench/python_overhead.py \\
        build/frontend/cli/bench_embed MODEL.so [THREADS]
"""

import statistics
import subprocess
import sys
import time

import bertc

TEXT = "the cat sat on the mat and the dog was in the house with a man who had a red car and a blue hat , he said ."
CALLS, ROUNDS = 300, 9

program, path = sys.argv[1:3]
threads = int(sys.argv[3]) if len(sys.argv) > 3 else 1
model = bertc.Model(path, threads=threads)
print(f"{len(model.tokenize(TEXT))} tokens, {threads} threads")
c, python = [], []
for _ in range(ROUNDS):
    c.append(float(subprocess.run([program, path, str(threads), str(CALLS), TEXT], check=True, capture_output=True, text=True).stdout))
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        model.encode(TEXT)
        times.append(time.perf_counter() - start)
    python.append(statistics.median(times) * 1e6)
ratio = statistics.median(p / n for p, n in zip(python, c))
print(f"C {statistics.median(c):.1f} microseconds, Python {statistics.median(python):.1f}, ratio {ratio:.4f}")
