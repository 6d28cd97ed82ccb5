"""Rewrites IR in place: a driver that applies patterns until none matches, and the two cleanups that every stage needs.

A pattern is a function of an operation; it changes the IR through the `Rewriter`, a builder that stands before the
operation and remembers what has to be looked at again:

    def add_zero(op: Operation, rewriter: Rewriter) -> bool:
        if arith.constant_value(op.operand(1)) != 0:
            return False
        rewriter.replace(op, [op.operand(0)])
        return True

    rewrite(function, {"arith.addi": [add_zero]})

A pattern must make progress (its result must not match again), return whether it changed anything, and leave the IR
valid. Which pattern of an operation is tried first is the order of the list.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from .attributes import Attribute, DenseAttr, FloatAttr, IntegerAttr
from .builder import Builder
from .core import Operation, Region, Value
from .definition import Trait
from .diagnostics import InternalError
from .dialects import DEFINITIONS
from .operators import schema


class Rewriter(Builder):
    """Inserts before the operation that is being rewritten."""

    def __init__(self, op: Operation) -> None:
        assert op.parent is not None
        super().__init__(op.parent, op, op.span)
        self.touched: dict[Operation, None] = {}
        self.erased: set[Operation] = set()

    def insert(self, op: Operation) -> Operation:
        inserted = super().insert(op)
        for nested in inserted.walk():
            self.touched[nested] = None
        return inserted

    def replace(self, op: Operation, values: Sequence[Value]) -> None:
        """Uses of the results of `op` become uses of `values`; `op` goes."""
        for result in op.results:
            self.touched.update(dict.fromkeys(result.users))
        for result, value in zip(op.results, values, strict=True):
            if value.name is None:
                value.name = result.name
            result.replace_all_uses_with(value)
        self.erase(op)

    def erase(self, op: Operation) -> None:
        """Removes `op`, whose results nobody uses; makers of its operands may have become unused."""
        self._touch_makers(op)
        self.erased.update(op.walk())
        op.erase()

    def changed(self, op: Operation) -> None:
        """To be called after operands, attributes or regions of `op` have been changed in place."""
        self.touched[op] = None
        self._touch_makers(op)
        for result in op.results:
            self.touched.update(dict.fromkeys(result.users))

    def _touch_makers(self, op: Operation) -> None:
        for value in op.operands:
            maker = value.defining_op()
            if maker is not None:
                self.touched[maker] = None


class RewritePattern(Protocol):
    def __call__(self, op: Operation, rewriter: Rewriter, /) -> bool: ...


_REWRITES_PER_OPERATION: Final = 200
_REWRITES_AT_LEAST: Final = 10_000


def rewrite(root: Operation, patterns: Mapping[str, Sequence[RewritePattern]]) -> bool:
    """Applies patterns, listed by the name of the operation they look at, inside `root` until none matches.

    True when anything changed. Patterns that never come to an end are an InternalError.
    """
    worklist: dict[Operation, None] = {op: None for op in root.walk() if op is not root and op.name in patterns}
    left = max(_REWRITES_AT_LEAST, _REWRITES_PER_OPERATION * len(worklist))
    erased: set[Operation] = set()
    anything = False
    while worklist:
        op = next(iter(worklist))
        del worklist[op]
        if op in erased or op.parent is None:
            continue
        rewriter = Rewriter(op)
        found = next((p for p in patterns[op.name] if p(op, rewriter)), None)
        erased |= rewriter.erased
        if found is None:
            continue
        anything = True
        left -= 1
        if left < 0:
            raise InternalError(f"rewriting does not come to an end; the last pattern was {found} on {op.name}")
        for touched in (*rewriter.touched, op):
            if touched.name in patterns and touched not in erased:
                worklist.setdefault(touched)
    return anything


# effects

_STRUCTURED: Final = ("linalg.generic", "linalg.fill", "linalg.matmul", "linalg.batch_matmul")
_AS_THEIR_REGIONS: Final = frozenset(
    {
        "scf.if",
        "scf.for",
        "scf.while",
        "scf.parallel",
        "scf.reduce",
        "tensor.pad",
        "tensor.generate",
        "prim::If",
        "prim::Loop",
    }
)
_ONLY_READ: Final = frozenset(
    {
        *("memref.load", "memref.alloc", "memref.alloca", "memref.get_global", "memref.dim"),
        *("vector.load", "vector.maskedload", "vector.gather"),
        *("prim::ListConstruct", "prim::DictConstruct", "prim::GetAttr", "prim::NumToTensor"),
    }
)
"""Not free of state, but what they do is nothing when nobody uses their results."""


def _has_trait(op: Operation, trait: Trait) -> bool:
    definition = DEFINITIONS.get(op.name)
    return definition is not None and trait in definition.traits


def is_removable(op: Operation) -> bool:
    """Whether `op` itself (regions aside) does nothing but make its results. As in PyTorch, an `aten::` node that
    writes to no argument is, even where it might fail."""
    if op.name in _AS_THEIR_REGIONS or op.name in _ONLY_READ or _has_trait(op, Trait.PURE):
        return True
    if op.name in _STRUCTURED:
        return bool(op.results)  # without results it writes to memory
    if op.name.startswith("aten::"):
        form = schema(op.name)
        return form is not None and bool(form.returns) and not any(a.is_written for a in form.arguments)
    return False


def eliminate_dead_code(region: Region) -> bool:
    """Removes operations whose results nobody uses and that have no effect; True when something went."""
    operations = [op for top in _operations(region) for op in top.walk()]
    effects: set[Operation] = set()
    changed = False
    for op in reversed(operations):  # users before what they use, bodies before their operations
        if _has_trait(op, Trait.TERMINATOR):
            continue
        dead = is_removable(op) and op not in effects
        if dead and not any(result.uses for result in op.results):
            op.erase()
            changed = True
        elif not dead and op.parent_op is not None:
            effects.add(op.parent_op)
    return changed


def _operations(region: Region) -> Iterator[Operation]:
    for block in region.blocks:
        yield from block.operations()


# common subexpressions


def is_repeatable(op: Operation) -> bool:
    """Whether a second run of `op` on the same operands gives the same as the first, and does nothing else.

    `tensor.empty` is not counted: two of them are two destinations, and sharing one would only cost a copy later.
    """
    return _has_trait(op, Trait.PURE) and not op.regions and op.name not in ("tensor.empty", "prim::Uninitialized")


def common_subexpressions(region: Region, repeatable: Callable[[Operation], bool] = is_repeatable) -> bool:
    """Of two equal repeatable operations the second goes, where the first is visible; True when something went."""
    known: dict[Hashable, Operation] = {}
    changed = False
    # Nested regions see what stands before them; what they add is forgotten at their end.
    stack: list[tuple[Iterator[Operation], list[Hashable], dict[Hashable, Operation]]] = [
        (_operations(region), [], known)
    ]
    while stack:
        operations, added, known = stack[-1]
        op = next(operations, None)
        if op is None:
            for key in added:
                del known[key]
            stack.pop()
            continue
        if repeatable(op):
            key = _key(op)
            first = known.get(key)
            if first is not None:
                op.replace_with(first.results)
                changed = True
                continue
            known[key] = op
            added.append(key)
        visible = {} if _has_trait(op, Trait.ISOLATED) else known
        stack.extend((_operations(r), [], visible) for r in reversed(op.regions))
    return changed


def _key(op: Operation) -> Hashable:
    operands = [id(v) for v in op.operands]
    if _has_trait(op, Trait.COMMUTATIVE):
        operands.sort()
    attributes = tuple((name, attribute_key(a)) for name, a in sorted(op.attributes.items(), key=lambda item: item[0]))
    return op.name, tuple(operands), attributes, tuple(r.type for r in op.results)


def attribute_key(attribute: Attribute) -> Hashable:
    """Equal for equal attributes only: Python takes 0, 0.0, -0.0 and False for the same."""
    match attribute:
        case FloatAttr(value, of):
            return "float", value.hex(), of
        case IntegerAttr(value, of):
            return "integer", int(value), of
        case DenseAttr(value, of):
            return "dense", attribute_key(value), of
        case tuple():
            return tuple(map(attribute_key, attribute))
        case bool() | int() | str() | None:
            return type(attribute).__name__, attribute
        case float():
            return "f", attribute.hex()
        case complex():
            return "c", attribute.real.hex(), attribute.imag.hex()
        case _:
            return attribute
