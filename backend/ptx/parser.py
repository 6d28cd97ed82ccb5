"""PTX text -> kernels as lists of instructions in basic blocks: what the interpreter runs.

Line oriented, as LLVM and people write it: `[@[!]%p] opcode operands;`, labels, `.reg` and memory declarations, `{ }` scopes.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

from ...ir.diagnostics import CompileError, Diagnostic


@dataclass(frozen=True)
class Register:
    name: str


@dataclass(frozen=True)
class Immediate:
    """`bits` of an integer (two's complement, 64 bits), or of a float of `width` bits."""

    bits: int
    width: int | None = None


@dataclass(frozen=True)
class Address:
    """`[base + offset]`; base a register, a symbol, or None."""

    base: Register | str | None
    offset: int


@dataclass(frozen=True)
class Vector:
    """`{a, b}`, `%p1|%p2`; `_` as an element is a sink."""

    elements: tuple[Register | Immediate | None, ...]


@dataclass(frozen=True)
class Symbol:
    """A label, a variable or a special register."""

    name: str


Operand = Register | Immediate | Address | Vector | Symbol


@dataclass(frozen=True)
class Instruction:
    opcode: tuple[str, ...]
    """`add.rn.f32` as ("add", "rn", "f32")."""
    operands: tuple[Operand, ...]
    predicate: str | None
    negated: bool
    line: int


@dataclass(frozen=True)
class Variable:
    """A parameter or an array: `space` param, shared, local, global or const; `bytes` initial contents where given."""

    name: str
    space: str
    type: str
    size: int
    align: int
    bytes: bytes = b""


@dataclass
class Kernel:
    name: str
    parameters: list[Variable] = field(default_factory=list[Variable])
    variables: list[Variable] = field(default_factory=list[Variable])
    registers: dict[str, str] = field(default_factory=dict[str, str])
    """Name (or prefix, for `%r<7>`) -> type."""
    instructions: list[Instruction] = field(default_factory=list[Instruction])
    labels: dict[str, int] = field(default_factory=dict[str, int])
    max_threads: tuple[int, ...] = ()


@dataclass
class Module:
    version: str = ""
    target: str = ""
    kernels: dict[str, Kernel] = field(default_factory=dict[str, Kernel])
    variables: list[Variable] = field(default_factory=list[Variable])


TYPE_SIZES = {
    "pred": 1,
    **{f"{k}{w}": w // 8 for k in "bsuf" for w in (8, 16, 32, 64)},
    "b128": 16,
    "f16x2": 4,
    "bf16": 2,
    "bf16x2": 4,
}

_VARIABLE = re.compile(
    r"(?:\.visible\s+|\.extern\s+|\.weak\s+)*\.(param|shared|local|global|const)\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+([\w$.%]+)"
    r"(?:\[(\d*)\])?(?:\s*=\s*(.*))?$",
    re.S,
)
_REGISTER = re.compile(r"\.reg\s+\.(\w+)\s+(.*)$", re.S)
_LABEL = re.compile(r"^\s*([\w$.]+):(?!:)\s*(.*)$", re.S)
_INSTRUCTION = re.compile(r"^(?:@(!?)(%[\w$]+)\s+)?([\w.:]+)(?:\s+(.*))?$", re.S)


class PtxSyntaxError(CompileError):
    pass


def _fail(line: int, text: str) -> PtxSyntaxError:
    return PtxSyntaxError(Diagnostic(f"PTX line {line}: cannot read `{text.strip()[:80]}`"))


def parse(text: str) -> Module:
    """The kernels of a PTX module. CompileError at the line that is not understood."""
    module = Module()
    kernel: Kernel | None = None
    header: str | None = None
    for line, statement, closer in _statements(text):
        if header is not None or re.match(r"(\.visible\s+|\.weak\s+)*\.entry\b", statement):
            header = f"{header or ''} {statement}"
            if closer == "{":
                kernel = _entry(header, line)
                module.kernels[kernel.name] = kernel
                header = None
            continue
        if statement.startswith(".version"):
            module.version = statement.split()[1]
        elif statement.startswith(".target"):
            module.target = statement.split(maxsplit=1)[1]
        elif (
            statement.startswith((".address_size", ".file", ".loc ", ".pragma", ".section", ".func", ".alias"))
            or not statement
        ):
            continue
        elif kernel is None:
            module.variables.append(_variable(statement, line))
        else:
            _body_statement(kernel, statement, line)
    return module


def _statements(text: str) -> list[tuple[int, str, str]]:
    """(line, statement, the character that ended it); directives of one line count as statements."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    result: list[tuple[int, str, str]] = []
    current, start, depth = "", 0, 0
    for number, raw in enumerate(text.split("\n"), 1):
        stripped = raw.split("//")[0].strip()
        if not current and stripped.startswith(
            (".version", ".target", ".address_size", ".loc ", ".file", ".maxntid", ".minnctapersm", ".reqntid")
        ):
            result.append((number, stripped, ";"))
            continue
        while stripped:
            if not current:
                start = number
            match = re.search(r"[;{}]", stripped)
            if match is None:
                current += stripped + " "
                label = _LABEL.match(current)
                if label and not label[2].strip():
                    result.append((start, current.strip(), ":"))
                    current = ""
                break
            end = match.start()
            opened = (
                stripped[end] == "{"
                and (current + stripped[:end]).strip()
                and not re.search(r"\.entry|\)\s*$", current + stripped[:end])
            )
            if opened or depth:
                # Braces inside an operand list or an initialiser.
                depth += {"{": 1, "}": -1}.get(stripped[end], 0)
                current += stripped[: end + 1]
                stripped = stripped[end + 1 :].lstrip() if depth else stripped[end + 1 :]
                continue
            statement = (current + stripped[:end]).strip()
            current = ""
            if statement or stripped[end] == "{":
                result.append((start, statement, stripped[end]))
            stripped = stripped[end + 1 :].strip()
    return result


def _entry(header: str, line: int) -> Kernel:
    match = re.search(r"\.entry\s+([\w$]+)\s*(?:\((.*)\))?", header, re.S)
    if match is None:
        raise _fail(line, header)
    kernel = Kernel(match[1])
    for parameter in (match[2] or "").split(","):
        if parameter.strip():
            # `.ptr .global .align 16` describes what a pointer points to.
            kernel.parameters.append(
                _variable(re.sub(r"\.ptr(\s+\.\w+)*?\s+\.align\s+\d+|\.ptr", "", parameter).strip(), line)
            )
    limits = re.search(r"\.maxntid\s+([\d, ]+)", header)
    kernel.max_threads = tuple(int(n) for n in limits[1].split(",")) if limits else ()
    return kernel


def _variable(text: str, line: int) -> Variable:
    match = _VARIABLE.match(" ".join(text.split()))
    if match is None:
        raise _fail(line, text)
    space, align, type, name, count, initial = match.groups()
    size = TYPE_SIZES[type] * (int(count) if count else 0 if count == "" else 1)
    contents = b""
    if initial:
        values = [int(v.strip().rstrip("U"), 0) for v in initial.strip("{} ").split(",") if v.strip()]
        contents = b"".join(
            (v & ((1 << 8 * TYPE_SIZES[type]) - 1)).to_bytes(TYPE_SIZES[type], "little") for v in values
        )
    return Variable(name, space, type, size, int(align or TYPE_SIZES[type]), contents)


def _body_statement(kernel: Kernel, statement: str, line: int) -> None:
    while match := _LABEL.match(statement):
        kernel.labels[match[1]] = len(kernel.instructions)
        statement = match[2].strip()
    if not statement:
        return
    if register := _REGISTER.match(statement):
        for name in register[2].split(","):
            kernel.registers[re.sub(r"<\d+>", "", name.strip())] = register[1]
    elif re.match(r"\.(shared|local)\b", statement):
        kernel.variables.append(_variable(statement, line))
    elif not statement.startswith("."):
        kernel.instructions.append(_instruction(statement, line))


def _instruction(text: str, line: int) -> Instruction:
    match = _INSTRUCTION.match(text)
    if match is None:
        raise _fail(line, text)
    negated, predicate, opcode, operands = match.groups()
    parts = tuple(_operand(o.strip(), line) for o in _split(operands or ""))
    return Instruction(tuple(opcode.split(".")), parts, predicate, negated == "!", line)


def _split(text: str) -> list[str]:
    """At commas outside of brackets and braces."""
    parts, depth, current = list[str](), 0, ""
    for c in text:
        depth += (c in "[{(") - (c in "]})")
        if c == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += c
    return [*parts, current] if current.strip() else parts


def _operand(text: str, line: int) -> Operand:
    if text.startswith("{"):
        return Vector(tuple(_element(e.strip(), line) for e in text.strip("{}").split(",")))
    if "|" in text:
        return Vector(tuple(_element(e.strip(), line) for e in text.split("|")))
    if text.startswith("["):
        base, _, offset = re.sub(r"(?<=[\w\s])-", "+-", text.strip("[]")).partition("+")
        base, offset = base.strip(), offset.replace(" ", "")
        if base.startswith("%"):
            return Address(Register(base), int(offset or 0))
        return Address(None, int(base, 0)) if base.lstrip("-").isdigit() else Address(base, int(offset or 0))
    if text.startswith("%") and not re.match(
        r"%(tid|ntid|ctaid|nctaid|laneid|warpid|clock|globaltimer|envreg)\b", text
    ):
        return Register(text)
    return _number(text) or Symbol(text)


def _element(text: str, line: int) -> Register | Immediate | None:
    if text == "_":
        return None
    element = _operand(text, line)
    if not isinstance(element, Register | Immediate):
        raise _fail(line, text)
    return element


def _number(text: str) -> Immediate | None:
    if re.fullmatch(r"0[fF][0-9a-fA-F]{8}", text):
        return Immediate(int(text[2:], 16), 32)
    if re.fullmatch(r"0[dD][0-9a-fA-F]{16}", text):
        return Immediate(int(text[2:], 16), 64)
    if re.fullmatch(r"0x[0-9A-F]{4}", text, re.I):
        return Immediate(int(text, 16))
    if re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)U?", text):
        return Immediate(int(text.rstrip("U"), 0) & (1 << 64) - 1)
    return None


def float_bits(value: float, width: int) -> int:
    """Bits of a float as they stand behind `0f` or `0d`."""
    return int.from_bytes(struct.pack("<f" if width == 32 else "<d", value), "little")
