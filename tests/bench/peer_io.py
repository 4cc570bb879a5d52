"""The peer's side of bench.h's protocol, for contenders in Python."""
import sys
import time

import numpy as np


def serve(load_ms, set_batch, call, outputs):
    """set_batch(ids, mask): int32 [batch, length]; call(); outputs(): float32 arrays of the last call."""
    out = sys.stdout

    def say(text):
        out.write(text + "\n")
        out.flush()

    say(f"ready {load_ms:.6f} -")
    for line in sys.stdin:
        word, *rest = line.rstrip("\n").split(" ")
        try:
            if word == "batch":
                texts, length = int(rest[1]), int(rest[2])
                grid = np.fromfile(rest[0], np.int32).reshape(2, texts, length)
                set_batch(grid[0].copy(), grid[1].copy())
                say("ok")
            elif word == "go":
                for _ in range(int(rest[0])):
                    start = time.perf_counter()
                    call()
                say(f"{(time.perf_counter() - start) * 1e3:.6f}")
            elif word == "out":
                count = 0
                with open(rest[0], "wb") as f:
                    for a in outputs():
                        np.ascontiguousarray(a, np.float32).tofile(f)
                        count += a.size
                say(f"ok {count}")
            else:
                raise ValueError(f"unknown line: {line!r}")
        except Exception as e:  # the driver reads one line, whatever went wrong
            say("error " + " ".join(str(e).split())[:400])
            raise
