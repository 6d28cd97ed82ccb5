"""What an expression of a source file means before anything is compiled: the values of the module evaluator.

Python's int, float, bool, complex, str, None, list, tuple, dict, set, range and slice stand for themselves, `DType` for
`torch.float32`; the rest is below. A type checker resolves the global names of a function through its `Scope`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from ..ir.dtypes import DType
from ..ir.source import Span
from .ast import ClassDef, Expr, FunctionDef, Lambda
from .host_tensor import HostTensor

Value = Any
"""A Python value as listed above, or one of the classes of this file."""


@dataclass(eq=False)
class Scope:
    """The global names of one source module. `name` is its dotted Python name (`__main__`'s classes have none: "").

    `Scope.lookup` gives what a global name means, Python's builtins last.
    """

    name: str
    names: dict[str, Value] = field(default_factory=dict[str, Value])
    is_archive: ClassVar[bool] = False
    """Whether PyTorch reads it with the parser of archives, which takes what its front end for Python refuses."""

    def lookup(self, name: str) -> Value:
        """The meaning of a global name; `MISSING` where there is none. An `Unavailable` has to be refused on use."""
        if name in self.names:
            return self.names[name]
        return BuiltinRef(f"builtins.{name}") if name in PYTHON_BUILTINS else MISSING

    def qualify(self, name: str) -> str:
        return f"{self.name}.{name}" if self.name else name


@dataclass(frozen=True)
class Missing:
    """No such name."""


MISSING = Missing()


@dataclass(frozen=True)
class ModuleRef:
    """A Python module by its dotted name: `torch`, `torch.nn`, `torch.nn.functional`, `math`, `typing`."""

    name: str


@dataclass(frozen=True)
class BuiltinRef:
    """Something that is known by its dotted name only: `torch.relu`, `torch.jit.export`, `typing.List`, `builtins.len`.

    Nothing says that it exists: who uses it looks its name up (`torch.X` in the operators, for one).
    """

    name: str


@dataclass(frozen=True)
class TypeExpression:
    """A type alias or another type built from values: `Pair = Tuple[int, int]`."""

    expression: Expr
    scope: Scope


@dataclass(frozen=True)
class Device:
    """`torch.device("cpu")`."""

    name: str


@dataclass(frozen=True)
class Unavailable:
    """A name whose definition could not be evaluated (an unknown import, `try`): an error only where it is used."""

    name: str
    reason: str
    span: Span


@dataclass(eq=False)
class FunctionValue:
    """A function of a source file. `decorators` are dotted names: `torch.jit.export`, `builtins.staticmethod`, ...

    `closure` holds the local names around a nested function or lambda, None at top level.
    """

    definition: FunctionDef | Lambda
    scope: Scope
    qualified: str
    owner: ClassValue | None = None
    decorators: tuple[str, ...] = ()
    closure: Frame | None = None
    defaults: dict[str, Value] | None = None
    """Evaluated at definition for nested functions and lambdas; else on the first call."""
    unknown_decorator: Span | None = None
    """A decorator of which nothing is known: the function is then not what its definition says."""
    overloads: tuple[FunctionDef, ...] = ()
    """Declarations before it under the same name, by `@torch.jit._overload`: it is compiled for each that is called."""
    variants: list[FunctionValue] = field(default_factory=list["FunctionValue"])
    """The function with the types of each declaration, once they are asked for."""

    @property
    def name(self) -> str:
        return self.definition.name if isinstance(self.definition, FunctionDef) else "<lambda>"


@dataclass(eq=False)
class Frame:
    """Local names of a running function, and the frame of the function around it."""

    scope: Scope
    names: dict[str, Value] = field(default_factory=dict[str, Value])
    parent: Frame | None = None
    function: FunctionValue | None = None
    class_annotations: dict[str, Expr] | None = None
    """Set while the body of a class is run."""

    @property
    def is_archive(self) -> bool:
        return self.scope.is_archive

    def lookup(self, name: str) -> Value:
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame.names[name]
            frame = frame.parent
        return self.scope.lookup(name)


@dataclass(frozen=True, eq=False)
class BoundMethod:
    """`object.method`: a function of a source file, or a method that the evaluator has itself (`name` only)."""

    receiver: Value
    function: FunctionValue | None
    name: str


ClassKind = Literal["module", "plain", "enum", "named_tuple", "interface", "exception"]


@dataclass(eq=False)
class ClassValue:
    """A class: of a source file, of the nn library, or (`definition` None) one that the evaluator knows by itself."""

    name: str
    qualified: str
    """Dotted: `Net` in the entry file, `torch.nn.modules.linear.Linear` in the library."""
    kind: ClassKind
    scope: Scope
    definition: ClassDef | None = None
    bases: tuple[ClassValue, ...] = ()
    members: dict[str, Value] = field(default_factory=dict[str, Value])
    """Functions (`FunctionValue`) and class-level values, in the order of the source; without those of the bases."""
    annotations: dict[str, Expr] = field(default_factory=dict[str, Expr])
    """Class-level `x: T`, without those of the bases."""
    decorators: tuple[str, ...] = ()
    mro: tuple[ClassValue, ...] = ()
    """This class, then its bases in the order of attribute lookup."""

    def find(self, name: str, after: ClassValue | None = None) -> Value:
        """A member of the class or of its bases; only behind `after` for `super()`; `MISSING` where there is none."""
        classes = self.mro if after is None else self.mro[self.mro.index(after) + 1 :]
        for cls in classes:
            if name in cls.members:
                return cls.members[name]
        return MISSING

    @property
    def all_annotations(self) -> dict[str, tuple[Expr, Scope]]:
        """Class-level annotations with those of the bases, each with the scope that gives its names a meaning."""
        found: dict[str, tuple[Expr, Scope]] = {}
        for cls in reversed(self.mro):
            found.update({name: (annotation, cls.scope) for name, annotation in cls.annotations.items()})
        return found

    @property
    def constants(self) -> tuple[str, ...]:
        """Names in `__constants__`, those of the bases too."""
        found: dict[str, None] = {}
        for cls in reversed(self.mro):
            names: Any = cls.members.get("__constants__", ())
            if isinstance(names, list | tuple | set):  # pyright: ignore[reportUnknownVariableType]
                found.update({name: None for name in names if isinstance(name, str)})  # pyright: ignore[reportUnknownVariableType]
        return tuple(found)


@dataclass(frozen=True, eq=False)
class Partial:
    """`functools.partial(function, ...)`."""

    function: Value
    args: tuple[Value, ...]
    keywords: Mapping[str, Value]


@dataclass(frozen=True, eq=False)
class Super:
    """`super()`: attributes of `receiver` from the classes behind `after`."""

    receiver: Value
    after: ClassValue


@dataclass(eq=False)
class EnumMember:
    """`Color.RED`."""

    cls: ClassValue
    name: str
    value: Value


@dataclass(frozen=True, eq=False)
class TypedAttribute:
    """`torch.jit.Attribute(value, type)`."""

    value: Value
    type: Value


@dataclass(eq=False)
class ObjectValue:
    """An instance of a plain class or of a NamedTuple: attributes in order of assignment."""

    cls: ClassValue
    attributes: dict[str, Value] = field(default_factory=dict[str, Value])


Container = Literal["sequential", "module_list", "module_dict", "parameter_list", "parameter_dict"]

_CONTAINERS: dict[str, Container] = {
    "torch.nn.modules.container.Sequential": "sequential",
    "torch.nn.modules.container.ModuleList": "module_list",
    "torch.nn.modules.container.ModuleDict": "module_dict",
    "torch.nn.modules.container.ParameterList": "parameter_list",
    "torch.nn.modules.container.ParameterDict": "parameter_dict",
}


@dataclass(eq=False)
class ModuleInstance:
    """An nn.Module object after its `__init__`: each table is in the order of registration.

    `attributes` are the plain ones, in the order of assignment; `training` is the first.
    """

    cls: ClassValue
    parameters: dict[str, HostTensor | None] = field(default_factory=dict[str, HostTensor | None])
    buffers: dict[str, HostTensor | None] = field(default_factory=dict[str, HostTensor | None])
    non_persistent: set[str] = field(default_factory=set[str])
    attributes: dict[str, Value] = field(default_factory=dict[str, Value])
    modules: dict[str, ModuleInstance | None] = field(default_factory=dict[str, "ModuleInstance | None"])
    declared: dict[str, Value] = field(default_factory=dict[str, Value])
    """Types of attributes that `torch.jit.Attribute` has told."""
    pre_hooks: list[FunctionValue] = field(default_factory=list[FunctionValue])
    hooks: list[FunctionValue] = field(default_factory=list[FunctionValue])
    """What a call of the module runs before and after `forward`."""

    @property
    def training(self) -> bool:
        return bool(self.attributes.get("training", True))

    @property
    def container(self) -> Container | None:
        """Which container of torch.nn this is (by inheritance), or None."""
        return next((_CONTAINERS[cls.qualified] for cls in self.cls.mro if cls.qualified in _CONTAINERS), None)

    def children(self) -> Iterator[tuple[str, ModuleInstance]]:
        return ((name, module) for name, module in self.modules.items() if module is not None)

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, ModuleInstance]]:
        """This module and all below it, each once, by dotted name; outer ones first."""
        seen: set[int] = set()
        pending: list[tuple[str, ModuleInstance]] = [(prefix, self)]
        while pending:
            path, module = pending.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield path, module
            inner = [(f"{path}.{name}" if path else name, child) for name, child in module.children()]
            pending.extend(reversed(inner))

    def named_tensors(
        self, *, parameters: bool = True, buffers: bool = True, non_persistent: bool = False
    ) -> Iterator[tuple[str, HostTensor]]:
        """Parameters and persistent buffers below this module by dotted name, as the keys of a `state_dict`.

        A tensor that stands under two names comes twice. `non_persistent`: the other buffers too, which the `state_dict`
        of a scripted module has.
        """
        for path, module in self._all_modules():
            named: list[tuple[str, HostTensor | None]] = []
            if parameters:
                named += module.parameters.items()
            if buffers:
                named += [
                    (name, buffer)
                    for name, buffer in module.buffers.items()
                    if non_persistent or name not in module.non_persistent
                ]
            yield from ((path + name, tensor) for name, tensor in named if tensor is not None)

    def _all_modules(self) -> Iterator[tuple[str, ModuleInstance]]:
        """Like `named_modules`, shared modules repeated and names ending in a dot."""
        pending: list[tuple[str, ModuleInstance]] = [("", self)]
        while pending:
            path, module = pending.pop()
            yield path, module
            pending.extend(reversed([(f"{path}{name}.", child) for name, child in module.children()]))


def words(text: str) -> frozenset[str]:
    """The words of a text: tables of many names."""
    return frozenset(text.split())


EXCEPTIONS = words(
    """ArithmeticError AssertionError AttributeError BaseException Exception IndexError KeyError LookupError
    NameError NotImplementedError OSError OverflowError RuntimeError StopIteration TypeError ValueError
    ZeroDivisionError"""
)

PYTHON_BUILTINS = EXCEPTIONS | words(
    """abs all any ascii bin bool bytes callable chr classmethod complex dict dir divmod enumerate eval exec filter
    float format frozenset getattr globals hasattr hash hex id input int isinstance issubclass iter len list
    locals map max min next object oct open ord pow print property range repr reversed round set setattr slice
    sorted staticmethod str sum super tuple type vars zip NotImplemented"""
)

__all__ = [
    "EXCEPTIONS",
    "MISSING",
    "PYTHON_BUILTINS",
    "BoundMethod",
    "BuiltinRef",
    "ClassValue",
    "Container",
    "DType",
    "Device",
    "EnumMember",
    "Frame",
    "FunctionValue",
    "HostTensor",
    "Missing",
    "ModuleInstance",
    "ModuleRef",
    "ObjectValue",
    "Partial",
    "Scope",
    "Super",
    "TypeExpression",
    "TypedAttribute",
    "Unavailable",
    "Value",
]
