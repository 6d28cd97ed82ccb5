"""What each operation of the `linalg` and `loops` stages demands of its types and attributes.

`CHECKS[name](op)` says what is wrong, or None. Numbers of operands, results and regions have been checked before (they
follow from the definitions), so the rules may rely on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, cast

from .affine import AffineMap
from .attributes import Attribute, Constant, DenseArrayAttr, DenseAttr, FloatAttr, IntegerAttr, SymbolRef
from .core import Block, Operation, Value
from .definition import operand_groups
from .dialects import DEFINITIONS, linalg, linalg_ext, math
from .dialects import complex as complexes
from .dialects.arith import CMPF_PREDICATES, CMPI_PREDICATES
from .dialects.tensor import DYNAMIC_SENTINEL
from .rank_reduction import kept_dims
from .types import (
    I1,
    I8,
    INDEX,
    ComplexType,
    Extent,
    FloatType,
    FunctionType,
    IndexType,
    IntegerType,
    MemRefType,
    RankedTensorType,
    Type,
    VectorType,
    element_type,
    with_shape_of,
)

Check = Callable[[Operation], str | None]
Kind = Callable[[Type], bool]


def _is_integer(t: Type) -> bool:
    return isinstance(t, IntegerType | IndexType)


def _is_float(t: Type) -> bool:
    return isinstance(t, FloatType)


def _is_complex(t: Type) -> bool:
    return isinstance(t, ComplexType)


def _types(values: Sequence[Value]) -> list[Type]:
    return [v.type for v in values]


def _shown(types: Sequence[Type]) -> str:
    return f"({', '.join(map(str, types))})"


def _differ(what: str, found: Sequence[Type], expected: Sequence[Type]) -> str | None:
    return None if list(found) == list(expected) else f"{what} {_shown(found)}, not {_shown(expected)}"


def _elementwise(kind: Kind, name: str) -> Check:
    """All operands and results of one kind of element."""

    def check(op: Operation) -> str | None:
        wrong = [t for t in _types([*op.operands, *op.results]) if not kind(element_type(t))]
        return f"{wrong[0]} is not {name}" if wrong else _same_types(op)

    return check


def _same_types(op: Operation) -> str | None:
    types = _types([*op.operands, *op.results])
    return None if len(set(types)) <= 1 else f"types {_shown(types)} are not one type"


def _predicate(kind: Kind, predicates: Sequence[str] | None) -> Check:
    def check(op: Operation) -> str | None:
        if predicates is not None and op.attributes.get("predicate") not in predicates:
            return f"no predicate {op.attributes.get('predicate')!r}"
        first = op.operand(0).type
        if not kind(element_type(first)):
            return f"operands of type {first}"
        return _differ("operand types", _types(op.operands), [first] * len(op.operands)) or _differ(
            "result type", [op.result.type], [with_shape_of(first, I1)]
        )

    return check


_WIDTHS: Final = {"index": 64}


def _width(t: Type) -> int:
    return t.width if isinstance(t, IntegerType | FloatType) else _WIDTHS["index"]


def _cast(source: Kind, target: Kind, widths: Callable[[int, int], bool]) -> Check:
    def check(op: Operation) -> str | None:
        a, b = op.operand(0).type, op.result.type
        x, y = element_type(a), element_type(b)
        fits = source(x) and target(y) and widths(_width(x), _width(y)) and with_shape_of(a, y) == b
        return None if fits else f"from {a} to {b}"

    return check


def _any_widths(a: int, b: int) -> bool:
    del a, b
    return True


def _index_cast(op: Operation) -> str | None:
    a, b = element_type(op.operand(0).type), element_type(op.result.type)
    if (a == INDEX) == (b == INDEX) or not (_is_integer(a) and _is_integer(b)):
        return f"from {op.operand(0).type} to {op.result.type}"
    return _differ("result type", [op.result.type], [with_shape_of(op.operand(0).type, b)])


def _select(op: Operation) -> str | None:
    condition, a, b = _types(op.operands)
    if condition not in (I1, with_shape_of(a, I1)):
        return f"a condition of type {condition} selects {a}"
    return _differ("types", [a, b, op.result.type], [a] * 3)


def _constant(op: Operation) -> str | None:
    value = op.attributes.get("value")
    if not isinstance(value, IntegerAttr | FloatAttr | DenseAttr):
        return f"the value {value!r} has no type"
    if isinstance(value, IntegerAttr) and not _is_integer(value.type):
        return f"the integer {value.value} has type {value.type}"
    if isinstance(value, FloatAttr) and not _is_float(value.type):
        return f"the float {value.value} has type {value.type}"
    if isinstance(value, IntegerAttr) and isinstance(value.type, IntegerType):
        bits = value.type.width
        if not -(1 << (bits - 1)) <= value.value < 1 << bits:
            return f"{value.value} does not fit in {value.type}"
    if isinstance(value, DenseAttr):
        wrong = _dense(value)
        if wrong:
            return wrong
    return _differ("result type", [op.result.type], [value.type])


def _dense(value: DenseAttr) -> str | None:
    if not isinstance(value.type, RankedTensorType | VectorType) or None in value.type.shape:
        return f"a dense value of type {value.type}"
    if isinstance(value.value, Constant) and value.value.array.shape != value.type.shape:
        return f"an array of shape {list(value.value.array.shape)} is given for {value.type}"
    if isinstance(value.value, tuple):
        count = 1
        for extent in cast(tuple[int, ...], value.type.shape):
            count *= extent
        if len(value.value) != count:
            return f"{len(value.value)} elements are given for {value.type}"
    return None


# complex


def _complex_part(op: Operation) -> str | None:
    t = op.operand(0).type
    return _differ("part", _types(op.results), [t.element]) if isinstance(t, ComplexType) else f"a part of {t}"


def _complex_create(op: Operation) -> str | None:
    t = op.result.type
    return _differ("parts", _types(op.operands), [t.element] * 2) if isinstance(t, ComplexType) else f"creates {t}"


def _complex_constant(op: Operation) -> str | None:
    t, parts = op.result.type, op.attributes.get("value")
    if not isinstance(t, ComplexType) or not isinstance(parts, tuple) or len(parts) != 2:
        return f"{parts} is no constant of type {t}"
    wrong = [p for p in parts if not isinstance(p, FloatAttr) or p.type != t.element]
    return f"{wrong[0]} is no {t.element}" if wrong else None


# cf, func, scf


def _assert(op: Operation) -> str | None:
    return _differ("condition", _types(op.operands), [I1])


def _function(op: Operation) -> str | None:
    type = cast(FunctionType, op.attributes["function_type"])
    blocks = op.regions[0].blocks
    if not blocks:
        return None if op.attributes.get("sym_visibility") == "private" else "a declaration is private"
    return _differ("arguments", _types(blocks[0].args), type.inputs)


def _return(op: Operation) -> str | None:
    parent = op.parent_op
    if parent is None or parent.name != "func.func":
        return "stands outside of a function"
    type = cast(FunctionType, parent.attributes["function_type"])
    return _differ("returned types", _types(op.operands), type.results)


def _yields(block: Block, terminator: str, types: Sequence[Type], what: str = "yielded types") -> str | None:
    end = block.last
    if end is None or end.name != terminator:
        return f"its body ends with {end.name if end else 'nothing'}, not {terminator}"
    return _differ(what, _types(end.operands), types)


def _for(op: Operation) -> str | None:
    counter = op.operand(0).type
    if not _is_integer(counter):
        return f"a counter of type {counter}"
    inits = _types(op.operands[3:])
    return (
        _differ("bounds", _types(op.operands[:3]), [counter] * 3)
        or _differ("body arguments", _types(op.body().args), [counter, *inits])
        or _differ("results", _types(op.results), inits)
        or _yields(op.body(), "scf.yield", inits)
    )


def _if(op: Operation) -> str | None:
    if op.operand(0).type != I1:
        return f"a condition of type {op.operand(0).type}"
    results = _types(op.results)
    if not op.regions[1].blocks and results:
        return "results without an else"
    for region in op.regions:
        for block in region.blocks:
            wrong = _differ("block arguments", _types(block.args), []) or _yields(block, "scf.yield", results)
            if wrong:
                return wrong
    return None


def _while(op: Operation) -> str | None:
    inits, results = _types(op.operands), _types(op.results)
    before, after = op.body(0), op.body(1)
    return (
        _differ("arguments of the condition", _types(before.args), inits)
        or _yields(before, "scf.condition", [I1, *results], "types of the condition")
        or _differ("arguments of the body", _types(after.args), results)
        or _yields(after, "scf.yield", inits)
    )


def _parallel(op: Operation) -> str | None:
    n = len(op.body().args)
    if n == 0:
        return "no counters"
    inits = _types(op.operands[3 * n :])
    segments = op.attributes.get("operandSegmentSizes")
    if segments is None or cast(DenseArrayAttr, segments).values != (n, n, n, len(inits)):
        return f"operand segments {segments} do not fit {n} counters and {len(inits)} initial values"
    wrong = (
        _differ("bounds", _types(op.operands[: 3 * n]), [INDEX] * (3 * n))
        or _differ("counters", _types(op.body().args), [INDEX] * n)
        or _differ("results", _types(op.results), inits)
        or _yields(op.body(), "scf.reduce", inits, "reduced types")
    )
    if wrong:
        return wrong
    end = op.body().terminator
    if len(end.regions) != len(inits):
        return f"{len(end.regions)} combinations for {len(inits)} reductions"
    for region, type in zip(end.regions, inits, strict=True):
        wrong = _differ("combined types", _types(region.blocks[0].args), [type, type])
        wrong = wrong or _yields(region.blocks[0], "scf.reduce.return", [type])
        if wrong:
            return wrong
    return None


# linalg


def _structured(op: Operation) -> str | None:
    ins, outs = linalg.inputs(op), linalg.outputs(op)
    if op.name != "linalg.generic" and (len(ins), len(outs)) != ((1 if op.name == "linalg.fill" else 2), 1):
        return f"{len(ins)} inputs and {len(outs)} outputs"
    shaped = [v.type for v in outs if not isinstance(v.type, RankedTensorType | MemRefType)]
    if shaped:
        return f"an output of type {shaped[0]}"
    maps, iterators = linalg.indexing_maps(op), linalg.iterator_types(op)
    if len(maps) != len(op.operands):
        return f"{len(maps)} indexing maps for {len(op.operands)} operands"
    if any(kind not in (linalg.PARALLEL, linalg.REDUCTION) for kind in iterators):
        return f"iterator types {iterators}"
    for i, (map, value) in enumerate(zip(maps, op.operands, strict=True)):
        wrong = _map(i, map, value, len(iterators))
        if wrong:
            return wrong
    return (
        _differ("body arguments", _types(op.body().args), [element_type(v.type) for v in op.operands])
        or _differ("results", _types(op.results), [v.type for v in outs if isinstance(v.type, RankedTensorType)])
        or _yields(op.body(), "linalg.yield", [element_type(v.type) for v in outs])
    )


def _map(number: int, map: AffineMap, value: Value, dims: int) -> str | None:
    rank = len(value.type.shape) if isinstance(value.type, RankedTensorType | MemRefType) else 0
    if map.num_dims != dims or map.num_symbols:
        return f"indexing map {number} has {map.num_dims} dimensions, there are {dims} iterators"
    if len(map.results) != rank:
        return f"indexing map {number} has {len(map.results)} results for {value.type}"
    return None


def _linalg_index(op: Operation) -> str | None:
    parent = op.parent_op
    while parent is not None and not linalg.is_structured(parent) and parent.name != linalg_ext.ATTENTION:
        parent = parent.parent_op
    dim = op.attributes.get("dim")
    if parent is None:
        return "stands outside of a structured operation"
    rank = linalg_ext.rank(parent) if parent.name == linalg_ext.ATTENTION else len(linalg.iterator_types(parent))
    if not isinstance(dim, int) or not 0 <= dim < rank:
        return f"there is no iteration dimension {dim}"
    return _differ("result", _types(op.results), [INDEX])


# tensor, memref


def _shape(t: Type) -> tuple[Extent, ...]:
    return t.shape if isinstance(t, RankedTensorType | MemRefType) else ()


def _dynamic(shape: Sequence[Extent]) -> int:
    return sum(e is None for e in shape)


def _groups(op: Operation) -> dict[str, tuple[Value, ...]]:
    return cast(dict[str, tuple[Value, ...]], operand_groups(op, DEFINITIONS[op.name]))


def _indices(values: Sequence[Value]) -> str | None:
    return _differ("index types", _types(values), [INDEX] * len(values))


def _shaped(t: Type, kind: type[Type]) -> str | None:
    return None if isinstance(t, kind) else f"{t} is not a {_KINDS[kind]}"


_KINDS: Final[dict[type[Type], str]] = {RankedTensorType: "tensor", MemRefType: "memref", VectorType: "vector"}


def _made(group: str, kind: type[Type]) -> Check:
    """One index operand per dynamic extent of the result."""

    def check(op: Operation) -> str | None:
        wrong = _shaped(op.result.type, kind)
        if wrong:
            return wrong
        sizes, unknown = _groups(op)[group], _dynamic(_shape(op.result.type))
        if len(sizes) != unknown:
            return f"{len(sizes)} sizes for {unknown} dynamic extents of {op.result.type}"
        return _indices(sizes)

    return check


def _access(kind: type[Type], value: Callable[[Operation], Value], base: str) -> Check:
    """`value` is an element of `base` at as many indices as `base` has dimensions."""

    def check(op: Operation) -> str | None:
        groups = _groups(op)
        target = groups[base][0].type
        wrong = _shaped(target, kind)
        if wrong:
            return wrong
        indices = groups["indices"]
        if len(indices) != len(_shape(target)):
            return f"{len(indices)} indices into {target}"
        return _indices(indices) or _differ("element", [value(op).type], [element_type(target)])

    return check


def _dim(op: Operation) -> str | None:
    return _indices(op.operands[1:]) or _differ("result", _types(op.results), [INDEX])


def _insert(op: Operation) -> str | None:
    check = _access(RankedTensorType, lambda o: o.operand(0), "dest")
    return check(op) or _differ("result", _types(op.results), [op.operand(1).type])


def _from_elements(op: Operation) -> str | None:
    type = op.result.type
    if not isinstance(type, RankedTensorType) or None in type.shape:
        return f"elements listed for {type}"
    count = 1
    for extent in type.shape:
        count *= extent or 0
    if len(op.operands) != count:
        return f"{len(op.operands)} elements for {type}"
    return _differ("elements", _types(op.operands), [type.element] * count)


def _compatible(a: Type, b: Type) -> bool:
    """Same element and rank, and no two static extents that differ."""
    return (
        type(a) is type(b)
        and element_type(a) == element_type(b)
        and len(_shape(a)) == len(_shape(b))
        and all(x is None or y is None or x == y for x, y in zip(_shape(a), _shape(b), strict=True))
    )


def _shape_cast(op: Operation) -> str | None:
    a, b = op.operand(0).type, op.result.type
    return None if _compatible(a, b) else f"from {a} to {b}"


_BOX: Final = ("static_offsets", "static_sizes", "static_strides")


def _box(whole: Callable[[Operation], Type], part: Callable[[Operation], Type]) -> Check:
    """Offsets, sizes and strides of a box of `whole`, whose type is `part`."""

    def check(op: Operation) -> str | None:
        outer, inner = whole(op), part(op)
        groups = _groups(op)
        for name in _BOX:
            static = cast(DenseArrayAttr, op.attributes[name]).values
            operands = groups[name.removeprefix("static_")]
            if len(static) != len(_shape(outer)) or static.count(DYNAMIC_SENTINEL) != len(operands):
                return f"{name} {list(static)} with {len(operands)} operands for {outer}"
            wrong = _indices(operands)
            if wrong:
                return wrong
        if element_type(outer) != element_type(inner):
            return f"a part of {outer} is {inner}"
        sizes = [
            None if s == DYNAMIC_SENTINEL else s for s in cast(DenseArrayAttr, op.attributes["static_sizes"]).values
        ]
        return None if kept_dims(sizes, _shape(inner)) is not None else f"sizes {sizes} make no {inner}"

    return check


def _reassociation(op: Operation) -> str | None:
    groups = cast(tuple[tuple[int, ...], ...], op.attributes.get("reassociation", ()))
    wide, narrow = op.operand(0).type, op.result.type
    if op.name.endswith("expand_shape"):
        wide, narrow = narrow, wide
        shape = cast(DenseArrayAttr, op.attributes["static_output_shape"]).values
        if len(shape) != len(_shape(wide)) or shape.count(DYNAMIC_SENTINEL) != len(op.operands) - 1:
            return f"output shape {list(shape)} with {len(op.operands) - 1} operands for {wide}"
    if [i for g in groups for i in g] != list(range(len(_shape(wide)))) and groups:
        return f"groups {groups} of {wide}"
    if len(groups) != len(_shape(narrow)):
        return f"{len(groups)} groups for {narrow}"
    return _differ("elements", [element_type(wide)], [element_type(narrow)])


def _reshape(op: Operation) -> str | None:
    shape = op.operand(1).type
    rank = len(_shape(op.result.type))
    if not isinstance(shape, RankedTensorType) or len(shape.shape) != 1 or shape.shape[0] not in (None, rank):
        return f"a shape of type {shape}"
    return _differ("elements", [element_type(op.operand(0).type)], [element_type(op.result.type)])


def _pad(op: Operation) -> str | None:
    groups = _groups(op)
    rank = len(_shape(op.operand(0).type))
    for name in ("low", "high"):
        static = cast(DenseArrayAttr, op.attributes[f"static_{name}"]).values
        if len(static) != rank or static.count(DYNAMIC_SENTINEL) != len(groups[name]):
            return f"{name} {list(static)} with {len(groups[name])} operands for {op.operand(0).type}"
    if len(_shape(op.result.type)) != rank:
        return f"from {op.operand(0).type} to {op.result.type}"
    return _body_of_indices(op)


def _body_of_indices(op: Operation) -> str | None:
    rank = len(_shape(op.result.type))
    return _differ("body arguments", _types(op.body().args), [INDEX] * rank) or _yields(
        op.body(), "tensor.yield", [element_type(op.result.type)]
    )


def _generate(op: Operation) -> str | None:
    return _made("dynamicExtents", RankedTensorType)(op) or _body_of_indices(op)


def _splat(op: Operation) -> str | None:
    made = _made("dynamicSizes", RankedTensorType)(op)
    return made or _differ("element", [op.operand(0).type], [element_type(op.result.type)])


def _copy(op: Operation) -> str | None:
    a, b = _types(op.operands)
    return None if _compatible(a, b) and isinstance(a, MemRefType) else f"from {a} to {b}"


def _view(op: Operation) -> str | None:
    source, result = op.operand(0).type, op.result.type
    if not isinstance(source, MemRefType) or source.element != I8 or source.rank != 1 or source.layout is not None:
        return f"a view of {source}"
    if not isinstance(result, MemRefType) or result.layout is not None:
        return f"a view of type {result}"
    sizes = op.operands[2:]
    if len(sizes) != _dynamic(result.shape):
        return f"{len(sizes)} sizes for {result}"
    return _indices(op.operands[1:])


def _reinterpret(op: Operation) -> str | None:
    result = op.result.type
    if not isinstance(result, MemRefType) or not isinstance(op.operand(0).type, MemRefType):
        return f"from {op.operand(0).type} to {result}"
    for name, length in zip(_BOX, (1, result.rank, result.rank), strict=True):
        static = cast(DenseArrayAttr, op.attributes[name]).values
        if len(static) != length:
            return f"{name} {list(static)} for {result}"
    sizes = cast(DenseArrayAttr, op.attributes["static_sizes"]).values
    known = [None if s == DYNAMIC_SENTINEL else s for s in sizes]
    if list(result.shape) != known:
        return f"sizes {known} make no {result}"
    return _indices(op.operands[1:]) or _differ("elements", [element_type(op.operand(0).type)], [result.element])


def _global(op: Operation) -> str | None:
    type = op.attributes.get("type")
    value: Attribute = op.attributes.get("initial_value")
    if not isinstance(type, MemRefType) or None in type.shape:
        return f"a global of type {type}"
    if isinstance(value, DenseAttr):
        expected = RankedTensorType(type.shape, type.element)
        return _differ("type of the value", [value.type], [expected]) or _dense(value)
    return None


# vector


def _vector_access(name: str) -> Check:
    """A vector along the innermost dimensions of a memref."""

    def check(op: Operation) -> str | None:
        groups = _groups(op)
        base = groups["base"][0].type
        vector = groups[name][0].type if name else op.result.type
        if not isinstance(base, MemRefType) or not isinstance(vector, VectorType):
            return f"{vector} in {base}"
        if len(groups["indices"]) != base.rank or len(vector.shape) > base.rank:
            return f"{len(groups['indices'])} indices of {vector} into {base}"
        mask = groups.get("mask")
        if mask and mask[0].type != VectorType(vector.shape, I1):
            return f"a mask of type {mask[0].type} for {vector}"
        return _indices(groups["indices"]) or _differ("elements", [vector.element], [base.element])

    return check


def _broadcast(op: Operation) -> str | None:
    source, target = op.operand(0).type, op.result.type
    if not isinstance(target, VectorType) or element_type(source) != target.element:
        return f"from {source} to {target}"
    shape = source.shape if isinstance(source, VectorType) else ()
    trailing = target.shape[len(target.shape) - len(shape) :]
    fits = len(shape) <= len(target.shape) and all(a in (1, b) for a, b in zip(shape, trailing, strict=True))
    return None if fits else f"from {source} to {target}"


def _position(op: Operation) -> str | None:
    whole = op.operands[-1].type
    part = op.operand(0).type if op.name == "vector.insert" else op.result.type
    position = cast(DenseArrayAttr, op.attributes["static_position"]).values
    if not isinstance(whole, VectorType) or len(position) > len(whole.shape):
        return f"position {list(position)} of {whole}"
    if any(not 0 <= p < n for p, n in zip(position, whole.shape, strict=False)):
        return f"position {list(position)} of {whole}"
    rest = whole.shape[len(position) :]
    return _differ("part", [part], [VectorType(rest, whole.element) if rest else whole.element])


def _vector_reduction(op: Operation) -> str | None:
    source = op.operand(0).type
    if not isinstance(source, VectorType) or len(source.shape) != 1:
        return f"a reduction of {source}"
    return _differ("result", _types(op.results), [source.element])


def _shuffle(op: Operation) -> str | None:
    a, b = _types(op.operands)
    mask = cast(DenseArrayAttr, op.attributes["mask"]).values
    if not isinstance(a, VectorType) or not isinstance(b, VectorType) or len(a.shape) != 1 or len(b.shape) != 1:
        return f"lanes of {a} and {b}"
    if any(not 0 <= m < a.shape[0] + b.shape[0] for m in mask):
        return f"mask {list(mask)} of {a} and {b}"
    return _differ("result", _types(op.results), [VectorType((len(mask),), a.element)])


def _create_mask(op: Operation) -> str | None:
    result = op.result.type
    if not isinstance(result, VectorType) or result.element != I1 or len(op.operands) != len(result.shape):
        return f"{len(op.operands)} counts for {result}"
    return _indices(op.operands)


def _named_checks() -> Iterator[tuple[str, Check]]:
    integers = _elementwise(_is_integer, "an integer")
    floats = _elementwise(_is_float, "a float")
    for name in DEFINITIONS:
        dialect, _, word = name.partition(".")
        if (
            dialect == "arith"
            and word.endswith(("i", "si", "ui"))
            and len(DEFINITIONS[name].operands) == 2
            and word != "cmpi"
        ):
            yield name, integers
        if dialect == "arith" and word in _FLOAT_ARITHMETIC:
            yield name, floats
    yield from ((f"math.{n}", floats) for n in (*math.UNARY_FLOAT, *math.BINARY_FLOAT, "fma"))
    yield from ((f"math.{n}", integers) for n in (*math.UNARY_INTEGER, "ipowi"))
    yield from ((f"math.{n}", _predicate(_is_float, None)) for n in math.PREDICATES)


_FLOAT_ARITHMETIC: Final = (
    *("addf", "subf", "mulf", "divf", "remf", "negf"),
    *("maximumf", "minimumf", "maxnumf", "minnumf"),
)

CHECKS: Final[dict[str, Check]] = {
    **dict(_named_checks()),
    "arith.cmpi": _predicate(_is_integer, CMPI_PREDICATES),
    "arith.cmpf": _predicate(_is_float, CMPF_PREDICATES),
    "arith.extsi": _cast(_is_integer, _is_integer, lambda a, b: a < b),
    "arith.extui": _cast(_is_integer, _is_integer, lambda a, b: a < b),
    "arith.trunci": _cast(_is_integer, _is_integer, lambda a, b: a > b),
    "arith.extf": _cast(_is_float, _is_float, lambda a, b: a < b),
    "arith.truncf": _cast(_is_float, _is_float, lambda a, b: a > b),
    "arith.sitofp": _cast(_is_integer, _is_float, _any_widths),
    "arith.uitofp": _cast(_is_integer, _is_float, _any_widths),
    "arith.fptosi": _cast(_is_float, _is_integer, _any_widths),
    "arith.fptoui": _cast(_is_float, _is_integer, _any_widths),
    "arith.bitcast": _cast(lambda t: True, lambda t: True, lambda a, b: a == b),
    "arith.index_cast": _index_cast,
    "arith.index_castui": _index_cast,
    "arith.select": _select,
    "arith.constant": _constant,
    **{f"complex.{n}": _elementwise(_is_complex, "a complex number") for n in (*complexes.BINARY, *complexes.UNARY)},
    **{f"complex.{n}": _predicate(_is_complex, None) for n in complexes.COMPARISONS},
    "complex.re": _complex_part,
    "complex.im": _complex_part,
    "complex.create": _complex_create,
    "complex.constant": _complex_constant,
    "cf.assert": _assert,
    "func.func": _function,
    "gpu.func": _function,
    "func.return": _return,
    "scf.for": _for,
    "scf.if": _if,
    "scf.while": _while,
    "scf.parallel": _parallel,
    **dict.fromkeys(("linalg.generic", "linalg.fill", *linalg.NAMED_MAPS), _structured),
    "linalg.index": _linalg_index,
    "tensor.empty": _made("sizes", RankedTensorType),
    "tensor.dim": _dim,
    "tensor.extract": _access(RankedTensorType, lambda op: op.result, "tensor"),
    "tensor.insert": _insert,
    "tensor.from_elements": _from_elements,
    "tensor.cast": _shape_cast,
    "tensor.extract_slice": _box(lambda op: op.operand(0).type, lambda op: op.result.type),
    "tensor.insert_slice": _box(lambda op: op.operand(1).type, lambda op: op.operand(0).type),
    "tensor.collapse_shape": _reassociation,
    "tensor.expand_shape": _reassociation,
    "tensor.reshape": _reshape,
    "tensor.pad": _pad,
    "tensor.generate": _generate,
    "tensor.splat": _splat,
    "memref.alloc": _made("dynamicSizes", MemRefType),
    "memref.alloca": _made("dynamicSizes", MemRefType),
    "memref.load": _access(MemRefType, lambda op: op.result, "memref"),
    "memref.store": _access(MemRefType, lambda op: op.operand(0), "memref"),
    "memref.dim": _dim,
    "memref.cast": _shape_cast,
    "memref.copy": _copy,
    "memref.subview": _box(lambda op: op.operand(0).type, lambda op: op.result.type),
    "memref.reinterpret_cast": _reinterpret,
    "memref.collapse_shape": _reassociation,
    "memref.expand_shape": _reassociation,
    "memref.view": _view,
    "memref.global": _global,
    "vector.load": _vector_access(""),
    "vector.store": _vector_access("valueToStore"),
    "vector.maskedload": _vector_access(""),
    "vector.maskedstore": _vector_access("valueToStore"),
    "vector.gather": _vector_access(""),
    "vector.broadcast": _broadcast,
    "vector.fma": _elementwise(_is_float, "a float"),
    "vector.extract": _position,
    "vector.insert": _position,
    "vector.reduction": _vector_reduction,
    "vector.create_mask": _create_mask,
    "vector.shuffle": _shuffle,
}
"""By name of the operation."""

_BOXES: Final[dict[str, type]] = dict.fromkeys(_BOX, DenseArrayAttr)

REQUIRED: Final[dict[str, dict[str, type]]] = {
    "arith.constant": {"value": object},
    "arith.cmpi": {"predicate": str},
    "arith.cmpf": {"predicate": str},
    "complex.constant": {"value": tuple},
    "cf.assert": {"msg": str},
    "func.func": {"sym_name": str, "function_type": FunctionType},
    "func.call": {"callee": SymbolRef},
    "rt.fork": {"callee": SymbolRef},
    "gpu.module": {"sym_name": str},
    "gpu.func": {"sym_name": str, "function_type": FunctionType},
    "gpu.launch_func": {"kernel": tuple},
    **{f"gpu.{name}": {"dimension": str} for name in ("thread_id", "block_id", "block_dim", "grid_dim")},
    "linalg.generic": {"indexing_maps": tuple, "iterator_types": tuple},
    "linalg.index": {"dim": int},
    "tensor.extract_slice": _BOXES,
    "tensor.insert_slice": _BOXES,
    "tensor.collapse_shape": {"reassociation": tuple},
    "tensor.expand_shape": {"reassociation": tuple, "static_output_shape": DenseArrayAttr},
    "tensor.pad": {"static_low": DenseArrayAttr, "static_high": DenseArrayAttr},
    "memref.subview": _BOXES,
    "memref.reinterpret_cast": _BOXES,
    "memref.collapse_shape": {"reassociation": tuple},
    "memref.expand_shape": {"reassociation": tuple, "static_output_shape": DenseArrayAttr},
    "memref.prefetch": {"isWrite": bool, "isDataCache": bool, "localityHint": IntegerAttr},
    "memref.global": {"sym_name": str, "type": MemRefType},
    "memref.get_global": {"name": SymbolRef},
    "vector.extract": {"static_position": DenseArrayAttr},
    "vector.insert": {"static_position": DenseArrayAttr},
    "vector.reduction": {"kind": str},
    "vector.shuffle": {"mask": DenseArrayAttr},
    "torch.func": {"sym_name": str, "arg_names": tuple},
}
"""Attributes that must be there, with their Python types."""
