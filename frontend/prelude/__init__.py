"""The prelude: operators and functions written in TorchScript, shipped as text, parsed by our own frontend.

`aten.py` holds composite operators, `functional.py` the functions of `torch.nn.functional`. Both are data, never
imported. What stands in them is found by a scan for `def` lines, so that one function costs no parse of the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final, Literal

Module = Literal["aten", "functional"]

_FOLDER: Final = Path(__file__).parent
_FUNCTION: Final = re.compile(r"^def (\w+)\(.*?(?=^[^\s)]|\Z)", re.MULTILINE | re.DOTALL)
_CALL: Final = re.compile(r"(?<![\w.])(\w+)\(")


@cache
def path(module: Module) -> Path:
    return _FOLDER / f"{module}.py"


@cache
def text(module: Module) -> str:
    return path(module).read_text(encoding="utf-8")


@cache
def functions(module: Module) -> dict[str, slice]:
    """Every function of the module by name, with the slice of `text(module)` in which it stands."""
    return {m.group(1): slice(m.start(), m.end()) for m in _FUNCTION.finditer(text(module))}


def function_name(operator: str) -> str:
    """Name of the function that defines a composite: `softmax__int` for `aten::softmax.int`."""
    return operator.removeprefix("aten::").replace(".", "__", 1)


def operator_name(function: str) -> str:
    """Inverse of `function_name`."""
    base, _, overload = function[1:].partition("__")
    return f"aten::{function[0]}{base}" + (f".{overload}" if overload else "")


def is_composite(operator: str) -> bool:
    """Whether `aten::name.Overload` is defined in the prelude."""
    return operator.startswith("aten::") and function_name(operator) in functions("aten")


def composites() -> Iterable[str]:
    """Full names of all composite operators; helpers (a name of no operator starts with `_h_`) are left out."""
    return (operator_name(f) for f in functions("aten") if not f.startswith("_h_"))


@cache
def excerpt(module: Module, name: str) -> str:
    """The module's text with everything blanked but the function `name` and what it calls; line numbers stay."""
    whole, found = text(module), functions(module)
    needed, pending = set[str](), [name]
    while pending:
        current = pending.pop()
        if current not in needed:
            needed.add(current)
            pending += [c for c in _CALL.findall(whole[found[current]]) if c in found and c != current]
    parts: list[str] = []
    end = 0
    for function in sorted(needed, key=lambda f: found[f].start):
        span = found[function]
        parts += ["\n" * whole.count("\n", end, span.start), whole[span]]
        end = span.stop
    return "".join(parts)
