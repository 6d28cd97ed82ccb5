"""Operators whose meaning has changed: what files of older versions meant by them, written in TorchScript.

PyTorch calls these upgraders. A file has the version that the newest operator in it asks for; every operator that has
changed since then is replaced, overload by overload.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from ...ir.source import SourceFile
from .. import ast
from ..parser import parse
from ..values import FunctionValue
from .code import ArchiveScope

VERSIONS: Final = range(1, 11)

_SOURCE: Final = """
def div_Tensor(self: Tensor, other: Tensor) -> Tensor:
  if torch.is_floating_point(self) or torch.is_floating_point(other):
    return torch.div(self, other)
  return torch.div(self, other, rounding_mode="trunc")

def div_Scalar(self: Tensor, other: number) -> Tensor:
  if torch.is_floating_point(self) or isinstance(other, float):
    return torch.div(self, other)
  return torch.div(self, other, rounding_mode="trunc")

def div_out(self: Tensor, other: Tensor, *, out: Tensor) -> Tensor:
  if torch.is_floating_point(self) or torch.is_floating_point(other) or torch.is_floating_point(out):
    return torch.div(self, other, out=out)
  return torch.div(self, other, rounding_mode="trunc", out=out)

def div__Tensor(self: Tensor, other: Tensor) -> Tensor:
  if torch.is_floating_point(self) or torch.is_floating_point(other):
    return torch.div_(self, other)
  return torch.div_(self, other, rounding_mode="trunc")

def div__Scalar(self: Tensor, other: number) -> Tensor:
  if torch.is_floating_point(self) or isinstance(other, float):
    return torch.div_(self, other)
  return torch.div_(self, other, rounding_mode="trunc")

def full(size: List[int], fill_value: number, *, dtype: Optional[int]=None, layout: Optional[int]=None,
         device: Optional[Device]=None, pin_memory: Optional[bool]=None) -> Tensor:
  if dtype is None:
    return torch.full(size, float(fill_value), dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)
  return torch.full(size, fill_value, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)

def full_out(size: List[int], fill_value: number, *, out: Tensor) -> Tensor:
  return torch.full(size, fill_value, out=out)

def linspace(start: number, end: number, steps: Optional[int]=None, *, dtype: Optional[int]=None,
             layout: Optional[int]=None, device: Optional[Device]=None, pin_memory: Optional[bool]=None) -> Tensor:
  if steps is None:
    return torch.linspace(start, end, 100, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)
  return torch.linspace(start, end, steps, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)

def logspace(start: number, end: number, steps: Optional[int]=None, base: float=10., *, dtype: Optional[int]=None,
             layout: Optional[int]=None, device: Optional[Device]=None, pin_memory: Optional[bool]=None) -> Tensor:
  if steps is None:
    return torch.logspace(start, end, 100, base, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)
  return torch.logspace(start, end, steps, base, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)
"""


@dataclass(frozen=True)
class _Change:
    since: int
    function: str


_OVERLOADS: Final = {
    "aten::div.Tensor": _Change(4, "div_Tensor"),
    "aten::div.Scalar": _Change(4, "div_Scalar"),
    "aten::div.out": _Change(4, "div_out"),
    "aten::div_.Tensor": _Change(4, "div__Tensor"),
    "aten::div_.Scalar": _Change(4, "div__Scalar"),
    "aten::full": _Change(5, "full"),
    "aten::full.out": _Change(5, "full_out"),
}
"""By full name. `gelu` needs no upgrader: without `approximate` it means what it meant."""

_SIGNATURES: Final = {"aten::linspace": _Change(8, "linspace"), "aten::logspace": _Change(9, "logspace")}
"""Operators whose old calls may fit no overload of today: all calls go to the function."""


@cache
def _functions() -> dict[str, FunctionValue]:
    file = parse(SourceFile("frontend/archive/upgraders.py", _SOURCE.lstrip("\n")), dialect="archive")
    scope = ArchiveScope("torchcc.upgraders", is_current=True)
    found = [s for s in file.body if isinstance(s, ast.FunctionDef)]
    return {f.name: FunctionValue(f, scope, f"torchcc.upgraders.{f.name}") for f in found}


def overload_upgrader(operator: str, version: int) -> FunctionValue | None:
    """What an overload meant in files of that version; None if it has not changed since."""
    return _chosen(_OVERLOADS.get(operator), version)


def signature_upgrader(base: str, version: int) -> FunctionValue | None:
    """The same for all calls of `aten::linspace` together."""
    return _chosen(_SIGNATURES.get(base), version)


def _chosen(change: _Change | None, version: int) -> FunctionValue | None:
    return _functions()[change.function] if change is not None and version < change.since else None
