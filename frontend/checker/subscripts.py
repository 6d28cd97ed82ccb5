"""`value[...]`: reading and writing elements, slices, and everything that tensors can be indexed with.

A tensor index is taken apart from left to right up to an ellipsis and from right to left behind it: an int selects, a
slice keeps its dimension, None makes one; tensors (and lists) are left over for `aten::index`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard, cast

from ...ir.core import Value
from ...ir.dtypes import DType
from ...ir.script_types import (
    INT,
    NONE,
    STR,
    TENSOR,
    ClassType,
    DictType,
    InterfaceType,
    IntType,
    ListType,
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
from ..values import ModuleInstance
from .conditions import Conditions
from .meanings import Group, Meaning, ModuleGroup
from .state import Fault, script_type, short_name

_OPTIONAL_TENSOR = OptionalType(TENSOR)

MODULE_ITERATIONS: Final = ("modules", "named_modules", "children", "named_children", "named_buffers")
"""Methods of `nn.Module` that a loop may go over; each iteration is a copy of the body."""


@dataclass(frozen=True)
class TensorIndex:
    """A tensor after the ints, slices and Nones of an index, and the index tensors that are left, by dimension."""

    base: Value
    tensors: tuple[Value | None, ...]


class Subscripts(Conditions):
    # reading

    def subscript(self, node: ast.Subscript, hint: ScriptType | None = None) -> Meaning:
        base = self.meaning(node.value)
        if not node.tuple and len(node.indices) == 1:
            index = node.indices[0]
            if isinstance(hint, InterfaceType) and isinstance(index, ast.Expr) and _is_module(base):
                return self._module_by_interface(base, index, hint, node.span)
            return (
                self.slice_of(base, index, node) if isinstance(index, ast.Slice) else self.element_of(base, index, node)
            )
        value = self.as_value(base, node.value.span)
        match script_type(value):
            case TensorType():
                return self.index_tensor(value, node)
            case PoisonType():
                return value
            case DictType():
                elements = [i for i in node.indices if isinstance(i, ast.Expr)]
                key = ast.TupleExpr(node.span, elements)
                return self.element_of(base, key, node)
            case type_:
                raise self.fault(node.span, f"only tensors take several indices, found {type_.annotation}")

    def element_of(self, base: Meaning, index: ast.Expr, node: ast.Subscript) -> Meaning:
        if isinstance(base, ModuleGroup | Group):
            return self._group_element(base, index)
        value = self.as_value(base, node.value.span)
        span = node.span
        match script_type(value):
            case TensorType():
                return self.index_tensor(value, node)
            case TupleType() as type_:
                return self.tuple_element(value, type_, index, span)
            case ListType() | StrType() | DictType():
                spans = (node.value.span, index.span)
                return self.call_operator(
                    "aten::__getitem__", [value, self.value(index)], span=span, shown="[]", spans=spans
                )
            case ClassType() as type_ if type_.is_module:
                return self._module_element(value, type_, index, node)
            case PoisonType():
                return value
            case ClassType() as type_:
                found = self.special(value, "__getitem__", [self.value(index)], span)
                if found is None:
                    raise self.not_subscriptable(type_, node)
                return found
            case type_:
                raise self.not_subscriptable(type_, node)

    def not_subscriptable(self, type_: ScriptType, node: ast.Subscript) -> Fault:
        advice = None
        if isinstance(type_, OptionalType):
            advice = "it may be None: check it with `is not None` first (in a local variable)"
        return self.fault(node.value.span, f"a value of type {type_.annotation} cannot be indexed", help=advice)

    def constant_int(self, value: Value) -> int | None:
        op = value.defining_op("prim::Constant")
        found = op.attributes.get("value") if op is not None and value.type == INT else None
        return found if isinstance(found, int) else None

    def constant_index(self, node: ast.Expr) -> int | None:
        """An int that the compiler knows: a literal, or a value that turned out constant."""
        return self.constant_int(self.value(node))

    def tuple_element(self, value: Value, type_: TupleType, index: ast.Expr, span: Span) -> Value:
        position = self.value(index)
        number = self.constant_int(position)
        if isinstance(position.type, PoisonType):
            return position
        size = len(type_.elements)
        if number is None:
            common = unify_all(type_.elements) if len(set(type_.elements)) == 1 else None
            if position.type != INT or common is None:
                raise self.fault(
                    index.span,
                    f"cannot index a {type_.annotation} with something that is not an int literal",
                    label="not known at compile time",
                    help="its elements have different types: unpack it, or index it with a literal",
                )
            return self.one("prim::TupleIndex", (value, position), common, span=span)
        if not -size <= number < size:
            raise self.fault(index.span, f"tuple index {number} is out of range: the tuple has {size} elements")
        return self.one("prim::TupleIndex", (value, position), type_.elements[number], span=span)

    def _group_element(self, base: ModuleGroup | Group, index: ast.Expr) -> Meaning:
        elements: Sequence[Meaning] = base.elements if isinstance(base, Group) else base.modules
        number = self.constant_index(index)
        if number is None:
            raise self.fault(index.span, "expected an int literal as index")
        if not -len(elements) <= number < len(elements):
            raise self.fault(index.span, f"index {number} is out of range: there are {len(elements)} elements")
        return elements[number]

    def _module_element(self, value: Value, type_: ClassType, index: ast.Expr, node: ast.Subscript) -> Meaning:
        instance = self.unit.class_info(type_).instance
        if instance.container is None:
            raise self.not_subscriptable(type_, node)
        if instance.container in ("module_dict", "parameter_dict"):
            if not isinstance(index, ast.Literal_) or not isinstance(index.value, str):
                raise self.fault(
                    index.span,
                    "expected a string literal as key of a dict of modules",
                    help="which module is meant has to be known at compile time",
                )
            names = self.container_names(type_)
            if index.value not in names:
                raise self.fault(
                    index.span,
                    f"there is no `{index.value}` among the keys",
                    help=self.did_you_mean(index.value, names),
                )
            return self.get_attribute(value, type_, index.value, node.span)
        names = self.container_names(type_)
        number = self.constant_index(index)
        if number is None:
            raise self.fault(
                index.span,
                "expected an int literal as index of a list of modules",
                help="loop over the list instead: loops over modules are unrolled",
            )
        if not -len(names) <= number < len(names):
            raise self.fault(index.span, f"index {number} is out of range: there are {len(names)} modules")
        return self.get_attribute(value, type_, names[number], node.span)

    def _module_by_interface(self, value: Value, index: ast.Expr, type_: InterfaceType, span: Span) -> Value:
        """An element of a list or dict of modules by a run-time index, of which the interface is known."""
        key = self.value(index)
        if isinstance(key.type, PoisonType):
            return key
        owner = script_type(value)
        assert isinstance(owner, ClassType)
        if key.type not in (INT, STR):
            raise self.fault(index.span, f"modules are indexed by int or str, found {script_type(key).annotation}")
        for name, element in owner.submodules.items():
            if not is_subtype(element, type_):
                raise self.fault(
                    span,
                    f"the element `{name}` does not have all methods of the interface `{type_.name.rpartition('.')[2]}`",
                    label=f"its class is {element.annotation}",
                )
        overload = "list" if key.type == INT else "dict"
        return self.one(f"prim::ModuleContainerIndex.{overload}", (value, key), type_, span=span)

    def container_of(self, type_: ClassType) -> str | None:
        """Which container of modules or parameters the class is."""
        return self.unit.class_info(type_).instance.container if type_.is_module else None

    def require_modules(self, type_: ClassType, what: str, span: Span) -> None:
        """PyTorch goes over parameter containers and takes elements of them, and nothing else."""
        if self.container_of(type_) in ("parameter_list", "parameter_dict"):
            name = short_name(type_)
            raise self.fault(
                span, f"{what} of a {name} is not supported", help="only its elements by literals are, and loops over a ParameterList"
            )

    def container_names(self, type_: ClassType) -> list[str]:
        """Names of the elements of a container, in its order."""
        instance = self.unit.class_info(type_).instance
        if instance.container in ("parameter_list", "parameter_dict"):
            return list(instance.parameters)
        return [name for name, _ in instance.children()]

    def get_attribute(self, value: Value, type_: ClassType, name: str, span: Span) -> Value:
        result = self.one("prim::GetAttr", (value,), type_.attributes[name], {"name": name}, span=span)
        if not name.isdigit():
            self.name_value(result, name)
        return result

    def module_group(self, value: Value, type_: ClassType, span: Span, kind: str = "values") -> ModuleGroup:
        names = self.container_names(type_)
        modules = tuple(self.get_attribute(value, type_, n, span) for n in names) if kind != "keys" else ()
        return ModuleGroup(tuple(names), modules, kind)

    def module_iteration(self, value: Value, what: str, span: Span) -> ModuleGroup:
        """What a method in `MODULE_ITERATIONS` goes over: modules or buffers, each once, outer ones first."""
        instance = self.unit.class_info(cast(ClassType, value.type)).instance
        found: dict[int, tuple[str, Value]] = {}

        def add(module: ModuleInstance, value: Value, prefix: str) -> None:
            type_ = cast(ClassType, value.type)
            if what.endswith("buffers"):
                for name, buffer in module.buffers.items():
                    if buffer is not None and id(buffer) not in found:
                        found[id(buffer)] = (prefix + name, self.get_attribute(value, type_, name, span))
            if what.endswith("modules"):
                found[id(module)] = (prefix.removesuffix("."), value)
            for name, child in module.children():
                if id(child) in found:
                    continue
                inner = self.get_attribute(value, type_, name, span)
                if what.endswith("children"):
                    found[id(child)] = (name, inner)
                else:
                    add(child, inner, f"{prefix}{name}.")

        add(instance, value, "")
        kind = "items" if what.startswith("named_") else "values"
        return ModuleGroup(tuple(n for n, _ in found.values()), tuple(v for _, v in found.values()), kind)

    # slices

    def slice_of(self, base: Meaning, index: ast.Slice, node: ast.Subscript) -> Meaning:
        if isinstance(base, ModuleGroup):
            part = self._static_slice(index, len(base.names))
            return ModuleGroup(base.names[part], base.modules[part], base.kind)
        value = self.as_value(base, node.value.span)
        span = node.span
        match script_type(value):
            case TensorType():
                return self.index_tensor(value, node)
            case ListType() | StrType():
                return self.call_operator(
                    "aten::slice", [value, *self.bounds(index, node.span)], span=span, shown="[:]"
                )
            case TupleType() as type_:
                part = self._static_slice(index, len(type_.elements))
                items = self.unpack_tuple(value, span)[part]
                return self.one("prim::TupleConstruct", items, TupleType(type_.elements[part]), span=span)
            case ClassType() as type_ if type_.is_module and self.unit.class_info(type_).instance.container:
                self.require_modules(type_, "a slice", node.span)
                group = self.module_group(value, type_, span)
                modules = group.modules[self._static_slice(index, len(group.names))]
                return self.one("prim::TupleConstruct", modules, TupleType(tuple(map(script_type, modules))), span=span)
            case PoisonType():
                return value
            case type_:
                raise self.fault(node.value.span, f"a value of type {type_.annotation} cannot be sliced")

    def bounds(self, index: ast.Slice, span: Span) -> list[Value]:
        """start, stop and step of a slice as operands."""
        parts = [self.constant(None, span) if e is None else self.value(e) for e in (index.lower, index.upper)]
        step = self.constant(1, span) if index.step is None else self.value(index.step)
        return [*parts, step]

    def _static_slice(self, index: ast.Slice, size: int) -> slice:
        numbers: list[int | None] = []
        for part in (index.lower, index.upper, index.step):
            number = None if part is None else self.constant_index(part)
            if part is not None and number is None:
                raise self.fault(part.span, "the bounds of this slice must be int literals")
            numbers.append(number)
        if numbers[2] == 0:
            raise self.fault(index.span, "slice step must not be zero")
        return slice(*slice(*numbers).indices(size)) if (numbers[2] or 1) > 0 else slice(*numbers)

    # tensors

    def index_tensor(self, value: Value, node: ast.Subscript) -> Value:
        index = self.take_apart(value, node)
        if not index.tensors:
            return index.base
        return self.call_operator("aten::index", [index.base, self.index_list(index, node.span)], span=node.span)

    def index_list(self, index: TensorIndex, span: Span) -> Value:
        items = [self.constant(None, span) if t is None else t for t in index.tensors]
        return self.one("prim::ListConstruct", items, ListType(_OPTIONAL_TENSOR), span=span)

    def take_apart(self, base: Value, node: ast.Subscript) -> TensorIndex:
        indices = node.indices
        if len(indices) == 1 and isinstance(indices[0], ast.TupleExpr):
            indices = list(indices[0].elements)
        dots = [i for i, e in enumerate(indices) if isinstance(e, ast.EllipsisLiteral)]
        if len(dots) > 1:
            raise self.fault(indices[dots[1]].span, "an index can only have one ellipsis (`...`)")
        middle = dots[0] if dots else len(indices)
        values: list[Value | None] = [None] * len(indices)
        dims = [0] * len(indices)
        dim = 0
        for i in range(middle):
            values[i], dims[i] = self._index_value(indices[i]), dim
            dim += 0 if _drops(values[i]) else 1
        dim = -1
        for i in range(len(indices) - 1, middle, -1):
            values[i], dims[i] = self._index_value(indices[i]), dim
            value = values[i]
            if value is not None and isinstance(value.type, TensorType):
                raise self.fault(
                    indices[i].span,
                    "a tensor as index behind an ellipsis is not supported",
                    help="write the dimensions before it as `:`",
                )
            dim -= 0 if value is not None and value.type == NONE else 1
        tensors: dict[int, Value] = {}
        for index, value, at in zip(indices, values, dims, strict=True):
            base = self._apply(base, index, value, at, tensors)
        return TensorIndex(base, tuple(tensors.get(d) for d in range(max(tensors) + 1)) if tensors else ())

    def _index_value(self, index: ast.Expr | ast.Slice) -> Value | None:
        """The value of an index; None for a slice. Lists become index tensors."""
        if isinstance(index, ast.Slice):
            return None
        value = self.value(index)
        type_ = script_type(value)
        if isinstance(type_, ListType):
            # bools too: they are positions 0 and 1 in TorchScript, where Python's PyTorch takes them for a mask
            dtype = self.constant(int(DType.int64), index.span)
            return self.call_operator("aten::tensor", [value], {"dtype": dtype}, span=index.span)
        if not isinstance(type_, IntType | NoneType | TensorType | PoisonType) and not is_subtype(
            type_, _OPTIONAL_TENSOR
        ):
            raise self.fault(
                index.span,
                f"a tensor cannot be indexed with a {type_.annotation}",
                label=f"this is {type_.annotation}",
                help="indices are ints, slices, None, `...`, tensors and lists",
            )
        return value

    def _apply(
        self, base: Value, index: ast.Expr | ast.Slice, value: Value | None, dim: int, tensors: dict[int, Value]
    ) -> Value:
        span = index.span
        at = dim
        if isinstance(index, ast.Slice):
            return self.call_operator(
                "aten::slice", [base, self.constant(at, span), *self.bounds(index, span)], span=span
            )
        if value is None or isinstance(index, ast.EllipsisLiteral):
            return base
        match script_type(value):
            case NoneType():
                return self.call_operator("aten::unsqueeze", [base, self.constant(at, span)], span=span)
            case IntType():
                return self.call_operator("aten::select", [base, self.constant(at, span), value], span=span)
            case PoisonType():
                return value
            case _:
                tensors[dim] = value
                return base

    # writing

    def assign_subscript(self, node: ast.Subscript, value: Value) -> None:
        base = self.value(node.value)
        span = node.span
        match script_type(base):
            case TensorType():
                index = self.take_apart(base, node)
                source = self.to_tensor_like(value, index.base, span)
                if not index.tensors:
                    self.call_operator("aten::copy_", [index.base, source], span=span)
                else:
                    operands = [index.base, self.index_list(index, span), source]
                    self.call_operator("aten::index_put_", operands, span=span)
            case ListType() | DictType():
                key = self._only_index(node)
                self.call_operator("aten::_set_item", [base, key, value], span=span, shown="[]=")
            case ClassType():
                self.call_operator("aten::_set_item", [base, self._only_index(node), value], span=span, shown="[]=")
            case PoisonType():
                pass
            case type_:
                raise self.fault(node.value.span, f"an element of a {type_.annotation} cannot be assigned to")

    def _only_index(self, node: ast.Subscript) -> Value:
        if node.tuple:
            elements = [i for i in node.indices if isinstance(i, ast.Expr)]
            return self.value(ast.TupleExpr(node.span, elements))
        index = node.indices[0]
        if isinstance(index, ast.Slice):
            raise self.fault(node.span, "slices of lists cannot be assigned to", help="assign the elements one by one")
        return self.value(index)

    def to_tensor_like(self, value: Value, like: Value, span: Span) -> Value:
        """A number as a tensor of the dtype and device of `like`."""
        if isinstance(value.type, TensorType | PoisonType):
            return value
        dtype = self.call_operator("prim::dtype", [like], span=span)
        device = self.call_operator("prim::device", [like], span=span)
        return self.call_operator("aten::tensor", [value], {"dtype": dtype, "device": device}, span=span)

    def delete_subscript(self, node: ast.Subscript) -> None:
        base = self.value(node.value)
        if len(node.indices) != 1 or isinstance(node.indices[0], ast.Slice):
            raise self.fault(node.span, "only single elements can be deleted")
        self.call_operator("aten::Delete", [base, self._only_index(node)], span=node.span, shown="del")


def _is_module(base: Meaning) -> TypeGuard[Value]:
    return isinstance(base, Value) and isinstance(base.type, ClassType) and base.type.is_module


def _drops(value: Value | None) -> bool:
    """Whether an index takes its dimension away."""
    return value is not None and value.type == INT
