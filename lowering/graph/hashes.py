"""`hash` of values known at run time: PyTorch's numbers, which are those of the C++ library that it is built with.

An int is its own hash, a bool and None are numbers, floats and strings are hashed by their bytes (functions of the prelude), a
tuple by those of its parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ir.interpreters import builtins
from ...ir.script_types import BOOL, FLOAT, INT, STR, ClassType
from . import calls, variants
from .branches import fork
from .values import Abstract, Known, Ref, Scalar, Tuple, Variant, is_static, known, to_python, type_of

if TYPE_CHECKING:
    from .evaluator import Evaluator

_GOLDEN = 0x9E3779B9


def hashed(ev: Evaluator, value: Abstract) -> Abstract:
    match value:
        case Ref() if value.kind in ("list", "dict") or isinstance(value.type, ClassType):  # whatever its `__hash__` says
            raise ev.operator_error(f"unhashable type: '{value.type.annotation}'")
        case Variant():
            sides = [lambda v=v: [hashed(ev, variants.settled(ev, v))] for v in (value.then, value.otherwise)]
            return fork(ev, Scalar(value.selector), sides[0], sides[1])[0]
        case Tuple():
            return _of_parts(ev, value)
        case _ if is_static(value, ev.heap):
            return known(builtins.hash_of(to_python(value, ev.heap)))
        case _ if type_of(value) == INT:
            return value
        case _ if type_of(value) == BOOL:
            return calls.single(ev, "aten::Int.bool", [value])
        case _ if type_of(value) in (FLOAT, STR):
            name = "aten::_h_hash" if type_of(value) == STR else "aten::_h_hash_float"
            function = ev.composite(name)
            assert function is not None
            return ev.call_composite(function, [value])
        case _:
            raise ev.error(f"the hash of a value of type {type_of(value).annotation} is not supported")


def _of_parts(ev: Evaluator, value: Tuple) -> Abstract:
    def number(name: str, a: Abstract, b: Abstract) -> Abstract:
        return calls.single(ev, f"aten::{name}.int", [a, b])

    seed: Abstract = known(0)
    for element in value.elements:
        part = hashed(ev, element)
        shifted = number("__and__", calls.single(ev, "aten::__rshift__.int", [seed, known(2)]), known((1 << 62) - 1))
        left = calls.single(ev, "aten::__lshift__.int", [seed, known(6)])
        total = number("add", number("add", number("add", part, known(_GOLDEN)), left), shifted)
        seed = number("__xor__", seed, total)
    return seed if isinstance(seed, Known | Scalar) else known(0)
