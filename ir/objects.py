"""Objects of script classes and members of Enums as Python sees them in results.

In: the types of a program. Out: for a script class a light Python class of its name, whose objects have its attributes and
none of its methods; for an Enum a Python Enum with the same members. There is one for each type, however often it is asked for.
"""

from __future__ import annotations

import reprlib
from enum import Enum
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

from .script_types import ClassType, EnumMember, EnumType


class ObjectValue:
    """An object of a script class that a call gave: the attributes that it had then, each by its name.

    A snapshot: setting an attribute changes nothing in compiled code. It may be given to a call where its class is asked for.
    """

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    @reprlib.recursive_repr()
    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"


class PlainObjects:
    """Makes such classes and Enums (`Presenting`)."""

    def __init__(self) -> None:
        self._classes: WeakKeyDictionary[ClassType, type[ObjectValue]] = WeakKeyDictionary()
        self._enums: WeakKeyDictionary[EnumType, Any] = WeakKeyDictionary()

    def class_of(self, of: ClassType) -> type[ObjectValue]:
        found = self._classes.get(of)
        if found is None:
            found = self._classes[of] = type(simple_name(of.name), (ObjectValue,), {"__doc__": ObjectValue.__doc__})
        return found

    def object(self, of: ClassType) -> Any:
        return self.class_of(of)()

    def enum_of(self, of: EnumType) -> Any:
        found = self._enums.get(of)
        if found is None:
            make = cast(Any, Enum)
            found = self._enums[of] = make(simple_name(of.name), dict(of.members))
        return found

    def member(self, member: EnumMember) -> Any:
        return self.enum_of(member.type)[member.name]


def simple_name(name: str) -> str:
    """The last part of a qualified name."""
    return name.rpartition(".")[2]


PLAIN_OBJECTS: Final = PlainObjects()
