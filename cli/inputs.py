"""`--input` of the command line: `x=f32[1,3,8,8]`, `x=@file.npy`, `k=3`, `mode=bilinear`, `xs=[f32[2],f32[3]]`, `d={a: 3}`.

In: the texts. Out: for each parameter an `ArgumentSpec`, and a value where the command runs the program.
A dimension may be a name (`f32[batch,1,8,8]`: dynamic), and may carry a size to run with (`f32[batch=32,1,8,8]`). A list
or quoted string that ends with `...` is one of any length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from ..ir.diagnostics import CompileError, Diagnostic
from ..ir.dtypes import SHORT_NAMES, DType, from_numpy
from ..ir.script_types import BOOL, FLOAT, INT
from ..ir.signature import ArgumentSpec, ConstantSpec, DictSpec, Dim, ScalarSpec, SequenceSpec, TensorSpec
from ..ir.source import SourceFile, Span

HELP: Final = (
    "write name=f32[1,3,8,8] (random), name=@file.npy, name=3, name=text, name=[f32[2],f32[3]], name={key: 3}; "
    "a dimension may be a name"
)

DEFAULT_DYNAMIC_SIZE: Final = 4
"""Size of a named dimension that was given none, where the program is run."""


@dataclass(frozen=True)
class NamedDim:
    """A dynamic dimension, and the size that a run gives it."""

    name: str
    size: int | None


@dataclass(frozen=True)
class RandomTensor:
    """`f32[2,batch=3]`: seeded random values."""

    dtype: DType
    dims: tuple[int | NamedDim, ...]

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec(self.dtype, tuple(Dim(d.name) if isinstance(d, NamedDim) else d for d in self.dims))

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple((DEFAULT_DYNAMIC_SIZE if d.size is None else d.size) if isinstance(d, NamedDim) else d for d in self.dims)

    def value(self, generator: np.random.Generator) -> np.ndarray[Any, Any]:
        """Normal floats, integers 0 to 9, fair bools."""
        if self.dtype.is_complex:
            re, im = (generator.standard_normal(self.sizes) for _ in range(2))
            return (re + 1j * im).astype(self.dtype.numpy)
        if self.dtype.is_floating:
            return generator.standard_normal(self.sizes).astype(self.dtype.numpy)
        high = 2 if self.dtype is DType.bool else 10
        return generator.integers(0, high, self.sizes).astype(self.dtype.numpy)

    def example(self) -> np.ndarray[Any, Any]:
        """An array of that dtype and shape that takes no memory."""
        return np.broadcast_to(np.zeros((), self.dtype.numpy), self.sizes)


class OpenList(list[Any]):
    """`[f32[2], ...]`: a list of any length; its elements are what a run gives it."""


class OpenText(str):
    """`'text'...`: a string of any length; what stands there is what a run gives it."""

    __slots__ = ()


@dataclass(frozen=True)
class Input:
    """One `--input`: the parameter's name, what stands behind `=`, and that as it was written."""

    name: str
    content: Any
    text: str

    def spec(self) -> ArgumentSpec:
        return _spec(self.content)

    def value(self, generator: np.random.Generator) -> Any:
        """What a run gives to the program. CompileError where there is no memory for it."""
        try:
            return _filled(self.content, lambda tensor: tensor.value(generator))
        except (MemoryError, ValueError) as error:
            raise CompileError(Diagnostic(f"--input {self.name}: {error}")) from None

    def example(self) -> Any:
        """A value of the same type, dtypes and shapes."""
        try:
            return _filled(self.content, RandomTensor.example)
        except ValueError as error:
            raise CompileError(Diagnostic(f"--input {self.name}: {error}")) from None

    def tensors(self) -> Iterator[RandomTensor]:
        return _tensors(self.content)


# reading


@dataclass(frozen=True)
class Unread:
    """What is not written like any value: text, where a string is expected."""

    error: CompileError


def parse_input(text: str) -> Input:
    """One `--input` text; CompileError that points into it when it is none."""
    return _Reader(text).input()


def parse_input_or_text(text: str) -> Input:
    """The same, but what stands behind `=` may be anything; it is `Unread` then."""
    try:
        return parse_input(text)
    except CompileError as error:
        name, found, rest = text.partition("=")
        if not found or not _NAME.fullmatch(name):
            raise
        return Input(name, Unread(error), rest)


_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_TENSOR: Final = re.compile(r"(\w+)\[")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|nan)(?![\w.])", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\[\](),'\"@=][^\[\](),'\"]*")
_WORD_IN_TABLE: Final = re.compile(r"[^\[\](){},:'\"@=][^\[\](){},:'\"]*")
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "none": None}


class _Reader:
    """Reads values from left to right; `at` is where it stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.tables = 0
        """How many `{` are open here."""

    def wrong(self, message: str, start: int, end: int | None = None, help: str = HELP) -> CompileError:
        span = Span(SourceFile("--input", self.text), start, max(start + 1, end or start))
        return CompileError.at(span, message, help=help)

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def take(self, mark: str) -> bool:
        self.blanks()
        if self.text.startswith(mark, self.at):
            self.at += len(mark)
            return True
        return False

    def blanks(self) -> None:
        while self.text[self.at : self.at + 1] == " ":
            self.at += 1

    def input(self) -> Input:
        name = self.match(_NAME)
        if name is None or not self.take("="):
            raise self.wrong("this input does not start with a parameter's name and `=`", self.at)
        start = self.at
        content = self.value()
        self.blanks()
        if self.at < len(self.text):
            raise self.wrong("cannot read the rest of this input", self.at, len(self.text))
        return Input(name[0], content, self.text[start:])

    def value(self) -> Any:
        self.blanks()
        start = self.at
        if self.take("@"):
            return self.file(start)
        if self.take("["):
            return self.sequence("]", start)
        if self.take("{"):
            return self.table(start)
        if self.take("("):
            return tuple(self.sequence(")", start))
        for quote in "'\"":
            if self.take(quote):
                text = self.quoted(quote, start)
                return OpenText(text) if self.take("...") else text
        if self.take("..."):
            return OpenText()
        tensor = self.match(_TENSOR)
        if tensor is not None:
            return self.tensor(tensor[1], start)
        number = self.match(_NUMBER)
        if number is not None:
            return int(number[0]) if re.fullmatch(r"[+-]?\d+", number[0]) else float(number[0])
        word = self.match(_WORD_IN_TABLE if self.tables else _WORD)
        if word is None:
            raise self.wrong("a value is missing here" if start >= len(self.text) else "cannot read this value", start)
        text = word[0].rstrip()
        return _WORDS.get(text.lower(), text)

    def file(self, start: int) -> np.ndarray[Any, Any]:
        end = start
        while end < len(self.text) and self.text[end] not in ",])}":
            end += 1
        path = self.text[start + 1 : end].strip()
        if not path:
            raise self.wrong("the name of a .npy file is missing here", start)
        self.at = end
        return load_array(Path(path))

    def quoted(self, quote: str, start: int) -> str:
        end = self.text.find(quote, self.at)
        if end < 0:
            raise self.wrong("this string does not end", start)
        found = self.text[self.at : end]
        self.at = end + 1
        return found

    def sequence(self, close: str, start: int) -> list[Any]:
        items: list[Any] = []
        while not self.take(close):
            if items and not self.take(","):
                raise self.wrong(f"expected `,` or `{close}`", self.at) if self.at < len(self.text) else self.unclosed(close, start)
            if self.take(close):
                break
            if close == "]" and items and self.take("..."):
                if not self.take(close):
                    raise self.wrong("`...` stands at the end of a list", self.at)
                return OpenList(items)
            items.append(self.value())
        return items

    def table(self, start: int) -> dict[Any, Any]:
        self.tables += 1
        entries: dict[Any, Any] = {}
        while not self.take("}"):
            if entries and not self.take(","):
                raise self.wrong("expected `,` or `}`", self.at) if self.at < len(self.text) else self.unclosed("}", start)
            if entries and self.take("}"):
                break
            at = self.at
            key = self.value()
            if not isinstance(key, bool | int | float | str):
                raise self.wrong("a key is a number or a string", at, self.at)
            if not self.take(":"):
                raise self.wrong("expected `:` and a value", self.at)
            entries[key] = self.value()
        self.tables -= 1
        return entries

    def unclosed(self, close: str, start: int) -> CompileError:
        return self.wrong(f"`{self.text[start]}` has no `{close}`", start)

    def tensor(self, kind: str, start: int) -> RandomTensor:
        dtype = SHORT_NAMES.get(kind) or DType.__members__.get(kind)
        if dtype is None:
            raise self.wrong(f"there is no dtype `{kind}`", start, start + len(kind), f"dtypes are {', '.join(SHORT_NAMES)}")
        dims: list[int | NamedDim] = []
        bracket = self.at - 1
        while not self.take("]"):
            if dims and not self.take(","):
                raise self.wrong("expected `,` or `]`", self.at) if self.at < len(self.text) else self.unclosed("]", bracket)
            dims.append(self.dim(bracket))
        return RandomTensor(dtype, tuple(dims))

    def dim(self, bracket: int) -> int | NamedDim:
        self.blanks()
        if self.at >= len(self.text):
            raise self.unclosed("]", bracket)
        name = self.match(_NAME)
        if name is not None and not self.take("="):
            return NamedDim(name[0], None)
        self.blanks()
        size = self.match(_DIGITS)
        if size is None:
            raise self.wrong("a dimension is a size or a name", self.at)
        if int(size[0]) >= 2**63:
            raise self.wrong("this size does not fit into 64 bits", size.start(), size.end())
        return int(size[0]) if name is None else NamedDim(name[0], int(size[0]))


_DIGITS: Final = re.compile(r"\d+")


def load_array(path: Path) -> np.ndarray[Any, Any]:
    """The array of a .npy file, row-major: the order of a file says nothing of the strides that a program should see."""
    try:
        array: Any = np.load(path, allow_pickle=False)
    except OSError as error:
        raise CompileError(Diagnostic(f"cannot read `{path}`: {error.strerror or error}")) from None
    except (ValueError, EOFError):
        raise CompileError(Diagnostic(f"`{path}` is not a .npy file, or it is damaged")) from None
    except MemoryError:
        raise CompileError(Diagnostic(f"there is no memory for the array in `{path}`")) from None
    if not isinstance(array, np.ndarray):
        raise CompileError(Diagnostic(f"`{path}` holds several arrays", help="give one array: a .npy file"))
    found = cast(np.ndarray[Any, Any], array)
    if from_numpy(found.dtype) is None:
        raise CompileError(Diagnostic(f"`{path}` holds an array of {found.dtype}, which no tensor has"))
    return np.asarray(found, order="C")


# what it means


def _spec(content: Any) -> ArgumentSpec:
    match content:
        case RandomTensor():
            return content.spec
        case np.ndarray():
            array = cast(np.ndarray[Any, Any], content)
            dtype = from_numpy(array.dtype)
            assert dtype is not None
            return TensorSpec(dtype, array.shape)
        case bool():
            return ScalarSpec(BOOL)
        case int():
            return ScalarSpec(INT)
        case float():
            return ScalarSpec(FLOAT)
        case list() | tuple():
            elements = cast(Sequence[Any], content)
            return SequenceSpec(tuple(map(_spec, elements)), isinstance(content, tuple))
        case dict():
            table = cast(dict[Any, Any], content)
            return DictSpec(tuple(table), tuple(map(_spec, table.values())))
        case _:
            return ConstantSpec(content)


def _filled(content: Any, fill: Callable[[RandomTensor], Any]) -> Any:
    match content:
        case RandomTensor():
            return fill(content)
        case OpenList():
            return OpenList(_filled(c, fill) for c in content)
        case list():
            return [_filled(c, fill) for c in cast(Sequence[Any], content)]
        case dict():
            return {k: _filled(v, fill) for k, v in cast(dict[Any, Any], content).items()}
        case tuple():
            return tuple(_filled(c, fill) for c in cast(Sequence[Any], content))
        case _:
            return content


def _tensors(content: Any) -> Iterator[RandomTensor]:
    if isinstance(content, RandomTensor):
        yield content
    elif isinstance(content, list | tuple | dict):
        inner = cast(dict[Any, Any], content).values() if isinstance(content, dict) else cast(Sequence[Any], content)
        for item in inner:
            yield from _tensors(item)


def by_name(inputs: Sequence[Input]) -> Mapping[str, Input]:
    """Inputs by parameter, the sizes of named dimensions shared. CompileError for a name given twice."""
    result: dict[str, Input] = {}
    sizes: dict[str, int] = {}
    for given in inputs:
        if given.name in result:
            raise CompileError(Diagnostic(f"--input {given.name} is given twice"))
        result[given.name] = given
        for dim in (d for tensor in given.tensors() for d in tensor.dims if isinstance(d, NamedDim)):
            if dim.size is not None and sizes.setdefault(dim.name, dim.size) != dim.size:
                message = f"--input {given.name}: dimension `{dim.name}` is {dim.size} here and {sizes[dim.name]} before"
                raise CompileError(Diagnostic(message, help="give dimensions that may differ different names"))
    return {name: replace(given, content=_sized(given.content, sizes)) for name, given in result.items()}


def _sized(content: Any, sizes: Mapping[str, int]) -> Any:
    def fill(tensor: RandomTensor) -> RandomTensor:
        dims = tuple(NamedDim(d.name, sizes.get(d.name)) if isinstance(d, NamedDim) else d for d in tensor.dims)
        return RandomTensor(tensor.dtype, dims)

    return _filled(content, fill)
