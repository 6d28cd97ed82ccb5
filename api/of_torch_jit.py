"""Further names of `torch.jit` that programs around TorchScript call: questions, and switches of PyTorch's executor.

What PyTorch's executor is told here (which fuser, how many specialisations) this compiler decides by itself: such calls check
their arguments, remember what they are told, and change nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

from ..ir.second_names import FIRST_NAMES
from .arguments import call_error
from .function import ScriptFunction
from .module import ScriptModule, methods_of

_FUSERS: Final = ("fuser0", "fuser1", "fuser2", "fuser3")


class _Settings:
    """What the executor was told."""

    fusion_strategy: list[tuple[str, int]] = [("STATIC", 2), ("DYNAMIC", 10)]  # noqa: RUF012 - replaced, never changed
    onednn = False


def export_opnames(module: ScriptModule | ScriptFunction) -> list[str]:
    """The operators that the methods of a module use, with overloads, sorted: `["aten::add.Tensor"]`."""
    from ..lowering.graph.inline_calls import shown_graph  # noqa: PLC0415 - part of the compiler, which calls may not need

    given: Any = module
    if not isinstance(given, ScriptModule | ScriptFunction):
        raise call_error(f"a {type(given).__name__} has no operators: a module or function of torchcc is expected")
    functions = [module] if isinstance(module, ScriptFunction) else methods_of(module)
    names: set[str] = set()
    for function in functions:
        for op in shown_graph(function.program, inlined=True).walk():
            if op.name.startswith("aten::"):
                base, dot, overload = op.name.removeprefix("aten::").partition(".")
                names.add(f"aten::{FIRST_NAMES.get(base, base)}{dot}{overload}")
    return sorted(names)


def run_frozen_optimizations(
    module: ScriptModule, optimize_numerics: bool = True, preserved_methods: Sequence[str] | None = None
) -> None:
    """Nothing: `freeze` has folded what PyTorch folds here. CompileError for what is no module."""
    del optimize_numerics, preserved_methods
    given: Any = module
    if not isinstance(given, ScriptModule):
        raise call_error(f"a {type(given).__name__} cannot be optimised: a ScriptModule is expected")


def set_fusion_strategy(strategy: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Takes pairs of "STATIC" or "DYNAMIC" and a number, and gives back what was set before; nothing else comes of it.

    `ScriptFunction`s choose by themselves when a call is compiled for any extent. CompileError for another word.
    """
    for kind, depth in strategy:
        if kind not in ("STATIC", "DYNAMIC") or not isinstance(cast(Any, depth), int):
            raise call_error(f"{(kind, depth)!r} is no fusion strategy", 'a pair of "STATIC" or "DYNAMIC" and a number is')
    before, _Settings.fusion_strategy = _Settings.fusion_strategy, list(strategy)
    return before


def enable_onednn_fusion(enabled: bool) -> None:
    """Remembers the answer of `onednn_fusion_enabled`; there is no oneDNN in what is compiled."""
    _Settings.onednn = bool(enabled)


def onednn_fusion_enabled() -> bool:
    return _Settings.onednn


@contextmanager
def fuser(name: str) -> Generator[None]:
    """For `with`: does nothing, operations are always fused. CompileError for a name that PyTorch does not know."""
    if name not in _FUSERS:
        raise call_error(f"there is no fuser {name!r}", f"there are {', '.join(_FUSERS)}")
    yield


@contextmanager
def optimized_execution(should_optimize: bool) -> Generator[None]:
    """For `with`: does nothing; results do not depend on optimisations."""
    del should_optimize
    yield


@contextmanager
def strict_fusion() -> Generator[None]:
    """For `with`: does nothing; nothing is ever left unfused for want of a fuser."""
    yield
