"""Where the values of a module stand: objects, tensors, lists and dicts by path, and the attributes that hold them.

Paths are those of `ir/signature.py`: `encoder.count`, `cache[0]`, `table['k']`. A value that stands in several places
has the path of the first.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from .attributes import Constant
from .diagnostics import InternalError
from .script_types import ScriptObject

Holder = tuple[ScriptObject, str]
"""An attribute: the object that has it, and its name."""


def identity(value: Any) -> int:
    """What tells tensors, objects, lists and dicts apart: two tensors of one array are one tensor."""
    return id(value.array) if isinstance(value, Constant) else id(value)


@dataclass
class Places:
    """Of everything below `root`. Holds for as long as no attribute is set."""

    root: ScriptObject
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    """Objects, tensors, lists and dicts by path."""
    paths: dict[int, str] = field(default_factory=dict[int, str])
    """By identity."""
    holders: dict[int, list[Holder]] = field(default_factory=dict[int, list[Holder]])
    """Attributes in whose value a tensor, list, dict or object of a script class stands, by identity."""
    attributes: dict[str, Holder] = field(default_factory=dict[str, Holder])
    """By path; those of an object that stands in several places, under the first."""

    def __post_init__(self) -> None:
        self._object(self.root, "")

    def tensors(self) -> Iterator[tuple[str, Constant]]:
        for path, value in self.values.items():
            if isinstance(value, Constant):
                yield path, value

    def _object(self, value: ScriptObject, path: str) -> None:
        if id(value) in self.paths:
            return
        self.paths[id(value)] = path
        self.values[path] = value
        for name, attribute in value.attributes.items():
            place = f"{path}.{name}" if path else name
            self.attributes[place] = (value, name)
            self._value(attribute, place, (value, name))

    def _value(self, value: Any, path: str, holder: Holder) -> None:
        match value:
            case ScriptObject():
                if not value.type.is_module:
                    self.holders.setdefault(id(value), []).append(holder)
                self._object(value, path)
                return
            case Constant():
                self.holders.setdefault(identity(value), []).append(holder)
            case list() | dict():
                self.holders.setdefault(id(cast(object, value)), []).append(holder)
                table = cast("dict[Any, Any]", value) if isinstance(value, dict) else dict(enumerate(cast("list[Any]", value)))
                for key, element in table.items():
                    self._value(element, f"{path}[{key!r}]", holder)
            case tuple():
                for i, element in enumerate(cast("tuple[Any, ...]", value)):
                    self._value(element, f"{path}[{i}]", holder)
                return
            case _:
                return
        if identity(value) not in self.paths:
            self.paths[identity(value)] = path
            self.values[path] = value


@dataclass(frozen=True)
class AttributeKey:
    """Leads from an object to what its attribute holds."""

    name: str


def located(path: str, attributes: Mapping[str, Holder]) -> tuple[Holder, tuple[Any, ...]]:
    """The attribute that a value stands in, and the keys that lead to it from there."""
    at = len(path)
    while path[:at] not in attributes:
        at = max(path.rfind("[", 0, at), path.rfind(".", 0, at))
        if at < 0:
            raise InternalError(f"the module has nothing at `{path}`")
    keys: list[Any] = []
    node: ast.expr = ast.parse(f"_{path[at:]}", mode="eval").body
    while isinstance(node, ast.Subscript | ast.Attribute):
        keys.insert(0, ast.literal_eval(node.slice) if isinstance(node, ast.Subscript) else AttributeKey(node.attr))
        node = node.value
    return attributes[path[:at]], tuple(keys)


def value_at(place: tuple[Holder, tuple[Any, ...]]) -> Any:
    (owner, name), keys = place
    value = owner.attributes[name]
    for key in keys:
        value = value.attributes[key.name] if isinstance(key, AttributeKey) else value[key]
    return value


def objects_in(value: Any) -> dict[int, ScriptObject]:
    """The objects of script classes that a value leads to, by identity."""
    found: dict[int, ScriptObject] = {}
    seen: set[int] = set()
    pending: list[Any] = [value]
    while pending:
        current = pending.pop()
        match current:
            case ScriptObject() if not current.type.is_module and id(current) not in found:
                found[id(current)] = current
                pending += current.attributes.values()
            case list() | dict() if id(cast("object", current)) not in seen:
                seen.add(id(cast("object", current)))
                table = cast("dict[Any, Any] | list[Any]", current)
                pending += table.values() if isinstance(table, dict) else table
            case tuple():
                pending += cast("tuple[Any, ...]", current)
            case _:
                pass
    return found
