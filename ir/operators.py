"""Looks operator records up by name, and derives the forms that have no record of their own.

In-place (`aten::add_.Tensor`) and `out=` forms are the functional operator followed by a copy; `functional_form`
names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from .dialects.aten import OPERATORS
from .operator import Operator
from .overloads import candidates, schema_of
from .schema import Schema
from .script_types import ScriptType, TensorType
from .subtyping import is_subtype

_IN_PLACE_OPERATORS: Final[dict[str, str]] = {
    "__iand__": "__and__",
    "__ior__": "__or__",
    "__ixor__": "__xor__",
    "__ilshift__": "__lshift__",
    "__irshift__": "__rshift__",
    "normal_": "normal_functional",
}


def find(name: str) -> Operator | None:
    """The record of `aten::add.Tensor`."""
    return OPERATORS.get(name)


def split_name(name: str) -> tuple[str, str]:
    """(`aten::add`, `Tensor`) of `aten::add.Tensor`; the overload is "" where there is none."""
    base, _, overload = name.partition(".")
    return base, overload


@cache
def schema(name: str) -> Schema | None:
    """Schema of an operator with overload: its record's, else PyTorch's."""
    record = find(name)
    return record.schema if record is not None else schema_of(name)


def functional_base(base: str) -> str | None:
    """`aten::add` of `aten::add_`; None for a name that is not of an in-place operator."""
    namespace, _, word = base.partition("::")
    if word in _IN_PLACE_OPERATORS:
        return f"{namespace}::{_IN_PLACE_OPERATORS[word]}"
    if word.endswith("_") and not word.endswith("__"):
        return f"{namespace}::{word[:-1]}"
    return None


OPTIONS: Final = ("dtype", "layout", "device", "pin_memory")
"""Of operators that make tensors; those with `out=` have none of them."""


@cache
def functional_form(name: str) -> tuple[str, tuple[str, ...]] | None:
    """(functional operator, written arguments) of an in-place or `out=` operator; None where `name` is neither.

    The functional operator takes the same arguments, without those written as `out`, of which there is one for each result;
    and `OPTIONS`.
    """
    own = schema(name)
    if own is None or not own.arguments:
        return None
    base, overload = split_name(name)
    if own.arguments[0].is_written and own.arguments[0].type == _TENSOR:
        twin = functional_base(base)
        return None if twin is None else (_twin(own, twin, overload), (own.arguments[0].name,))
    written = [a for a in own.arguments if a.is_written and a.keyword_only]
    if written and all(a.type == _TENSOR for a in written):
        wanted = [(a.name, a.type, a.is_written) for a in own.arguments if a not in written]  # running statistics are written too
        for candidate in candidates(base):
            entries = [(a.name, a.type, a.is_written) for a in candidate.arguments]
            given = [e for e in entries if e[0] not in OPTIONS or e in wanted]
            if given == wanted and len(candidate.returns) == len(written):
                return candidate.name, tuple(a.name for a in written)
    return None


_SYNONYMS: Final = {
    second: first
    for second, _, first in (
        pair.partition("=")
        for pair in (
            "absolute=abs arccos=acos arccosh=acosh arcsin=asin arcsinh=asinh arctan=atan arctan2=atan2 arctanh=atanh "
            "clip=clamp divide=div fix=trunc greater=gt greater_equal=ge less=lt less_equal=le multiply=mul negative=neg "
            "not_equal=ne subtract=sub special_erf=erf special_erfc=erfc special_exp2=exp2 special_expit=sigmoid "
            "special_expm1=expm1 special_log1p=log1p special_logit=logit special_logsumexp=logsumexp special_sinc=sinc "
            "_conj=conj _conj_physical=conj_physical"
        ).split()
    )
}
"""Operators under a second name with the same overloads, as in PyTorch's own pass that makes names uniform."""


def uniform_name(name: str) -> str:
    """`aten::sub.Tensor` for `aten::subtract.Tensor`."""
    base, overload = split_name(name)
    first = _SYNONYMS.get(base.removeprefix("aten::"))
    if first is None:
        return name
    return f"aten::{first}.{overload}" if overload else f"aten::{first}"


def _twin(own: Schema, base: str, overload: str) -> str:
    """The overload of `base` with the arguments of `own`: most are named alike, `pow_.Scalar` goes with `pow.Tensor_Scalar`."""
    wanted = [a.type for a in own.arguments]
    named = f"{base}.{overload}" if overload else base
    fitting = [c.name for c in candidates(base) if [a.type for a in c.arguments] == wanted]
    return named if named in fitting or not fitting else fitting[0]


_TENSOR: Final = TensorType()


def resolve_exact(base: str, types: Sequence[ScriptType]) -> str | None:
    """The first overload of `aten::add` whose arguments are exactly of these types (numbers known as int, float, bool).

    For operators on numbers: the overload for `Scalar` is chosen only if there is no closer one.
    """
    general: str | None = None
    for candidate in candidates(base):
        formal = [a.type for a in candidate.arguments[: len(types)]]
        if len(formal) < len(types) or any(not a.has_default for a in candidate.arguments[len(types) :]):
            continue
        if formal == list(types):
            return candidate.name
        if general is None and all(is_subtype(t, f) for t, f in zip(types, formal)):
            general = candidate.name
    return general


def keywords(form: Schema, values: Sequence[Any]) -> dict[str, Any]:
    """Positional operands as the keyword arguments that rules of records take."""
    return {argument.name: value for argument, value in zip(form.arguments, values)}


ON_LISTS_OF_TENSORS: Final = frozenset(
    ("aten::eq.Tensor_list", "aten::ne.Tensor_list", "aten::index.list_Tensor", "aten::count.Tensor", "aten::remove.Tensor")
)
"""Builtins of lists that compare tensors: TorchScript functions, unlike those of other lists."""

_CONTIGUOUS: Final = frozenset(
    f"aten::{name}"
    for name in (
        "gather", "index_select", "embedding", "take", "matmul", "mm", "bmm", "mv", "addmm", "baddbmm", "linear",
        "cumsum", "cumprod", "sum", "mean", "prod", "amax", "amin", "argmax", "argmin", "any", "all", "repeat",
    )
)  # fmt: skip


def gives_contiguous(name: str) -> bool:
    """Whether the result is contiguous whatever the layout of the arguments; of others only if all arguments are."""
    return split_name(name)[0] in _CONTIGUOUS


def is_view(form: Schema) -> bool:
    """Whether a result may share memory with `self`: `Tensor(a) self -> Tensor(a)` or a list of views."""
    return (
        bool(form.arguments)
        and any(a.alias is not None and not a.is_written and a.kind == "Tensor" for a in form.arguments)
        and any(r.alias is not None for r in form.returns)
    )
