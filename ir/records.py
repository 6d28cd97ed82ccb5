"""Dataclass trees (signatures, schemas, types, diagnostics) as JSON text and back.

In: values made of the frozen dataclasses of this room that are compared by value, of DTypes, and of Python's numbers,
strings, tuples, lists and dicts. Out: text that gives an equal value. Nothing is executed by reading it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, cast

from . import diagnostics, schema, script_types, signature, source
from .dtypes import DType
from .source import SourceFile


class NotStorable(Exception):
    """The value holds something that stands for nothing outside this process: a class type, an array."""


class NotReadable(Exception):
    """The text was not written by `to_text` of this version."""


@cache
def _classes() -> Mapping[str, type[Any]]:
    """The dataclasses by name: frozen ones with equality by value; `SourceFile`, by identity, has a table of its own."""
    found: dict[str, type[Any]] = {}
    for module in (signature, script_types, schema, source, diagnostics):
        for name, value in vars(module).items():
            parameters = getattr(value, "__dataclass_params__", None)
            if parameters is not None and parameters.frozen and (parameters.eq or "__eq__" in vars(value)):
                found[name] = value
    return found


@cache
def _fields(cls: type[Any]) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(cls))


def to_text(value: Any) -> str:
    """JSON of a value. NotStorable for what cannot be written."""
    files: dict[SourceFile, int] = {}
    data = _encode(value, files)
    return json.dumps([data, [[f.name, f.text] for f in files]], separators=(",", ":"))


def from_text(text: str | bytes) -> Any:
    """The value again. NotReadable for other text."""
    try:
        data, files = json.loads(text)
        return _decode(data, [SourceFile(str(name), str(body)) for name, body in files])
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise NotReadable(str(error)) from error


# A list begins with what it stands for: the name of a dataclass, or one of these.
_FLOAT, _COMPLEX, _TUPLE, _LIST, _DICT, _DTYPE, _FILE = "float", "complex", "tuple", "list", "dict", "dtype", "file"


def _encode(value: Any, files: dict[SourceFile, int]) -> Any:
    kind = cast("type[Any]", type(value))
    if value is None or kind is bool or kind is int or kind is str:
        return value
    if kind is float:
        return [_FLOAT, float.hex(value)]  # exact, and it has words for what JSON has none
    if kind is complex:
        return [_COMPLEX, float.hex(value.real), float.hex(value.imag)]
    if kind is tuple or kind is list:
        return [_TUPLE if kind is tuple else _LIST, *(_encode(v, files) for v in value)]
    if kind is dict:
        pairs = cast(dict[Any, Any], value).items()
        return [_DICT, *([_encode(k, files), _encode(v, files)] for k, v in pairs)]
    if kind is DType:
        return [_DTYPE, value.name]
    if kind is SourceFile:
        return [_FILE, files.setdefault(value, len(files))]
    if _classes().get(kind.__name__) is kind:
        return [kind.__name__, *(_encode(getattr(value, name), files) for name in _fields(kind))]
    raise NotStorable(f"a value of type {kind.__name__}")


def _decode(data: Any, files: list[SourceFile]) -> Any:
    if not isinstance(data, list):
        return data
    tag, *rest = cast(list[Any], data)
    read = _READERS.get(tag)
    if read is not None:
        return read(rest, files)
    return _classes()[tag](*(_decode(d, files) for d in rest))


_READERS: Final[Mapping[str, Callable[[list[Any], list[SourceFile]], Any]]] = {
    _FLOAT: lambda rest, files: float.fromhex(rest[0]),
    _COMPLEX: lambda rest, files: complex(float.fromhex(rest[0]), float.fromhex(rest[1])),
    _TUPLE: lambda rest, files: tuple(_decode(d, files) for d in rest),
    _LIST: lambda rest, files: [_decode(d, files) for d in rest],
    _DICT: lambda rest, files: {_decode(k, files): _decode(v, files) for k, v in rest},
    _DTYPE: lambda rest, files: DType[rest[0]],
    _FILE: lambda rest, files: files[int(rest[0])],
}
