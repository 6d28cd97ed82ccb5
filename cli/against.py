"""`torchcc bench --against`: the same model by other libraries, each in a process of its own, in turn with torchcc.

Arguments go to the other process as `values.json`: numbers, strings and None as they are, lists as lists, tuples and dicts as
`{"tuple": [...]}` and `{"dict": [[key, value], ...]}`, tensors as `{"tensor": {"dtype", "shape", "start", "bytes"}}`, whose
row-major elements stand in `values.bin`. Its results come back the same way (`peer.py`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from .. import api
from ..ir.diagnostics import CompileError, Diagnostic
from ..ir.dtypes import from_numpy
from .console import note, out, table, waiting
from .request import Request

LIBRARIES: Final = ("torch", "onnxruntime", "openvino")
_WARM_UP: Final = 5
_TURN: Final = 0.05
"""Seconds that one library runs before the next one has its turn: long against what waking up its threads costs."""
_WORKER: Final = Path(__file__).with_name("peer.py")


@dataclass
class Contender:
    """Who takes part. `call(count)` gives the seconds of each of so many calls; `ready` the seconds until the first result."""

    name: str
    ready: float
    call: Callable[[int], list[float]]
    results: list[npt.NDArray[Any]]
    times: list[float] = field(default_factory=list[float])


def compare(
    request: Request, ours: Callable[[], Any], ready: float, libraries: Sequence[str], python: str | None, runs: int, threads: int
) -> None:
    """Runs all in turn and prints a table; a library that cannot run the model gets a line that says why."""
    unknown = [name for name in libraries if name not in LIBRARIES]
    if unknown:
        raise CompileError(Diagnostic(f"--against {unknown[0]}: no such library", help=f"there are {', '.join(LIBRARIES)}"))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="torchcc-bench-")))
        archive, method = _archive(request, folder)
        values = api.adapted(request.callable.parameters, request.values)
        contenders = [Contender("torchcc", ready, lambda count: _times(ours, count), list(_flat(ours())))]
        for name in dict.fromkeys(libraries):
            place = folder / name
            place.mkdir()
            _write_values(values, place)
            command = [python or sys.executable, str(_WORKER), name, archive, method, str(threads), str(place)]
            worker = stack.enter_context(_Worker(command))
            found = waiting(f"starting {name}", lambda name=name, place=place, worker=worker: _peer(name, place, worker))
            if isinstance(found, str):
                note(f"{name}: {found}")
            else:
                contenders.append(found)
        waiting("measuring", lambda: _take_turns(contenders, runs))
    _print(contenders)


def _take_turns(contenders: Sequence[Contender], runs: int) -> None:
    """Calls of all in turn, so that what else the machine does meets all alike; the first call of a turn is not counted."""
    lengths = {c.name: max(1, min(runs, int(_TURN / max(1e-7, median(c.call(_WARM_UP)))))) for c in contenders}
    while any(len(c.times) < runs for c in contenders):
        for contender in contenders:
            if len(contender.times) < runs:
                contender.times += contender.call(1 + lengths[contender.name])[1:]


def _print(contenders: Sequence[Contender]) -> None:
    ours = contenders[0]
    rows = [("", "median, ms", "minimum, ms", "torchcc / it", "ready in, s", "largest difference")]
    for c in contenders:
        ratio = "" if c is ours else f"{median(ours.times) / median(c.times):.2f}"
        differs = "" if c is ours else _difference(ours.results, c.results)
        rows.append((c.name, f"{1e3 * median(c.times):.4f}", f"{1e3 * min(c.times):.4f}", ratio, f"{c.ready:.2f}", differs))
    table(rows)
    if len(contenders) == 1:
        out.print("nothing to compare with")


def _difference(ours: Sequence[npt.NDArray[Any]], theirs: Sequence[npt.NDArray[Any]]) -> str:
    if [a.shape for a in ours] != [a.shape for a in theirs]:
        return "other shapes"
    both = [(a.astype(np.complex128), b.astype(np.complex128)) for a, b in zip(ours, theirs, strict=True) if a.size]
    return f"{max((float(np.max(np.abs(a - b))) for a, b in both), default=0.0):.2g}"


def _times(call: Callable[[], Any], count: int) -> list[float]:
    found: list[float] = []
    for _ in range(count):
        begin = time.perf_counter()
        call()
        found.append(time.perf_counter() - begin)
    return found


def _archive(request: Request, folder: Path) -> tuple[str, str]:
    """The model as a file that PyTorch reads, and the method in it."""
    if request.is_archive:
        return request.path, request.entry or "forward"
    function = request.callable
    path = folder / "model.pt"
    waiting("saving", lambda: api.save(function, path))
    return str(path), "forward" if function.program.receiver is None else function.name


class _Worker:
    """A process that answers a line with a line."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command

    def __enter__(self) -> _Worker:
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8"
            )
        except OSError as error:
            raise CompileError(Diagnostic(f"cannot start `{self._command[0]}`: {error.strerror or error}")) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def answer(self) -> Any:
        """The next line of its output; None where the process has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else None

    def ask(self, count: int) -> list[float]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        found = self.answer()
        if found is None:
            raise CompileError(Diagnostic(f"`{self._command[2]}` ended in a call"))
        return found


def _peer(name: str, folder: Path, worker: _Worker) -> Contender | str:
    """The library in its process, or why it does not take part."""
    found = worker.answer()
    if found is None:
        return "its process ended before the first result"
    if isinstance(found, dict):
        return str(cast("dict[str, Any]", found)["error"])
    return Contender(name, found, worker.ask, _read_results(folder))


def _read_results(folder: Path) -> list[npt.NDArray[Any]]:
    data = (folder / "results.bin").read_bytes()
    arrays: list[npt.NDArray[Any]] = []
    start = 0
    for line in json.loads((folder / "results.json").read_text(encoding="utf-8")):
        dtype = np.dtype(line["dtype"])
        size = dtype.itemsize * int(np.prod(line["shape"], dtype=np.int64))
        arrays.append(np.frombuffer(data[start : start + size], dtype).reshape(line["shape"]))
        start += size
    return arrays


def _write_values(values: Sequence[Any], folder: Path) -> None:
    data = bytearray()
    (folder / "values.json").write_text(json.dumps([_encoded(v, data) for v in values]), encoding="utf-8")
    (folder / "values.bin").write_bytes(data)


def _encoded(value: Any, data: bytearray) -> Any:
    match value:
        case np.ndarray():
            array = np.ascontiguousarray(cast("npt.NDArray[Any]", value))
            start = len(data)
            data += array.tobytes()
            data += bytes(-len(data) % 16)
            dtype = from_numpy(array.dtype)
            assert dtype is not None
            return {"tensor": {"dtype": array.dtype.name, "shape": array.shape, "start": start, "bytes": array.nbytes}}
        case tuple():
            return {"tuple": [_encoded(v, data) for v in cast("tuple[Any, ...]", value)]}
        case list():
            return [_encoded(v, data) for v in cast("list[Any]", value)]
        case Mapping():
            return {"dict": [[_encoded(k, data), _encoded(v, data)] for k, v in cast("Mapping[Any, Any]", value).items()]}
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise CompileError(Diagnostic(f"a {type(value).__name__} cannot be given to another library"))


def _flat(value: Any) -> Iterator[npt.NDArray[Any]]:
    """The tensors and numbers of a result, in order, as `peer.py` writes them."""
    match value:
        case list() | tuple():
            for element in cast(Sequence[Any], value):
                yield from _flat(element)
        case Mapping():
            for element in cast("Mapping[Any, Any]", value).values():
                yield from _flat(element)
        case None | str():
            pass
        case _:
            yield np.asarray(value)
