"""`torchcc run`: compile to native code, run, print the result or the accuracy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from .. import api
from ..backend.cpu.jit import set_num_threads
from ..backend.cpu.random import manual_seed
from ..ir.diagnostics import CompileError, Diagnostic
from ..ir.dtypes import from_numpy
from .console import note, out, waiting
from .inputs import load_array
from .request import Request

SHOWN = 1000
"""Tensors up to this many elements are printed whole."""


def run(request: Request, *, labels: Path | None, output: Path | None, verify: bool) -> None:
    if output is not None:
        check_output(output)
    use_threads(request)
    start = time.perf_counter()
    call, origin = compiled_call(request)
    compiled = time.perf_counter()
    manual_seed(request.seed)
    result = waiting("running", call)
    finished = time.perf_counter()
    if verify:
        verify_stages(request)
    if labels is not None:
        print_accuracy(result, labels)
    else:
        print_value(result)
    if output is not None:
        write(result, output)
    note(f"{origin} in {compiled - start:.2f} s, ran in {1e3 * (finished - compiled):.2f} ms")


def use_threads(request: Request) -> None:
    if request.threads is not None:
        set_num_threads(request.threads)


def compiled_call(request: Request) -> tuple[Callable[[], Any], str]:
    """The program as native code, bound to the request's values; and how that was got: compiled, or loaded from cache."""
    call, is_from_cache = request.call()
    return call, "loaded from cache" if is_from_cache else "compiled"


def verify_stages(request: Request) -> None:
    """Runs every stage on the same inputs; CompileError that names the first one that differs."""
    from ..verify import verify_stages as run_stages  # noqa: PLC0415 - all of the compiler, which other runs may not need

    values = api.adapted(request.callable.parameters, request.values)
    report = request.compiled(lambda specs, state: run_stages(request.callable.program, specs, values, state))
    for line in report:
        out.print(f"  {line.stage:12} {line.text}")
    wrong = next((line for line in report if not line.agrees), None)
    if wrong is not None:
        raise CompileError(Diagnostic(f"stage `{wrong.stage}` differs from the stage before it: {wrong.text}"))
    out.print("all stages agree")


def print_accuracy(scores: Any, labels: Path) -> None:
    """Share of rows whose largest score is at the label."""
    expected = load_array(labels)
    if not isinstance(scores, np.ndarray) or cast(np.ndarray[Any, Any], scores).ndim != 2:
        raise CompileError(Diagnostic("--labels needs a program that returns one Tensor of shape [samples, classes]"))
    rows = cast(np.ndarray[Any, Any], scores)
    if expected.shape != rows.shape[:1]:
        given = f"an array of shape {list(expected.shape)}"
        raise CompileError(Diagnostic(f"--labels needs {len(rows)} numbers, one per sample; `{labels}` holds {given}"))
    right = int((rows.argmax(1) == expected).sum())
    out.print(f"accuracy {right / max(1, len(expected)):.4f} ({right} of {len(expected)})")


def print_value(value: Any, name: str = "") -> None:
    """A result; those of a list or tuple one after the other, by their numbers."""
    label = f"{name}: " if name else ""
    if isinstance(value, np.ndarray):
        array = cast(np.ndarray[Any, Any], value)
        dtype = from_numpy(array.dtype)
        out.print(f"{label}{dtype.name if dtype else array.dtype}[{','.join(map(str, array.shape))}]", style="bold")
        with np.printoptions(threshold=SHOWN, linewidth=100):
            out.print(str(array))
    elif isinstance(value, list | tuple) and any(isinstance(v, np.ndarray | list | tuple) for v in cast(Sequence[Any], value)):
        for i, element in enumerate(cast(Sequence[Any], value)):
            print_value(element, f"{name}[{i}]")
    else:
        out.print(f"{label}{value!r}")


def check_output(path: Path) -> None:
    if path.suffix not in (".npy", ".npz"):
        raise CompileError(Diagnostic(f"--output {path}: results are written to .npy or .npz files"))


def write(value: Any, path: Path) -> None:
    """One tensor or number to .npy, any number of them to .npz as `0`, `1`, ...; bfloat16 as float32, which holds it."""
    items = cast(Sequence[Any], value) if isinstance(value, list | tuple) else [value]
    if any(isinstance(v, list | tuple | str) or v is None for v in items):
        raise CompileError(Diagnostic(f"--output {path}: only tensors and numbers, or a flat list of them, can be written"))
    arrays = [_storable(np.asarray(v)) for v in items]
    if path.suffix == ".npy" and isinstance(value, list | tuple):
        raise CompileError(Diagnostic(f"--output {path}: a .npy file holds one tensor, the result has {len(items)}", help="write them to a .npz file"))
    try:
        if path.suffix == ".npy":
            np.save(path, arrays[0])
        else:
            np.savez(path, allow_pickle=False, **{str(i): array for i, array in enumerate(arrays)})
    except OSError as error:
        raise CompileError(Diagnostic(f"cannot write `{path}`: {error.strerror or error}")) from None


def _storable(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array.astype(np.float32) if array.dtype.kind == "V" else array
