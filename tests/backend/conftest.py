"""Programs of the `loops` stage as MLIR text, compiled and called."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from torchcc.backend.cpu.call import CompiledFunction
from torchcc.backend.cpu.jit import compile_module
from torchcc.ir.dtypes import SHORT_NAMES
from torchcc.ir.parser import parse_module
from torchcc.ir.script_types import BOOL, FLOAT, INT, ScriptType, TensorType
from torchcc.ir.signature import Dim, Leaf, Parameter, ScalarSpec, SequenceResult, Signature, TensorSpec

_SCALARS: dict[str, ScriptType] = {"int": INT, "float": FLOAT, "bool": BOOL}


def _tensor(text: str) -> tuple[Any, list[str]]:
    name, _, shape = text.rstrip("]").partition("[")
    return SHORT_NAMES[name], [s for s in shape.split(",") if s]


def parse_spec(text: str, dims: dict[str, Dim]) -> TensorSpec | ScalarSpec:
    """`f32[n,3]`, `int`, `float`, `bool`."""
    if text in _SCALARS:
        return ScalarSpec(_SCALARS[text])
    dtype, shape = _tensor(text)
    return TensorSpec(dtype, tuple(int(s) if s.isdigit() else dims.get(s, Dim(s)) for s in shape))


def parse_result(text: str) -> ScriptType:
    if text in _SCALARS:
        return _SCALARS[text]
    dtype, shape = _tensor(text)
    return TensorType(dtype, tuple(int(s) if s.isdigit() else None for s in shape))


def make_signature(
    parameters: str,
    results: str,
    name: str = "f",
    dims: dict[str, Dim] | None = None,
    written: dict[int, int] | None = None,
) -> Signature:
    """`make_signature("f32[n] int", "f32[n]")`: parameters x0, x1, ...; `written`: parameter -> flat result."""
    flat = tuple(
        Parameter(f"x{i}", parse_spec(p, dims or {}), (written or {}).get(i)) for i, p in enumerate(parameters.split())
    )
    types = tuple(parse_result(r) for r in results.split())
    leaves = [Leaf(i, t) for i, t in enumerate(types) if i not in (written or {}).values()]
    tree = leaves[0] if len(leaves) == 1 else SequenceResult(tuple(leaves), True)
    return Signature(name, flat, types, tree)


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Tests neither use nor fill the user's cache."""
    saved = os.environ.get("TORCHCC_CACHE_DIR")
    folder = tmp_path_factory.mktemp("cache")
    os.environ["TORCHCC_CACHE_DIR"] = str(folder)
    yield folder
    if saved is None:
        del os.environ["TORCHCC_CACHE_DIR"]
    else:
        os.environ["TORCHCC_CACHE_DIR"] = saved


@pytest.fixture
def signature() -> Callable[..., Signature]:
    return make_signature


@pytest.fixture
def compiled() -> Callable[..., CompiledFunction]:
    """`compiled(text, "f32[n] int", "f32[n]")`: the function @f of the MLIR text."""

    def run(text: str, parameters: str, results: str, constants: Any = None, **options: Any) -> CompiledFunction:
        return compile_module(parse_module(text, constants), make_signature(parameters, results, **options))

    return run
