"""Python's builtin functions, `math`, and the methods of str, list, dict and set, as the module evaluator has them.

Every function is called as `f(machine, span, *args, **keywords)`. What could be made to take long or to fill the memory
is charged or bounded.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from typing import Any, Final

from ..ir.dtypes import DType
from ..ir.source import Span
from .host_tensor import HostTensor
from .machine import Machine, fail, is_dict, is_list
from .values import (
    MISSING,
    BuiltinRef,
    ClassValue,
    Device,
    EnumMember,
    FunctionValue,
    ModuleInstance,
    ObjectValue,
    Value,
    words,
)

Builtin = Callable[..., Any]

MAX_DIGITS: Final = 16_384
"""Bits of an int."""

_WIDTH = re.compile(r"\d{5}")


def bounded_int(value: Any, span: Span | None) -> Any:
    if isinstance(value, int) and value.bit_length() > MAX_DIGITS:
        fail(span, "the number is too large", label=f"more than {MAX_DIGITS} bits")
    return value


def format_value(machine: Machine, span: Span | None, value: Value, spec: str = "") -> str:
    """`format(value, spec)` of numbers and strings."""
    if not spec:
        return machine.text(value)
    if not isinstance(value, int | float | complex | str) or isinstance(value, DType):
        fail(span, f"a format cannot be given for {machine.text(value)}")
    if _WIDTH.search(spec):
        fail(span, "the width of the format is too large")
    return format(value, spec)


def _integer(machine: Machine, span: Span | None, value: Any = 0, base: Any = None) -> int:
    if isinstance(value, HostTensor):
        return int(value.array.reshape(()).item())
    if isinstance(value, str):
        if len(value) > MAX_DIGITS // 4:
            fail(span, "the number is too large")
        return int(value) if base is None else int(value, base)
    return int(value)


def _float(machine: Machine, span: Span | None, value: Any = 0.0) -> float:
    return float(value.array.reshape(()).item() if isinstance(value, HostTensor) else value)


def _len(machine: Machine, span: Span | None, value: Any) -> int:
    if isinstance(value, str | list | tuple | dict | set | range):
        return len(value)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, HostTensor):
        return len(value.array)
    method = machine.attribute(value, "__len__", span)
    if method is MISSING:
        fail(span, f"{machine.text(value)} has no length")
    return machine.call(method, [], {}, span)


def _items(machine: Machine, span: Span | None, value: Any = ()) -> list[Any]:
    return list(machine.iterate(value, span))


def _enumerate(machine: Machine, span: Span | None, iterable: Any, start: int = 0) -> list[Any]:
    return list(enumerate(machine.iterate(iterable, span), start))


def _zip(machine: Machine, span: Span | None, *iterables: Any, strict: bool = False) -> list[Any]:
    return list(zip(*(machine.iterate(i, span) for i in iterables), strict=strict))


def _map(machine: Machine, span: Span | None, function: Value, *iterables: Any) -> list[Any]:
    return [
        machine.call(function, list(group), {}, span) for group in zip(*(machine.iterate(i, span) for i in iterables))
    ]


def _filter(machine: Machine, span: Span | None, function: Value, iterable: Any) -> list[Any]:
    items = machine.iterate(iterable, span)
    return [i for i in items if machine.truth(i if function is None else machine.call(function, [i], {}, span), span)]


def _sum(machine: Machine, span: Span | None, iterable: Any, start: Any = 0) -> Any:
    total = start
    for item in machine.iterate(iterable, span):
        if isinstance(item, HostTensor) or isinstance(total, HostTensor):
            total = machine.call(
                BuiltinRef("torch.add"), [total, item] if isinstance(total, HostTensor) else [item, total], {}, span
            )
        else:
            total = total + item
            if isinstance(total, list | tuple):
                machine.charge(len(total), span)  # pyright: ignore[reportUnknownArgumentType]
    return bounded_int(total, span)


def _extremum(sign: int) -> Builtin:
    def pick(machine: Machine, span: Span | None, *args: Any, key: Value = None, default: Any = MISSING) -> Any:
        items = _items(machine, span, args[0]) if len(args) == 1 else list(args)
        if not items:
            if default is MISSING:
                fail(span, "min and max need at least one value")
            return default
        return sorted(items, key=_key(machine, span, key), reverse=sign > 0)[0]

    return pick


def _key(machine: Machine, span: Span | None, key: Value) -> Callable[[Any], Any] | None:
    return None if key is None else lambda item: machine.call(key, [item], {}, span)


def _sorted(
    machine: Machine, span: Span | None, iterable: Any, *, key: Value = None, reverse: bool = False
) -> list[Any]:
    return sorted(_items(machine, span, iterable), key=_key(machine, span, key), reverse=reverse)


def _reversed(machine: Machine, span: Span | None, value: Any) -> list[Any]:
    return _items(machine, span, value)[::-1]


def _abs(machine: Machine, span: Span | None, value: Any) -> Any:
    return machine.call(BuiltinRef("torch.abs"), [value], {}, span) if isinstance(value, HostTensor) else abs(value)


def _pow(machine: Machine, span: Span | None, base: Any, exponent: Any, modulus: Any = None) -> Any:
    if isinstance(base, HostTensor) or isinstance(exponent, HostTensor):
        return machine.call(BuiltinRef("torch.pow"), [base, exponent], {}, span)
    return power(base, exponent, span) if modulus is None else pow(int(base), int(exponent), int(modulus))


def power(base: Any, exponent: Any, span: Span | None) -> Any:
    """`base ** exponent`, refused where the result would be huge."""
    if (
        isinstance(base, int)
        and isinstance(exponent, int)
        and exponent > 0
        and base.bit_length() * exponent > MAX_DIGITS
    ):
        fail(span, "the number is too large", label=f"more than {MAX_DIGITS} bits")
    return base**exponent


def _getattr(machine: Machine, span: Span | None, value: Value, name: str, default: Any = MISSING) -> Any:
    found = machine.attribute(value, name, span)
    if found is MISSING:
        found = default
    if found is MISSING:
        fail(span, f"{machine.text(value)} has no attribute `{name}`")
    return found


def _hasattr(machine: Machine, span: Span | None, value: Value, name: str) -> bool:
    return machine.attribute(value, name, span) is not MISSING


def _setattr(machine: Machine, span: Span | None, target: Value, name: str, value: Value) -> None:
    machine.set_attribute(target, name, value, span)


_NATIVE_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "int": (int,),
    "float": (float,),
    "complex": (complex,),
    "bool": (bool,),
    "str": (str,),
    "list": (list,),
    "tuple": (tuple,),
    "dict": (dict,),
    "set": (set,),
    "range": (range,),
    "slice": (slice,),
    "object": (object,),
    "OrderedDict": (dict,),
    "defaultdict": (dict,),
    "Iterable": (list, tuple, dict, set, str, range),
    "Sequence": (list, tuple, str, range),
    "Mapping": (dict,),
    "Number": (int, float, complex),
    "Integral": (int,),
    "Real": (int, float),
    "List": (list,),
    "Tuple": (tuple,),
    "Dict": (dict,),
}
_CALLABLES = (FunctionValue, ClassValue, BuiltinRef)


def _is_instance(machine: Machine, span: Span | None, value: Value, kind: Value) -> bool:
    if is_list(kind):
        return any(_is_instance(machine, span, value, k) for k in kind)
    if kind is None:
        return value is None
    if isinstance(kind, ClassValue):
        owner = machine.type_of(value)
        return isinstance(owner, ClassValue) and kind in owner.mro
    if not isinstance(kind, BuiltinRef):
        fail(span, "the second argument of isinstance must be a type")
    name = kind.name.rpartition(".")[2]
    if kind.name in ("torch.Tensor", "torch.FloatTensor"):
        return isinstance(value, HostTensor)
    if kind.name == "torch.nn.Parameter":
        return isinstance(value, HostTensor) and value.is_parameter
    if kind.name == "torch.dtype":
        return isinstance(value, DType)
    if kind.name == "torch.device":
        return isinstance(value, Device)
    if name == "Callable":
        return isinstance(value, _CALLABLES)
    if name not in _NATIVE_TYPES:
        fail(span, f"isinstance cannot be decided for `{kind.name.removeprefix('builtins.')}`")
    if isinstance(value, DType | HostTensor | ModuleInstance | ObjectValue | EnumMember):
        return name == "object"
    return isinstance(value, _NATIVE_TYPES[name])


def _is_subclass(machine: Machine, span: Span | None, cls: Value, kind: Value) -> bool:
    kinds: Any = kind if is_list(kind) else (kind,)
    return isinstance(cls, ClassValue) and any(k in cls.mro for k in kinds)


def _callable(machine: Machine, span: Span | None, value: Value) -> bool:
    return isinstance(value, _CALLABLES) or machine.attribute(value, "__call__", span) is not MISSING


def _type(machine: Machine, span: Span | None, value: Value) -> Value:
    return machine.type_of(value)


def _dict(machine: Machine, span: Span | None, items: Any = (), **keywords: Any) -> dict[Any, Any]:
    if is_dict(items):
        return {**items, **keywords}
    return {**dict(tuple(machine.iterate(i, span)) for i in machine.iterate(items, span)), **keywords}


def _round(machine: Machine, span: Span | None, value: Any, digits: Any = None) -> Any:
    return round(value) if digits is None else round(value, max(-400, min(digits, 400)))


def _bool(machine: Machine, span: Span | None, value: Value = False) -> bool:
    return machine.truth(value, span)


def _str(machine: Machine, span: Span | None, value: Value = "") -> str:
    return machine.text(value)


def _repr(machine: Machine, span: Span | None, value: Value) -> str:
    return repr(value) if isinstance(value, str) else machine.text(value)


def _tuple(machine: Machine, span: Span | None, value: Value = ()) -> tuple[Any, ...]:
    return tuple(machine.iterate(value, span))


def _set(machine: Machine, span: Span | None, value: Value = ()) -> set[Any]:
    return set(machine.iterate(value, span))


def _next(machine: Machine, span: Span | None, value: Value) -> Value:
    return _items(machine, span, value)[0]


def _any(machine: Machine, span: Span | None, value: Value) -> bool:
    return any(machine.truth(v, span) for v in machine.iterate(value, span))


def _all(machine: Machine, span: Span | None, value: Value) -> bool:
    return all(machine.truth(v, span) for v in machine.iterate(value, span))


def _ignore(machine: Machine, span: Span | None, *args: Any, **keywords: Any) -> None:
    return None


def _native(function: Callable[..., Any]) -> Builtin:
    """A Python function of numbers and strings that can do no harm."""

    def call(machine: Machine, span: Span | None, *args: Any, **keywords: Any) -> Any:
        plain = [a.array.item() if isinstance(a, HostTensor) and a.array.size == 1 else a for a in args]
        return function(*plain, **keywords)

    return call


BUILTINS: Final[dict[str, Builtin]] = {
    "int": _integer,
    "float": _float,
    "len": _len,
    "enumerate": _enumerate,
    "zip": _zip,
    "map": _map,
    "filter": _filter,
    "sum": _sum,
    "min": _extremum(-1),
    "max": _extremum(1),
    "sorted": _sorted,
    "reversed": _reversed,
    "abs": _abs,
    "pow": _pow,
    "getattr": _getattr,
    "hasattr": _hasattr,
    "setattr": _setattr,
    "isinstance": _is_instance,
    "issubclass": _is_subclass,
    "callable": _callable,
    "type": _type,
    "dict": _dict,
    "round": _round,
    "print": _ignore,
    "divmod": _native(divmod),
    "complex": _native(complex),
    "range": _native(range),
    "slice": _native(slice),
    "chr": _native(chr),
    "ord": _native(ord),
    "hex": _native(hex),
    "oct": _native(oct),
    "bin": _native(bin),
    "bool": _bool,
    "str": _str,
    "repr": _repr,
    "format": format_value,
    "list": _items,
    "tuple": _tuple,
    "set": _set,
    "frozenset": _set,
    "iter": _items,
    "next": _next,
    "any": _any,
    "all": _all,
}
"""`builtins.NAME`. Lists stand for iterators: nothing in an `__init__` can tell."""


def bounded_product(machine: Machine, span: Span | None, items: Any, start: Any = 1) -> Any:
    total = start
    for item in machine.iterate(items, span):
        total = bounded_int(total * item, span)
    return total


def _factorial(n: int) -> int:
    if n > 1000:
        raise ValueError("the argument is too large")
    return math.factorial(n)


def _combinations(function: Callable[[int, int], int]) -> Callable[[int, int], int]:
    def compute(n: int, k: int) -> int:
        if n > 1000:
            raise ValueError("the argument is too large")
        return function(n, k)

    return compute


MATH: Final[dict[str, Builtin]] = {
    **{
        name: _native(getattr(math, name))
        for name in words(
            """acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh degrees dist erf erfc exp exp2
            expm1 fabs floor fmod frexp fsum gamma gcd hypot isclose isfinite isinf isnan isqrt lcm ldexp lgamma
            log log10 log1p log2 modf pow radians remainder sin sinh sqrt tan tanh trunc"""
        )
    },
    "factorial": _native(_factorial),
    "comb": _native(_combinations(math.comb)),
    "perm": _native(_combinations(math.perm)),
    "prod": bounded_product,
}

CONSTANTS: Final[dict[str, Any]] = {
    "math.pi": math.pi,
    "math.e": math.e,
    "math.tau": math.tau,
    "math.inf": math.inf,
    "math.nan": math.nan,
    "cmath.pi": math.pi,
    "cmath.e": math.e,
    "cmath.tau": math.tau,
    "cmath.inf": math.inf,
    "cmath.nan": math.nan,
    "cmath.infj": complex(0, math.inf),
    "cmath.nanj": complex(0, math.nan),
    "torch.pi": math.pi,
    "torch.e": math.e,
    "torch.inf": math.inf,
    "torch.nan": math.nan,
    "torch.qint8": 12,
    "torch.quint8": 13,
    "torch.qint32": 14,
    "torch.per_tensor_affine": 0,
    "torch.per_channel_affine": 1,
    "numpy.pi": math.pi,
    "numpy.e": math.e,
    "numpy.inf": math.inf,
    "numpy.nan": math.nan,
}


def _product(machine: Machine, span: Span | None, *iterables: Any, repeat: int = 1) -> list[Any]:
    groups = [_items(machine, span, i) for i in iterables] * min(repeat, 64)
    machine.charge(math.prod(len(g) for g in groups), span)
    return list(itertools.product(*groups))


def _chain(machine: Machine, span: Span | None, *iterables: Any) -> list[Any]:
    return [item for i in iterables for item in machine.iterate(i, span)]


def _reduce(machine: Machine, span: Span | None, function: Value, iterable: Any, initial: Any = MISSING) -> Any:
    items = iter(machine.iterate(iterable, span))
    total = next(items) if initial is MISSING else initial
    for item in items:
        total = machine.call(function, [total, item], {}, span)
    return total


LIBRARY: Final[dict[str, Builtin]] = {
    "collections.OrderedDict": _dict,
    "itertools.product": _product,
    "itertools.chain": _chain,
    "functools.reduce": _reduce,
    "warnings.warn": _ignore,
    "numpy.prod": bounded_product,
    "numpy.sqrt": MATH["sqrt"],
    "numpy.log": MATH["log"],
    "numpy.log2": MATH["log2"],
    "numpy.exp": MATH["exp"],
    "numpy.ceil": MATH["ceil"],
    "numpy.floor": MATH["floor"],
    "logging.getLogger": _ignore,
}
"""Functions of other modules of Python by their dotted names."""


# methods of Python's own types


def _str_format(machine: Machine, span: Span | None, text: str, *args: Any, **keywords: Any) -> str:
    if re.search(r"\{[^}]*[.\[]", text.partition(":")[0] if ":" in text else text) or _WIDTH.search(text):
        fail(span, "`str.format` with attributes, elements or large widths is not supported here")
    plain = [a if isinstance(a, int | float | str) else machine.text(a) for a in args]
    named = {k: a if isinstance(a, int | float | str) else machine.text(a) for k, a in keywords.items()}
    return text.format(*plain, **named)


def _str_join(machine: Machine, span: Span | None, text: str, items: Any) -> str:
    parts = _items(machine, span, items)
    machine.charge(sum(len(p) for p in parts) + len(text) * len(parts), span)
    return text.join(parts)


def _str_grow(name: str) -> Builtin:
    def call(machine: Machine, span: Span | None, text: str, *args: Any) -> str:
        machine.charge(len(text) + sum(a if isinstance(a, int) else len(a) ** 2 for a in args), span)
        return getattr(text, name)(*args)

    return call


def _str_replace(machine: Machine, span: Span | None, text: str, old: str, new: str, count: int = -1) -> str:
    machine.charge(len(text) * (len(new) + 1), span)
    return text.replace(old, new, count)


def _plain_method(name: str, linear: bool) -> Builtin:
    def call(machine: Machine, span: Span | None, receiver: Any, *args: Any, **keywords: Any) -> Any:
        if linear:
            machine.charge(len(receiver) >> 4, span)
        return getattr(receiver, name)(*args, **keywords)

    return call


def _listed(name: str) -> Builtin:
    """Views and iterators of dicts as lists."""

    def call(machine: Machine, span: Span | None, receiver: Any) -> Any:
        machine.charge(len(receiver), span)
        return list(getattr(receiver, name)())

    return call


def _extend(machine: Machine, span: Span | None, receiver: list[Any], items: Any) -> None:
    receiver.extend(_items(machine, span, items))


def _sort(
    machine: Machine, span: Span | None, receiver: list[Any], *, key: Value = None, reverse: bool = False
) -> None:
    machine.charge(len(receiver), span)
    receiver.sort(key=_key(machine, span, key), reverse=reverse)


def _update(machine: Machine, span: Span | None, receiver: Any, *items: Any, **keywords: Any) -> None:
    for item in items:
        if isinstance(receiver, set):
            receiver.update(_set(machine, span, item))  # pyright: ignore[reportUnknownMemberType]
        else:
            receiver.update(_dict(machine, span, item))
    if keywords:
        receiver.update(keywords)  # pyright: ignore[reportUnknownMemberType]


def _methods(names: str, *, linear: bool = True) -> dict[str, Builtin]:
    """Python's own methods; `linear` ones look at every element."""
    return {name: _plain_method(name, linear) for name in words(names)}


METHODS: Final[dict[type, dict[str, Builtin]]] = {
    str: {
        **_methods(
            """upper lower capitalize title swapcase casefold strip lstrip rstrip split rsplit splitlines partition
            rpartition find rfind index rindex count startswith endswith isdigit isalpha isalnum isspace isupper
            islower isidentifier isnumeric removeprefix removesuffix"""
        ),
        **{name: _str_grow(name) for name in ("zfill", "center", "ljust", "rjust", "expandtabs")},
        "format": _str_format,
        "join": _str_join,
        "replace": _str_replace,
    },
    list: {
        **_methods("append insert pop clear", linear=False),
        **_methods("remove index count copy reverse"),
        "extend": _extend,
        "sort": _sort,
    },
    tuple: _methods("index count"),
    dict: {
        **_methods("get pop setdefault clear popitem", linear=False),
        **_methods("copy"),
        "keys": _listed("keys"),
        "values": _listed("values"),
        "items": _listed("items"),
        "update": _update,
        "move_to_end": _ignore,
    },
    set: {
        **_methods("add remove discard pop clear", linear=False),
        **_methods("copy union intersection difference issubset issuperset"),
        "update": _update,
    },
    int: _methods("bit_length", linear=False),
    float: _methods("is_integer", linear=False),
    range: _methods("index count", linear=False),
}

__all__ = ["BUILTINS", "CONSTANTS", "LIBRARY", "MATH", "METHODS", "bounded_int", "format_value", "power"]
