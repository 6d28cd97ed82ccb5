"""`torch` stage functions as TorchScript text: the code that archives hold, and what `.code` shows.

In: a `torch.func` as the frontend emits it (calls, attributes, branches and loops still in it) with its schema, and a
`CodeUnit` that names the classes and functions and collects what the text refers to. Out: the text of a `def`, in the
dialect in which PyTorch writes its archives:

    def forward(self: __torch__.Net,
        x: Tensor) -> Tensor:
      y = torch.relu((self.fc).forward(x, ))
      return torch.add(y, 1)

A value that is used once and has no name stands in the expression that uses it, as long as everything is evaluated in
the order of the program. Operators are written without their overloads, and types of values are not written at all: a
reader finds them again. So each call is resolved here as a reader will do it, and where that gives something else it is
written in full, with the types of its arguments. What cannot be written is a CompileError at its line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from ..attributes import Constant
from ..core import Block, Operation, OpResult, Value, lookup
from ..diagnostics import CompileError
from ..dialects import torch
from ..operators import schema as schema_of_operator
from ..overloads import OverloadError, resolve
from ..program import Program
from ..schema import Argument, Schema
from ..script_types import (
    BOOL,
    COMPLEX,
    DEVICE,
    FLOAT,
    INT,
    NONE,
    NUMBER,
    STR,
    ClassType,
    DictType,
    EnumMember,
    FunctionRefType,
    ListType,
    NamedTupleType,
    ScriptType,
    TupleType,
    constant_type,
)
from ..source import Span
from ..subtyping import is_subtype
from .literals import checked_string, is_plain_part, print_float, print_literal, print_number
from .liveness import Liveness
from .names import RESERVED, is_identifier, is_meaningful, is_path
from .normal_form import MAX_TRIPS, constant, constant_int, normal_form, same_type
from .unit import NO_GRAD, CodeUnit, NominalType


@dataclass(frozen=True)
class _Text:
    """An expression, and the type that a reader gives it."""

    text: str
    type: ScriptType

    @property
    def is_path(self) -> bool:
        """A name, or names with dots between them."""
        return is_path(self.text)

    @property
    def as_base(self) -> str:
        """In front of a dot or a bracket."""
        return self.text if self.is_path or self.text.startswith("getattr(") else f"({self.text})"


_CASTS: Final = {"aten::Int": "int", "aten::Float": "float", "aten::Bool": "bool", "aten::str": "str"}

_IMPLICIT: Final = {
    "aten::IntImplicit": INT,
    "aten::FloatImplicit": FLOAT,
    "aten::ComplexImplicit": COMPLEX,
    "aten::ScalarImplicit": NUMBER,
}

_LONG: Final = 40
"""Characters of an expression from which on it gets a line of its own."""

@dataclass(frozen=True)
class Line:
    """A line of code, with its newline, and what it stands for; the head of a `def` is one, whatever its parameters.

    Lines that only give the structure (`else:`, the assignment of what a branch yields) stand for nothing.
    """

    text: str
    span: Span | None
    is_head: bool = False


def print_function(
    op: Operation, schema: Schema, unit: CodeUnit, *, name: str | None = None, is_method: bool = False
) -> list[Line]:
    """The lines of a `def`; a method is indented by one level."""
    return _Function(op, schema, unit, name or schema.base, is_method).text()


class _Display(CodeUnit):
    """Names as they are; the text is for people."""

    def function_name(self, symbol: str) -> str:
        return f"__torch__.{symbol}"

    def type_name(self, type: NominalType) -> str:
        return type.name


def code_and_constants(program: Program, prepare: Callable[[Operation], None]) -> tuple[str, Sequence[Constant]]:
    """The entry of a program as TorchScript, which PyTorch calls `code`, and the tensors that it names by their places.

    `prepare` changes a copy of the function before it is printed.
    """
    if program.methods is None:
        raise CompileError.at(None, "the parameters of this function are not known")
    name, symbol = program.schema.base, program.entry
    if program.receiver is not None:
        schema = program.methods.compile_method(program.receiver.type, name)
        symbol = program.receiver.type.methods[name]
    else:
        schema = program.methods.schema_of(symbol)
    function = lookup(program.module, symbol)
    assert function is not None
    unit = _Display(typed_self=False)
    function = function.clone()
    prepare(function)
    return "".join(line.text for line in print_function(function, schema, unit, name=name)), unit.constants


class _Function:
    def __init__(self, op: Operation, schema: Schema, unit: CodeUnit, name: str, is_method: bool) -> None:
        self.op = op = normal_form(op)
        self.schema = schema
        self.unit = unit
        self.name = name
        self.is_method = is_method
        self.lines: list[Line] = []
        self.names: dict[Value, str] = {}
        self.taken: set[str] = set(RESERVED)
        self.words: set[str] = set()
        """Words of `WORDS_OF_THE_TEXT` that the text needs."""
        self.temporaries = 0
        self.pending: dict[Value, _Text] = {}
        """Expressions that are not written yet, in the order in which they have to be evaluated."""
        self.span: Span | None = op.span
        self.stands_for: Span | None = None
        """What the next line is written for."""
        self.flow = Liveness(op)
        self.ranges = cast(tuple[int, ...], op.attributes.get("without_gradients", ()))
        self.inside: str | None = None
        """The indent of a `with torch.no_grad()` whose body is being written."""

    def fault(self, message: str, help: str | None = None) -> CompileError:
        return CompileError.at(self.span, f"cannot write this as TorchScript: {message}", help=help)

    # the whole

    def text(self) -> list[Line]:
        if not is_identifier(self.name):
            raise self.fault(f"the name `{self.name}` is no identifier in TorchScript")
        margin = "  " if self.is_method else ""
        block = self.op.body()
        for value, argument in zip(block.args, self.schema.arguments, strict=True):
            self.names[value] = self._parameter(argument.name)
        pieces = [self._block(block, margin + "  ", self._return)]
        while pieces:
            nested = next(pieces[-1], None)
            if nested is None:
                pieces.pop()
            else:
                pieces.append(nested)
        head = f"{margin}def {self.name}({self._parameters(block)}) -> {self._type(self._result())}:\n"
        self._check_parameters()
        return [Line(head, self.op.span, is_head=True), *self.lines]

    def _result(self) -> ScriptType:
        if self.schema.returns:
            return self.schema.returns[0].type
        operands = self.op.body().terminator.operands
        return cast(ScriptType, operands[0].type) if operands else NONE

    def _parameter(self, name: str) -> str:
        if not is_identifier(name):
            raise self.fault(f"the parameter name `{name}` is no identifier in TorchScript")
        self.taken.add(name)
        return name

    def _check_parameters(self) -> None:
        for argument in self.schema.arguments:
            if argument.name in self.words:
                raise self.fault(
                    f"a parameter is called `{argument.name}`, a word that this function's text needs",
                    help="rename the parameter",
                )

    def _parameters(self, block: Block) -> str:
        parts: list[str] = []
        # PyTorch writes no `*`, and all calls give all arguments by position
        last_required = max((i for i, a in enumerate(self.schema.arguments) if not a.has_default), default=-1)
        for i, (argument, value) in enumerate(zip(self.schema.arguments, block.args, strict=True)):
            typed = f"{argument.name}: {self._type(cast(ScriptType, value.type))}"
            if i == 0 and isinstance(value.type, ClassType) and not self.unit.typed_self:
                typed = argument.name
            default = ""
            if argument.has_default and i > last_required:
                default = f"={print_literal(argument.default, argument.type, self.unit, self.op.span)}"
                self._note_words(default)
            parts.append(typed + default)
        return ",\n    ".join(parts)

    def _type(self, type: ScriptType) -> str:
        return self.unit.type(type)

    def _note_words(self, text: str) -> None:
        self.words.update(w for w in ("torch", "inf", "nan", "__torch__", "CONSTANTS") if w in text)

    def _word(self, word: str) -> str:
        """A global name in the text."""
        self.words.add(word)
        return word

    # statements

    def _emit(self, indent: str, text: str, gradients: bool | None = True) -> None:
        """A line. `gradients` says whether PyTorch is to compute them for what is in it, None where there are none."""
        if gradients is None:
            gradients = self.inside != indent
        if not gradients and self.inside != indent:
            name = self._type(NO_GRAD)
            self._word("__torch__")
            context = self._fresh(None)
            self._append(f"{indent}{context} = {name}.__new__({name})")
            self._append(f"{indent}{self._fresh(None)} = ({context}).__init__()")
            self._append(f"{indent}with {context}:")
        self.inside = None if gradients else indent
        self._append(f"{indent}{'' if gradients else '  '}{text}")

    def _append(self, text: str) -> None:
        self.lines.append(Line(f"{text}\n", self.stands_for))
        self.stands_for = None

    def _gradients(self, op: Operation) -> bool | None:
        """False in a `with torch.no_grad()`, None for what makes no tensor. Branches and loops are outside of it."""
        if not self.ranges or op.span is None or op.regions or op.name in (torch.YIELD, torch.RETURN):
            return True
        makes_tensors = op.name.startswith("aten::") and "Tensor" in "".join(str(r.type) for r in op.results)
        if not makes_tensors and op.name not in ("prim::CallMethod", "prim::CallFunction"):
            return None
        bounds = zip(self.ranges[::2], self.ranges[1::2], strict=True)
        return not any(start <= op.span.start and op.span.end <= stop for start, stop in bounds)

    def _block(self, block: Block, indent: str, end: Callable[[Operation, str], None]) -> Iterator[Iterator[Any]]:
        """Writes a block; yields the generators of blocks in it. `end` writes the terminator."""
        before = region = len(self.lines)
        for op in block.operations():
            self.span = op.span or self.span
            self.stands_for = None
            if op.name in (torch.RETURN, torch.YIELD):
                end(op, indent)
            elif op.name == "prim::If":
                yield self._if(op, indent)
            elif op.name == "prim::Loop":
                yield self._loop(op, indent)
            elif op.name == "prim::fork":
                yield self._fork(op, indent)
            elif op.name == "prim::Enter":
                indent = self._enter(op, indent)
                region = len(self.lines)
            elif op.name == "prim::Exit":
                self._flush(indent)
                if len(self.lines) == region:
                    self._emit(indent, "pass")
                indent = indent[:-2]
            elif self.flow.is_needed(op) and not _makes_context(op):
                self._operation(op, indent)
        if len(self.lines) == before:
            self._emit(indent, "pass")

    def _enter(self, op: Operation, indent: str) -> str:
        """The head of a `with`; the indent of its body."""
        texts = self._consume(op.operands, indent)
        self._flush(indent)
        target = f" as {self._name(op.result)}" if op.result.uses else ""
        self._emit(indent, f"with {texts[0].text}{target}:")
        return f"{indent}  "

    def _stand_for(self, values: Sequence[Value]) -> None:
        """A line that holds an expression stands for that, and not for the whole statement."""
        for value in values:
            if value in self.pending and isinstance(value, OpResult) and value.op.span is not None:
                self.stands_for = value.op.span

    def _return(self, op: Operation, indent: str) -> None:
        self._stand_for(op.operands)
        texts = self._consume(op.operands, indent)
        self._flush(indent)
        self._emit(indent, f"return {texts[0].text if texts else 'None'}")

    def _operation(self, op: Operation, indent: str) -> None:
        self.stands_for = op.span
        match op.name:
            case "prim::Constant" | "prim::Uninitialized":
                pass  # written where they are used
            case "prim::ListConstruct" if self._is_literal_list(op):
                pass
            case "prim::TupleUnpack" | "prim::ListUnpack":
                self._unpack(op, indent)
            case "prim::SetAttr":
                self._set_attribute(op, indent)
            case "prim::RaiseException":
                self._raise(op, indent)
            case "prim::Print":
                self._print(op, indent)
            case "prim::ModuleContainerIndex.list" | "prim::ModuleContainerIndex.dict":
                self._chosen_module(op, indent)
            case _ if len(op.results) == 1:
                text = self._exact(self._expression(op, indent), cast(ScriptType, op.result.type))
                self._define(op.result, text, indent)
            case _:
                self._several(op, indent)

    def _expression(self, op: Operation, indent: str) -> _Text:
        match _base(op.name):
            case "prim::ListConstruct":
                return self._list(op, indent)
            case "prim::DictConstruct":
                return self._dict(op, indent)
            case "prim::TupleConstruct":
                return self._tuple(op, indent)
            case "prim::TupleIndex":
                return self._tuple_index(op, indent)
            case "prim::TupleSlice":
                return self._tuple_slice(op, indent)
            case "prim::GetAttr":
                return self._get_attribute(op, indent)
            case "prim::CallMethod":
                return self._call_method(op, indent)
            case "prim::CallFunction":
                return self._call_function(op, indent)
            case "prim::CreateObject":
                return self._create_object(op)
            case "prim::isinstance":
                return self._isinstance(op, indent)
            case "prim::unchecked_cast":
                return self._unchecked_cast(op, indent)
            case "prim::tolist":
                return self._to_list(op, indent)
            case "prim::EnumName" | "prim::EnumValue":
                return self._enum_member(op, indent)
            case "aten::__getitem__":
                return self._get_item(op, indent)
            case base if base in _CASTS:
                return self._cast(op, indent)
            case base if base in _IMPLICIT:
                return self._implicit(op, indent)
            case "aten::neg":
                return self._negated(op, indent)
            case "aten::add":
                return self._added(op, indent)
            case _:
                return self._operator(op, indent)

    def _is_literal_list(self, op: Operation) -> bool:
        """A list of constants for one operation: often an argument that is left out, as it is the default."""
        value = op.result
        return (
            self.flow.count(value) == 1
            and not is_meaningful(value.name)
            and self.flow.user(value).parent is op.parent
            and all(v.defining_op("prim::Constant") is not None for v in op.operands)
        )

    def _define(self, value: OpResult, text: _Text, indent: str) -> None:
        """The value of an expression is known: it waits for its user, or gets a name."""
        if self._waits(value, text):
            self.pending[value] = text
            return
        self._flush(indent)
        self._emit(indent, f"{self._name(value)} = {text.text}", self._gradients(value.op))

    def _waits(self, value: OpResult, text: _Text) -> bool:
        if self.flow.count(value) != 1 or value.op.name in ("prim::isinstance", "prim::CreateObject"):
            return False
        user = self.flow.user(value)
        if user.parent is not value.op.parent or self._gradients(value.op) not in (None, self._gradients(user)):
            return False
        if user.name == torch.YIELD or (user.name == "prim::Loop" and self.flow.is_initial(value, user)):
            return True  # it is assigned to the name of what it becomes
        return not is_meaningful(value.name) and (len(text.text) < _LONG or user.name == torch.RETURN)

    def _several(self, op: Operation, indent: str) -> None:
        """An operator with no result, or with several."""
        text = self._operator(op, indent, typed=False)
        self._flush(indent)
        names = ", ".join(self._name(r) for r in op.results)
        line = f"{names} = {text.text}" if names else text.text
        self._emit(indent, line, self._gradients(op))

    def _unpack(self, op: Operation, indent: str) -> None:
        (text,) = self._consume(op.operands, indent)
        self._flush(indent)
        if op.results:
            names = "".join(f"{self._name(r)}, " for r in op.results)
            self._emit(indent, f"{names}= {text.text}", self._gradients(op))

    def _set_attribute(self, op: Operation, indent: str) -> None:
        name = cast(str, op.attributes["name"])
        if not is_identifier(name):
            raise self.fault(f"the attribute `{name}` is assigned to, and its name is no identifier")
        target, value = op.operands
        self._settle(target, indent)
        (text,) = self._consume((value,), indent)
        self._flush(indent)
        line = f"{self._value(target).as_base}.{name} = {text.text}"
        self._emit(indent, line, self._gradients(op))

    def _raise(self, op: Operation, indent: str) -> None:
        message, kind = op.operands[:2]
        texts = self._consume((message, kind) if kind.type != NONE else (message,), indent)
        self._flush(indent)
        self.unit.operators["prim::RaiseException"] = None
        line = f"{self._word('ops')}.prim.RaiseException({', '.join(t.text for t in texts)})"
        self._emit(indent, line, self._gradients(op))

    def _print(self, op: Operation, indent: str) -> None:
        texts = self._consume(op.operands, indent)
        self._flush(indent)
        line = f"{self._word('print')}({', '.join(t.text for t in texts)})"
        self._emit(indent, line, self._gradients(op))

    def _fork(self, op: Operation, indent: str) -> Iterator[Iterator[Any]]:
        """What is forked is a function inside, which sees the names around it."""
        self._flush(indent)
        name = self._fresh("__forked_function")
        self._emit(indent, f"def {name}():")
        yield self._block(op.body(), indent + "  ", self._return)
        self._emit(indent, f"{self._name(op.result)} = {self._word('fork')}({name})")

    def _chosen_module(self, op: Operation, indent: str) -> None:
        """A module of a container by an index that the run gives: the annotation says what the modules have in common."""
        base, index = self._consume(op.operands, indent)
        self._flush(indent)
        type_ = self._type(cast(ScriptType, op.result.type))
        self._word("__torch__")
        self._emit(indent, f"{self._name(op.result)} : {type_} = {base.as_base}[{index.text}]")

    # branches and loops

    def _if(self, op: Operation, indent: str) -> Iterator[Iterator[Any]]:
        self._stand_for(op.operands)
        (condition,) = self._consume(op.operands, indent)
        self._flush(indent)
        kept = [i for i, r in enumerate(op.results) if self.flow.is_live(r)]
        names = [self._name(op.results[i]) for i in kept]
        types = [cast(ScriptType, op.results[i].type) for i in kept]

        def end(terminator: Operation, inner: str) -> None:
            values = [terminator.operand(i) for i in kept]
            self._stand_for(values)
            texts = self._consume(values, inner)
            self._flush(inner)
            self._assign(names, [self._exact(t, want) for t, want in zip(texts, types, strict=True)], inner)

        self._emit(indent, f"if {condition.text}:")
        yield self._block(op.body(0), indent + "  ", end)
        self._emit(indent, "else:")
        yield self._block(op.body(1), indent + "  ", end)

    def _assign(self, names: Sequence[str], texts: Sequence[_Text], indent: str) -> None:
        if names:
            self._emit(indent, f"{', '.join(names)} = {', '.join(t.text for t in texts)}")

    def _loop(self, op: Operation, indent: str) -> Iterator[Iterator[Any]]:
        trips, start, *initial = op.operands
        block = op.body()
        arguments = block.args[1:]
        kept = [i for i, a in enumerate(arguments) if self.flow.is_live(a)]
        counts = constant_int(trips) != MAX_TRIPS
        # the order of the text: the variables, then the number of rounds or the condition
        values = [*(initial[i] for i in kept), trips if counts else start]
        self._stand_for(values)
        texts = self._consume(values, indent)
        self._flush(indent)
        names: list[str] = []
        for i, text in zip(kept, texts, strict=False):
            argument = arguments[i]
            name = self._fresh(argument.name if is_meaningful(argument.name) else op.results[i].name)
            self.names[argument] = self.names[op.results[i]] = name
            names.append(name)
            self._emit(indent, f"{name} = {self._exact(text, cast(ScriptType, argument.type)).text}")
        carried = [i + 1 for i in kept]
        if counts:
            index = self.names[block.args[0]] = self._fresh(block.args[0].name)
            self._emit(indent, f"for {index} in {self._word('range')}({texts[-1].text}):")
        else:
            again = self._fresh(None)
            names, carried = [again, *names], [0, *carried]
            self._emit(indent, f"{again} = {texts[-1].text}")
            self._emit(indent, f"while {again}:")

        def end(terminator: Operation, inner: str) -> None:
            values = [terminator.operand(i) for i in carried]
            self._stand_for(values)
            ends = self._consume(values, inner)
            self._flush(inner)
            self._assign(names, ends, inner)

        yield self._block(block, indent + "  ", end)

    # values

    def _value(self, value: Value) -> _Text:
        """What is written for a value that does not wait."""
        op = value.owner
        type_ = cast(ScriptType, value.type)
        if isinstance(op, Operation) and op.name == "prim::Constant":
            return self._constant(op, type_)
        if isinstance(op, Operation) and op.name == "prim::Uninitialized":
            return _Text(f"{self._word('uninitialized')}({self._type(type_)})", type_)
        found = self.names.get(value)
        if found is None and isinstance(op, Operation) and op.name == "prim::ListConstruct":
            return self._list(op, "")  # of constants, so that no line is written for it
        if found is None:
            raise self.fault(f"a value of type {type_.annotation} is used before it is made")
        return _Text(found, type_)

    def _constant(self, op: Operation, type_: ScriptType) -> _Text:
        value = op.attributes.get("value")
        match value:
            case None if "name" in op.attributes:
                raise self.fault("a function is used as a value")
            case None:
                return _Text("None", NONE)
            case Constant():
                self._word("CONSTANTS")
                return _Text(self.unit.constant(value), type_)
            case EnumMember():
                self._word("__torch__")
                return _Text(f"{self._type(value.type)}.{value.name}", value.type)
            case str() if type_ == DEVICE:
                return _Text(f"{self._word('torch')}.device({checked_string(value, self.span)})", DEVICE)
            case str():
                return _Text(checked_string(value, self.span), STR)
            case bool() | int() | float() | complex():
                text = print_number(value)
                self._note_words(text)
                return _Text(text, constant_type(value))
            case tuple():
                text = print_literal(value, type_, self.unit, self.span)
                self._note_words(text)
                return _Text(text, type_)
            case _:
                raise self.fault(f"a constant of type {type(value).__name__}")

    def _exact(self, text: _Text, type_: ScriptType) -> _Text:
        """The expression under exactly this type."""
        if same_type(text.type, type_):
            return text
        if text.type == NONE and text.text == "None":
            return _Text(f"{self._word('annotate')}({self._type(type_)}, {text.text})", type_)
        if is_subtype(text.type, type_) or is_subtype(type_, text.type):
            return _Text(f"{self._word('unchecked_cast')}({self._type(type_)}, {text.text})", type_)
        raise self.fault(f"a reader would take `{text.text[:60]}` for {text.type.annotation}, not {type_.annotation}")

    def _consume(self, operands: Sequence[Value], indent: str) -> list[_Text]:
        """Texts of operands, which are evaluated in this order. Those that wait and cannot stand here get a name."""
        waiting = [v for v in operands if v in self.pending]
        if waiting:
            order, places = list(self.pending), {v: i for i, v in enumerate(waiting)}
            at, kept = len(waiting), 0
            for value in reversed(order):
                if places.get(value, at) >= at:
                    break
                at, kept = places[value], kept + 1
            late = [i for i, v in enumerate(order[: len(order) - kept]) if v in places]
            for value in order[: late[-1] + 1] if late else ():
                self._write_pending(value, indent)
        return [self.pending.pop(v) if v in self.pending else self._value(v) for v in operands]

    def _settle(self, value: Value, indent: str) -> None:
        """Gives a value a name if it waits, and all that has to be evaluated before it."""
        if value in self.pending:
            order = list(self.pending)
            for before in order[: order.index(value) + 1]:
                self._write_pending(before, indent)

    def _flush(self, indent: str) -> None:
        """A statement follows: what waits has to be evaluated before it."""
        for value in list(self.pending):
            self._write_pending(value, indent)

    def _write_pending(self, value: Value, indent: str) -> None:
        text = self.pending.pop(value)
        assert isinstance(value, OpResult)
        later, self.stands_for = self.stands_for, value.op.span
        self._emit(indent, f"{self._name(value)} = {text.text}", self._gradients(value.op))
        self.stands_for = later

    def _name(self, value: Value) -> str:
        if value not in self.names:
            self.names[value] = self._fresh(value.name)
        return self.names[value]

    def _fresh(self, hint: str | None) -> str:
        """A name that is not taken: the hint, with another number behind it if need be; `_0` and so on without one."""
        if not is_meaningful(hint):
            name = f"_{self.temporaries}"
            while name in self.taken:
                self.temporaries += 1
                name = f"_{self.temporaries}"
            self.taken.add(name)
            return name
        name = re.sub(r"[^A-Za-z0-9_]", "_", cast(str, hint))
        name = f"_{name}" if name[:1].isdigit() else name
        if name in self.taken:
            stem = name.rstrip("0123456789") or "_"
            number = 0
            while f"{stem}{number}" in self.taken:
                number += 1
            name = f"{stem}{number}"
        self.taken.add(name)
        return name

    # expressions: (function, operation, indent) -> text

    def _list(self, op: Operation, indent: str) -> _Text:
        type_ = cast(ListType, op.result.type)
        texts = self._consume(op.operands, indent)
        text = f"[{', '.join(t.text for t in texts)}]"
        if not texts or not all(same_type(t.type, type_.element) for t in texts):
            text = f"{self._word('annotate')}({self._type(type_)}, {text})"
        return _Text(text, type_)

    def _dict(self, op: Operation, indent: str) -> _Text:
        type_ = cast(DictType, op.result.type)
        texts = self._consume(op.operands, indent)
        pairs = list(zip(texts[::2], texts[1::2], strict=True))
        text = f"{{{', '.join(f'{k.text}: {v.text}' for k, v in pairs)}}}"
        if not pairs or not all(same_type(k.type, type_.key) and same_type(v.type, type_.value) for k, v in pairs):
            text = f"{self._word('annotate')}({self._type(type_)}, {text})"
        return _Text(text, type_)

    def _tuple(self, op: Operation, indent: str) -> _Text:
        type_ = cast(TupleType, op.result.type)
        texts = self._consume(op.operands, indent)
        parts = [self._exact(t, e).text for t, e in zip(texts, type_.elements, strict=True)]
        if isinstance(type_, NamedTupleType):
            self._word("__torch__")
            return _Text(f"{self._type(type_)}({', '.join(parts)})", type_)
        return _Text(f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})", type_)

    def _tuple_index(self, op: Operation, indent: str) -> _Text:
        base, index = self._consume(op.operands, indent)
        at = constant_int(op.operand(1))
        type_ = base.type
        if at is None or not isinstance(type_, TupleType) or not -len(type_.elements) <= at < len(type_.elements):
            return _Text(f"({base.text})[{index.text}]", cast(ScriptType, op.result.type))
        return _Text(f"({base.text})[{at}]", type_.elements[at])

    def _tuple_slice(self, op: Operation, indent: str) -> _Text:
        (base,) = self._consume(op.operands, indent)
        start, stop = cast(int, op.attributes["beg"]), cast(int, op.attributes["end"])
        return _Text(f"({base.text})[{start}:{stop}]", cast(ScriptType, op.result.type))

    def _get_attribute(self, op: Operation, indent: str) -> _Text:
        (base,) = self._consume(op.operands, indent)
        name = cast(str, op.attributes["name"])
        type_ = cast(ScriptType, op.result.type)
        if is_identifier(name):
            return _Text(f"{base.as_base}.{name}", type_)
        return _Text(f"{self._word('getattr')}({base.text}, {checked_string(name, self.span)})", type_)

    def _call_method(self, op: Operation, indent: str) -> _Text:
        receiver, *arguments = self._consume(op.operands, indent)
        name = cast(str, op.attributes["name"])
        return _Text(f"({receiver.text}).{name}({_arguments(arguments)})", cast(ScriptType, op.result.type))

    def _call_function(self, op: Operation, indent: str) -> _Text:
        reference, *operands = op.operands
        if not isinstance(reference.type, FunctionRefType):
            raise self.fault("a function that is known at run time only is called")
        arguments = self._consume(operands, indent)
        self._word("__torch__")
        name = self.unit.function(reference.type.name)
        return _Text(f"{name}({_arguments(arguments)})", cast(ScriptType, op.result.type))

    def _create_object(self, op: Operation) -> _Text:
        type_ = cast(ScriptType, op.result.type)
        name = self._type(type_)
        self._word("__torch__")
        return _Text(f"{name}.__new__({name})", type_)

    def _isinstance(self, op: Operation, indent: str) -> _Text:
        (subject,) = self._consume(op.operands, indent)
        types = cast(tuple[Any, ...], op.attributes["types"])
        names = [t if isinstance(t, str) else self._type(t) for t in types]
        tested = names[0] if len(names) == 1 else f"({', '.join(names)})"
        return _Text(f"{self._word('isinstance')}({subject.text}, {tested})", BOOL)

    def _unchecked_cast(self, op: Operation, indent: str) -> _Text:
        (subject,) = self._consume(op.operands, indent)
        type_ = cast(ScriptType, op.result.type)
        return _Text(f"{self._word('unchecked_cast')}({self._type(type_)}, {subject.text})", type_)

    def _to_list(self, op: Operation, indent: str) -> _Text:
        subject = self._consume(op.operands[:1], indent)[0]
        type_ = cast(ScriptType, op.result.type)
        return _Text(f"{self._word('annotate')}({self._type(type_)}, {subject.as_base}.tolist())", type_)

    def _get_item(self, op: Operation, indent: str) -> _Text:
        self.unit.operators[op.name] = None
        base, index = self._consume(op.operands, indent)
        return _Text(f"{base.as_base}[{index.text}]", cast(ScriptType, op.result.type))

    def _cast(self, op: Operation, indent: str) -> _Text:
        if len(op.operands) != 1:
            return self._operator(op, indent)
        self.unit.operators[op.name] = None
        (subject,) = self._consume(op.operands, indent)
        return _Text(f"{self._word(_CASTS[_base(op.name)])}({subject.text})", cast(ScriptType, op.result.type))

    def _implicit(self, op: Operation, indent: str) -> _Text:
        (subject,) = self._consume(op.operands, indent)
        type_ = _IMPLICIT[_base(op.name)]
        return _Text(f"{self._word('annotate')}({self._type(type_)}, {subject.text})", type_)

    def _enum_member(self, op: Operation, indent: str) -> _Text:
        (subject,) = self._consume(op.operands, indent)
        word = "name" if _base(op.name) == "prim::EnumName" else "value"
        return _Text(f"({subject.text}).{word}", cast(ScriptType, op.result.type))

    def _negated(self, op: Operation, indent: str) -> _Text:
        """`-inf` is a literal, which readers take for a negation."""
        value = constant(op.operand(0))
        if isinstance(value, float) and not math.isfinite(value):
            return _Text("-inf" if value > 0 else print_float(-value), FLOAT)
        return self._operator(op, indent)

    def _added(self, op: Operation, indent: str) -> _Text:
        """`1.+2.j` is a literal, which readers take for a sum."""
        left, right = (constant(v) for v in op.operands[:2])
        if isinstance(left, float) and isinstance(right, complex) and right.real == 0 and is_plain_part(left):
            return _Text(print_number(complex(left, right.imag)), COMPLEX)
        return self._operator(op, indent)

    # operators

    def _operator(self, op: Operation, indent: str, typed: bool = True) -> _Text:
        """`torch.add(x, y, alpha=2)`, such that a reader finds the same overload."""
        form = schema_of_operator(op.name)
        if form is None or len(op.operands) < len(form.arguments):
            raise self.fault(f"`{op.name}` has no form in TorchScript")
        self.unit.operators[op.name] = None
        texts = self._consume(op.operands, indent)
        wanted = [cast(ScriptType, r.type) for r in op.results]
        for shorten, exact in ((True, False), (False, False), (True, True), (False, True)):
            arguments = list(zip((*form.arguments, *([None] * len(texts))), texts, op.operands, strict=False))
            if shorten:
                arguments = _without_defaults(arguments)
            call = _Call(form)
            for formal, text, value in arguments:
                call.add(formal, self._exact(text, cast(ScriptType, value.type)) if exact else text)
            found = call.resolved()
            if found is not None and len(found) == len(wanted) and all(map(same_type, found, wanted)):
                break
        else:
            shown = ", ".join(t.type.annotation for t in texts)
            raise self.fault(
                f"no call of `{_base(op.name)}` with ({shown}) means the overload `{op.name.partition('.')[2]}`"
            )
        name = f"{self._word('torch')}.{form.base}" if form.namespace == "aten" else self._foreign(form)
        return _Text(f"{name}({', '.join(call.texts)})", wanted[0] if typed and wanted else NONE)

    def _foreign(self, form: Schema) -> str:
        return f"{self._word('ops')}.{form.namespace}.{form.base}"


_Argument = tuple[Argument | None, _Text, Value]


class _Call:
    """The arguments of a call of an operator as they are written."""

    def __init__(self, form: Schema) -> None:
        self.form = form
        self.texts: list[str] = []
        self.positional: list[ScriptType] = []
        self.keywords: dict[str, ScriptType] = {}

    def add(self, formal: Argument | None, text: _Text) -> None:
        if formal is not None and formal.keyword_only:
            self.texts.append(f"{formal.name}={text.text}")
            self.keywords[formal.name] = text.type
        else:
            self.texts.append(text.text)
            self.positional.append(text.type)

    def resolved(self) -> Sequence[ScriptType] | None:
        """The types of the results, if a reader finds this overload."""
        try:
            match = resolve(f"{self.form.namespace}::{self.form.base}", self.positional, self.keywords)
        except OverloadError:
            return None
        return match.returns if match.schema.name == self.form.name else None


def _without_defaults(arguments: Sequence[_Argument]) -> list[_Argument]:
    """Without positional arguments at the end, and keyword ones, that are what the schema says anyway."""
    kept = list(arguments)
    is_last = True
    for at in range(len(kept) - 1, -1, -1):
        formal, _, value = kept[at]
        if formal is None:
            return kept
        if formal.has_default and not formal.is_written and _is_default(value, formal):
            if formal.keyword_only or is_last:
                del kept[at]
        elif not formal.keyword_only:
            is_last = False
    return kept


def _is_default(value: Value, formal: Argument) -> bool:
    op = value.owner
    if not isinstance(op, Operation):
        return False
    if op.name == "prim::ListConstruct" and isinstance(cast(object, formal.default), tuple):
        default: tuple[Any, ...] = formal.default
        constants = [constant(v) for v in op.operands]
        return len(default) == len(constants) and all(map(_identical, constants, default))
    return op.name == "prim::Constant" and "name" not in op.attributes and _identical(op.attributes.get("value"), formal.default)


def _identical(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


def _arguments(texts: Sequence[_Text]) -> str:
    """Of a call of a function or method; PyTorch writes a comma behind each."""
    return "".join(f"{t.text}, " for t in texts)


def _base(name: str) -> str:
    return name.partition(".")[0]


def _makes_context(op: Operation) -> bool:
    """Whether this makes an object for a `with torch.no_grad()`, which is written anew where it is needed."""
    if op.name == "prim::CallMethod" and op.attributes["name"] == "__init__" and not op.result.uses:
        made = op.operand(0).defining_op("prim::CreateObject")
        return made is not None and _makes_context(made)
    if op.name != "prim::CreateObject":
        return False
    atoms = str(op.result.type).split(".")
    if [a for a in atoms if not a.startswith("___torch_mangle_")] != NO_GRAD.name.split("."):
        return False
    return all(u.name == "prim::CallMethod" and u.attributes["name"] == "__init__" for u in op.result.users)
