"""`with torch.autocast(...)`: the operands of operators are cast where the region is evaluated, calls included.

What is on where is known, or it is an error that has the flag given as a constant. Functions that define operators, and
forked ones, are evaluated with autocast off.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ...ir.autocast import ATTRIBUTES, OFF, Autocast, dtype_argument
from ...ir.dtypes import DType
from ...ir.operator import OperatorError
from ...ir.operators import split_name, uniform_name
from . import calls
from .values import Abstract, Known, Ref, Tensor, known

if TYPE_CHECKING:
    from .evaluator import Evaluator

State = tuple[Autocast, ...]
START: Final[State] = (OFF,)


@contextmanager
def off(ev: Evaluator) -> Generator[None]:
    saved, ev.regions = ev.regions, START
    try:
        yield
    finally:
        ev.regions = saved


def enter(ev: Evaluator, context: Abstract) -> None:
    assert isinstance(context, Ref)
    contents = ev.contents(context)
    values: list[Any] = []
    for name in ATTRIBUTES:
        value = ev.settled(contents[name]) if name in contents else None
        if not isinstance(value, Known):
            raise ev.not_static(f"`{name.removeprefix('_')}` of autocast")
        values.append(value.value)
    device, enabled, dtype = values
    ev.regions = (*ev.regions, ev.regions[-1].inside(device, enabled, dtype))


def leave(ev: Evaluator) -> None:
    ev.regions = ev.regions[:-1]


def operands(ev: Evaluator, name: str, arguments: list[Abstract]) -> list[Abstract]:
    """The operands of an operator as the region gives them to it."""
    on = ev.regions[-1]
    name = uniform_name(name)
    try:
        policy = on.policy(split_name(name)[0])
    except OperatorError as error:
        raise ev.error(str(error)) from None
    at = None if policy is None else dtype_argument(name, policy)
    if policy is None or (at is not None and at < len(arguments) and not _is_none(arguments[at])):
        return arguments
    return [_cast(ev, a, on.cast(policy, ev.tensor_type(a).dtype)) if isinstance(a, Tensor) else a for a in arguments]


def _is_none(value: Abstract) -> bool:
    return isinstance(value, Known) and value.value is None


def _cast(ev: Evaluator, value: Tensor, dtype: DType | None) -> Abstract:
    if dtype is None:
        return value
    return calls.single(ev, "aten::to.dtype", [value, known(int(dtype)), known(False), known(False), known(None)])
