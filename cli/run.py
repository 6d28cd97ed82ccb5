"""`torchcc run`: compile to native code, run, print the result or the accuracy."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import numpy as np

from .. import api
from ..backend.cpu.jit import set_num_threads
from ..ir.diagnostics import CompileError, Diagnostic
from ..verify import verify_stages as run_stages
from .request import Request, out, waiting

SHOWN = 1000
"""Tensors up to this many elements are printed whole."""


def run(request: Request, *, labels: Path | None, output: Path | None, verify: bool) -> None:
    if request.threads is not None:
        set_num_threads(request.threads)
    program = request.callable
    start = time.perf_counter()
    call = waiting("compiling", lambda: api.prepared(program, request.specs, request.values))
    compiled = time.perf_counter()
    result = call()
    finished = time.perf_counter()
    if verify:
        verify_stages(request)
    if labels is not None:
        print_accuracy(result, labels)
    else:
        print_value(result)
    if output is not None:
        write(result, output)
    out.print(f"compiled in {compiled - start:.2f} s, ran in {1e3 * (finished - compiled):.2f} ms", style="dim")


def verify_stages(request: Request) -> None:
    """Runs every stage on the same inputs; CompileError that names the first one that differs."""
    report = run_stages(request.callable.program, request.specs, request.values)
    for line in report:
        out.print(f"  {line.stage:12} {line.text}")
    wrong = next((line for line in report if not line.agrees), None)
    if wrong is not None:
        raise CompileError(Diagnostic(f"stage `{wrong.stage}` differs from the stage before it: {wrong.text}"))
    out.print("all stages agree")


def print_accuracy(scores: Any, labels: Path) -> None:
    """Share of rows whose largest score is at the label."""
    try:
        expected = np.load(labels, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise CompileError(Diagnostic(f"cannot read `{labels}`: {error}")) from None
    if not isinstance(scores, np.ndarray) or scores.ndim != 2 or expected.shape != scores.shape[:1]:
        raise CompileError(Diagnostic("--labels needs a result of shape [samples, classes] and one label per sample"))
    right = int((cast(np.ndarray[Any, Any], scores).argmax(1) == expected).sum())
    out.print(f"accuracy {right / len(expected):.4f} ({right} of {len(expected)})")


def print_value(value: Any) -> None:
    with np.printoptions(threshold=SHOWN, linewidth=100):
        if isinstance(value, np.ndarray):
            array = cast(np.ndarray[Any, Any], value)
            out.print(f"{array.dtype}[{','.join(map(str, array.shape))}]", style="bold")
        out.print(str(value), markup=False)


def write(value: Any, path: Path) -> None:
    """One tensor to .npy; several to .npz as `0`, `1`, ..."""
    try:
        if isinstance(value, np.ndarray):
            np.save(path, cast(np.ndarray[Any, Any], value))
        else:
            items = cast(list[Any], list(value) if isinstance(value, list | tuple) else [value])
            np.savez(path, **{str(i): np.asarray(v) for i, v in enumerate(items)})
    except OSError as error:
        raise CompileError(Diagnostic(f"cannot write `{path}`: {error.strerror or error}")) from None
