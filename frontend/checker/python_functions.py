"""Functions of `torch` that PyTorch writes in Python over an operator, with other arguments than the operator's.

In: a call. Out: the operator call that it stands for, or None for one that is the operator's own form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ...ir.core import Value
from ...ir.script_types import INT, IntType, ListType
from .. import ast
from .state import script_type

if TYPE_CHECKING:
    from .calls import Calls

_Function = Callable[["Calls", ast.Call], Value | None]


def python_function(calls: Calls, name: str, node: ast.Call) -> Value | None:
    function = _FUNCTIONS.get(name)
    return None if function is None else function(calls, node)


def _given(node: ast.Call, names: Sequence[str]) -> Mapping[str, ast.Expr] | None:
    """The arguments by name, if all of them have one of these names."""
    if len(node.args) > len(names) or any(isinstance(a, ast.Starred) for a in node.args):
        return None
    given = dict(zip(names, node.args))
    for keyword in node.keywords:
        if keyword.name is None or keyword.name not in names or keyword.name in given:
            return None
        given[keyword.name] = keyword.value
    return given


def _norm(calls: Calls, node: ast.Call) -> Value | None:
    """`torch.norm(input, p="fro", dim=None, keepdim=False, out=None, dtype=None)`: the norm of vectors."""
    given = _given(node, ("input", "p", "dim", "keepdim", "out", "dtype"))
    if given is None or "input" not in given or "out" in given:
        return None
    p = given.get("p")
    is_frobenius = p is None or (isinstance(p, ast.Literal_) and p.value in ("fro", None))
    if not is_frobenius or ("dim" not in given and p is None):
        return None
    two = calls.constant(2, node.span)
    dim = calls.value(given["dim"]) if "dim" in given else calls.constant(None, node.span)
    keepdim = calls.value(given["keepdim"]) if "keepdim" in given else calls.constant(False, node.span)
    keywords = {"dtype": calls.value(given["dtype"])} if "dtype" in given else {}
    operands = [calls.value(given["input"]), two, dim, keepdim]
    return calls.call_operator("aten::linalg_vector_norm", operands, keywords, span=node.span, shown="torch.norm")


def _tensordot(calls: Calls, node: ast.Call) -> Value | None:
    """`torch.tensordot(a, b, dims=2)`: the last of `a` with the first of `b`, or two lists of dimensions."""
    given = _given(node, ("a", "b", "dims"))
    if given is None or not {"a", "b"} <= given.keys():
        return None
    dims = given.get("dims")
    a, b = calls.value(given["a"]), calls.value(given["b"])
    if isinstance(dims, ast.TupleExpr | ast.ListExpr) and len(dims.elements) == 2:
        lists = [calls.value(e) for e in dims.elements]
    else:
        count = 2 if dims is None else _constant_int(calls, dims)
        lists = [_ints(calls, r, node) for r in (range(-count, 0), range(count))]
    return calls.call_operator("aten::tensordot", [a, b, *lists], span=node.span, shown="torch.tensordot")


def _ints(calls: Calls, values: Sequence[int], node: ast.Call) -> Value:
    elements = [calls.constant(v, node.span) for v in values]
    return calls.one("prim::ListConstruct", elements, ListType(INT), span=node.span)


def _constant_int(calls: Calls, node: ast.Expr) -> int:
    value = calls.value(node)
    constant = value.defining_op("prim::Constant")
    number = None if constant is None else constant.attributes.get("value")
    if isinstance(number, int) and isinstance(script_type(value), IntType) and number >= 0:
        return number
    raise calls.fault(node.span, "`dims` has to be a number written out, or two lists of dimensions")


_FUNCTIONS: Final[Mapping[str, _Function]] = {
    "torch.norm": _norm,
    "torch.functional.norm": _norm,
    "torch.tensordot": _tensordot,
    "torch.functional.tensordot": _tensordot,
}
