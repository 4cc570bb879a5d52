#!/usr/bin/env python3
"""versions.py OLD NEW [--rounds N] [--work DIR] [OPTION of bench_compare]...: two builds of bertc, timed in turn.

OLD and NEW are folders that hold bench_compare, bertc and bertc_peer (build/frontend/cli). Each round runs both, the one that
began last first, and each from new files: with kept ones a difference of 3 % stood through all rounds that was gone with new
ones. Prints for each row and number of threads the median over the rounds of either build's median, and the ratio old / new:
above 1, the new one is faster. Default: 4 rounds of base-32, base-128, minilm-32, base-ragged with 1
and 2 threads.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile


def measure(programs, work, options):
    """Milliseconds by (row, threads) of one run."""
    folder = tempfile.mkdtemp(dir=work)
    try:
        command = [os.path.join(programs, "bench_compare"), "--peers", "none", "--json", "--work", folder, *options]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    finally:
        shutil.rmtree(folder)
    rows = [json.loads(line) for line in run.stdout.splitlines() if line.startswith('{"row"')]
    return {(row["row"], row["threads"]): row["contenders"][0]["milliseconds"] for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--rounds", type=int, default=4, help="times that each build runs")
    parser.add_argument("--work", help="where the files of some GB go (default: a temporary folder)")
    arguments, options = parser.parse_known_args()
    if "--shapes" not in options:
        options += ["--shapes", "base-32,base-128,minilm-32,base-ragged"]
    if "--threads" not in options:
        options += ["--threads", "1,2"]
    builds = {"old": arguments.old, "new": arguments.new}
    times = {name: {} for name in builds}
    for turn in range(arguments.rounds):
        for name in sorted(builds, reverse=turn % 2 == 0):
            for key, milliseconds in measure(builds[name], arguments.work, options).items():
                times[name].setdefault(key, []).append(milliseconds)
    print("| row | threads | old, ms | new, ms | old / new |\n| --- | --- | --- | --- | --- |")
    for key, old in times["old"].items():
        before, after = statistics.median(old), statistics.median(times["new"][key])
        print(f"| {key[0]} | {key[1]} | {before:.3f} | {after:.3f} | {before / after:.3f} |")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as failed:
        sys.exit(f"versions.py: {failed.cmd[0]} failed with status {failed.returncode}")
    except OSError as failed:
        sys.exit(f"versions.py: {failed}")
