"""Random programs against PyTorch: python tests/fuzz/run.py --seed S --count N [--features a,b] [--shrink]

Each program runs in a process of workers that is replaced when it crashes or hangs. What is refused is counted by reason,
what is wrong is printed, with --shrink as small as it can be made.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import pickle
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import generator
import oracle
import shrinker


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of the first program")
    parser.add_argument("--count", type=int, default=100, help="how many programs")
    parser.add_argument("--features", default=",".join(generator.FEATURES), help=f"of {', '.join(generator.FEATURES)}; -name leaves one out")
    parser.add_argument("--shrink", action="store_true", help="cut failing programs down")
    parser.add_argument("--show", action="store_true", help="print the programs, without running them")
    parser.add_argument("--timeout", type=float, default=60, help="seconds of processor time for each program")
    parser.add_argument("--verbose", action="store_true", help="a line for each program")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    features = chosen(options.features)
    if options.worker:
        return work(features, options.timeout)
    seeds = range(options.seed, options.seed + options.count)
    if options.show:
        for seed in seeds:
            show(seed, features)
        return 0
    return report(options, seeds, features)


def chosen(text: str) -> list[str]:
    names = text.split(",")
    unknown = {n.removeprefix("-") for n in names} - {*generator.FEATURES, ""}
    if unknown:
        sys.exit(f"there are no features {', '.join(sorted(unknown))}")
    if any(n.startswith("-") for n in names):
        return [f for f in generator.FEATURES if f"-{f}" not in names]
    return [n for n in names if n]


def show(seed: int, features: list[str]) -> None:
    program = generator.generate(seed, features)
    print(f"# seed {seed}\n{program.text()}")
    for values in program.inputs:
        print("#", values)


def report(options: Any, seeds: range, features: list[str]) -> int:
    counts: collections.Counter[str] = collections.Counter()
    reasons: dict[str, list[int]] = {}
    failed: list[int] = []
    worker = Worker(features, options.timeout)
    for seed in seeds:
        start = time.monotonic()
        verdict = worker.judge(seed)
        group = verdict.kind if not verdict.is_failure else "failed"
        counts[group] += 1
        if verdict.kind in ("refused", "invalid", "broken"):
            reasons.setdefault(f"{verdict.kind}: {verdict.detail.strip().splitlines()[0]}", []).append(seed)
        if verdict.is_failure:
            failed.append(seed)
            print(f"seed {seed}: {verdict.kind}: {verdict.detail}", flush=True)
            if options.shrink:
                smallest(seed, verdict, features, options.timeout)
        elif options.verbose:
            print(f"seed {seed}: {verdict.kind} {verdict.detail[:80]} {time.monotonic() - start:.1f}s", flush=True)
    worker.stop()
    print("\n" + ", ".join(f"{counts[k]} {k}" for k in ("agrees", "refused", "invalid", "broken", "failed")))
    for reason, found in sorted(reasons.items(), key=lambda r: -len(r[1])):
        print(f"{len(found):5} {reason} (seeds {', '.join(map(str, found[:4]))})")
    if failed:
        print(f"failed: {' '.join(map(str, failed))}")
    return 1 if failed else 0


def smallest(seed: int, verdict: oracle.Verdict, features: list[str], timeout: float) -> None:
    """Shrinks in this process, or in fresh ones if the program crashes it."""
    worker = Worker(features, timeout)

    def still_fails(program: Any) -> bool:
        return worker.judge_program(program).kind == verdict.kind

    program = shrinker.shrink(generator.generate(seed, features), still_fails)
    print(f"{program.text()}\n# {program.inputs}\n# {worker.judge_program(program)}\n", flush=True)
    worker.stop()


class Worker:
    """A process that judges programs."""

    def __init__(self, features: list[str], timeout: float) -> None:
        self._command = [sys.executable, __file__, "--worker", "--features", ",".join(features), "--timeout", str(timeout)]
        self._patience = 60 + 8 * timeout
        """Seconds on the clock: the machine may be busy, and native code is not interrupted by the worker itself."""
        self._process: subprocess.Popen[str] | None = None

    def judge(self, seed: int) -> oracle.Verdict:
        return self._ask({"seed": seed})

    def judge_program(self, program: Any) -> oracle.Verdict:
        # a tree of our own, from one of our processes to another
        return self._ask({"program": pickle.dumps(program).hex()})

    def _ask(self, question: dict[str, Any]) -> oracle.Verdict:
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], self._patience)
        answer = process.stdout.readline() if ready else ""
        if not answer:
            self.stop()
            return oracle.Verdict("hangs" if not ready else "crashes", f"exit status {process.returncode}")
        return oracle.Verdict(*json.loads(answer))

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Hangs(BaseException):
    """The time for a program is over."""


def work(features: list[str], timeout: float) -> int:
    """Answers questions until there are no more."""
    # programs print to file descriptor 1: answers go another way
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def stop(number: int, frame: Any) -> None:
        raise Hangs(f"in {Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}" if frame else "")

    signal.signal(signal.SIGVTALRM, stop)
    for question in sys.stdin:
        asked = json.loads(question)
        program = generator.generate(asked["seed"], features) if "seed" in asked else pickle.loads(bytes.fromhex(asked["program"]))
        signal.setitimer(signal.ITIMER_VIRTUAL, timeout)
        try:
            verdict = oracle.judge(program)
        except Hangs as over:
            verdict = oracle.Verdict("hangs", str(over))
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        answers.write(json.dumps([verdict.kind, verdict.detail]) + "\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
