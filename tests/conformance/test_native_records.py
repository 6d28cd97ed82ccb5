"""The samples of every operator record, run as machine code: what the code computes is what the record's numpy reference says.

Many samples share one compiled function, whose parameters are all their tensors (and numbers, in the dynamic form). A
group that fails is taken apart, so that a failure names its samples. The short form takes some samples of each record,
`--long` all of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from torchcc import driver
from torchcc.ir.diagnostics import CompileError, ExecutionError, TorchccError
from torchcc.ir.dialects.aten import OPERATORS
from torchcc.ir.operator import Operator

sys.path.insert(0, str(Path(__file__).parent))
from record_calls import TOLERANCE, Call, Group, is_lowered, short

GROUP = 24
SHORT = 3
"""Samples of a record in the short form."""


# checking


def flat(value: Any) -> list[Any]:
    return [x for v in value for x in flat(v)] if isinstance(value, list | tuple) else [value]


def fault(found: Any, expected: Any) -> str | None:
    """What is wrong with a result, in words."""
    found, expected = flat(found), flat(expected)
    if len(found) != len(expected):
        return f"{len(found)} results, {len(expected)} expected"
    return next((text for f, e in zip(found, expected, strict=True) if (text := difference(f, e)) is not None), None)


def difference(found: Any, expected: Any) -> str | None:
    if not isinstance(expected, np.ndarray | np.generic):
        equal = type(found) is type(expected) and (found == expected or (found != found and expected != expected))
        if isinstance(found, float) and isinstance(expected, float):
            equal = bool(np.isclose(found, expected, rtol=1e-12, atol=1e-15, equal_nan=True))
        return None if equal else f"{found!r} != {expected!r}"
    found, expected = np.asarray(found), np.asarray(expected)
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return f"{found.dtype}{found.shape} != {expected.dtype}{expected.shape}"
    rtol, atol = TOLERANCE.get(found.dtype, (0.0, 0.0))
    wide = np.float64 if found.dtype.kind not in "cbiu" else found.dtype
    if np.allclose(found.astype(wide), expected.astype(wide), rtol=rtol, atol=atol, equal_nan=True):
        return None
    return f"{short(found)} != {short(expected)}"


def faults(calls: Sequence[Call], dynamic: bool, numbers: bool | None = None) -> Iterator[str]:
    """Every call of the group that goes wrong."""
    try:
        results = Group(calls, dynamic, numbers).run()
    except (TorchccError, AssertionError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        if len(calls) == 1:
            if isinstance(error, driver.NeedsConstant) and dynamic and numbers is None:
                yield from faults(calls, dynamic, numbers=False)
            elif not (dynamic and is_refusal(error)):
                yield f"{calls[0]}: {type(error).__name__}: {str(error)[:300]}"
            return
        middle = len(calls) // 2
        yield from faults(calls[:middle], dynamic)
        yield from faults(calls[middle:], dynamic)
        return
    for call, found in zip(calls, results, strict=True):
        text = fault(found, call.record.reference(**call.arguments))
        if text is not None:
            yield f"{call}: {text}"


def is_refusal(error: Exception) -> bool:
    """Extents that must be known at compile time: how many pieces there are, whether one is 1."""
    return isinstance(error, CompileError) and ("known at compile time" in str(error) or "only at run time" in str(error) or "only known at run time" in str(error))


def matches(expected: str, text: str, dynamic: bool) -> bool:
    """With sizes known at run time only, how much of them a message tells may differ; an item and a truth value are one node."""
    if expected in text:
        return True
    return dynamic and (expected.split(" (", maxsplit=1)[0] in text or "cannot be converted to Scalar" in text)


def chosen(record: Operator, long: bool) -> list[Call]:
    calls = [Call(record, s) for s in record.samples() if s.raises is None]
    if long or len(calls) <= SHORT:
        return calls
    step = (len(calls) - 1) / (SHORT - 1)
    return [calls[round(i * step)] for i in range(SHORT)]


NAMES = sorted(name for name, record in OPERATORS.items() if is_lowered(record))
PARTS = [NAMES[i : i + 40] for i in range(0, len(NAMES), 40)]
"""Operators that are tested together."""


def part_name(part: Sequence[str]) -> str:
    return f"{part[0]}-{part[-1]}".replace("aten::", "")


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("part", PARTS, ids=part_name)
def test_native_code_agrees_with_the_reference(part: Sequence[str], dynamic: bool, long: bool) -> None:
    calls = [c for name in part for c in chosen(OPERATORS[name], long)]
    found = [text for i in range(0, len(calls), GROUP) for text in faults(calls[i : i + GROUP], dynamic)]
    assert not found, "\n".join([f"{len(found)} of {len(calls)} calls are wrong:", *found])


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("part", PARTS, ids=part_name)
def test_errors_are_raised(part: Sequence[str], dynamic: bool, long: bool) -> None:
    wrong: list[str] = []
    for record in map(OPERATORS.__getitem__, part):
        refused = [Call(record, s) for s in record.samples() if s.raises is not None]
        for call in refused if long else refused[: 1 if dynamic else 2]:
            text = call.sample.raises
            try:
                Group([call], dynamic).run()
            except CompileError as error:
                if not dynamic and text not in str(error):
                    wrong.append(f"{call}: {error}")
            except ExecutionError as error:
                if not matches(text, str(error), dynamic):
                    wrong.append(f"{call}: {error}")
            else:
                wrong.append(f"{call}: no error, {text!r} expected")
    assert not wrong, "\n".join(wrong)
