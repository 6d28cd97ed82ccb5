"""Operations whose text no declarative format can say: how each is printed and parsed, side by side.

The two tables at the end, with `RESULT_TYPES` (results that a declarative format does not spell), complete the
definitions of the dialects; `printer.py` and `parser.py` read them. Everything is upstream MLIR's pretty form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, cast

from .attributes import UNIT, Attribute, DenseArrayAttr, DenseAttr, IntegerAttr, SymbolRef
from .builder import Builder
from .core import Block, Operation, Region, Value
from .cursor import Task
from .dialects import complex as complexes
from .dialects import linalg, math
from .dialects.tensor import DYNAMIC_SENTINEL
from .structure import difference
from .text_parser import Parser, ParseSyntax
from .text_printer import SEGMENTS, Body, Piece, Printer, PrintSyntax, symbol_name
from .types import I1, I32, I64, INDEX, FunctionType, MemRefType, Type, VectorType, element_type, with_shape_of

Pieces = Iterator[Piece]


def _words(name: str, *parts: str) -> str:
    return " ".join((name, *(p for p in parts if p)))


def _array(op: Operation, name: str) -> tuple[int, ...]:
    return cast(DenseArrayAttr, op.attributes[name]).values


# builtin, func


def print_module_op(p: Printer, op: Operation) -> Pieces:
    name = op.attributes.get("sym_name")
    said = p.attributes(op, "sym_name")
    yield (
        "module " + (f"{symbol_name(name)} " if isinstance(name, str) else "") + (f"attributes{said} " if said else "")
    )
    yield Body(op.regions[0])


def parse_module_op(p: Parser) -> Task:
    attributes: dict[str, Attribute] = {}
    if p.peek("@"):
        attributes["sym_name"] = p.symbol()
    if p.accept("attributes"):
        attributes.update(p.attributes())
    return Operation("builtin.module", attributes=attributes, regions=[(yield p.region(isolated=True))])


def print_func(p: Printer, op: Operation) -> Pieces:
    type = cast(FunctionType, op.attributes["function_type"])
    visibility = op.attributes.get("sym_visibility")
    body = op.regions[0].blocks
    arguments = ", ".join(map(p.typed, body[0].args) if body else map(str, type.inputs))
    results = f" -> {p.result_types(type.results)}" if type.results else ""
    head = f"{symbol_name(str(op.attributes['sym_name']))}({arguments}){results}"
    kernel = "kernel" if op.name == "gpu.func" and "gpu.kernel" in op.attributes else ""
    said = p.attributes(op, "sym_name", "function_type", "sym_visibility", "gpu.kernel" if kernel else "")
    yield _words(op.name, str(visibility or ""), head, kernel, f"attributes{said}" if said else "")
    if body:
        yield " "
        yield Body(op.regions[0])


def _parse_func(name: str) -> ParseSyntax:
    def parse(p: Parser) -> Task:
        attributes: dict[str, Attribute] = {}
        visibility = next((w for w in ("private", "public", "nested") if p.accept(w)), None)
        attributes["sym_name"] = p.symbol()
        p.expect("(")
        arguments: list[tuple[str, Type]] | None = None
        if p.peek("%"):
            arguments = p.list_of(p.argument, ")")
            inputs = [t for _, t in arguments]
        else:
            inputs = p.types(")")
        results = p.arrow_types() if p.accept("->") else []
        attributes["function_type"] = FunctionType(tuple(inputs), tuple(results))
        if visibility:
            attributes["sym_visibility"] = visibility
        if name == "gpu.func" and p.accept("kernel"):
            attributes["gpu.kernel"] = UNIT
        if p.accept("attributes"):
            attributes.update(p.attributes())
        body = (yield p.region(arguments or (), isolated=True)) if p.peek("{") else Region()
        return Operation(name, attributes=attributes, regions=[body])

    return parse


def _print_values(p: Printer, op: Operation) -> Pieces:
    name = op.name
    if name == "func.return" and op.parent_op is not None and op.parent_op.name == "func.func":
        name = "return"  # upstream leaves out the dialect directly inside a function
    yield _words(name, p.typed_values(op.operands) if op.operands else "") + p.attributes(op)


def _parse_values(name: str) -> ParseSyntax:
    def parse(p: Parser) -> Operation:
        operands = p.typed_values()
        return Operation(name, operands, attributes=p.attributes())

    return parse


# arith


def print_select(p: Printer, op: Operation) -> Pieces:
    condition = op.operand(0)
    types = f"{condition.type}, {op.result.type}" if condition.type != I1 else str(op.result.type)
    yield f"arith.select {p.values(op.operands)}{p.attributes(op)} : {types}"


def parse_select(p: Parser) -> Operation:
    operands = p.values()
    attributes = p.attributes()
    p.expect(":")
    p.check_types(operands[:1] + operands[1:2] if operands[0].type != I1 else operands[1:2])
    return Operation("arith.select", operands, (operands[1].type,), attributes)


# scf


def _assignments(p: Printer, names: Sequence[Value], values: Sequence[Value]) -> str:
    return ", ".join(f"{p.value(n)} = {p.value(v)}" for n, v in zip(names, values, strict=True))


def _parse_assignments(p: Parser) -> tuple[list[str], list[Value]]:
    """`(%a = %x, %b = %y)`."""

    def one() -> tuple[str, Value]:
        name = p.value_name()
        p.expect("=")
        return name, p.value()

    p.expect("(")
    pairs = p.list_of(one, ")")
    return [n for n, _ in pairs], [v for _, v in pairs]


def print_for(p: Printer, op: Operation) -> Pieces:
    lower, upper, step, *inits = op.operands
    counter, *carried = op.body().args
    yield f"scf.for {p.value(counter)} = {p.value(lower)} to {p.value(upper)} step {p.value(step)} "
    if inits:
        yield f"iter_args({_assignments(p, carried, inits)}) -> ({', '.join(str(r.type) for r in op.results)}) "
    if counter.type != INDEX:
        yield f": {counter.type} "
    yield Body(op.regions[0], hidden="scf.yield")
    yield p.attributes(op)


def parse_for(p: Parser) -> Task:
    counter = p.value_name()
    p.expect("=")
    bounds = [p.value()]
    p.expect("to")
    bounds.append(p.value())
    p.expect("step")
    bounds.append(p.value())
    names: list[str] = []
    inits: list[Value] = []
    types: list[Type] = []
    if p.accept("iter_args"):
        names, inits = _parse_assignments(p)
        p.expect("->")
        types = p.arrow_types()
    type = p.type() if p.accept(":") else INDEX
    body = yield p.region([(counter, type), *zip(names, types, strict=True)], "scf.yield")
    return Operation("scf.for", [*bounds, *inits], types, p.attributes(), [body])


def print_if(p: Printer, op: Operation) -> Pieces:
    results = f" -> ({', '.join(str(r.type) for r in op.results)})" if op.results else ""
    yield f"scf.if {p.value(op.operand(0))}{results} "
    yield Body(op.regions[0], hidden="scf.yield")
    if op.regions[1].blocks:
        yield " else "
        yield Body(op.regions[1], hidden="scf.yield")
    yield p.attributes(op)


def parse_if(p: Parser) -> Task:
    condition = p.value()
    types = p.arrow_types() if p.accept("->") else []
    regions = [(yield p.region((), "scf.yield"))]
    regions.append((yield p.region((), "scf.yield")) if p.accept("else") else Region())
    return Operation("scf.if", [condition], types, p.attributes(), regions)


def print_while(p: Printer, op: Operation) -> Pieces:
    before = op.body(0)
    yield "scf.while "
    if op.operands:
        yield f"({_assignments(p, before.args, op.operands)}) "
    yield f": ({p.types(op.operands)}) -> {p.result_types([r.type for r in op.results])} "
    yield Body(op.regions[0])
    yield " do "
    yield Body(op.regions[1], arguments=True)
    said = p.attributes(op)
    yield f" attributes{said}" if said else ""


def parse_while(p: Parser) -> Task:
    names, inits = _parse_assignments(p) if p.peek("(") else ([], [])
    p.expect(":")
    type = p.function_type()
    before = yield p.region(list(zip(names, type.inputs, strict=True)))
    p.expect("do")
    after = yield p.region(None, "scf.yield")
    attributes = p.attributes() if p.accept("attributes") else {}
    return Operation("scf.while", inits, type.results, attributes, [before, after])


def print_condition(p: Printer, op: Operation) -> Pieces:
    rest = op.operands[1:]
    yield f"scf.condition({p.value(op.operand(0))}){p.attributes(op)}" + (f" {p.typed_values(rest)}" if rest else "")


def parse_condition(p: Parser) -> Operation:
    p.expect("(")
    condition = p.value()
    p.expect(")")
    attributes = p.attributes()
    return Operation("scf.condition", [condition, *p.typed_values()], attributes=attributes)


def print_parallel(p: Printer, op: Operation) -> Pieces:
    counters = op.body().args
    n = len(counters)
    lowers, uppers, steps = (op.operands[i * n : (i + 1) * n] for i in range(3))
    inits = op.operands[3 * n :]
    yield f"scf.parallel ({p.values(counters)}) = ({p.values(lowers)}) to ({p.values(uppers)}) "
    yield f"step ({p.values(steps)}) "
    if inits:
        yield f"init ({p.values(inits)}) -> {p.result_types([r.type for r in op.results])} "
    yield Body(op.regions[0])
    yield p.attributes(op)


def parse_parallel(p: Parser) -> Task:
    p.expect("(")
    names = p.list_of(p.value_name, ")")
    groups: list[Value] = []
    for word in ("=", "to", "step"):
        p.expect(word)
        p.expect("(")
        group = p.list_of(p.value, ")")
        if len(group) != len(names):
            raise p.error(f"expected {len(names)} values before this")
        groups += group
    inits: list[Value] = []
    types: list[Type] = []
    if p.accept("init"):
        p.expect("(")
        inits = p.list_of(p.value, ")")
        p.expect("->")
        types = p.arrow_types()
    n = len(names)
    body = yield p.region([(name, INDEX) for name in names], "scf.reduce")
    attributes = {**p.attributes(), SEGMENTS: DenseArrayAttr((n, n, n, len(inits)), I32)}
    return Operation("scf.parallel", [*groups, *inits], types, attributes, [body])


def print_reduce(p: Printer, op: Operation) -> Pieces:
    yield f"scf.reduce({p.typed_values(op.operands)}) " if op.operands else "scf.reduce"
    for i, region in enumerate(op.regions):
        yield ", " if i else ""
        yield Body(region, arguments=True)


def parse_reduce(p: Parser) -> Task:
    operands: list[Value] = []
    regions: list[Region] = []
    if p.accept("("):
        operands = p.typed_values()
        p.expect(")")
        for i in range(len(operands)):
            if i:
                p.expect(",")
            regions.append((yield p.region()))
    return Operation("scf.reduce", operands, regions=regions)


# linalg


def _operand_lists(p: Printer, op: Operation) -> str:
    ins, outs = linalg.inputs(op), linalg.outputs(op)
    inputs = f"ins({p.typed_values(ins)})" if ins else ""
    return _words(inputs, f"outs({p.typed_values(outs)})").strip()


def _arrow(p: Printer, op: Operation) -> str:
    return f" -> {p.result_types([r.type for r in op.results])}" if op.results else ""


def _parse_operand_lists(p: Parser) -> tuple[list[Value], list[Value]]:
    groups: list[list[Value]] = []
    for word in ("ins", "outs"):
        groups.append([])
        if p.accept(word):
            p.expect("(")
            groups[-1] = p.typed_values()
            p.expect(")")
    return groups[0], groups[1]


def print_generic(p: Printer, op: Operation) -> Pieces:
    maps = p.attribute(op.attributes["indexing_maps"])
    kinds = p.attribute(op.attributes["iterator_types"])
    yield f"linalg.generic {{indexing_maps = {maps}, iterator_types = {kinds}}} {_operand_lists(p, op)}"
    said = p.attributes(op, "indexing_maps", "iterator_types")
    yield f" attrs ={said} " if said else " "
    yield Body(op.regions[0], arguments=True)
    yield _arrow(p, op)


def parse_generic(p: Parser) -> Task:
    attributes = p.attributes()
    ins, outs = _parse_operand_lists(p)
    if p.accept("attrs"):
        p.expect("=")
        attributes.update(p.attributes())
    body = yield p.region()
    results = p.arrow_types() if p.accept("->") else []
    attributes[SEGMENTS] = DenseArrayAttr((len(ins), len(outs)), I32)
    return Operation("linalg.generic", [*ins, *outs], results, attributes, [body])


def _named(name: str, ins: Sequence[Value], outs: Sequence[Value]) -> Operation:
    """A named operation with the body that its name stands for, detached."""
    b = Builder(Block())
    match name:
        case "linalg.fill":
            op = linalg.fill(b, ins[0], outs[0])
        case "linalg.matmul":
            op = linalg.matmul(b, ins[0], ins[1], outs[0])
        case _:
            op = linalg.batch_matmul(b, ins[0], ins[1], outs[0])
    return op.detach()


_NAMED_INPUTS: Final = {"linalg.fill": 1, "linalg.matmul": 2, "linalg.batch_matmul": 2}


def print_named(p: Printer, op: Operation) -> Pieces:
    ins, outs = linalg.inputs(op), linalg.outputs(op)
    usual = _named(op.name, ins, outs) if (len(ins), len(outs)) == (_NAMED_INPUTS[op.name], 1) else None
    if usual is None or difference(usual.regions[0], op.regions[0]) is not None:
        yield from p.generic(op)
    else:
        yield f"{op.name}{p.attributes(op)} {_operand_lists(p, op)}{_arrow(p, op)}"
    if usual is not None:
        usual.erase()


def _parse_named(name: str) -> ParseSyntax:
    def parse(p: Parser) -> Operation:
        start = p.position
        attributes = p.attributes()
        ins, outs = _parse_operand_lists(p)
        if (len(ins), len(outs)) != (_NAMED_INPUTS[name], 1):
            raise p.error(f"{name} takes {_NAMED_INPUTS[name]} inputs and 1 output", start, p.position)
        op = _named(name, ins, outs)
        op.attributes.update(attributes)
        if p.accept("->"):
            p.check_types(outs)
        return op

    return parse


# tensor, memref: boxes


def _mixed(p: Printer, static: Sequence[int], dynamic: Iterator[Value]) -> str:
    """`[0, %x]`: static entries, and operands where these hold the sentinel."""
    return f"[{', '.join(p.value(next(dynamic)) if s == DYNAMIC_SENTINEL else str(s) for s in static)}]"


def _parse_mixed(p: Parser) -> tuple[DenseArrayAttr, list[Value]]:
    static: list[int] = []
    dynamic: list[Value] = []

    def one() -> None:
        if p.peek("%"):
            dynamic.append(p.value())
            static.append(DYNAMIC_SENTINEL)
        else:
            static.append(p.integer())

    p.expect("[")
    p.list_of(one, "]")
    return DenseArrayAttr(tuple(static), I64), dynamic


_BOX: Final = ("static_offsets", "static_sizes", "static_strides")


def _print_slice(p: Printer, op: Operation) -> Pieces:
    inserts = op.name == "tensor.insert_slice"
    whole = op.operand(1) if inserts else op.operand(0)
    dynamic = iter(op.operands[2 if inserts else 1 :])
    source = f"{p.value(op.operand(0))} into " if inserts else ""
    box = " ".join(_mixed(p, _array(op, name), dynamic) for name in _BOX)
    types = f"{op.operand(0).type} into {whole.type}" if inserts else f"{whole.type} to {op.result.type}"
    yield f"{op.name} {source}{p.value(whole)}{box}{p.attributes(op, *_BOX)} : {types}"


def _parse_slice(name: str) -> ParseSyntax:
    def parse(p: Parser) -> Operation:
        inserts = name == "tensor.insert_slice"
        operands = [p.value()]
        if inserts:
            p.expect("into")
            operands.append(p.value())
        segments = [1] * len(operands)
        attributes: dict[str, Attribute] = {}
        for key in _BOX:
            static, dynamic = _parse_mixed(p)
            attributes[key] = static
            operands += dynamic
            segments.append(len(dynamic))
        attributes.update(p.attributes())
        attributes[SEGMENTS] = DenseArrayAttr(tuple(segments), I32)
        p.expect(":")
        p.check_types(operands[:1])
        p.expect("into" if inserts else "to")
        return Operation(name, operands, (p.type(),), attributes)

    return parse


_CAST_WORDS: Final = ("offset", "sizes", "strides")


def print_reinterpret_cast(p: Printer, op: Operation) -> Pieces:
    dynamic = iter(op.operands[1:])
    parts = ", ".join(f"{w}: {_mixed(p, _array(op, a), dynamic)}" for w, a in zip(_CAST_WORDS, _BOX, strict=True))
    yield f"{op.name} {p.value(op.operand(0))} to {parts}{p.attributes(op, *_BOX)}"
    yield f" : {op.operand(0).type} to {op.result.type}"


def parse_reinterpret_cast(p: Parser) -> Operation:
    operands = [p.value()]
    p.expect("to")
    segments = [1]
    attributes: dict[str, Attribute] = {}
    for i, (word, key) in enumerate(zip(_CAST_WORDS, _BOX, strict=True)):
        if i:
            p.expect(",")
        p.expect(word)
        p.expect(":")
        attributes[key], dynamic = _parse_mixed(p)
        operands += dynamic
        segments.append(len(dynamic))
    attributes.update(p.attributes())
    attributes[SEGMENTS] = DenseArrayAttr(tuple(segments), I32)
    p.expect(":")
    p.check_types(operands[:1])
    p.expect("to")
    return Operation("memref.reinterpret_cast", operands, (p.type(),), attributes)


def _print_reshape(p: Printer, op: Operation) -> Pieces:
    groups = f"[{', '.join(str(list(g)) for g in cast(tuple[tuple[int, ...], ...], op.attributes['reassociation']))}]"
    shape = ""
    if op.name.endswith("expand_shape"):
        shape = f" output_shape {_mixed(p, _array(op, 'static_output_shape'), iter(op.operands[1:]))}"
    said = p.attributes(op, "reassociation", "static_output_shape")
    yield f"{op.name} {p.value(op.operand(0))} {groups}{shape}{said} : {op.operand(0).type} into {op.result.type}"


def _parse_reshape(name: str) -> ParseSyntax:
    def group(p: Parser) -> Callable[[], tuple[int, ...]]:
        def parse() -> tuple[int, ...]:
            p.expect("[")
            return tuple(p.list_of(p.integer, "]"))

        return parse

    def parse(p: Parser) -> Operation:
        operands = [p.value()]
        p.expect("[")
        attributes: dict[str, Attribute] = {"reassociation": tuple(p.list_of(group(p), "]"))}
        if name.endswith("expand_shape"):
            p.expect("output_shape")
            attributes["static_output_shape"], dynamic = _parse_mixed(p)
            operands += dynamic
        attributes.update(p.attributes())
        p.expect(":")
        p.check_types(operands[:1])
        p.expect("into")
        return Operation(name, operands, (p.type(),), attributes)

    return parse


def print_pad(p: Printer, op: Operation) -> Pieces:
    dynamic = iter(op.operands[1:])
    low, high = (_mixed(p, _array(op, n), dynamic) for n in ("static_low", "static_high"))
    yield f"tensor.pad {p.value(op.operand(0))} low{low} high{high} "
    yield Body(op.regions[0], arguments=True)
    yield f"{p.attributes(op, 'static_low', 'static_high')} : {op.operand(0).type} to {op.result.type}"


def parse_pad(p: Parser) -> Task:
    source = p.value()
    p.expect("low")
    static_low, low = _parse_mixed(p)
    p.expect("high")
    static_high, high = _parse_mixed(p)
    body = yield p.region()
    attributes = {
        "static_low": static_low,
        "static_high": static_high,
        **p.attributes(),
        SEGMENTS: DenseArrayAttr((1, len(low), len(high)), I32),
    }
    p.expect(":")
    p.check_types([source])
    p.expect("to")
    return Operation("tensor.pad", [source, *low, *high], (p.type(),), attributes, [body])


def print_generate(p: Printer, op: Operation) -> Pieces:
    yield _words("tensor.generate", p.values(op.operands)) + " "
    yield Body(op.regions[0], arguments=True)
    yield f"{p.attributes(op)} : {op.result.type}"


def parse_generate(p: Parser) -> Task:
    sizes = p.values()
    body = yield p.region()
    attributes = p.attributes()
    p.expect(":")
    return Operation("tensor.generate", sizes, (p.type(),), attributes, [body])


# memref


def print_prefetch(p: Printer, op: Operation) -> Pieces:
    kind = "write" if op.attributes["isWrite"] else "read"
    cache = "data" if op.attributes["isDataCache"] else "instr"
    locality = cast(IntegerAttr, op.attributes["localityHint"]).value
    place = f"{p.value(op.operand(0))}[{p.values(op.operands[1:])}]"
    said = p.attributes(op, "isWrite", "isDataCache", "localityHint")
    yield f"memref.prefetch {place}, {kind}, locality<{locality}>, {cache}{said} : {op.operand(0).type}"


def parse_prefetch(p: Parser) -> Operation:
    operands = [p.value()]
    p.expect("[")
    operands += p.list_of(p.value, "]")
    p.expect(",")
    attributes: dict[str, Attribute] = {"isWrite": p.word() == "write"}
    p.expect(",")
    p.expect("locality")
    p.expect("<")
    attributes["localityHint"] = IntegerAttr(p.integer(), I32)
    p.expect(">")
    p.expect(",")
    attributes["isDataCache"] = p.word() == "data"
    attributes.update(p.attributes())
    p.expect(":")
    p.check_types(operands[:1])
    return Operation("memref.prefetch", operands, (), attributes)


_GLOBAL_SAID: Final = ("sym_name", "sym_visibility", "type", "initial_value", "constant")


def print_global(p: Printer, op: Operation) -> Pieces:
    a = op.attributes
    visibility = f'"{a["sym_visibility"]}"' if a.get("sym_visibility") else ""
    yield _words("memref.global", visibility, "constant" if a.get("constant") else "", symbol_name(str(a["sym_name"])))
    yield f" : {a['type']}"
    match a.get("initial_value"):
        case DenseAttr() as value:
            yield f" = {p.attribute(value).rpartition(' : ')[0]}"
        case None:
            pass
        case _:
            yield " = uninitialized"
    yield p.attributes(op, *_GLOBAL_SAID)


def parse_global(p: Parser) -> Operation:
    visibility = p.string() if p.peek('"') else None
    constant = p.accept("constant")
    attributes: dict[str, Attribute] = {"sym_name": p.symbol()}
    if visibility:
        attributes["sym_visibility"] = visibility
    p.expect(":")
    start = p.position
    type = p.type()
    if not isinstance(type, MemRefType):
        raise p.error("a global has a memref type", start, p.position)
    attributes["type"] = type
    if p.accept("="):
        start = p.position
        attributes["initial_value"] = UNIT if p.accept("uninitialized") else p.dense_of(*p.dense_literal(), type, start)
    if constant:
        attributes["constant"] = True
    attributes.update(p.attributes())
    return Operation("memref.global", attributes=attributes)


# vector


def print_vector_extract(p: Printer, op: Operation) -> Pieces:
    position = list(_array(op, "static_position"))
    said = p.attributes(op, "static_position")
    yield f"vector.extract {p.value(op.operand(0))}{position}{said} : {op.result.type} from {op.operand(0).type}"


def parse_vector_extract(p: Parser) -> Operation:
    source = p.value()
    position, _ = _parse_mixed(p)
    attributes = {"static_position": position, **p.attributes()}
    p.expect(":")
    result = p.type()
    p.expect("from")
    p.check_types([source])
    return Operation("vector.extract", [source], (result,), attributes)


def print_vector_insert(p: Printer, op: Operation) -> Pieces:
    position = list(_array(op, "static_position"))
    value, target = op.operands
    said = p.attributes(op, "static_position")
    yield f"vector.insert {p.value(value)}, {p.value(target)} {position}{said} : {value.type} into {target.type}"


def parse_vector_insert(p: Parser) -> Operation:
    operands = p.values()
    position, _ = _parse_mixed(p)
    attributes = {"static_position": position, **p.attributes()}
    p.expect(":")
    p.check_types(operands[:1])
    p.expect("into")
    p.check_types(operands[1:])
    return Operation("vector.insert", operands, (operands[1].type,), attributes)


def print_reduction(p: Printer, op: Operation) -> Pieces:
    fastmath = f" fastmath<{op.attributes['fastmath']}>" if op.attributes.get("fastmath") else ""
    said = p.attributes(op, "kind", "fastmath")
    yield f"vector.reduction <{op.attributes['kind']}>, {p.values(op.operands)}{fastmath}{said}"
    yield f" : {op.operand(0).type} into {op.result.type}"


def parse_reduction(p: Parser) -> Operation:
    p.expect("<")
    attributes: dict[str, Attribute] = {"kind": p.word()}
    p.expect(">")
    p.expect(",")
    operands = p.values()
    fastmath = p.flags("fastmath")
    if fastmath is not None:
        attributes["fastmath"] = fastmath
    attributes.update(p.attributes())
    p.expect(":")
    p.check_types(operands[:1])
    p.expect("into")
    return Operation("vector.reduction", operands, (p.type(),), attributes)


def print_shuffle(p: Printer, op: Operation) -> Pieces:
    mask = list(_array(op, "mask"))
    yield f"vector.shuffle {p.values(op.operands)} {mask}{p.attributes(op, 'mask')} : {p.types(op.operands)}"


def parse_shuffle(p: Parser) -> Operation:
    operands = p.values()
    mask, _ = _parse_mixed(p)
    attributes = {"mask": mask, **p.attributes()}
    p.expect(":")
    p.check_types(operands)
    result = VectorType((len(mask.values),), element_type(operands[0].type))
    return Operation("vector.shuffle", operands, (result,), attributes)


# gpu


def print_gpu_module(p: Printer, op: Operation) -> Pieces:
    said = p.attributes(op, "sym_name")
    yield _words("gpu.module", symbol_name(str(op.attributes["sym_name"])), f"attributes{said}" if said else "") + " "
    yield Body(op.regions[0])


def parse_gpu_module(p: Parser) -> Task:
    attributes: dict[str, Attribute] = {"sym_name": p.symbol()}
    if p.accept("attributes"):
        attributes.update(p.attributes())
    return Operation("gpu.module", attributes=attributes, regions=[(yield p.region(isolated=True))])


def print_launch_func(p: Printer, op: Operation) -> Pieces:
    container, name = cast(tuple[SymbolRef, SymbolRef], op.attributes["kernel"])
    grid, block, operands = op.operands[:3], op.operands[3:6], op.operands[6:]
    yield f"gpu.launch_func {symbol_name(container.name)}::{symbol_name(name.name)}"
    yield f" blocks in ({p.values(grid)}) threads in ({p.values(block)})"
    if operands:
        yield f" args({', '.join(f'{p.value(v)} : {v.type}' for v in operands)})"
    yield p.attributes(op, "kernel")


def parse_launch_func(p: Parser) -> Operation:
    container = p.symbol()
    p.expect("::")
    attributes: dict[str, Attribute] = {"kernel": (SymbolRef(container), SymbolRef(p.symbol()))}
    operands: list[Value] = []
    for word in ("blocks", "threads"):
        p.expect(word)
        p.expect("in")
        p.expect("(")
        operands += p.list_of(p.value, ")")

    def argument() -> Value:
        value = p.value()
        p.expect(":")
        p.check_types([value])
        return value

    arguments: list[Value] = []
    if p.accept("args"):
        p.expect("(")
        arguments = p.list_of(argument, ")")
    attributes.update(p.attributes())
    attributes[SEGMENTS] = DenseArrayAttr((0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, len(arguments), 0), I32)
    return Operation("gpu.launch_func", [*operands, *arguments], (), attributes)


# tables

_NAMED: Final = tuple(_NAMED_INPUTS)
_LISTS: Final = ("func.return", "scf.yield", "scf.reduce.return", "linalg.yield")
_SLICES: Final = ("tensor.extract_slice", "tensor.insert_slice", "memref.subview")
_RESHAPES: Final = tuple(f"{d}.{o}" for d in ("tensor", "memref") for o in ("collapse_shape", "expand_shape"))

PRINT: Final[dict[str, PrintSyntax]] = {
    "builtin.module": print_module_op,
    "func.func": print_func,
    "gpu.func": print_func,
    "gpu.module": print_gpu_module,
    "gpu.launch_func": print_launch_func,
    "arith.select": print_select,
    "scf.for": print_for,
    "scf.if": print_if,
    "scf.while": print_while,
    "scf.condition": print_condition,
    "scf.parallel": print_parallel,
    "scf.reduce": print_reduce,
    "linalg.generic": print_generic,
    "tensor.pad": print_pad,
    "tensor.generate": print_generate,
    "memref.reinterpret_cast": print_reinterpret_cast,
    "memref.prefetch": print_prefetch,
    "memref.global": print_global,
    "vector.extract": print_vector_extract,
    "vector.insert": print_vector_insert,
    "vector.reduction": print_reduction,
    "vector.shuffle": print_shuffle,
    **dict.fromkeys(_LISTS, _print_values),
    **dict.fromkeys(_NAMED, print_named),
    **dict.fromkeys(_SLICES, _print_slice),
    **dict.fromkeys(_RESHAPES, _print_reshape),
}

PARSE: Final[dict[str, ParseSyntax]] = {
    "builtin.module": parse_module_op,
    "func.func": _parse_func("func.func"),
    "gpu.func": _parse_func("gpu.func"),
    "gpu.module": parse_gpu_module,
    "gpu.launch_func": parse_launch_func,
    "arith.select": parse_select,
    "scf.for": parse_for,
    "scf.if": parse_if,
    "scf.while": parse_while,
    "scf.condition": parse_condition,
    "scf.parallel": parse_parallel,
    "scf.reduce": parse_reduce,
    "linalg.generic": parse_generic,
    "tensor.pad": parse_pad,
    "tensor.generate": parse_generate,
    "memref.reinterpret_cast": parse_reinterpret_cast,
    "memref.prefetch": parse_prefetch,
    "memref.global": parse_global,
    "vector.extract": parse_vector_extract,
    "vector.insert": parse_vector_insert,
    "vector.reduction": parse_reduction,
    "vector.shuffle": parse_shuffle,
    **{name: _parse_values(name) for name in _LISTS},
    **{name: _parse_named(name) for name in _NAMED},
    **{name: _parse_slice(name) for name in _SLICES},
    **{name: _parse_reshape(name) for name in _RESHAPES},
}


def _index(operands: Sequence[Value]) -> Type:
    del operands
    return INDEX


def _predicate(operands: Sequence[Value]) -> Type:
    return with_shape_of(operands[0].type, I1)


def _element(operands: Sequence[Value]) -> Type:
    return element_type(operands[0].type)


def _first(operands: Sequence[Value]) -> Type:
    return operands[0].type


def _second(operands: Sequence[Value]) -> Type:
    return operands[1].type


def _part(operands: Sequence[Value]) -> Type:
    return complexes.part_type(operands[0].type)


RESULT_TYPES: Final[dict[str, Callable[[Sequence[Value]], Type]]] = {
    "arith.cmpi": _predicate,
    "arith.cmpf": _predicate,
    **{f"math.{name}": _predicate for name in math.PREDICATES},
    "complex.re": _part,
    "complex.im": _part,
    **{f"complex.{name}": _predicate for name in complexes.COMPARISONS},
    "memref.load": _element,
    "tensor.extract": _element,
    "tensor.insert": _second,
    "tensor.dim": _index,
    "memref.dim": _index,
    "vector.fma": _first,
    **{f"gpu.{name}": _index for name in ("thread_id", "block_id", "block_dim", "grid_dim")},
}
"""Result types that no text spells."""
