"""Calls compiled by torchcc and run as machine code, compared with what eager PyTorch gave.

In: `Call`s of one operator. Out: a `Verdict` for each. Calls are compiled together, in one function that returns all results;
a group that fails is taken apart, so that a verdict speaks of its own call only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from calls import EAGER_ERRORS, Call, copied, tensors_in

from torchcc.api import compile_source
from torchcc.ir.diagnostics import CompileError, ExecutionError

HEAD = "import torch\nfrom torch import Tensor\nfrom typing import List, Optional, Tuple\n\n"
GROUP = 12
FAULTS = (Exception,)
"""Whatever the compiler raises is a verdict of this call only."""
LOOSER = {torch.float16: (1e-3, 1e-3), torch.bfloat16: (1.6e-2, 1e-2), torch.float32: (5e-6, 1e-5), torch.complex64: (5e-6, 1e-5), torch.complex32: (1e-3, 1e-3)}
"""Beside PyTorch's own default tolerances (`assert_close`); float64 stays at 1e-7."""

UNSTABLE = ("topk(", "kthvalue(", "median(", "mode(", "sort(", "argsort(")
UNWRITTEN = ("empty",)
"""Their elements are whatever was in memory."""


@dataclass(frozen=True)
class Verdict:
    kind: str
    """agreed, nearer (to the exact result than PyTorch's), refused, failed; unscriptable: TorchScript itself refuses the text."""
    reason: str = ""
    text: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}   in: {self.text}"


def judge(calls: Sequence[Call]) -> list[Verdict]:
    return [v for i in range(0, len(calls), GROUP) for v in judged(calls[i : i + GROUP])]


def judged(calls: Sequence[Call]) -> list[Verdict]:
    if len(calls) > 1:
        try:
            results, tensors = run(calls)
        except FAULTS:
            half = len(calls) // 2
            if is_hopeless(calls[0]):
                return [v for c in calls for v in judged([c])]
            return judged(calls[:half]) + judged(calls[half:])
        return [verdict(c, r, t) for c, r, t in zip(calls, results, tensors, strict=True)]
    (call,) = calls
    try:
        results, tensors = run(calls)
    except CompileError as error:
        if isinstance(call.expected, Exception):
            return [Verdict("agreed")]
        kind = "refused" if is_scriptable(call) else "unscriptable"
        return [Verdict(kind, first_line(error), call.text)]
    except ExecutionError as error:
        agreed = isinstance(call.expected, Exception)
        return [Verdict("agreed") if agreed else Verdict("failed", f"raises {first_line(error)}", call.text)]
    except FAULTS as error:
        return [Verdict("failed", f"{type(error).__name__}: {first_line(error)}", call.text)]
    return [verdict(call, results[0], tensors[0])]


def is_hopeless(call: Call) -> bool:
    """One that does not compile: others of the operator will not either."""
    try:
        run([call])
    except FAULTS:
        return True
    return False


def source(calls: Sequence[Call]) -> str:
    if len(calls) == 1:
        return HEAD + calls[0].function("main")
    names = [f"a{i}" for i in range(sum(len(c.tensors) for c in calls))]
    rest = iter(names)
    inner = [f"c{i}({', '.join(next(rest) for _ in c.tensors)})" for i, c in enumerate(calls)]
    parameters = ", ".join(f"{n}: Tensor" for n in names)
    functions = [c.function(f"c{i}") for i, c in enumerate(calls)]
    return HEAD + "\n".join([*functions, f"def main({parameters}):", f"    return ({', '.join(inner)})", ""])


def run(calls: Sequence[Call]) -> tuple[list[Any], list[list[torch.Tensor]]]:
    """The results, and the arguments afterwards."""
    tensors = [[copied(t) for t in c.tensors] for c in calls]
    result = compile_source(source(calls)).main(*[t for group in tensors for t in group])
    return (list(result) if len(calls) > 1 else [result]), tensors


def is_scriptable(call: Call) -> bool:
    names = {"torch": torch}
    script = "torch.jit.CompilationUnit(text)"  # looks names up where it is called
    text = call.function("main").replace(": Tensor", "")
    try:
        eval(script, names, {"text": text})
    except Exception:
        return False
    return True


def first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    found = next((line for line in lines if "error" in line), lines[0] if lines else type(error).__name__)
    return re.sub(r"\x1b\[[0-9;]*m", "", found).strip().removeprefix("error: ")[:300]


def verdict(call: Call, result: Any, tensors: Sequence[torch.Tensor]) -> Verdict:
    if isinstance(call.expected, Exception):
        return Verdict("failed", f"no error; PyTorch: {first_line(call.expected)}", call.text)
    if call.strides is not None:
        result, strides = result
        if (text := strides_differ(result, strides, call)) is not None:
            return Verdict("failed", text, call.text)
    text = difference(result, call.expected, any(w in call.text for w in UNWRITTEN))
    if text is not None and "values" in text and any(w in call.text for w in UNSTABLE) and agrees_but_for_ties(result, call.expected):
        text = None
    if text is None:
        # an argument's own shape (`squeeze_`) is not the callee's to change
        unstable = any(w in call.text for w in UNSTABLE)
        pairs = [
            (i, f, e)
            for i, (f, e) in enumerate(zip(tensors, call.after, strict=False))
            if f.shape == e.shape and not (unstable and e.dtype is torch.int64)
        ]
        text = next((f"argument {i}: {t}" for i, f, e in pairs if (t := difference(f, e))), None)
    if text is not None and "values" in text and is_nearer(call, result):
        return Verdict("nearer", text, call.text)
    return Verdict("agreed") if text is None else Verdict("failed", text, call.text)


def strides_differ(result: Any, strides: Any, call: Call) -> str | None:
    """What the program says of them, and what its caller sees."""
    expected = call.strides if isinstance(call.strides, tuple) else (call.strides,)
    asked = strides if isinstance(strides, tuple) else (strides,)
    shapes = [t.size() for t in tensors_in(call.expected)]
    seen = tuple(list(t.stride()) for t in tensors_in(result))
    for of, found in (("", asked), *([(" at the boundary", seen)] if seen else [])):  # of no tensors come arrays
        for shape, f, e in zip(shapes, found, expected, strict=True):
            if 0 not in shape and any(a != b and n > 1 for n, a, b in zip(shape, f, e, strict=True)):
                return f"strides{of} {list(f)}, not {list(e)}"
    return None


WIDER = {torch.float16: torch.float64, torch.bfloat16: torch.float64, torch.float32: torch.float64, torch.complex64: torch.complex128, torch.complex32: torch.complex128}


def is_nearer(call: Call, result: Any) -> bool:
    """Nearer to the result in double precision than PyTorch's own, everywhere but for what its tolerance allows."""
    found, expected = tensors_in(result), tensors_in(call.expected)
    if not any(t.dtype in WIDER for t in call.tensors) or any(torch.is_tensor(t) and t.dtype not in WIDER for t in expected):
        return False
    names: dict[str, Any] = {"torch": torch, "Tensor": torch.Tensor}
    try:
        exec(call.function("main"), names)
        exact = tensors_in(names["main"](*[copied(t).to(WIDER.get(t.dtype, t.dtype)) for t in call.tensors]))
    except EAGER_ERRORS:
        return False  # a dtype that stands in the text
    return len(exact) == len(expected) and all(
        f.dtype == e.dtype and f.shape == x.shape and (close(f, x.to(f.dtype)) is None or distance(f, x) <= distance(e, x))
        for f, e, x in zip(found, expected, exact, strict=True)
    )


def distance(found: torch.Tensor, exact: torch.Tensor) -> float:
    """The largest; not finite elements that stand elsewhere are infinitely far."""
    wide = found.to(exact.dtype)
    if not torch.equal(wide.isnan(), exact.isnan()):
        return float("inf")
    same = (wide == exact) | wide.isnan()
    return float((wide - exact).abs().masked_fill(same, 0).nan_to_num(float("inf")).max()) if wide.numel() else 0.0


def agrees_but_for_ties(result: Any, expected: Any) -> bool:
    """PyTorch promises no order of equal elements: where values agree, indices need not."""
    if isinstance(expected, torch.Tensor):
        return expected.dtype is torch.int64 and result.shape == expected.shape
    return all(
        e.dtype is torch.int64 and i > 0 if isinstance(e, torch.Tensor) and difference(f, e) else True
        for i, (f, e) in enumerate(zip(result, expected, strict=True))
    )


def difference(found: Any, expected: Any, unwritten: bool = False) -> str | None:
    if isinstance(expected, list | tuple):
        if not isinstance(found, list | tuple) or len(found) != len(expected):
            return f"gives {shown(found)}, not {shown(expected)}"
        return next((t for f, e in zip(found, expected, strict=True) if (t := difference(f, e, unwritten)) is not None), None)
    if not isinstance(expected, torch.Tensor):
        if isinstance(expected, float) and isinstance(found, float):
            equal = found == expected or abs(found - expected) <= 1e-6 * abs(expected) or (found != found and expected != expected)
            return None if equal else f"gives {found!r}, not {expected!r}"
        same = type(found) is type(expected) or isinstance(expected, torch.dtype | torch.device)
        return None if same and (found == expected or str(found) == str(expected)) else f"gives {found!r}, not {expected!r}"
    if isinstance(found, np.ndarray | np.generic):
        found = from_array(np.asarray(found))  # a function without tensors among its arguments gives arrays
    if not isinstance(found, torch.Tensor):
        return f"gives {shown(found)}, not a tensor"
    if found.dtype != expected.dtype:
        return f"dtype {found.dtype}, not {expected.dtype}"
    if found.shape != expected.shape:
        return f"shape {list(found.shape)}, not {list(expected.shape)}"
    return None if unwritten else close(found, expected)


def from_array(array: np.ndarray) -> torch.Tensor:
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    if array.dtype.name == "complex32":
        return torch.from_numpy(array.view(np.int32)).view(torch.complex32)
    return torch.from_numpy(array)


def close(found: torch.Tensor, expected: torch.Tensor) -> str | None:
    loose = LOOSER.get(found.dtype)
    tolerance = {} if loose is None else {"rtol": loose[0], "atol": loose[1]}
    try:
        torch.testing.assert_close(found, expected.resolve_conj().resolve_neg(), equal_nan=True, **tolerance)
    except AssertionError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        where = next((line for line in lines if "Greatest relative" in line), lines[0])
        return f"values: {wrong_share(lines)} {where[:120]}; {shown(found)[:200]} not {shown(expected)[:200]}"
    return None


def wrong_share(lines: Sequence[str]) -> str:
    return next((line for line in lines if line.startswith("Mismatched")), "")


def shown(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return str(value.tolist())[:300]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    return repr(value)


__all__ = ["Verdict", "judge", "tensors_in"]
