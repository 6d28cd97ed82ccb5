"""What the functions of one TorchScript text share: names of functions and types, and its constants."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Final

from ..attributes import Constant
from ..diagnostics import CompileError
from ..script_types import (
    BOOL,
    ClassType,
    DictType,
    EnumType,
    FunctionRefType,
    FutureType,
    InterfaceType,
    ListType,
    NamedTupleType,
    OptionalType,
    PoisonType,
    ScriptType,
    TupleType,
    TypeVariable,
    UnionType,
)

NominalType = ClassType | NamedTupleType | EnumType | InterfaceType
"""Types with a definition of their own in the code."""

NO_GRAD: Final = ClassType("__torch__.torch.autograd.grad_mode.no_grad", attributes={"prev": BOOL})
"""The class of PyTorch's `torch.no_grad()` objects in archives, which bring its code along."""

_SMALL: Final = 4096
"""Bytes of a tensor up to which it is compared with others."""


@dataclass
class CodeUnit(ABC):
    """What the functions of one text have in common: names, and lists of what they refer to, in order."""

    typed_self: bool = True
    """Archives give `self` its type, `.code` does not."""
    constants: list[Constant] = field(default_factory=list[Constant])
    """Tensors, written `CONSTANTS.c0` by their place here."""
    operators: dict[str, None] = field(default_factory=dict[str, None])
    """Full names of all operators used."""
    functions: dict[str, None] = field(default_factory=dict[str, None])
    """Symbols of all functions called."""
    types: dict[NominalType, None] = field(default_factory=dict[NominalType, None])
    """Classes and the like that are mentioned."""
    _places: dict[Any, int] = field(default_factory=dict[Any, int])

    @abstractmethod
    def function_name(self, symbol: str) -> str:
        """Qualified name of a function: `__torch__.m.scale`."""

    @abstractmethod
    def type_name(self, type: NominalType) -> str:
        """Qualified name of a class: `__torch__.m.Net`."""

    def function(self, symbol: str) -> str:
        self.functions[symbol] = None
        return self.function_name(symbol)

    def constant(self, value: Constant) -> str:
        """Small tensors that are equal are written once, large ones if they are the same."""
        array = value.array
        key = (array.dtype.name, array.shape, array.tobytes()) if array.nbytes <= _SMALL else id(array)
        if key not in self._places:
            self._places[key] = len(self.constants)
            self.constants.append(value)
        return f"CONSTANTS.c{self._places[key]}"

    def type(self, type: ScriptType) -> str:
        """A type as annotations spell it."""
        match type:
            case ClassType() | NamedTupleType() | EnumType() | InterfaceType():
                self.types[type] = None
                return self.type_name(type)
            case OptionalType():
                return f"Optional[{self.type(type.element)}]"
            case ListType():
                return f"List[{self.type(type.element)}]"
            case FutureType():
                return f"Future[{self.type(type.element)}]"
            case DictType():
                return f"Dict[{self.type(type.key)}, {self.type(type.value)}]"
            case TupleType():
                return f"Tuple[{', '.join(map(self.type, type.elements)) or '()'}]"
            case UnionType():
                return f"Union[{', '.join(map(self.type, type.members))}]"
            case PoisonType() | TypeVariable() | FunctionRefType():
                raise CompileError.at(None, f"a value of type {type} cannot be written as TorchScript")
            case _:
                return type.annotation
