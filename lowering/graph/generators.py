"""`torch.Generator` in the specialiser: a tensor of the generator's state, written in place by what draws from it.

In: operators on generators, and operators that draw, given one. Out: nodes that put the state in the place of the process's
generator, the operator without it, and a copy of the new state into the tensor. What can fail is looked at before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, cast

from ...ir.attributes import Constant
from ...ir.dialects.aten import generators
from ...ir.dialects.aten.random import EMPTY_RANGE, run_time_limits
from ...ir.generator import DEFAULT_SEED
from ...ir.operators import split_name
from ...ir.schema import Schema
from . import calls, tensor_writes
from .values import NONE_VALUE, Abstract, Known, Scalar, Tensor, known

if TYPE_CHECKING:
    from .evaluator import Evaluator

Results = Sequence[Abstract]


def apply(ev: Evaluator, name: str, arguments: Sequence[Abstract]) -> Results | None:
    """What an operator on a generator gives; None for every other operator."""
    rule = _RULES.get(name)
    return None if rule is None else rule(ev, arguments)


def drawing(ev: Evaluator, form: Schema, arguments: list[Abstract]) -> Results | None:
    """What an operator that draws gives, if it is given a generator; None if not."""
    at = generators.argument_of(form)
    if at is None or at >= len(arguments) or not isinstance(arguments[at], Tensor):
        return None
    given = [NONE_VALUE if i == at else a for i, a in enumerate(arguments)]
    _check(ev, form, given)
    return _drawn(ev, cast(Tensor, arguments[at]), lambda: calls.apply(ev, form.name, given))


def _drawn(ev: Evaluator, state: Tensor, draw: Callable[[], Results]) -> Results:
    process = calls.single(ev, "aten::_generator_enter", [state])
    results = draw()
    after = calls.single(ev, "aten::_generator_leave", [process])
    tensor_writes.store(ev, state, cast(Tensor, after), keeps_shape=True)
    return results


def _check(ev: Evaluator, form: Schema, arguments: Sequence[Abstract]) -> None:
    """What the operator would raise at run time is raised before the generators have changed places."""
    base, overload = split_name(form.name)
    given = {a.name: v for a, v in zip(form.arguments, arguments)}
    std = given.get("std")
    if isinstance(std, Scalar):
        function, sign = ("ge", ">=") if base == "aten::normal_functional" else ("gt", ">")
        message = f"normal expects std {sign} 0.0, but found std " if function == "ge" else "log_normal_ expects std > 0.0, but found std="
        calls.require(ev, calls.single(ev, f"aten::{function}.float", [std, known(0.0)]), [message, std])
    if base == "aten::random" and overload and any(isinstance(given.get(n), Scalar) for n in ("from", "to")):
        _check_range(ev, cast(Tensor, arguments[0]), given.get("from", known(0)), given["to"])
    count = given.get("n")
    if base == "aten::randperm" and isinstance(count, Scalar):
        calls.require(ev, calls.single(ev, "aten::ge.int", [count, known(0)]), ["n must be non-negative, got", count])


def _check_range(ev: Evaluator, target: Tensor, low: Abstract, high: Abstract) -> None:
    dtype = tensor_writes.dtype_of(ev, target)
    if dtype.is_floating:
        return  # its range has to be constant
    smallest, largest, name = run_time_limits(dtype)
    start, middle, _ = EMPTY_RANGE.split("{}")
    calls.require(ev, calls.single(ev, "aten::lt.int", [low, high]), [start, low, middle, high])
    calls.require(ev, calls.single(ev, "aten::ge.int", [low, known(smallest)]), [f"from is out of bounds for {name}"])
    last = calls.single(ev, "aten::sub.int", [high, known(1)])
    calls.require(ev, calls.single(ev, "aten::le.int", [last, known(largest)]), [f"to - 1 is out of bounds for {name}"])


# operators on generators


def _make(ev: Evaluator, arguments: Sequence[Abstract]) -> Results:
    """`torch.Generator(device, seed)`."""
    seed = arguments[1] if len(arguments) > 1 else NONE_VALUE
    start = seed.value if isinstance(seed, Known) and seed.value is not None else DEFAULT_SEED
    constant = ev.import_value(Constant(f"generator_{start}", generators.seeded(cast(int, start))))
    state = cast(Tensor, calls.single(ev, "aten::clone", [constant, NONE_VALUE]))
    if isinstance(seed, Scalar):
        _seed(ev, [state, seed])
    return (state,)


def _seed(ev: Evaluator, arguments: Sequence[Abstract]) -> Results:
    """`generator.manual_seed(seed)`, which is the generator."""
    state = cast(Tensor, arguments[0])
    _drawn(ev, state, lambda: calls.apply(ev, "aten::manual_seed", [arguments[1]]))
    return (state,)


def _reseed(ev: Evaluator, arguments: Sequence[Abstract]) -> Results:
    return _drawn(ev, cast(Tensor, arguments[0]), lambda: [calls.single(ev, "aten::_generator_seed", [])])


def _initial_seed(ev: Evaluator, arguments: Sequence[Abstract]) -> Results:
    seed = calls.single(ev, "aten::select.int", [arguments[0], known(0), known(0)])
    return (calls.single(ev, "aten::Int.Tensor", [seed]),)


_RULES: Final[dict[str, Callable[[Evaluator, Sequence[Abstract]], Results]]] = {
    "aten::Generator": _make,
    "aten::manual_seed.generator": _seed,
    "aten::seed": _reseed,
    "aten::initial_seed": _initial_seed,
}
