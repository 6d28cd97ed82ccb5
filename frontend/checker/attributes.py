"""What stands behind a dot: properties and methods of values, attributes of modules, members of Python modules."""

from __future__ import annotations

from typing import Any, Final, cast

from ...ir.attributes import Constant
from ...ir.core import OpResult, Value
from ...ir.dtypes import DType
from ...ir.operators import schema
from ...ir.overloads import has_method, suggest
from ...ir.quantized import METHODS
from ...ir.script_types import (
    DEVICE,
    POISON,
    STR,
    ClassType,
    DeviceType,
    EnumType,
    InterfaceType,
    ListType,
    NamedTupleType,
    OptionalType,
    PoisonType,
    ScriptType,
    TensorType,
    TupleType,
)
from ...ir.source import Span
from ...ir.subtyping import is_subtype
from .. import ast
from ..values import MISSING, BuiltinRef, Device, EnumMember, FunctionValue, Unavailable
from .branches import base_value
from .frames import Conflict
from .meanings import (
    BoundMethod,
    BuiltinOperator,
    CastTo,
    Host,
    InterfaceMethod,
    Meaning,
    Special,
    UserFunction,
    describe,
)
from .state import Fault, script_type, short_name
from .subscripts import MODULE_ITERATIONS, Subscripts

# fmt: off
_PRIM_PROPERTIES: Final = (
    "dtype", "device", "layout", "requires_grad", "grad", "data", "itemsize", "nbytes", "is_cuda", "is_cpu",
    "is_sparse", "is_sparse_csr", "is_quantized", "is_mkldnn", "is_nested", "is_meta", "is_mps", "is_xla",
    "is_xpu", "is_vulkan", "is_ipu", "is_mtia",
)
# fmt: on

_TENSOR_PROPERTIES: Final[dict[str, str]] = {
    "shape": "aten::size",
    "ndim": "aten::dim",
    "T": "aten::numpy_T",
    "H": "aten::matrix_H",
    "mT": "aten::mT",
    "mH": "aten::mH",
    "real": "aten::real",
    "imag": "aten::imag",
    "is_leaf": "aten::is_leaf",
    **{name: f"prim::{name}" for name in _PRIM_PROPERTIES},
}

_CASTS: Final[dict[str, DType]] = {
    "float": DType.float32,
    "double": DType.float64,
    "half": DType.float16,
    "bfloat16": DType.bfloat16,
    "int": DType.int32,
    "long": DType.int64,
    "short": DType.int16,
    "char": DType.int8,
    "byte": DType.uint8,
    "bool": DType.bool,
    "cfloat": DType.complex64,
    "cdouble": DType.complex128,
}

_TENSOR_SPECIALS: Final = ("tolist", "type")

_NAMED_CONSTANTS: Final[dict[str, Any]] = {
    "torch.contiguous_format": 0,
    "torch.preserve_format": 1,
    "torch.channels_last": 2,
    "torch.channels_last_3d": 3,
    "torch.strided": 0,
    "torch.sparse_coo": 1,
    "torch.sparse_csr": 2,
    "torch.inf": float("inf"),
    "torch.nan": float("nan"),
    "torch.pi": 3.141592653589793,
    "torch.e": 2.718281828459045,
    "cmath.infj": complex(0.0, float("inf")),
    "cmath.nanj": complex(0.0, float("nan")),
    "builtins.__debug__": True,
}


def is_constant(value: object) -> bool:
    """Whether a host value is a constant that code may hold: what `mymodule.K` may mean."""
    if isinstance(value, tuple):
        return all(map(is_constant, cast("tuple[object, ...]", value)))
    return value is None or isinstance(value, bool | int | float | complex | str | DType)


def _result_names(value: Value) -> tuple[str, ...]:
    """Of the results of an operator, as its schema calls them: `torch.max(x, 0).values`."""
    made = value.defining_op("prim::TupleConstruct")
    if made is None or not made.operands:
        return ()
    first = made.operands[0]
    found = schema(first.owner.name) if isinstance(first, OpResult) and first.owner.name.startswith("aten::") else None
    if found is None or not isinstance(first, OpResult) or list(made.operands) != list(first.owner.results):
        return ()
    names = tuple(r.name or "" for r in found.returns)
    return names if all(names) and len(names) == len(made.operands) else ()


def _plain(value: object) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_plain, cast("tuple[object, ...]", value)))
    return int(value) if isinstance(value, DType) else value


class Attributes(Subscripts):
    # names

    def no_longer_literal(self, value: Value) -> None:
        """`[]` that came through a variable is a list of tensors, also inside of a tuple."""
        self.empty_lists.discard(value)
        op = value.defining_op("prim::TupleConstruct") if self.empty_lists else None
        for element in () if op is None else op.operands:
            self.no_longer_literal(element)

    def name(self, node: ast.Name) -> Meaning:
        found = self.frame.find(node.id)
        if found is not None:
            if isinstance(found, Value):
                self.no_longer_literal(found)
            return found
        why = self.frame.why_missing(node.id)
        if isinstance(why, Conflict):
            raise self.fault(why.span, why.message, help=why.help)
        if why is not None:
            raise self.fault(
                node.span,
                f"`{node.id}` is not defined on every path to here",
                label="may have no value",
                notes=(why,),
                help=f"set `{node.id}` before the branch or loop",
            )
        if node.id in self.local_names:
            raise self.fault(node.span, f"undefined value `{node.id}`", label="no longer has a value here")
        host = self.scope.lookup(node.id)
        if host is MISSING:
            known = [*self.frame.visible(), *getattr(self.scope, "names", {})]
            raise self.fault(
                node.span, f"undefined value `{node.id}`", label="not defined", help=self.did_you_mean(node.id, known)
            )
        return self.global_meaning(host, node.span)

    def global_meaning(self, host: Any, span: Span) -> Meaning:
        """A global name: functions and classes are usable, plain Python values are not captured."""
        if isinstance(host, Unavailable):
            raise self.fault(span, f"`{host.name}` cannot be used: {host.reason}")
        if host is None:
            raise self.fault(span, f"undefined value `{span.text}`", label="None, a global variable")
        if isinstance(host, bool | int | float | complex | str | tuple | DType | Device):
            return Host(host)
        return self.host_meaning(host, span)

    def host_meaning(self, host: Any, span: Span) -> Meaning:
        """What a value of the module evaluator means in compiled code."""
        match host:
            case FunctionValue():
                return UserFunction(host)
            case DType():
                return self.constant(int(host), span)
            case Device():
                return self.constant(host.name, span, DEVICE)
            case None | bool() | int() | float() | complex() | str():
                return self.constant(host, span)
            case BuiltinRef(name=name) if name in _NAMED_CONSTANTS:
                return self.constant(_NAMED_CONSTANTS[name], span)
            case Constant():
                return self.constant(host, span)
            case tuple() if is_constant(cast("object", host)):
                return self.constant(_plain(cast("object", host)), span)
            case EnumMember():
                return self.constant(self.unit.enum_member(host), span)
            case Unavailable():
                raise self.fault(span, f"`{host.name}` cannot be used: {host.reason}")
            case _:
                return Host(host)

    # attributes

    def attribute(self, node: ast.Attribute) -> Meaning:
        base = self.meaning(node.value)
        return self.attribute_of(base, node.name, node)

    def attribute_of(self, base: Meaning, name: str, node: ast.Attribute) -> Meaning:
        match base:
            case Value():
                return self._value_attribute(base, name, node)
            case Host():
                found = self.unit.attribute(base.value, name, node.span)
                if found is MISSING:
                    raise self.fault(node.name_span, f"{describe(base)} has no `{name}`")
                return self.host_meaning(found, node.span)
            case _:
                raise self.fault(node.name_span, f"{describe(base)} has no attribute `{name}`")

    def _value_attribute(self, value: Value, name: str, node: ast.Attribute) -> Meaning:
        type_ = script_type(value)
        span = node.span
        match type_:
            case PoisonType():
                return value
            case TensorType():
                if name in _TENSOR_PROPERTIES:
                    return self.call_operator(_TENSOR_PROPERTIES[name], [value], span=span)
                if name in _CASTS:
                    return CastTo(value, int(_CASTS[name]))
                if name in _TENSOR_SPECIALS:
                    return Special(name, value)
            case DeviceType() if name in ("type", "index"):
                return self.call_operator(f"prim::{name}", [value], span=span)
            case NamedTupleType() if name in type_.fields:
                index = type_.fields.index(name)
                operands = (value, self.constant(index, span))
                return self.one("prim::TupleIndex", operands, type_.elements[index], span=span)
            case TupleType() if name in (fields := _result_names(value)):
                operands = (value, self.constant(fields.index(name), span))
                return self.one("prim::TupleIndex", operands, type_.elements[fields.index(name)], span=span)
            case ClassType() if type_ in METHODS:
                if name in METHODS[type_]:
                    return BuiltinOperator(METHODS[type_][name], value)
                raise self._no_attribute(type_, name, node)
            case ClassType():
                return self.object_attribute(value, type_, name, node)
            case EnumType() if name == "name":
                return self.one("prim::EnumName", (value,), STR, span=span)
            case EnumType() if name == "value":
                return self.one(f"prim::EnumValue.{type_.value}", (value,), type_.value, span=span)
            case InterfaceType() if name in type_.methods:
                return InterfaceMethod(value, name, type_.methods[name])
            case _:
                pass
        if has_method(f"aten::{name}", type_):
            return BuiltinOperator(f"aten::{name}", value)
        function = self.unit.functional(name) if isinstance(type_, TensorType) else None
        if function is not None:
            return UserFunction(function, value)
        raise self._no_attribute(type_, name, node)

    def _no_attribute(self, type_: ScriptType, name: str, node: ast.Attribute) -> Fault:
        advice: str | None = None
        if isinstance(type_, OptionalType):
            advice = "the value may be None: check it with `is not None` first (in a local variable)"
        else:
            known = [*_TENSOR_PROPERTIES, *_CASTS] if isinstance(type_, TensorType) else []
            close = self.did_you_mean(name, known)
            operators = suggest(f"aten::{name}", type_)
            advice = close or (f"did you mean `{operators[0]}`?" if operators else None)
        return self.fault(
            node.name_span, f"'{type_.annotation}' object has no attribute or method '{name}'", help=advice
        )

    # objects

    def object_attribute(self, value: Value, type_: ClassType, name: str, node: ast.Attribute) -> Meaning:
        span = node.span
        if name in type_.attributes:
            return self.get_attribute(value, type_, name, span)
        if name in type_.constants:
            constant = type_.constants[name]
            return self.constant(constant.name, span, DEVICE) if isinstance(constant, Device) else self.constant(constant, span)
        info = self.unit.class_info(type_)
        if name in info.unusable:
            raise self.fault(
                node.name_span,
                f"attribute `{name}` of `{short_name(type_)}` has no TorchScript type",
                label=info.unusable[name],
                help="give it a type with an annotation in the class body",
            )
        if name in ("items", "keys", "values") and info.instance.container in ("module_dict", "parameter_dict"):
            return Special(f"dict.{name}", value)
        stored = info.instance.attributes.get(name, MISSING)
        if isinstance(stored, FunctionValue | BuiltinRef):
            return self.host_meaning(stored, span)
        member = self.unit.added.get((type_, name)) or info.cls.find(name)
        if name in MODULE_ITERATIONS and member == BuiltinRef(f"torch.nn.Module.{name}"):
            return Special(f"module.{name}", value)
        if isinstance(member, FunctionValue):
            return self._member(value, type_, member, span)
        help = self.did_you_mean(name, info.names())
        if member is not MISSING and not type_.is_module:
            help = f"`{name}` is a value of the class, which TorchScript does not support: set it in `__init__`"
        elif member is not MISSING:
            help = f"`{name}` is a value of the class: annotate it with Final, or set it in __init__"
        what = "module" if type_.is_module else "class"
        raise self.fault(node.name_span, f"{what} '{short_name(type_)}' has no attribute '{name}'", help=help)

    def _member(self, value: Value, type_: ClassType, member: FunctionValue, span: Span) -> Meaning:
        if "builtins.staticmethod" in member.decorators:
            if not type_.is_module:
                raise self.fault(
                    span,
                    f"the static method `{member.name}` cannot be called on an object",
                    help=f"call it on the class: `{short_name(type_)}.{member.name}(...)`",
                )
            return UserFunction(member)
        if "builtins.property" in member.decorators:
            getter = self.unit.method(type_, member, span)
            return self.one("prim::CallMethod", (value,), getter.result, {"name": member.name}, span=span)
        return BoundMethod(value, member)

    def _define_attribute(self, type_: ClassType, node: ast.Attribute, value: Value) -> ScriptType | None:
        """The type of an attribute that `__init__` sets for the first time."""
        if isinstance(value.type, PoisonType):
            type_.attributes[node.name] = POISON
            return POISON
        if not self.frame.is_outermost:
            type_.attributes[node.name] = POISON
            raise self.fault(
                node.name_span,
                f"the first assignment to `{node.name}` cannot be in a control-flow block",
                label="first assignment",
                help="set it at the top level of `__init__` first",
            )
        declared = self.unit.class_info(type_).cls.all_annotations.get(node.name)
        found = script_type(value) if declared is None else self.unit.annotations.read(*declared)
        if declared is not None and value in self.empty_lists and isinstance(found, ListType):
            self.empty_lists.discard(value)
            value.type = found
        type_.attributes[node.name] = found
        return found

    def _set_property(self, base: Value, type_: ClassType, node: ast.Attribute, value: Value) -> bool:
        """A call of the setter, if the name is that of a property that has one."""
        setter = self.unit.class_info(type_).cls.find(f"{node.name}.setter")
        if not isinstance(setter, FunctionValue):
            return False
        compiled = self.unit.method(type_, setter, node.span)
        operand = self.to_type(value, compiled.schema.arguments[-1].type, node.span)
        if operand is None:
            expected, found = compiled.schema.arguments[-1].type.annotation, script_type(value).annotation
            raise self.fault(node.span, f"the property `{node.name}` is set to a value of type {found}, not {expected}")
        self.one("prim::CallMethod", (base, operand), compiled.result, {"name": f"__{node.name}_setter"}, span=node.span)
        return True

    def assign_attribute(self, node: ast.Attribute, value: Value) -> None:
        base = self.value(node.value)
        type_ = script_type(base)
        if isinstance(type_, PoisonType):
            return
        if not isinstance(type_, ClassType):
            raise self.fault(node.span, f"attributes of a {type_.annotation} cannot be assigned to")
        expected = type_.attributes.get(node.name)
        if expected is None and self.defines is not None and base_value(base) is self.defines:
            expected = self._define_attribute(type_, node, value)
        if expected is None and self._set_property(base, type_, node, value):
            return
        if expected is None:
            raise self.fault(
                node.name_span,
                f"tried to set nonexistent attribute: {node.name}",
                label="a constant of the class" if node.name in type_.constants else "not set in __init__",
                help="did you forget to initialize it in `__init__`?"
                if node.name not in type_.constants
                else "constants cannot be assigned to",
            )
        given = self.operand(value)
        is_literal = given.empty_list or bool(given.elements)
        converted = None if is_literal else self.to_type(value, expected, node.span)
        if converted is None and not is_subtype(script_type(value), expected):
            found = script_type(value).annotation
            raise self.fault(
                node.span,
                f"wrong type for attribute assignment: expected {expected.annotation}, found {found}",
                help=f"write `torch.jit.annotate({expected.annotation}, [])`" if value in self.empty_lists else None,
            )
        converted = value if converted is None else converted
        self.emit("prim::SetAttr", (base, converted), (), {"name": node.name}, span=node.span)
