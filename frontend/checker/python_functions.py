"""Functions of `torch` that PyTorch writes in Python over an operator, with other arguments than the operator's.

In: a call. Out: the operator call that it stands for, or None for one that is the operator's own form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ...ir.core import Value
from ...ir.script_types import INT, IntType, ListType, NoneType, TupleType
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
    """`torch.norm(input, p="fro", dim=None, keepdim=False, out=None, dtype=None)`: the norm of vectors, or of matrices ("nuc")."""
    given = _given(node, ("input", "p", "dim", "keepdim", "out", "dtype"))
    if given is None or "input" not in given:
        return None
    nones = {name for name in ("dim", "out", "dtype") if name in given and _is_none(given[name])}
    given = {name: argument for name, argument in given.items() if name not in nones}
    p = given.get("p")
    named = "fro" if p is None else p.value if isinstance(p, ast.Literal_) and isinstance(p.value, str) else None
    no_order = named == "fro" or (isinstance(p, ast.Literal_) and p.value is None)
    is_plain = p is None and "dim" not in given
    if not nones and not given.keys() & {"dtype", "out"} and (is_plain or not (no_order or named)):
        return None
    order = calls.constant(2, node.span) if no_order or p is None else calls.value(p)
    dim = calls.value(given["dim"]) if "dim" in given else calls.constant(None, node.span)
    keepdim = calls.value(given["keepdim"]) if "keepdim" in given else calls.constant(False, node.span)
    keywords = {name: calls.value(given[name]) for name in ("dtype", "out") if name in given}
    operands = [calls.value(given["input"]), order, dim, keepdim]
    operator = "aten::linalg_vector_norm" if no_order or not named else "aten::linalg_norm"
    return calls.call_operator(operator, operands, keywords, span=node.span, shown="torch.norm")


def _is_none(node: ast.Expr) -> bool:
    return isinstance(node, ast.Literal_) and node.value is None


def _lu(calls: Calls, node: ast.Call) -> Value | None:
    """`torch.lu(A, pivot=True, get_infos=False, out=None)`: two results, or three with `get_infos`."""
    given = _given(node, ("A", "pivot", "get_infos", "out"))
    if given is None or "A" not in given or ("out" in given and not _is_none(given["out"])):
        return None
    known, infos = _constant(calls.value(given["get_infos"])) if "get_infos" in given else (True, False)
    if not known or not isinstance(infos, bool):
        raise calls.fault(given["get_infos"].span, "`get_infos` of `torch.lu` has to be True or False, known at compile time")
    pivot = calls.value(given["pivot"]) if "pivot" in given else calls.constant(True, node.span)
    keywords = {"pivot": pivot, "check_errors": calls.constant(False, node.span)}
    operands = [calls.value(given["A"])]
    results = calls.call_operator("aten::linalg_lu_factor_ex", operands, keywords, span=node.span, shown="torch.lu")
    if infos or not isinstance(script_type(results), TupleType):
        return results
    parts = calls.unpack_tuple(results, node.span)[:2]
    return calls.one("prim::TupleConstruct", parts, TupleType(tuple(map(script_type, parts))), span=node.span)


def _tensordot(calls: Calls, node: ast.Call) -> Value | None:
    """`torch.tensordot(a, b, dims=2)`: the last of `a` with the first of `b`, or two lists of dimensions."""
    given = _given(node, ("a", "b", "dims", "out"))
    if given is None or not {"a", "b"} <= given.keys():
        return None
    dims = given.get("dims")
    a, b = calls.value(given["a"]), calls.value(given["b"])
    if isinstance(dims, ast.TupleExpr | ast.ListExpr) and len(dims.elements) == 2:
        lists = [calls.value(e) for e in dims.elements]
    else:
        count = 2 if dims is None else _constant_int(calls, dims)
        lists = [_ints(calls, r, node) for r in (range(-count, 0), range(count))]
    out = {} if "out" not in given or _is_none(given["out"]) else {"out": calls.value(given["out"])}
    return calls.call_operator("aten::tensordot", [a, b, *lists], out, span=node.span, shown="torch.tensordot")


_MODES: Final[Mapping[object, int | None]] = {
    "use_mm_for_euclid_dist_if_necessary": None,
    "use_mm_for_euclid_dist": 1,
    "donot_use_mm_for_euclid_dist": 2,
}


def _cdist(calls: Calls, node: ast.Call) -> Value | None:
    """`torch.cdist(x1, x2, p=2.0, compute_mode="...")`: the operator has a number for the mode."""
    given = _given(node, ("x1", "x2", "p", "compute_mode"))
    if given is None or "compute_mode" not in given:
        return None
    values = {name: calls.value(argument) for name, argument in given.items() if name != "compute_mode"}
    known, mode = _constant(calls.value(given["compute_mode"]))
    if not known or mode not in _MODES:
        modes = ", ".join(f"'{m}'" for m in _MODES)
        raise calls.fault(given["compute_mode"].span, f"`compute_mode` has to be one of {modes}, written out")
    values["compute_mode"] = calls.constant(_MODES[mode], node.span)
    return calls.call_operator("aten::cdist", (), values, span=node.span, shown="torch.cdist")


def _unique(calls: Calls, node: ast.Call) -> Value:
    """`torch.unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None)`."""
    given = _flagged(calls, node, ("input", "sorted", "return_inverse", "return_counts", "dim"), "torch.unique")
    values = {name: calls.value(argument) for name, argument in given.items()}
    flags = _flags(calls, given, values, "torch.unique")
    no = calls.constant(False, node.span)
    operands = [values["input"], values.get("sorted", calls.constant(True, node.span))]
    operands += [values.get("return_inverse", no), values.get("return_counts", no)]
    dim = values.get("dim")
    if dim is None or isinstance(script_type(dim), NoneType):
        name = "aten::_unique2"
    elif isinstance(script_type(dim), IntType):
        name = "aten::unique_dim"
        operands.insert(1, dim)
    else:
        raise calls.fault(given["dim"].span, f"`dim` has to be an int or None here, found {script_type(dim).annotation}")
    return _chosen(calls, calls.call_operator(name, operands, span=node.span, shown="torch.unique"), flags, node)


def _unique_consecutive(calls: Calls, node: ast.Call) -> Value:
    """`torch.unique_consecutive(input, return_inverse=False, return_counts=False, dim=None)`."""
    shown = "torch.unique_consecutive"
    given = _flagged(calls, node, ("input", "return_inverse", "return_counts", "dim"), shown)
    values = {name: calls.value(argument) for name, argument in given.items()}
    flags = _flags(calls, given, values, shown)
    if flags != _flags_that_count(node, flags):
        raise calls.fault(node.span, f"PyTorch mixes up the positions of the flags of `{shown}`: give them by name")
    operator = "aten::unique_consecutive"
    return _chosen(calls, calls.call_operator(operator, (), _as_self(values), span=node.span, shown=shown), flags, node)


def _flags_that_count(node: ast.Call, flags: tuple[bool, bool]) -> tuple[bool, bool]:
    """By which PyTorch chooses the results of `unique_consecutive`: it looks for either in the place of the other."""
    named = {keyword.name for keyword in node.keywords}
    inverse = flags[0] if "return_inverse" in named else flags[1] if len(node.args) > 2 else False
    counts = flags[1] if "return_counts" in named else flags[0] if len(node.args) > 1 else False
    return inverse, counts


def _flagged(calls: Calls, node: ast.Call, names: Sequence[str], shown: str) -> Mapping[str, ast.Expr]:
    given = _given(node, names)
    if given is None or "input" not in given:
        raise calls.fault(node.span, f"`{shown}` takes ({', '.join(names)})", label="other arguments than these")
    return given


def _as_self(values: Mapping[str, Value]) -> Mapping[str, Value]:
    return {"self" if name == "input" else name: value for name, value in values.items()}


def _flags(calls: Calls, given: Mapping[str, ast.Expr], values: Mapping[str, Value], shown: str) -> tuple[bool, bool]:
    """`return_inverse` and `return_counts`, which decide how many results there are."""
    flags: list[bool] = []
    for name in ("return_inverse", "return_counts"):
        known, flag = _constant(values[name]) if name in values else (True, False)
        if not known or not isinstance(flag, bool):
            raise calls.fault(given[name].span, f"`{name}` of `{shown}` has to be True or False, known at compile time")
        flags.append(flag)
    return flags[0], flags[1]


def _chosen(calls: Calls, results: Value, flags: tuple[bool, bool], node: ast.Call) -> Value:
    if not isinstance(script_type(results), TupleType):
        return results  # of a call with an error in it
    output, inverse, counts = calls.unpack_tuple(results, node.span)
    chosen = [output, *([inverse] if flags[0] else []), *([counts] if flags[1] else [])]
    if len(chosen) == 1:
        return output
    return calls.one("prim::TupleConstruct", chosen, TupleType(tuple(map(script_type, chosen))), span=node.span)


def _constant(value: Value) -> tuple[bool, object]:
    """Whether a value is a constant, and which."""
    constant = value.defining_op("prim::Constant")
    return constant is not None, None if constant is None else constant.attributes.get("value")


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
    "torch.lu": _lu,
    "torch.functional.lu": _lu,
    "torch.tensordot": _tensordot,
    "torch.functional.tensordot": _tensordot,
    "torch.cdist": _cdist,
    "torch.functional.cdist": _cdist,
    "torch.unique": _unique,
    "torch.functional.unique": _unique,
    "torch.unique_consecutive": _unique_consecutive,
    "torch.functional.unique_consecutive": _unique_consecutive,
}
