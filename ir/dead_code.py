"""Removes what nothing depends on: unused operations without effects, unused results of `If`, unused carried values
of `Loop`.

An operator that would have failed disappears with its failure, as in PyTorch's own dead code elimination;
`RaiseException` and writes stay. A call stays unless `is_pure` says that the function has no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from .core import Block, Operation, OpResult
from .dialects import torch
from .operators import schema

_EFFECTS: Final = frozenset(
    {"prim::RaiseException", "prim::Print", "prim::SetAttr", "aten::warn", "aten::wait", "prim::Enter", "prim::Exit"}
)
RANDOM: Final = frozenset(
    f"aten::{name}"
    for name in (
        "uniform", "random", "normal_functional", "log_normal", "randperm", "manual_seed", "seed", "rand", "rand_like",
        "_generator_enter", "_generator_leave", "_generator_seed", "_generator_initial_seed",
        "randn", "randn_like", "randint", "randint_like", "normal", "bernoulli", "exponential", "geometric", "cauchy",
        "poisson", "binomial", "multinomial", "dropout", "native_dropout", "feature_dropout", "alpha_dropout",
        "feature_alpha_dropout", "rrelu", "rrelu_with_noise", "rrelu_with_noise_functional", "_standard_gamma",
        "_sample_dirichlet", "_fused_dropout", "scaled_dot_product_attention", "lstm", "gru", "rnn_tanh", "rnn_relu",
    )
)  # fmt: skip
"""Operators that may draw random numbers, and so change what others draw: not removed, merged or moved."""
_CALLS: Final = frozenset({"prim::CallMethod", "prim::CallFunction"})
_TERMINATORS: Final = (torch.RETURN, torch.YIELD)

IsPure = Callable[[Operation], bool]
"""Whether the function that an operation calls has no effect."""


def _never(op: Operation) -> bool:
    del op
    return False


def remove_dead_code(function: Operation, is_pure: IsPure = _never) -> None:
    while _sweep(function.body(), is_pure):
        pass


def has_effect(op: Operation, is_pure: IsPure = _never) -> bool:
    """Whether the operation, or one inside it, does more than give its results."""
    if op.name in _CALLS:
        return torch.CONTEXT in op.attributes or not is_pure(op)  # an `__enter__` has its `__exit__` be called
    if op.name in _EFFECTS or op.name.partition(".")[0] in RANDOM or torch.KEPT in op.attributes:
        return True
    if op.regions:
        return any(
            has_effect(inner, is_pure) for region in op.regions for block in region.blocks for inner in block.operations()
        )
    form = schema(op.name) if op.name.startswith("aten::") else None
    return form is not None and any(a.is_written for a in form.arguments)


def _sweep(block: Block, is_pure: IsPure) -> bool:
    """One pass, last operation first; whether anything went."""
    changed = False
    for op in reversed(list(block.operations())):
        if op.name in _TERMINATORS:
            continue
        if not any(r.uses for r in op.results) and not has_effect(op, is_pure):
            op.erase()
            changed = True
            continue
        if op.name == "prim::If":
            changed = _trim_if(op) or changed
        if op.name == "prim::Loop":
            changed = _trim_loop(op) or changed
        for region in op.regions:
            for inner in region.blocks:
                changed = _sweep(inner, is_pure) or changed
    return changed


def _trim_if(op: Operation) -> bool:
    dead = [i for i, r in enumerate(op.results) if not r.uses]
    for i in (0, 1):
        _without(op.body(i).terminator, dead)
    _without_results(op, dead)
    return bool(dead)


def _trim_loop(op: Operation) -> bool:
    """A carried value is dead if its result is unused and the body uses it for nothing but itself."""
    body = op.body()
    dead = [
        i
        for i, result in enumerate(op.results)
        if not result.uses and all(_only_feeds(user, index, body, i) for user, index in body.args[i + 1].uses)
    ]
    _without(body.terminator, [i + 1 for i in dead])
    _without(op, [i + 2 for i in dead])
    for i in reversed(dead):
        body.erase_argument(i + 1)
    _without_results(op, dead)
    return bool(dead)


def _only_feeds(user: Operation, index: int, body: Block, carried: int) -> bool:
    return user is body.terminator and index == carried + 1


def _without(op: Operation, positions: Sequence[int]) -> None:
    if positions:
        op.set_operands([v for i, v in enumerate(op.operands) if i not in positions])


def _without_results(op: Operation, positions: Sequence[int]) -> None:
    kept: list[OpResult] = [r for i, r in enumerate(op.results) if i not in positions]
    for i, result in enumerate(kept):
        result.index = i
    op.results[:] = kept
