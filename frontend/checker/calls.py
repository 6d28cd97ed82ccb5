"""Calls: of operators, of functions and methods in TorchScript, of modules, and of Python's builtins."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, cast

from ...ir.core import Block, Region, Value
from ...ir.diagnostics import CompileError, Note
from ...ir.overloads import Failure, OverloadError, resolve_among, suggest
from ...ir.schema import Argument, Schema
from ...ir.script_types import (
    ANY,
    BOOL,
    COMPLEX,
    DEVICE,
    FLOAT,
    INT,
    STR,
    TENSOR,
    ClassType,
    DictType,
    FloatType,
    FunctionRefType,
    FutureType,
    InterfaceType,
    IntType,
    ListType,
    NamedTupleType,
    NoneType,
    OptionalType,
    PoisonType,
    ScriptType,
    StrType,
    TensorType,
    TupleType,
)
from ...ir.source import Span
from ...ir.subtyping import is_subtype, unify_all
from .. import ast
from ..values import BuiltinRef, ClassValue, FunctionValue
from .annotations import KEYS
from .archive_calls import ARCHIVE_BUILTINS
from .attributes import Attributes
from .awaitables import AWAITABLE_BUILTINS
from .frames import Frame
from .meanings import (
    BoundMethod,
    BuiltinOperator,
    CallArguments,
    CastTo,
    Enumerate,
    ExceptionObject,
    Forked,
    Group,
    Host,
    InterfaceMethod,
    Meaning,
    ModuleGroup,
    Range,
    Special,
    UserFunction,
    Zip,
    describe,
    is_first_class,
)
from .overloaded import variants
from .python_functions import python_function
from .state import CompiledFunction, Fault, script_type, short_name
from .subscripts import MODULE_ITERATIONS

# fmt: off
_MATH: Final = frozenset((
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "copysign", "cos", "cosh", "degrees", "erf",
    "erfc", "exp", "expm1", "fabs", "factorial", "floor", "fmod", "frexp", "gamma", "gcd", "isfinite", "isinf",
    "isnan", "ldexp", "lgamma", "log", "log10", "log1p", "modf", "pow", "radians", "sin", "sinh", "sqrt", "tan",
    "tanh",
))
_CMATH: Final = frozenset((
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "exp", "isfinite", "isinf", "isnan", "log",
    "log10", "sin", "sinh", "sqrt", "tan", "tanh",
))
# fmt: on

_MATH_NAMES: Final = {"math.remainder": "aten::mathremainder", "cmath.phase": "aten::angle", "cmath.rect": "aten::polar"}
"""Those that operators have another name for."""

_SIMPLE_BUILTINS: Final[dict[str, str]] = {
    "abs": "prim::abs",
    "min": "prim::min",
    "max": "prim::max",
    "id": "prim::id",
    "sum": "aten::sum",
    "any": "aten::any",
    "all": "aten::all",
    "round": "aten::round",
    "pow": "aten::pow",
    "divmod": "aten::divmod",
    "hash": "aten::hash",
    "hex": "aten::hex",
    "oct": "aten::oct",
    "bin": "aten::bin",
    "ord": "aten::ord",
    "chr": "aten::chr",
    "sorted": "aten::sorted",
}

_PREFIXES: Final[tuple[tuple[str, str], ...]] = (
    ("torch.nn.functional.", ""),
    ("torch.linalg.", "linalg_"),
    ("torch.fft.", "fft_"),
    ("torch.special.", "special_"),
    ("torch.functional.", ""),
    ("torch._VF.", ""),
    ("torch._C._nn.", ""),
    ("torch._C._VariableFunctions.", ""),
    ("torch._C.", ""),
    ("torch.ops.aten.", ""),
    ("torch.Tensor.", ""),
    ("torch.", ""),
)
"""Python's name of an operator, and what stands before its name in `aten::`; the longer prefixes first."""

_OVERLOADS: Final = dict.fromkeys(("torch.stft", "torch.functional.stft"), "aten::stft.center")
"""Functions that PyTorch writes in Python, by the overload that takes what they take."""

_CASTS: Final[dict[str, tuple[str, ScriptType]]] = {
    "int": ("aten::Int", INT),
    "float": ("aten::Float", FLOAT),
    "complex": ("aten::Complex", COMPLEX),
    "str": ("aten::str", STR),
}

_RETURN_INDICES: Final = {
    f"torch.nn.functional.{name}{n}d": at for name, at in (("max_pool", 6), ("adaptive_max_pool", 2)) for n in (1, 2, 3)
} | {f"torch.nn.functional.fractional_max_pool{n}d": 4 for n in (2, 3)}
"""Functions that give something else where the argument `return_indices`, at this position, is True."""

_PROFILING: Final = frozenset({"__torch__.torch.autograd.profiler.record_function"})
"""Classes of archives whose methods say something to PyTorch's profiler, and do nothing else."""


def unmangled(name: str) -> str:
    """The name of a class without what archives put in to tell it from others."""
    return ".".join(p for p in name.split(".") if not p.startswith("___torch_mangle_"))


_Builtin = Callable[["Calls", ast.Call, ScriptType | None], Meaning]


class Calls(Attributes):
    @abstractmethod
    def list_of(self, iterable: Meaning, span: Span) -> Value:
        """`list(range(n))`, `list(zip(a, b))`: by a loop."""

    def call(self, node: ast.Call, hint: ScriptType | None) -> Meaning:
        return self.call_meaning(self.meaning(node.func), node, hint)

    def call_meaning(self, callee: Meaning, node: ast.Call, hint: ScriptType | None) -> Meaning:
        match callee:
            case BuiltinOperator():
                return self._call_builtin_operator(callee, node)
            case CastTo():
                self._no_arguments(node)
                false, none = self.constant(False, node.span), self.constant(None, node.span)
                operands = [callee.receiver, self.constant(callee.dtype, node.span), false, false, none]
                return self.one("aten::to.dtype", operands, TENSOR, span=node.span)
            case UserFunction(function=FunctionValue(overloads=(_, *_))):
                return self._call_overloaded(callee.function, callee.receiver, None, node)
            case BoundMethod(function=FunctionValue(overloads=(_, *_))):
                return self._call_overloaded(callee.function, callee.receiver, callee, node)
            case UserFunction():
                arguments = self.arguments(node)
                function = self._dispatched(callee.function, arguments)
                compiled = self.unit.function(function, node.span)
                return self.call_function(compiled, function.name, node, arguments, callee.receiver)
            case BoundMethod():
                return self.call_method(callee, node)
            case InterfaceMethod():
                return self._call_interface(callee, node)
            case Special():
                return _SPECIALS[callee.name](self, callee, node, hint)
            case Host(value=BuiltinRef(name=name)):
                return self._call_builtin(name, node, hint)
            case Host(value=ClassValue() as cls):
                return self._construct(cls, node)
            case Value():
                return self._call_value(callee, node)
            case _:
                raise self.fault(node.func.span, f"cannot call {describe(callee)}")

    def _call_overloaded(
        self, function: FunctionValue, receiver: Value | None, method: BoundMethod | None, node: ast.Call
    ) -> Value:
        """A call of the first declaration that the arguments fit."""
        arguments = self.arguments(node)
        if any(isinstance(v.type, PoisonType) for v in (*arguments.positional, *arguments.keywords.values())):
            return self.poison(node.span)
        owner = None if method is None else script_type(method.receiver)
        assert owner is None or isinstance(owner, ClassType)
        given = arguments if receiver is None else _with_first(receiver, arguments, node)
        positional = [self.operand(v) for v in given.positional]
        keywords = {n: self.operand(v) for n, v in given.keywords.items()}
        known = [(v, self.unit.declared(v, owner, node.span)) for v in variants(function)]
        try:
            match = resolve_among([schema for _, schema in known], positional, keywords)
        except OverloadError as error:
            found = ", ".join(script_type(v).annotation for v in arguments.positional)
            notes = [Note(f"{f.schema}: {f.reason}") for f in error.failures]
            raise self.fault(node.span, f"no overload of `{function.name}` takes ({found})", notes=notes) from None
        chosen = next(v for v, schema in known if schema is match.schema)
        if method is not None:
            return self.call_bound(BoundMethod(method.receiver, chosen), arguments, node)
        return self.call_function(self.unit.function(chosen, node.span), function.name, node, arguments, receiver)

    # arguments

    def arguments(self, node: ast.Call) -> CallArguments:
        """Positional values (tuples behind `*` unpacked), keyword values, and the places of the positional ones."""
        positional: list[Value] = []
        spans: list[Span] = []
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                items = self.unpack_starred(argument)
                positional += items
                spans += [argument.span] * len(items)
            else:
                positional.append(self.value(argument))
                spans.append(argument.span)
        keywords: dict[str, Value] = {}
        for keyword in node.keywords:
            if keyword.name is None:
                raise self.fault(keyword.span, "keyword arguments from a dict (`**`) are not supported")
            keywords[keyword.name] = self.value(keyword.value)
        return CallArguments(positional, keywords, spans)

    def unpack_starred(self, node: ast.Starred) -> list[Value]:
        value = self.value(node.value)
        match script_type(value):
            case TupleType():
                return self.unpack_tuple(value, node.span)
            case PoisonType():
                return [value]
            case ListType():
                raise self.fault(
                    node.span,
                    "cannot statically infer the expected size of a list in this context",
                    label="a list of unknown length",
                )
            case type_:
                raise self.fault(node.span, f"only tuples can be unpacked with `*`, found {type_.annotation}")

    def _no_arguments(self, node: ast.Call) -> None:
        if node.args or node.keywords:
            raise self.fault(node.span, f"expected no arguments, found {len(node.args) + len(node.keywords)}")

    def one_argument(self, node: ast.Call, name: str) -> ast.Expr:
        if len(node.args) != 1 or node.keywords:
            raise self.fault(node.span, f"`{name}` takes 1 argument, found {len(node.args) + len(node.keywords)}")
        return node.args[0]

    # operators

    def _call_builtin_operator(self, callee: BuiltinOperator, node: ast.Call) -> Value:
        positional, keywords, spans = self.arguments(node)
        shown = callee.name.partition("::")[2]
        if callee.receiver is not None and callee.receiver in self.empty_lists:
            self.empty_lists.discard(callee.receiver)
        return self.call_operator(
            callee.name, positional, keywords, receiver=callee.receiver, span=node.span, shown=shown, spans=spans
        )

    def _call_builtin(self, name: str, node: ast.Call, hint: ScriptType | None) -> Meaning:
        special = _BUILTINS.get(name) or ARCHIVE_BUILTINS.get(name) or AWAITABLE_BUILTINS.get(name)
        if special is not None:
            return special(self, node, hint)
        if is_exception_name(name):
            return self.exception(name, node)
        module, _, word = name.rpartition(".")
        if module == "builtins" and word in _SIMPLE_BUILTINS:
            positional, keywords, spans = self.arguments(node)
            base = _SIMPLE_BUILTINS[word]
            return self.call_operator(base, positional, keywords, span=node.span, shown=word, spans=spans)
        if module == "builtins" and word in _CASTS:
            return self._cast(word, node)
        if module in ("math", "cmath"):
            return self._call_math(name, word, node)
        initial = self.unit.functional(f"_h_init_{word}") if module == "torch.nn.init" else None
        if initial is not None:
            return self.call_function(self.unit.function(initial, node.span), name, node)
        written = python_function(self, name, node)
        if written is not None:
            return written
        operator = self.operator_name(name)
        if operator is not None:
            positional, keywords, spans = self.arguments(node)
            return self.call_operator(operator, positional, keywords, span=node.span, shown=name, spans=spans)
        raise self._unknown_builtin(name, node)

    def operator_name(self, name: str) -> str | None:
        """`aten::linalg_norm` for `torch.linalg.norm`; None where there is no such operator."""
        if name.startswith("torch.ops.quantized."):
            name = f"quantized::{name.removeprefix('torch.ops.quantized.')}"
        if "::" in name:
            return name if self.exists(name) else None
        if name in _OVERLOADS:
            return _OVERLOADS[name]
        for prefix, inside in _PREFIXES:
            if name.startswith(prefix):
                word = name[len(prefix) :]
                base = f"aten::{inside}{word.partition('.')[0]}"
                return base if ("." not in word or prefix == "torch.ops.aten.") and self.exists(base) else None
        return None

    def _unknown_builtin(self, name: str, node: ast.Call) -> Fault:
        module, _, word = name.rpartition(".")
        advice: str | None = None
        if "mkldnn" in name.lower():
            advice = (
                "`torch.jit.optimize_for_inference` wrote this for the processor it ran on, and an archive does not hold "
                "the weights that go with it: save the module before that (`torch.jit.freeze` is fine)"
            )
        elif module == "torch.nn.functional":
            advice = self.did_you_mean(word, self.unit.functional_names())
        elif module == "math":
            advice = self.did_you_mean(word, sorted(_MATH))
        elif name == "builtins.super":
            return self.fault(
                node.func.span, "`super()` is not supported in compiled code", help="call the method under a name of its own"
            )
        elif module == "builtins":
            return self.fault(node.func.span, f"Python builtin `{word}` is not supported in TorchScript")
        if advice is None and name.startswith("torch."):
            close = suggest(f"aten::{word}")
            advice = f"did you mean `torch.{close[0]}`?" if close else None
        return self.fault(
            node.func.span, f"unknown function `{name}`", label="not an operator of TorchScript", help=advice
        )

    def _call_math(self, name: str, word: str, node: ast.Call) -> Value:
        base = _MATH_NAMES.get(name, f"aten::{word}")
        if name not in _MATH_NAMES and word not in (_CMATH if name.startswith("cmath.") else _MATH):
            raise self._unknown_builtin(name, node)
        positional, keywords, spans = self.arguments(node)
        return self.call_operator(base, positional, keywords, span=node.span, shown=name, spans=spans)

    # functions and methods in TorchScript

    def call_function(
        self,
        compiled: CompiledFunction,
        name: str,
        node: ast.Call,
        arguments: CallArguments | None = None,
        receiver: Value | None = None,
    ) -> Value:
        arguments = self.arguments(node) if arguments is None else arguments
        if receiver is not None:
            arguments = _with_first(receiver, arguments, node)
        operands = self.match_call(compiled.schema, name, arguments, node, compiled.span)
        if operands is None or isinstance(compiled.result, PoisonType):
            return self.poison(node.span)
        reference = self.function_constant(compiled.symbol, node.func.span)
        return self.one("prim::CallFunction", [reference, *operands], compiled.result, span=node.span)

    def _dispatched(self, function: FunctionValue, arguments: CallArguments) -> FunctionValue:
        """`max_pool2d_with_indices` for `max_pool2d(..., return_indices=True)`, whose results are others."""
        at = _RETURN_INDICES.get(function.qualified)
        if at is None:
            return function
        places = arguments.positional[at : at + 1]
        value = arguments.keywords.get("return_indices") or (places[0] if places else None)
        constant = None if value is None else value.defining_op("prim::Constant")
        if constant is None or constant.attributes.get("value") is not True:
            return function
        return self.unit.functional(f"{function.name}_with_indices") or function

    def function_constant(self, symbol: str, span: Span) -> Value:
        return self.one("prim::Constant", (), FunctionRefType(symbol), {"name": symbol}, span=span)

    def call_method(self, callee: BoundMethod, node: ast.Call) -> Value:
        return self.call_bound(callee, self.arguments(node), node)

    def call_bound(self, callee: BoundMethod, given: CallArguments, node: ast.Call) -> Value:
        type_ = script_type(callee.receiver)
        assert isinstance(type_, ClassType)
        if type_.name in _PROFILING:
            return self.constant(None, node.span)
        compiled = self.unit.method(type_, callee.function, node.span)
        arguments = _with_first(callee.receiver, given, node)
        unknown = type_ is self.own_class or (type_ is self.own_module and _is_entry(callee.function))
        schema = _without_defaults(compiled.schema) if unknown else compiled.schema
        operands = self.match_call(schema, callee.function.name, arguments, node, compiled.span)
        if operands is None or isinstance(compiled.result, PoisonType):
            return self.poison(node.span)
        return self.one("prim::CallMethod", operands, compiled.result, {"name": callee.function.name}, span=node.span)

    def _call_interface(self, callee: InterfaceMethod, node: ast.Call) -> Value:
        parameters = (("self", script_type(callee.receiver)), *callee.type.parameters)
        schema = Schema("", callee.name, "", tuple(Argument(n, t, str(t)) for n, t in parameters), ())
        arguments = _with_first(callee.receiver, self.arguments(node), node)
        operands = self.match_call(schema, callee.name, arguments, node)
        if operands is None:
            return self.poison(node.span)
        return self.one("prim::CallMethod", operands, callee.type.result, {"name": callee.name}, span=node.span)

    def match_call(
        self,
        schema: Schema,
        name: str,
        arguments: CallArguments,
        node: ast.Call,
        declared: Span | None = None,
    ) -> list[Value] | None:
        """Operands of a call of a function with this schema; None if an argument has an error already."""
        positional, keywords, _ = arguments
        if any(isinstance(v.type, PoisonType) for v in (*positional, *keywords.values())):
            return None
        try:
            match = resolve_among(
                [schema], [self.operand(v) for v in positional], {n: self.operand(v) for n, v in keywords.items()}
            )
        except OverloadError as error:
            self._bad_call(error.failures[0], name, arguments, node, declared)
            return None
        return self.match_operands(match, positional, keywords, None, node.span)

    def _bad_call(
        self,
        failure: Failure,
        name: str,
        arguments: CallArguments,
        node: ast.Call,
        declared: Span | None = None,
    ) -> None:
        positional, keywords, spans = arguments
        where, label, advice = node.span, "", None
        source = failure.source
        if isinstance(source, int) and source < len(spans):
            where = spans[source]
        given = None
        if isinstance(source, int) and source < len(positional):
            given = script_type(positional[source])
        elif isinstance(source, str) and source in keywords:
            given = script_type(keywords[source])
            where = next(k.span for k in node.keywords if k.name == source)
        if given is not None and "expects" in failure.reason:
            label = f"this is {given.annotation}"
            if isinstance(given, OptionalType):
                advice = "it may be None: check it with `is not None` first (in a local variable)"
            elif isinstance(given, IntType) and "expects float" in failure.reason:
                advice = "TorchScript does not turn an int into a float here: write `float(...)`"
            elif isinstance(given, IntType | FloatType) and "expects Tensor" in failure.reason:
                advice = "numbers are no tensors: annotate the parameter, or write `torch.tensor(...)`"
        elif isinstance(source, str):
            advice = self.did_you_mean(source, [a.name for a in failure.schema.arguments])
        message = f"cannot call `{name}`: {failure.reason}"
        self.error(where, message, label=label, help=advice, notes=[Note(f"declared as {failure.schema}", _shown(declared))])

    def _call_value(self, callee: Value, node: ast.Call) -> Value:
        type_ = script_type(callee)
        if isinstance(type_, PoisonType):
            self.arguments(node)
            return callee
        if isinstance(type_, InterfaceType) and "forward" in type_.methods:
            return self._call_interface(InterfaceMethod(callee, "forward", type_.methods["forward"]), node)
        if not isinstance(type_, ClassType):
            raise self.fault(node.func.span, f"cannot call a value of type '{type_.annotation}'")
        if type_.is_module and type_ is not self.own_module and callee in self.entry.args and not self.scope.is_archive:
            raise self.fault(
                node.func.span,
                "a module that is a parameter cannot be called",
                help="call it in a method of the module that holds it, and pass the result",
            )
        if type_.is_module and is_first_class(callee) and not self.scope.is_archive:
            raise self.fault(
                node.func.span,
                "a module out of a list, a tuple or a condition cannot be called",
                help="call its method: `.forward(...)`",
            )
        forward = self.unit.class_info(type_).cls.find("forward" if type_.is_module else "__call__")
        if not type_.is_module and not isinstance(forward, FunctionValue):
            raise self.fault(node.func.span, f"objects of `{short_name(type_)}` have no `__call__`, so they cannot be called")
        if not isinstance(forward, FunctionValue):
            raise self.fault(node.func.span, f"module '{short_name(type_)}' has no `forward`, so it cannot be called")
        instance = self.unit.class_info(type_).instance
        if instance.pre_hooks or instance.hooks:
            return self._call_with_hooks(callee, type_, forward, node)
        if forward.overloads:
            return self._call_overloaded(forward, callee, BoundMethod(callee, forward), node)
        return self.call_method(BoundMethod(callee, forward), node)

    def _call_with_hooks(self, callee: Value, type_: ClassType, forward: FunctionValue, node: ast.Call) -> Value:
        """A call of a module: pre-hooks change the arguments, hooks the result."""
        instance = self.unit.class_info(type_).instance
        arguments = self.arguments(node)
        if arguments.keywords and instance.pre_hooks:
            raise self.fault(node.keywords[0].span, "a module with hooks takes its arguments by position")
        given = [*arguments.positional]
        for hook in instance.pre_hooks:
            changed = self._run_hook(hook, type_, [callee, self._as_tuple(given, node.span)], node)
            if isinstance(changed.type, PoisonType):
                return changed
            if isinstance(changed.type, TupleType):
                given = self.unpack_tuple(changed, node.span)
            elif not isinstance(changed.type, NoneType):
                given = [changed]
        spans = arguments.spans if len(given) == len(arguments.spans) else [node.span] * len(given)
        result = self.call_bound(BoundMethod(callee, forward), CallArguments(given, arguments.keywords, spans), node)
        for hook in instance.hooks:
            changed = self._run_hook(hook, type_, [callee, self._as_tuple(given, node.span), result], node)
            if not isinstance(changed.type, NoneType):
                result = changed
        return result

    def _as_tuple(self, values: Sequence[Value], span: Span) -> Value:
        return self.one("prim::TupleConstruct", values, TupleType(tuple(map(script_type, values))), span=span)

    def _run_hook(self, hook: FunctionValue, owner: ClassType, arguments: Sequence[Value], node: ast.Call) -> Value:
        definition = hook.definition
        if isinstance(definition, ast.FunctionDef):
            is_before = len(arguments) == 2
            missing = [p.name for p in definition.params[1:2] if p.annotation is None]
            if missing or (definition.returns is None and definition.type_comment is None and is_before):
                raise CompileError.at(
                    definition.name_span,
                    f"the hook `{hook.name}` is missing a {'return annotation' if not missing else 'type annotation'}",
                    label="" if not missing else f"of `{missing[0]}`",
                    help="for example `def hook(self, input: Tuple[Tensor], output: Tensor) -> Tensor`",
                )
        compiled = self.unit.hook(owner, hook, node.span)
        for declared, value in zip(compiled.schema.arguments[1:], arguments[1:], strict=False):
            given = script_type(value)
            if isinstance(given, PoisonType):
                return value
            if not is_subtype(given, declared.type):  # nothing is converted here, as it would be in another call
                wanted = declared.type.annotation
                raise CompileError.at(
                    compiled.span, f"the hook `{hook.name}` takes {wanted} for `{declared.name}`, but it is given {given.annotation}"
                )
        call = ast.Call(node.span, node.func, [], [])
        operands = self.match_call(compiled.schema, hook.name, CallArguments(arguments, {}), call, compiled.span)
        if operands is None or isinstance(compiled.result, PoisonType):
            return self.poison(node.span)
        return self.call_symbol(compiled.symbol, operands, compiled.result, node.span)

    # classes

    def _construct(self, cls: ClassValue, node: ast.Call) -> Meaning:
        match cls.kind:
            case "exception":
                return self.exception(cls.qualified, node)
            case "named_tuple":
                return self._named_tuple(cls, node)
            case "module":
                raise self.fault(
                    node.func.span,
                    f"the module `{cls.name}` cannot be made inside compiled code",
                    help="make it in `__init__`, and call it here",
                )
            case "enum":
                raise self.fault(node.func.span, f"cannot call the enum `{cls.name}`", help="name a member of it")
            case "interface":
                raise self.fault(node.func.span, f"the interface `{cls.name}` has no objects of its own")
            case _:
                return self._new_object(cls, node)

    def _new_object(self, cls: ClassValue, node: ast.Call) -> Value:
        type_ = self.unit.annotations.class_type(cls, node.func.span)
        assert isinstance(type_, ClassType)
        arguments = self.arguments(node)
        result = self.one("prim::CreateObject", (), type_, span=node.span)
        init = self.unit.class_info(type_).cls.find("__init__")
        if isinstance(init, FunctionValue):
            self.call_bound(BoundMethod(result, init), arguments, node)
        else:
            raise self.fault(node.span, f"class `{cls.name}` does not have an `__init__` function defined")
        return result

    def special(self, receiver: Value, name: str, arguments: Sequence[Value], span: Span) -> Value | None:
        type_ = script_type(receiver)
        if not isinstance(type_, ClassType) or type_.is_module:
            return None
        method = self.unit.class_info(type_).cls.find(name)
        if not isinstance(method, FunctionValue):
            return None
        call = ast.Call(span, ast.Name(span, name), [], [])
        return self.call_bound(BoundMethod(receiver, method), CallArguments(arguments, {}), call)

    def exception(self, name: str, node: ast.Call) -> ExceptionObject:
        values, _, _ = self.arguments(node)  # keywords are evaluated, and are not part of the message, as in PyTorch
        if len(values) == 1 and values[0].type == STR:
            return ExceptionObject(name, values[0])
        if not values:
            return ExceptionObject(name, self.constant("", node.span))
        if len(values) > 1:
            types = tuple(script_type(v) for v in values)
            values = [self.one("prim::TupleConstruct", values, TupleType(types), span=node.span)]
        return ExceptionObject(name, self.call_operator("aten::str", values, span=node.span))

    def _named_tuple(self, cls: ClassValue, node: ast.Call) -> Value:
        type_ = self.unit.annotations.class_type(cls, node.span)
        assert isinstance(type_, NamedTupleType)
        compiled_schema = self.unit.named_tuple_schema(cls, type_)
        operands = self.match_call(compiled_schema, cls.name, self.arguments(node), node)
        if operands is None:
            return self.poison(node.span)
        return self.one("prim::TupleConstruct", operands, type_, span=node.span)

    # Python's builtins

    def _cast(self, word: str, node: ast.Call) -> Value:
        operator, type_ = _CASTS[word]
        positional, keywords, spans = self.arguments(node)
        if not positional and not keywords:
            return self.constant({"int": 0, "float": 0.0, "complex": 0j, "str": ""}[word], node.span)
        if len(positional) == 1 and not keywords and positional[0].type == type_:
            return positional[0]
        if word == "float" and len(positional) == 1 and positional[0].type == STR:
            op = positional[0].defining_op("prim::Constant")
            text = op.attributes.get("value") if op is not None else None
            if isinstance(text, str) and text.lower().lstrip("+-") in ("inf", "infinity", "nan"):
                return self.constant(float(text), node.span)
        return self.call_operator(operator, positional, keywords, span=node.span, shown=word, spans=spans)

    def builtin_bool(self, node: ast.Call, hint: ScriptType | None) -> Value:
        if not node.args and not node.keywords:
            return self.constant(False, node.span)
        argument = self.one_argument(node, "bool")
        return self.to_bool(self.value(argument), argument.span)

    def builtin_print(self, node: ast.Call, hint: ScriptType | None) -> Value:
        if node.keywords:
            raise self.fault(node.keywords[0].span, "print doesn't accept any keyword arguments")
        positional, _, _ = self.arguments(node)
        self.emit("prim::Print", positional, span=node.span)
        return self.constant(None, node.span)

    def builtin_len(self, node: ast.Call, hint: ScriptType | None) -> Value:
        argument = self.one_argument(node, "len")
        meaning = self.meaning(argument)
        if isinstance(meaning, ModuleGroup):
            return self.constant(len(meaning.names), node.span)
        if isinstance(meaning, Group):
            return self.constant(len(meaning.elements), node.span)
        value = self.as_value(meaning, argument.span)
        type_ = script_type(value)
        if isinstance(type_, TupleType):
            return self.constant(len(type_.elements), node.span)
        if isinstance(type_, ClassType) and type_.is_module and self.unit.class_info(type_).instance.container:
            self.require_modules(type_, "len(...)", node.span)
            return self.constant(len(self.container_names(type_)), node.span)
        return self.call_operator("aten::len", [value], span=node.span, shown="len", spans=[argument.span])

    def builtin_range(self, node: ast.Call, hint: ScriptType | None) -> Meaning:
        positional, keywords, spans = self.arguments(node)
        if keywords or not 1 <= len(positional) <= 3:
            raise self.fault(node.span, f"range takes 1 to 3 arguments, found {len(positional) + len(keywords)}")
        for i, value in enumerate(positional):
            if isinstance(value.type, PoisonType):
                return value
            if value.type != INT:
                raise self.fault(
                    spans[i],
                    f"all inputs of range must be ints, found {script_type(value).annotation}",
                    help="write `int(...)` around it",
                )
        if len(positional) == 1:
            return Range(None, positional[0], None)
        if len(positional) == 3 and self.constant_int(positional[2]) == 0:
            raise self.fault(spans[2], "range() arg 3 must not be zero")
        return Range(positional[0], positional[1], positional[2] if len(positional) == 3 else None)

    def builtin_enumerate(self, node: ast.Call, hint: ScriptType | None) -> Meaning:
        keywords = {k.name: k.value for k in node.keywords}
        if not 1 <= len(node.args) <= 2 or set(keywords) - {"start"}:
            raise self.fault(node.span, "enumerate takes an iterable, and a start")
        start = node.args[1] if len(node.args) == 2 else keywords.get("start")
        iterable = self.meaning(node.args[0])
        return Enumerate(iterable, None if start is None else self.value(start))

    def builtin_zip(self, node: ast.Call, hint: ScriptType | None) -> Meaning:
        if not node.args or {k.name for k in node.keywords} - {"strict"}:  # which PyTorch does not look at
            raise self.fault(node.span, "zip takes one or more iterables")
        return Zip(tuple(self.meaning(a) for a in node.args))

    def builtin_tuple(self, node: ast.Call, hint: ScriptType | None) -> Meaning:
        if not node.args and not node.keywords:
            return self.one("prim::TupleConstruct", (), TupleType(()), span=node.span)
        argument = self.one_argument(node, "tuple")
        meaning = self.meaning(argument)
        if isinstance(meaning, Group):
            return meaning
        value = self.as_value(meaning, argument.span)
        if isinstance(value.type, TupleType | PoisonType):
            return value
        if isinstance(value.type, ListType):
            raise self.fault(
                argument.span,
                "cannot statically infer the expected size of a list in this context",
                label="a list of unknown length",
                help="write out the elements: `(l[0], l[1])`",
            )
        raise self.fault(argument.span, f"a {script_type(value).annotation} cannot be made a tuple")

    def builtin_list(self, node: ast.Call, hint: ScriptType | None) -> Value:
        if not node.args and not node.keywords:
            return self.empty_list(hint, node.span)
        argument = self.one_argument(node, "list")
        meaning = self.meaning(argument)
        if isinstance(meaning, Range | Enumerate | Zip):
            return self.list_of(meaning, node.span)
        value = self.as_value(meaning, argument.span)
        match script_type(value):
            case DictType():
                return self.call_operator("aten::keys", [value], span=node.span)
            case TupleType() as type_:
                converted = self.to_type(value, ListType(type_.elements[0]), node.span) if type_.elements else None
                if converted is None:
                    raise self.fault(
                        argument.span, f"a {type_.annotation} cannot be made a list: its elements have different types"
                    )
                return converted
            case ListType() | StrType() | PoisonType():
                return self.call_operator("aten::list", [value], span=node.span)
            case TensorType():
                return self.list_of(value, node.span)
            case ClassType() as type_ if self.container_of(type_) == "parameter_list":
                tensors = [self.get_attribute(value, type_, n, node.span) for n in self.container_names(type_)]
                return self.one("prim::ListConstruct", tensors, ListType(TENSOR), span=node.span)
            case type_:
                raise self.fault(argument.span, f"a {type_.annotation} cannot be made a list")

    def empty_list(self, hint: ScriptType | None, span: Span) -> Value:
        element = hint.element if isinstance(hint, OptionalType) else hint
        if isinstance(element, ListType):
            return self.one("prim::ListConstruct", (), element, span=span)
        result = self.one("prim::ListConstruct", (), ListType(TENSOR), span=span)
        self.empty_lists.add(result)
        return result

    def require_key(self, type_: ScriptType, span: Span) -> None:
        if not isinstance(type_, KEYS):
            raise self.fault(
                span,
                f"a Dict cannot have keys of type {type_.annotation}",
                help="keys are int, float, complex, bool, str, Tensor or Device",
            )

    def builtin_dict(self, node: ast.Call, hint: ScriptType | None) -> Value:
        if not node.args and not node.keywords:
            type_ = hint if isinstance(hint, DictType) else DictType(STR, TENSOR)
            return self.one("prim::DictConstruct", (), type_, span=node.span)
        return self._dict_of(node, hint) if node.args else self._dict_of_keywords(node)

    def _dict_of_keywords(self, node: ast.Call) -> Value:
        operands: list[Value] = []
        _, keywords, _ = self.arguments(ast.Call(node.span, node.func, [], node.keywords))
        type_ = unify_all([script_type(v) for v in keywords.values()], or_union=True)
        if type_ is None or any(isinstance(v.type, PoisonType) for v in keywords.values()):
            return self.poison(node.span)
        for name, value in keywords.items():
            operands += [self.constant(name, node.span), value]
        return self.one("prim::DictConstruct", operands, DictType(STR, type_), span=node.span)

    def _dict_of(self, node: ast.Call, hint: ScriptType | None) -> Value:
        """`dict(pairs, a=1)`: of a dict, of a list of pairs or of a `zip`; the keywords are set behind."""
        if len(node.args) > 1:
            raise self.fault(node.args[1].span, f"`dict` takes 1 argument, found {len(node.args)}")
        meaning = self.meaning(node.args[0], hint if isinstance(node.args[0], ast.DictExpr) else None)
        if isinstance(meaning, Range | Enumerate | Zip):
            if node.keywords:
                raise self.fault(node.keywords[0].span, "`dict` of an iterator takes no keyword arguments")
            value = self.list_of(meaning, node.span)
        else:
            value = self.as_value(meaning, node.args[0].span)
        if value in self.empty_lists:
            if node.keywords:
                return self._dict_of_keywords(node)
            type_ = hint if isinstance(hint, DictType) else DictType(STR, TENSOR)
            found = self.one("prim::DictConstruct", (), type_, span=node.span)
        else:
            found = self.call_operator("aten::dict", [value], span=node.span)
        for keyword in node.keywords:
            if keyword.name is None:
                raise self.fault(keyword.span, "keyword arguments from a dict (`**`) are not supported")
            operands = [found, self.constant(keyword.name, keyword.span), self.value(keyword.value)]
            self.call_operator("aten::_set_item", operands, span=keyword.span, shown="dict")
        return found

    def builtin_condition_value(self, node: ast.Call, hint: ScriptType | None) -> Value:
        return self.condition(node).value

    def builtin_getattr(self, node: ast.Call, hint: ScriptType | None) -> Meaning:
        if not 2 <= len(node.args) <= 3 or node.keywords:
            raise self.fault(node.span, "getattr takes 2 or 3 arguments")
        name = node.args[1]
        if not isinstance(name, ast.Literal_) or not isinstance(name.value, str):
            raise self.fault(name.span, "the name of an attribute must be a string literal")
        subject = self.meaning(node.args[0])
        if len(node.args) == 3 and isinstance(subject, Value) and isinstance(subject.type, ClassType):
            if not self.has_attribute(subject.type, name.value):
                return self.meaning(node.args[2])
        access = ast.Attribute(node.span, node.args[0], name.value, name.span)
        return self.attribute_of(subject, name.value, access)

    def builtin_annotate(self, node: ast.Call, hint: ScriptType | None) -> Value:
        if len(node.args) != 2 or node.keywords:
            raise self.fault(node.span, "annotate takes a type and a value")
        type_ = self.unit.annotations.read(node.args[0], self.scope)
        value = self.value(node.args[1], type_)
        declared = self.declared(value, type_, node.args[1].span, "annotated")
        # a value of a narrower type keeps that: `annotate(Optional[int], 1)` is an int
        keeps = is_subtype(script_type(value), type_) and not isinstance(value.type, NoneType) and type_ != ANY
        return value if keeps and value not in self.empty_lists else declared

    def declared(self, value: Value, type_: ScriptType, span: Span, what: str) -> Value:
        """A value under a declared type; without conversions of numbers."""
        if value in self.empty_lists and isinstance(type_, ListType):
            return self.one("prim::ListConstruct", (), type_, span=span)
        if not is_subtype(script_type(value), type_):
            found = script_type(value).annotation
            advice = None
            if type_ == FLOAT and value.type == INT:
                advice = "TorchScript does not turn an int into a float here: write `float(...)`"
            raise self.fault(
                span,
                f"{what} with type {type_.annotation} but is being assigned to a value of type {found}",
                label=f"this is {found}",
                help=advice,
            )
        return self.widened(value, type_, span)

    def builtin_cast_type(self, node: ast.Call, hint: ScriptType | None) -> Value:
        if len(node.args) != 2:
            raise self.fault(node.span, "cast takes a type and a value")
        return self.value(node.args[1])

    def builtin_unwrap(self, node: ast.Call, hint: ScriptType | None) -> Value:
        argument = self.one_argument(node, "_unwrap_optional")
        value = self.value(argument)
        if not isinstance(value.type, OptionalType):
            return value
        return self.call_operator("aten::_unwrap_optional", [value], span=node.span)

    def builtin_decided(self, node: ast.Call, hint: ScriptType | None) -> Value:
        return self.condition(node).value

    def builtin_device(self, node: ast.Call, hint: ScriptType | None) -> Value:
        positional, keywords, spans = self.arguments(node)
        values = [*positional, *keywords.values()]
        if len(values) == 1 and values[0].type == DEVICE:
            return values[0]
        if len(values) == 1 and values[0].type == STR:
            converted = self.to_type(values[0], DEVICE, node.span)
            assert converted is not None
            return converted
        return self.call_operator("aten::device", values, span=node.span, shown="torch.device", spans=spans)

    def builtin_warn(self, node: ast.Call, hint: ScriptType | None) -> Value:
        positional, keywords, _ = self.arguments(node)
        levels = {n: v for n, v in keywords.items() if n == "stacklevel"}
        messages = [
            positional[0]
            if positional[0].type == STR
            else self.call_operator("aten::str", positional[:1], span=node.span)
        ]
        return self.call_operator("aten::warn", messages, levels, span=node.span, shown="warnings.warn")

    @abstractmethod
    def forked(self, definition: ast.FunctionDef) -> Value:
        """The value of the statements that archives give to `fork`."""

    def builtin_fork(self, node: ast.Call, hint: ScriptType | None) -> Value:
        """A call whose result is waited for: the arguments are evaluated here, the call is the block of a `prim::fork`."""
        if not node.args:
            raise self.fault(node.span, "fork takes a function and its arguments")
        callee = self.meaning(node.args[0])
        block, frame = Block(), Frame(self.frame)
        call = ast.Call(node.span, node.args[0], node.args[1:], node.keywords)
        if not isinstance(callee, Forked):
            call = self.with_named_arguments(call, frame)
        with self.inside(block, frame):
            if isinstance(callee, Forked):
                value = self.forked(callee.definition)
            else:
                value = self.as_value(self.call_meaning(callee, call, None), node.span)
            if isinstance(value.type, PoisonType):
                return self.poison(node.span)
            self.emit("torch.yield", (value,), span=node.span)
        result = FutureType(script_type(value))
        return self.emit("prim::fork", (), (result,), regions=[Region([block])], span=node.span).result

    def called_with(self, callee: Meaning, call: ast.Call, names: Frame) -> Value:
        """A call whose arguments are names of that frame."""
        with self.inside(self.b.block, Frame(self.frame, dict(names.names))):
            return self.as_value(self.call_meaning(callee, call, None), call.span)

    loop_depth: int = 0
    """Loops around the code that is being made."""
    awaitables: int = 0
    """How many have been met."""

    def with_named_arguments(self, call: ast.Call, frame: Frame) -> ast.Call:
        """The call with its arguments as names in `frame` of what they are here."""
        positional, keywords, spans = self.arguments(call)
        names: list[ast.Expr] = []
        for value, span in zip(positional, spans, strict=True):
            names.append(ast.Name(span, f"argument {len(frame.names)}"))
            frame.names[f"argument {len(frame.names)}"] = value
        given: list[ast.Keyword] = []
        for keyword in call.keywords:
            given.append(ast.Keyword(keyword.span, keyword.name, ast.Name(keyword.value.span, f"argument {keyword.name}")))
            frame.names[f"argument {keyword.name}"] = keywords[cast(str, keyword.name)]
        return ast.Call(call.span, call.func, names, given)

    def builtin_wait(self, node: ast.Call, hint: ScriptType | None) -> Value:
        argument = self.one_argument(node, "wait")
        return self.call_operator(
            "aten::wait", [self.value(argument)], span=node.span, shown="wait", spans=[argument.span]
        )

    # methods with rules of their own

    def builtin_dict_view(self, callee: Special, node: ast.Call, hint: ScriptType | None) -> Meaning:
        self._no_arguments(node)
        assert callee.receiver is not None
        type_ = script_type(callee.receiver)
        assert isinstance(type_, ClassType)
        self.require_modules(type_, f"`{callee.name.removeprefix('dict.')}`", node.span)
        return self.module_group(callee.receiver, type_, node.span, callee.name.removeprefix("dict."))

    def builtin_module_view(self, callee: Special, node: ast.Call, hint: ScriptType | None) -> Meaning:
        self._no_arguments(node)
        assert callee.receiver is not None
        return self.module_iteration(callee.receiver, callee.name.removeprefix("module."), node.span)

    def builtin_tolist(self, callee: Special, node: ast.Call, hint: ScriptType | None) -> Value:
        self._no_arguments(node)
        assert callee.receiver is not None
        depth, element = 0, hint
        while isinstance(element, ListType):
            depth, element = depth + 1, element.element
        kinds: dict[ScriptType | None, int] = {INT: 0, FLOAT: 1, BOOL: 2, COMPLEX: 3}
        if hint is None or element not in kinds:
            raise self.fault(
                node.span,
                "the result of `tolist` needs a type",
                help="assign it to a variable with an annotation: `y: List[float] = x.tolist()`",
            )
        operands = (callee.receiver, self.constant(depth, node.span), self.constant(kinds[element], node.span))
        return self.one("prim::tolist", operands, hint, span=node.span)

    def builtin_type(self, callee: Special, node: ast.Call, hint: ScriptType | None) -> Value:
        assert callee.receiver is not None
        positional, keywords, spans = self.arguments(node)
        return self.call_operator(
            "aten::to", positional, keywords, receiver=callee.receiver, span=node.span, shown="type", spans=spans
        )


_SPECIALS: Final[dict[str, Callable[[Calls, Special, ast.Call, ScriptType | None], Meaning]]] = {
    "dict.items": Calls.builtin_dict_view,
    "dict.keys": Calls.builtin_dict_view,
    "dict.values": Calls.builtin_dict_view,
    **{f"module.{name}": Calls.builtin_module_view for name in MODULE_ITERATIONS},
    "tolist": Calls.builtin_tolist,
    "type": Calls.builtin_type,
}

_BUILTINS: Final[dict[str, _Builtin]] = {
    "builtins.print": Calls.builtin_print,
    "builtins.len": Calls.builtin_len,
    "builtins.bool": Calls.builtin_bool,
    "builtins.range": Calls.builtin_range,
    "builtins.enumerate": Calls.builtin_enumerate,
    "builtins.zip": Calls.builtin_zip,
    "builtins.tuple": Calls.builtin_tuple,
    "builtins.list": Calls.builtin_list,
    "builtins.dict": Calls.builtin_dict,
    "collections.OrderedDict": Calls.builtin_dict,
    "builtins.isinstance": Calls.builtin_condition_value,
    "torch.jit.isinstance": Calls.builtin_condition_value,
    "builtins.hasattr": Calls.builtin_condition_value,
    "builtins.getattr": Calls.builtin_getattr,
    "torch.jit.annotate": Calls.builtin_annotate,
    "torch.jit._unwrap_optional": Calls.builtin_unwrap,
    "torch.jit.is_scripting": Calls.builtin_decided,
    "torch.jit.is_tracing": Calls.builtin_decided,
    "torch.overrides.has_torch_function": Calls.builtin_decided,
    "torch.overrides.has_torch_function_unary": Calls.builtin_decided,
    "torch.overrides.has_torch_function_variadic": Calls.builtin_decided,
    "torch.compiler.is_compiling": Calls.builtin_decided,
    "torch.onnx.is_in_onnx_export": Calls.builtin_decided,
    "torch.jit.fork": Calls.builtin_fork,
    "torch.jit.wait": Calls.builtin_wait,
    "torch.jit._fork": Calls.builtin_fork,
    "torch.jit._wait": Calls.builtin_wait,
    "torch.device": Calls.builtin_device,
    "typing.cast": Calls.builtin_cast_type,
    "warnings.warn": Calls.builtin_warn,
}


def is_exception_name(name: str) -> bool:
    """Whether this is one of Python's own exceptions."""
    module, _, word = name.rpartition(".")
    return module == "builtins" and (word.endswith(("Error", "Exception", "Warning")) or word == "StopIteration")


def _is_entry(method: FunctionValue) -> bool:
    """Whether PyTorch compiles a module from this method on; the defaults of such are not known inside of the module."""
    return method.name == "forward" or "torch.jit.export" in method.decorators


def _without_defaults(schema: Schema) -> Schema:
    return replace(schema, arguments=tuple(replace(a, default=None, has_default=False) for a in schema.arguments))


def _with_first(receiver: Value, arguments: CallArguments, node: ast.Call) -> CallArguments:
    """The arguments with a receiver in front."""
    spans = [node.func.span, *arguments.spans]
    return CallArguments([receiver, *arguments.positional], arguments.keywords, spans)


def _shown(declared: Span | None) -> Span | None:
    """Where a function is defined, if that is code of the user's."""
    return None if declared is None or declared.file.name.startswith(("frontend/", "torchcc/")) else declared
