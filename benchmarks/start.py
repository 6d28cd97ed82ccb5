"""How long the first result of an archive takes in a fresh process: with an empty cache, and with a full one.

    python benchmarks/start.py MODEL.pt --input x=f32[1,3,224,224] [--input ...] [--rounds 3]

runs `torchcc run` on it, in turn with an empty cache folder and with what that run left there. Prints the least wall-clock and the
least processor time (of all threads) of the rounds: on a machine that others use too, only the latter says something. With
`--steps` where the time of a compilation goes, by step, in a process of its own.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time


def run(command, folder):
    """(wall-clock seconds, processor seconds) of a command with that cache folder."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    environment = {**os.environ, "TORCHCC_CACHE_DIR": folder}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(done.stderr)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--input", "-i", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", action="store_true")
    options = parser.parse_args()
    inputs = [part for given in options.input for part in ("--input", given)]
    command = [sys.executable, "-m", "torchcc", "run", options.model, *inputs]
    times = {"empty cache": [], "full cache": []}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            for found in times.values():
                found.append(run(command, folder))
    print("| | wall, s | CPU, s |\n|---|---|---|")
    for name, found in times.items():
        print(f"| {name} | {min(w for w, _ in found):.2f} | {min(c for _, c in found):.2f} |")
    if options.steps:
        with tempfile.TemporaryDirectory() as folder:
            output = os.path.join(folder, "model.o")
            subprocess.run([sys.executable, "-m", "torchcc", "compile", options.model, *inputs, "-o", output, "--timings"], check=True)


if __name__ == "__main__":
    main()
