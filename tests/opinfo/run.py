"""PyTorch's OpInfo samples, compiled and compared: `python tests/opinfo/run.py [--op NAME] [--dtypes f32,i64] [--samples N] [--report FILE]`.

Prints a line per operator and dtype: how many samples agreed, were refused (and first why), failed. Operators run in a child
process, so that one that ends it, or never ends, is a line of the table too.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import torch
from calls import EAGER_ERRORS, FORMS, LAYOUTS, Call, Unspeakable, record_error, samples
from judge import Verdict, judge, run
from survey import DTYPES, KNOWN, full_name, operators, short_verdicts, supports

PROBE = Call((), "a0 + 1", (torch.zeros(1),), None)
LIMIT = 150.0
"""Seconds for an operator in a dtype."""
Row = tuple[str, str, str, Counter[str], list[Verdict]]


def verdicts(op: Any, dtype: torch.dtype, form: str, options: argparse.Namespace) -> list[Verdict]:
    calls: list[Call] = []
    try:
        calls.extend(samples(op, dtype, form, options.samples, options.reference, options.layout))
    except Unspeakable as error:
        return [Verdict("unscriptable", str(error), full_name(op))]
    return judge(calls)


def error_verdicts(op: Any) -> list[Verdict]:
    """What PyTorch refuses has to be refused."""
    if op.error_inputs_func is None:
        return []
    found: list[Verdict] = []
    for error_input in op.error_inputs("cpu"):
        sample = error_input.sample_input
        try:
            call = record_error(op.op, sample.input, sample.args, sample.kwargs)
        except (Unspeakable, *EAGER_ERRORS):
            continue
        found += judge([call])
    return found


def work(tasks: Sequence[tuple[Any, str, str]], options: argparse.Namespace, pipe: Connection) -> None:
    for op, dtype, form in tasks:
        try:
            found = error_verdicts(op) if form == "errors" else verdicts(op, DTYPES[dtype], form, options)
        except Exception as error:
            found = [Verdict("failed", f"the harness: {type(error).__name__}: {error}", full_name(op))]
        pipe.send(found)
    pipe.close()


def rows(tasks: list[tuple[Any, str, str]], options: argparse.Namespace) -> Iterator[Row]:
    done = 0
    context = multiprocessing.get_context("fork")
    while done < len(tasks):
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=work, args=(tasks[done:], options, theirs))
        child.start()
        theirs.close()
        while done < len(tasks):
            op, dtype, form = tasks[done]
            try:
                found = ours.recv() if ours.poll(LIMIT) else [Verdict("failed", f"takes more than {LIMIT:.0f} s", full_name(op))]
                ended = bool(found) and found[0].reason.startswith("takes more")
            except EOFError:
                found, ended = [Verdict("failed", "ends the process", full_name(op))], True
            done += 1
            yield full_name(op), dtype, form, Counter(v.kind for v in found), [v for v in found if v.kind != "agreed"]
            if ended:
                break
        child.kill()
        child.join()


def line(row: Row) -> str:
    name, dtype, form, kinds, others = row
    counts = "\t".join(str(kinds[k]) for k in ("agreed", "refused", "failed", "unscriptable", "nearer"))
    first = next((v for kind in ("failed", "refused", "unscriptable", "nearer") for v in others if v.kind == kind), None)
    why = "" if first is None else f"{first.kind}: {first.reason}\t{first.text}"
    return f"{name}\t{dtype}\t{form}\t{counts}\t{why[:900]}".replace("\n", " ")


def general(reason: str) -> str:
    """A reason without the numbers of its sample."""
    return re.sub(r"\d+", "N", reason)[:110]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--op", help="names, with * and commas")
    parser.add_argument("--dtypes", default="f32")
    parser.add_argument("--forms", default="function", help=f"of {','.join(FORMS)},errors")
    parser.add_argument("--samples", type=int, default=None, help="at most so many of each")
    parser.add_argument("--reference", action="store_true", help="OpInfo's reference inputs too: many more samples")
    parser.add_argument("--layout", choices=LAYOUTS, default="contiguous", help="how arguments lie; the strides of results are compared unless contiguous")
    parser.add_argument("--report", type=Path, help="the table as a file")
    parser.add_argument("--write-known", action="store_true", help="write known.tsv, what the short form does not ask for")
    parser.add_argument("--verbose", action="store_true", help="every sample that does not agree")
    return parser.parse_args()


def write_known() -> None:
    """Operators run one by one, so that the file does not depend on their neighbours."""
    lines = ["# What the first samples of an operator in a dtype give instead of agreement. Written by `run.py --write-known`."]
    for op in operators():
        print(full_name(op), flush=True)
        lines += [f"{name}\t{dtype}\t{v.kind}: {general(v.reason)}" for (name, dtype), v in short_verdicts([op]).items()]
    KNOWN.write_text("\n".join([*lines, ""]))


def main() -> None:
    options = arguments()
    torch.set_num_threads(1)
    run([PROBE])  # imports the compiler before the children do
    if options.write_known:
        write_known()
        return
    tasks = [
        (op, dtype, form)
        for op in operators(options.op)
        for form in options.forms.split(",")
        for dtype in (options.dtypes.split(",") if form != "errors" else ["-"])
        if form == "errors" or supports(op, dtype)
    ]
    started, total, reasons = time.time(), Counter[str](), Counter[str]()
    report = options.report.open("w") if options.report else None
    for row in rows(tasks, options):
        text = line(row)
        print(text if len(text) < 300 else text[:300], flush=True)
        if report:
            print(text, file=report, flush=True)
        total += row[3]
        for verdict in row[4]:
            reasons[f"{verdict.kind}: {general(verdict.reason)}"] += 1
            if options.verbose:
                print("   ", verdict)
    print(f"\n{dict(total)} in {time.time() - started:.0f} s")
    for reason, count in reasons.most_common(60):
        print(f"{count:6} {reason}")


if __name__ == "__main__":
    main()
