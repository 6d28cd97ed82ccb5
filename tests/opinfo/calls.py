"""Samples of PyTorch's OpInfo database as TorchScript text.

In: an OpInfo, a dtype, a form (function, method, inplace, out). Out: `Call`s: statements over parameters `a0, a1, ...`,
the tensors for them, and what eager PyTorch gives for them. The calls are found by running the sample under a mode that sees each
call of a torch function: a sample whose operator is a Python function of several calls becomes as many statements.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, resolve_name

FORMS = ("function", "method", "inplace", "out", "out-empty", "out-wide", "out-float", "alias", "alias-method", "alias-inplace", "operator", "operator-inplace")
"""`out-empty`: of no elements; `out-wide`, `out-float`: of another dtype; alias: second names, each; operator: of Python's."""
LAYOUTS = ("contiguous", "noncontiguous", "channels_last", "transposed")
SEED = 20
DRAWN = tuple(f"torch.Tensor.{name}_" for name in ("cauchy", "exponential", "log_normal", "normal", "uniform"))
"""TorchScript wants floats where Python's binding takes an int too."""
EAGER_ERRORS = (RuntimeError, IndexError, ValueError, TypeError, NotImplementedError, ZeroDivisionError, AssertionError)


class Unspeakable(Exception):
    """TorchScript has no text for it: a generator, a function as argument."""


@dataclass(frozen=True)
class Call:
    lines: tuple[str, ...]
    result: str
    tensors: tuple[torch.Tensor, ...]
    """The arguments, untouched."""
    expected: Any
    """The result, or the exception that PyTorch raised."""
    after: tuple[torch.Tensor, ...] = ()
    """The arguments after the call."""
    strides: Any = None
    """Of the results, if they are compared."""

    @property
    def text(self) -> str:
        return "; ".join([*self.lines, self.result])

    def function(self, name: str) -> str:
        parameters = ", ".join(f"a{i}: Tensor" for i in range(len(self.tensors)))
        lines = [*self.lines, f"return {self.result}"]
        if self.strides is not None:
            lines = [*self.lines, f"r = {self.result}", f"return r, {self.strides_text()}"]
        return "\n".join([f"def {name}({parameters}):", *[f"    {line}" for line in lines], ""])

    def strides_text(self) -> str:
        if isinstance(self.expected, torch.Tensor):
            return "r.stride()"
        parts = [f"r[{i}].stride()" for i, v in enumerate(self.expected) if isinstance(v, torch.Tensor)]
        return f"({', '.join(parts)},)"


def copied(tensor: torch.Tensor) -> torch.Tensor:
    """A copy with the strides of the tensor, in memory of its own."""
    if tensor.layout is not torch.strided:
        raise Unspeakable("a sparse tensor")
    plain = tensor.detach().resolve_conj().resolve_neg()
    if not plain.numel():
        return torch.empty_strided(plain.size(), plain.stride(), dtype=plain.dtype)
    extent = 1 + sum((n - 1) * s for n, s in zip(plain.size(), plain.stride(), strict=True))
    return plain.as_strided((extent,), (1,)).clone().as_strided(plain.size(), plain.stride())


def mapped(change: Callable[[torch.Tensor], Any], value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, torch.Size):
        return value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[mapped(change, v) for v in value])
    if isinstance(value, tuple | list):
        return type(value)(mapped(change, v) for v in value)
    if isinstance(value, dict):
        return {k: mapped(change, v) for k, v in value.items()}
    if isinstance(value, slice):
        return slice(*[mapped(change, v) for v in (value.start, value.stop, value.step)])
    return value


def tensors_in(value: Any) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    mapped(found.append, value)
    return found


BINARY = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "div": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@", "and": "&", "or": "|",
    "xor": "^", "lshift": "<<", "rshift": ">>", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=",
}  # fmt: skip
UNARY = {"neg": "-", "invert": "~", "pos": "+"}


@dataclass
class Recorder(TorchFunctionMode):
    """Writes the calls that pass through it."""

    names: dict[int, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    extra: list[torch.Tensor] = field(default_factory=list)
    """Tensors that came from nowhere: parameters too."""
    kept: list[Any] = field(default_factory=list)
    """Results, so that their identities stay theirs."""
    parameters: int = 0
    last: Any = None

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in ("__set__", "requires_grad_", "is_sparse"):
            return func(*args, **kwargs)
        text = None if is_question(func) else self.call_text(func, args, kwargs)
        result = func(*args, **kwargs)
        self.kept.append((args, result))
        if text is None or (not tensors_in(result) and self.is_plain(func)):
            return result
        self.bind(result, text)
        self.last = result
        return result

    def is_plain(self, func: Any) -> bool:
        name = getattr(func, "__name__", "")
        return name in ("dim", "size", "numel", "stride", "is_floating_point", "is_complex", "is_contiguous", "data_ptr", "ndimension")

    def bind(self, result: Any, text: str) -> None:
        if isinstance(result, torch.Tensor) and id(result) in self.names and self.names[id(result)].isidentifier():
            self.lines.append(text)  # in place, or out=
            return
        name = f"t{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        self.name_parts(result, name)

    def name_parts(self, result: Any, name: str) -> None:
        self.names.setdefault(id(result), name)
        if isinstance(result, tuple | list):
            for i, part in enumerate(result):
                self.name_parts(part, f"{name}[{i}]")

    def parameter(self, tensor: torch.Tensor) -> str:
        name = f"a{self.parameters}"
        self.parameters += 1
        self.extra.append(copied(tensor))
        self.names[id(tensor)] = name
        self.kept.append(tensor)
        return name

    # text

    def value(self, value: Any) -> str:
        if isinstance(value, torch.Tensor):
            return self.names.get(id(value)) or self.parameter(value)
        if isinstance(value, tuple | list) and id(value) in self.names and len(value) and tensors_in(value):
            return self.names[id(value)]
        if isinstance(value, tuple) and value and not isinstance(value, torch.Size):
            return f"({', '.join(map(self.value, value))}{',' if len(value) == 1 else ''})"
        if isinstance(value, tuple | list):
            return f"[{', '.join(map(self.value, value))}]"
        return literal(value)

    def call_text(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
        name = spelled(func)
        kwargs = {k: v for k, v in kwargs.items() if (k, v) != ("requires_grad", False)}
        if name.startswith(DRAWN):
            args = [float(v) if type(v) is int else v for v in args]
        if isinstance(kwargs.get("out"), tuple):
            kwargs |= dict(zip(out_names(name, len(kwargs["out"])), kwargs.pop("out"), strict=True))
        named = [f"{k}={self.value(v)}" for k, v in kwargs.items()]
        if not name.startswith("torch.Tensor."):
            return f"{name}({', '.join([*map(self.value, args), *named])})"
        receiver, *rest = args
        name = name.removeprefix("torch.Tensor.")
        if name.endswith(".__get__"):
            return f"{self.value(receiver)}.{name.removesuffix('.__get__')}"
        special = self.operator_text(name, receiver, rest) if name.startswith("__") else None
        return special or f"{self.value(receiver)}.{name}({', '.join([*map(self.value, rest), *named])})"

    def operator_text(self, name: str, receiver: Any, rest: Sequence[Any]) -> str | None:
        word = name.strip("_")
        if word in ("getitem", "setitem"):
            inner = rest[0] if isinstance(rest[0], tuple) else (rest[0],)
            text = f"{self.value(receiver)}[{', '.join(map(self.index, inner))}]"
            return text if word == "getitem" else f"{text} = {self.value(rest[1])}"
        if word in UNARY:
            return f"{UNARY[word]}{self.value(receiver)}"
        if word in BINARY and rest:
            return f"{self.value(receiver)} {BINARY[word]} {self.value(rest[0])}"
        if word[0] == "r" and word[1:] in BINARY and rest:
            return f"{self.value(rest[0])} {BINARY[word[1:]]} {self.value(receiver)}"
        return None

    def index(self, value: Any) -> str:
        if isinstance(value, slice):
            parts = ["" if v is None else self.value(v) for v in (value.start, value.stop)]
            return ":".join(parts if value.step is None else [*parts, self.value(value.step)])
        return "..." if value is Ellipsis else self.value(value)


def is_question(func: Any) -> bool:
    name = getattr(func, "__self__", None)
    return getattr(func, "__name__", "") == "__get__" and getattr(name, "__name__", "") in (
        "shape", "dtype", "device", "layout", "requires_grad", "is_sparse", "ndim", "is_cuda", "is_mps", "grad_fn", "is_quantized", "is_xpu",
    )  # fmt: skip


def spelled(func: Any) -> str:
    if isinstance(func, torch._ops.OpOverload | torch._ops.OpOverloadPacket):
        return "torch.ops." + str(func).removesuffix(".default").replace("::", ".")
    name = resolve_name(func)
    if name is None:
        module, bare = getattr(func, "__module__", None) or "torch", getattr(func, "__name__", "?")
        name = f"{module}.{bare}"
    name = name.replace("torch._C.TensorBase.", "torch.Tensor.").replace("torch._C._VariableFunctions.", "torch.")
    name = re.sub(r"^torch\.functional\.", "torch.", name)
    name = re.sub(r"^torch\._C\._nn\.", "torch._C._nn.", name)
    return re.sub(r"_?<lambda>", "lambda", name)


def out_names(name: str, count: int) -> list[str]:
    """TorchScript names the tensors of `out=` one by one."""
    bare = name.removeprefix("torch.").replace(".", "_").removeprefix("_C__")
    for schema in torch._C._jit_get_schemas_for_operator(f"aten::{bare}"):
        found = [a.name for a in schema.arguments if a.is_out]
        if len(found) == count:
            return found
    raise Unspeakable(f"out= of {count} tensors")


def literal(value: Any) -> str:
    if value is None or isinstance(value, bool | int | str):
        return repr(value)
    if isinstance(value, float):
        text = repr(float(value))
        return text if text[-1].isdigit() else f'float("{text}")'
    if isinstance(value, complex):
        return f"complex({literal(value.real)}, {literal(value.imag)})"
    if isinstance(value, torch.dtype | torch.memory_format | torch.layout):
        return str(value)
    if isinstance(value, torch.device):
        return f'torch.device("{value}")'
    if hasattr(value, "item") and not isinstance(value, torch.Tensor):
        return literal(value.item())
    raise Unspeakable(f"an argument of type {type(value).__name__}")


# samples


def variants(op: Any, form: str) -> list[Callable[..., Any]]:
    kind, _, way = form.partition("-")
    if kind == "alias":
        found = [{"": a.op, "method": a.method_variant, "inplace": a.inplace_variant}[way] for a in op.aliases]
    elif kind == "operator":
        found = [op.inplace_operator_variant if way else op.operator_variant]
    elif kind in ("function", "out"):
        found = [op.op if kind == "function" or op.supports_out else None]
    else:
        found = [op.method_variant if form == "method" else op.inplace_variant]
    return [f for f in found if f is not None]


OTHER_DTYPES = {torch.float32: torch.float64, torch.float64: torch.float32, torch.int64: torch.int32, torch.complex64: torch.complex128}


def room_for(result: torch.Tensor, form: str) -> torch.Tensor:
    match form:
        case "out-empty":
            return torch.empty(0, dtype=result.dtype)
        case "out-wide":
            return torch.zeros(result.size(), dtype=OTHER_DTYPES.get(result.dtype, torch.int64))
        case "out-float":
            return torch.zeros(result.size(), dtype=torch.float32 if result.dtype is not torch.float32 else torch.float16)
        case _:
            return torch.zeros_like(result, memory_format=torch.contiguous_format)


def laid_out(tensor: torch.Tensor, layout: str) -> torch.Tensor:
    """The tensor with other strides, where it has enough dimensions for them."""
    plain = copied(tensor)
    if layout == "noncontiguous" and plain.dim():
        wide = torch.zeros((*plain.size(), 2), dtype=plain.dtype)
        wide[..., 1] = plain
        return wide[..., 1]
    if layout == "channels_last" and plain.dim() in (4, 5):
        return plain.contiguous(memory_format=torch.channels_last if plain.dim() == 4 else torch.channels_last_3d)
    if layout in ("channels_last", "transposed") and plain.dim() > 1:
        return plain.transpose(-1, -2).contiguous().transpose(-1, -2)
    return plain


def record(function: Callable[..., Any], input: Any, args: Any, kwargs: Any, out: str = "", layout: str = "contiguous") -> Call:
    """The call, run once in eager PyTorch. An exception of PyTorch is its `expected`."""
    given = mapped(copied if layout == "contiguous" else lambda t: laid_out(t, layout), (input, args, kwargs))
    if out:
        results = tensors_in(function(*mapped(copied, (given[0], *given[1])), **mapped(copied, given[2])))
        room = tuple(room_for(t, out) for t in results)
        given[2]["out"] = room if len(room) > 1 else room[0]
    inputs: dict[int, torch.Tensor] = {id(t): t for t in tensors_in(given)}
    tensors = [copied(t) for t in inputs.values()]
    recorder = Recorder({key: f"a{i}" for i, key in enumerate(inputs)}, parameters=len(inputs))
    expected: Any
    torch.manual_seed(SEED)
    fresh = torch.get_rng_state()
    try:
        with torch.no_grad(), recorder, seeds_seen(recorder.lines):
            expected = function(given[0], *given[1], **given[2])
    except EAGER_ERRORS as error:
        expected = error
    if not torch.equal(fresh, torch.get_rng_state()):
        recorder.lines.insert(0, f"torch.manual_seed({SEED})")  # it draws random numbers without a seed of its own
    result = ""
    if not isinstance(expected, Exception):
        if expected is None:
            result = "None"
        elif expected is recorder.last and recorder.lines and " = " in recorder.lines[-1].split("(")[0]:
            result = recorder.lines.pop().partition(" = ")[2]
        else:
            result = recorder.value(expected)
    elif recorder.lines or not recorder.kept:
        result = "None"
    frozen = mapped(lambda t: t.detach().clone(), expected) if not isinstance(expected, Exception) else expected
    strides = strides_of(expected) if layout != "contiguous" else None
    return Call(tuple(recorder.lines), result, (*tensors, *recorder.extra), frozen, tuple(inputs.values()), strides)


def strides_of(result: Any) -> Any:
    if isinstance(result, torch.Tensor):
        return list(result.stride())
    parts = tuple(list(v.stride()) for v in result if isinstance(v, torch.Tensor)) if isinstance(result, tuple | list) else ()
    return parts or None


@contextmanager
def seeds_seen(lines: list[str]) -> Iterator[None]:
    """OpInfo wraps operators that draw random numbers in a function that seeds first; `torch.manual_seed` is no torch function."""
    original = torch.manual_seed

    def seed(number: int) -> torch.Generator:
        lines.append(f"torch.manual_seed({number})")
        return original(number)

    torch.manual_seed = seed
    try:
        yield
    finally:
        torch.manual_seed = original


def record_error(function: Callable[..., Any], input: Any, args: Any, kwargs: Any) -> Call:
    """The text of a call that PyTorch refuses: the last call that was begun."""
    given = mapped(copied, (input, args, kwargs))
    inputs = {id(t): t for t in tensors_in(given)}
    tensors = [copied(t) for t in inputs.values()]
    recorder = ErrorRecorder({key: f"a{i}" for i, key in enumerate(inputs)}, parameters=len(inputs))
    try:
        with torch.no_grad(), recorder:
            result = function(given[0], *given[1], **given[2])
    except EAGER_ERRORS as error:
        if recorder.begun is None:
            raise Unspeakable("refused before a call") from None
        return Call(tuple(recorder.lines), recorder.begun, (*tensors, *recorder.extra), error)
    raise Unspeakable(f"not refused: {type(result).__name__}")


@dataclass
class ErrorRecorder(Recorder):
    begun: str | None = None

    def call_text(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
        self.begun = super().call_text(func, args, kwargs)
        return self.begun


def samples(op: Any, dtype: torch.dtype, form: str, count: int | None, reference: bool = False, layout: str = "contiguous") -> Iterator[Call]:
    """Calls of a form; those that PyTorch itself refuses (in-place on a shape that broadcasts) are left out, but for what it says of `out=`."""
    for function in variants(op, form):
        yield from samples_of(op, function, dtype, form, count, reference, layout)


def samples_of(op: Any, function: Callable[..., Any], dtype: torch.dtype, form: str, count: int | None, reference: bool, layout: str) -> Iterator[Call]:
    torch.manual_seed(0)
    source = op.reference_inputs if reference else op.sample_inputs
    found = 0
    seen: set[Any] = set()
    for sample in source("cpu", dtype, requires_grad=False):
        if count is not None and found >= count:
            return
        if form.endswith("inplace") and sample.broadcasts_input:
            continue
        try:
            call = record(function, sample.input, sample.args, sample.kwargs, form if form.startswith("out") else "", layout)
        except EAGER_ERRORS:
            continue
        if isinstance(call.expected, Exception) and form not in ("out-wide", "out-float"):
            continue
        shape = (call.text, tuple((t.dtype, t.size(), t.stride()) for t in call.tensors))
        if (count is not None or layout != "contiguous") and shape in seen:
            continue
        seen.add(shape)
        found += 1
        yield call
