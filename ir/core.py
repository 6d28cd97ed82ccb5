"""Values, operations, blocks, regions: MLIR's model, shared by the `torch`, `linalg` and `loops` stages.

An operation has a name (`dialect.op`, or `aten::op.Overload` / `prim::Op` in the torch stage), operands, results,
attributes and regions; what is legal for a name stands in its `OpDefinition` (see `definition.py`). A module is an
operation named `builtin.module` with one region of one block, in which functions stand (`func.func`, `torch.func`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from .attributes import Attribute
from .source import Span
from .types import Type


class Value:
    """An SSA value. `name` is a hint for the printer (the source's variable name), not an identity."""

    __slots__ = ("name", "type", "uses")

    def __init__(self, type: Type, name: str | None = None) -> None:
        self.type = type
        self.name = name
        self.uses: dict[tuple[Operation, int], None] = {}

    @property
    def owner(self) -> Operation | Block:
        raise NotImplementedError

    @property
    def users(self) -> list[Operation]:
        """Operations that use this value, each once, in order of first use recorded."""
        return list(dict.fromkeys(op for op, _ in self.uses))

    def replace_all_uses_with(self, other: Value) -> None:
        for op, index in list(self.uses):
            op.set_operand(index, other)

    def defining_op(self, name: str | None = None) -> Operation | None:
        """The operation that made this value (None for a block argument); with `name`, only an operation of that name."""
        owner = self.owner
        return owner if isinstance(owner, Operation) and (name is None or owner.name == name) else None


class OpResult(Value):
    __slots__ = ("index", "op")

    def __init__(self, op: Operation, index: int, type: Type, name: str | None = None) -> None:
        super().__init__(type, name)
        self.op = op
        self.index = index

    @property
    def owner(self) -> Operation:
        return self.op


class BlockArgument(Value):
    __slots__ = ("block", "index")

    def __init__(self, block: Block, index: int, type: Type, name: str | None = None) -> None:
        super().__init__(type, name)
        self.block = block
        self.index = index

    @property
    def owner(self) -> Block:
        return self.block


class Operation:
    """One operation. Stands in a block's linked list; `parent` is that block, None while detached."""

    __slots__ = ("_operands", "attributes", "name", "next", "parent", "prev", "regions", "results", "span")

    def __init__(
        self,
        name: str,
        operands: Sequence[Value] = (),
        result_types: Sequence[Type] = (),
        attributes: Mapping[str, Attribute] | None = None,
        regions: Sequence[Region] = (),
        span: Span | None = None,
    ) -> None:
        self.name = name
        self.span = span
        self.attributes: dict[str, Attribute] = dict(attributes or {})
        self.results: list[OpResult] = [OpResult(self, i, t) for i, t in enumerate(result_types)]
        self.regions: list[Region] = []
        self.parent: Block | None = None
        self.prev: Operation | None = None
        self.next: Operation | None = None
        self._operands: list[Value] = []
        self.set_operands(operands)
        for region in regions:
            self.add_region(region)

    def __repr__(self) -> str:
        return f"<{self.name} at {self.span}>" if self.span else f"<{self.name}>"

    # operands and results

    @property
    def operands(self) -> tuple[Value, ...]:
        return tuple(self._operands)

    def operand(self, index: int) -> Value:
        return self._operands[index]

    def set_operand(self, index: int, value: Value) -> None:
        del self._operands[index].uses[(self, index)]
        self._operands[index] = value
        value.uses[(self, index)] = None

    def set_operands(self, operands: Sequence[Value]) -> None:
        """Replaces all operands (their number may change)."""
        for index, old in enumerate(self._operands):
            del old.uses[(self, index)]
        self._operands = list(operands)
        for index, new in enumerate(self._operands):
            new.uses[(self, index)] = None

    @property
    def result(self) -> OpResult:
        """The only result."""
        assert len(self.results) == 1, f"{self.name} has {len(self.results)} results"
        return self.results[0]

    # structure

    def add_region(self, region: Region) -> Region:
        assert region.parent is None
        region.parent = self
        self.regions.append(region)
        return region

    def take_region(self) -> Region:
        """Takes out the last region, for another operation."""
        region = self.regions.pop()
        region.parent = None
        return region

    def body(self, index: int = 0) -> Block:
        """The only block of a region."""
        blocks = self.regions[index].blocks
        assert len(blocks) == 1, f"{self.name} has {len(blocks)} blocks"
        return blocks[0]

    @property
    def parent_op(self) -> Operation | None:
        return self.parent.parent.parent if self.parent is not None and self.parent.parent is not None else None

    def walk(self) -> Iterator[Operation]:
        """This operation and all nested ones, each before its regions; the one just visited may be erased."""
        yield self
        # Not recursive: programs may nest deeper than Python's stack. Nor generators in generators: all passes walk.
        blocks = [self._blocks()]
        following: list[Operation | None] = [None]
        while blocks:
            op = following[-1]
            if op is None:
                block = next(blocks[-1], None)
                if block is None:
                    blocks.pop()
                    following.pop()
                else:
                    following[-1] = block.first
                continue
            following[-1] = op.next
            yield op
            if op.regions:
                blocks.append(op._blocks())
                following.append(None)

    def _blocks(self) -> Iterator[Block]:
        for region in self.regions:
            yield from region.blocks

    def is_before(self, other: Operation) -> bool:
        """Whether this operation stands before `other` in the same block."""
        op = self.next
        while op is not None and op is not other:
            op = op.next
        return op is other

    def detach(self) -> Operation:
        """Takes the operation out of its block; uses stay."""
        block = self.parent
        assert block is not None
        if self.prev is None:
            block.first = self.next
        else:
            self.prev.next = self.next
        if self.next is None:
            block.last = self.prev
        else:
            self.next.prev = self.prev
        self.parent = self.prev = self.next = None
        return self

    def erase(self) -> None:
        """Removes the operation; its results must have no uses left."""
        for result in self.results:
            assert not result.uses, f"{self.name} is erased but still used by {result.users[0].name}"
        self.drop_operands()
        if self.parent is not None:
            self.detach()

    def drop_operands(self) -> None:
        """Forgets the operands of this and all nested operations."""
        for op in list(self.walk()):
            op.set_operands(())

    def replace_with(self, values: Sequence[Value]) -> None:
        """Uses of the results become uses of `values`; then the operation is erased."""
        assert len(values) == len(self.results)
        for result, value in zip(self.results, values, strict=True):
            result.replace_all_uses_with(value)
        self.erase()

    def clone(self, mapping: dict[Value, Value] | None = None) -> Operation:
        """A detached deep copy; operands found in `mapping` are replaced; results and block arguments are added to it."""
        mapping = {} if mapping is None else mapping
        root = self._clone_shallow(mapping)
        stack: list[tuple[Operation, Operation]] = [(self, root)]  # not recursive, as in `walk`
        while stack:
            old, new = stack.pop()
            for region in old.regions:
                copied = new.add_region(Region())
                for block in region.blocks:
                    target = copied.add_block(Block())
                    for argument in block.args:
                        mapping[argument] = target.add_argument(argument.type, argument.name)
                    for op in block.operations():
                        copy = target.append(op._clone_shallow(mapping))
                        if op.regions:
                            stack.append((op, copy))
        return root

    def _clone_shallow(self, mapping: dict[Value, Value]) -> Operation:
        copy = Operation(
            self.name,
            [mapping.get(v, v) for v in self._operands],
            [r.type for r in self.results],
            self.attributes,
            span=self.span,
        )
        for old, new in zip(self.results, copy.results, strict=True):
            new.name = old.name
            mapping[old] = new
        return copy


class Block:
    """A list of operations, the last a terminator, with typed arguments."""

    __slots__ = ("args", "first", "last", "parent")

    def __init__(self, arg_types: Sequence[Type] = (), names: Sequence[str | None] = ()) -> None:
        self.args: list[BlockArgument] = []
        self.first: Operation | None = None
        self.last: Operation | None = None
        self.parent: Region | None = None
        for i, t in enumerate(arg_types):
            self.add_argument(t, names[i] if i < len(names) else None)

    def add_argument(self, type: Type, name: str | None = None) -> BlockArgument:
        argument = BlockArgument(self, len(self.args), type, name)
        self.args.append(argument)
        return argument

    def erase_argument(self, index: int) -> None:
        assert not self.args[index].uses
        del self.args[index]
        for i, argument in enumerate(self.args):
            argument.index = i

    def operations(self) -> Iterator[Operation]:
        """In order; the operation just yielded may be erased or have others inserted after it (these are not visited)."""
        op = self.first
        while op is not None:
            following = op.next
            yield op
            op = following

    def __len__(self) -> int:
        return sum(1 for _ in self.operations())

    @property
    def terminator(self) -> Operation:
        assert self.last is not None, "block without a terminator"
        return self.last

    @property
    def parent_op(self) -> Operation | None:
        return self.parent.parent if self.parent is not None else None

    def append(self, op: Operation) -> Operation:
        return self.insert_before(op, None)

    def insert_before(self, op: Operation, anchor: Operation | None) -> Operation:
        """Inserts `op` before `anchor`, at the end for None."""
        assert op.parent is None and (anchor is None or anchor.parent is self)
        before = self.last if anchor is None else anchor.prev
        op.parent, op.prev, op.next = self, before, anchor
        if before is None:
            self.first = op
        else:
            before.next = op
        if anchor is None:
            self.last = op
        else:
            anchor.prev = op
        return op

    def clone_into(self, target: Block, mapping: dict[Value, Value]) -> None:
        """Appends copies of all operations to `target`; arguments must be in `mapping` already."""
        for op in self.operations():
            target.append(op.clone(mapping))


class Region:
    """A list of blocks owned by an operation; this project's IR is structured: one block each (CFG regions are not used)."""

    __slots__ = ("blocks", "parent")

    def __init__(self, blocks: Sequence[Block] = ()) -> None:
        self.blocks: list[Block] = []
        self.parent: Operation | None = None
        for block in blocks:
            self.add_block(block)

    def add_block(self, block: Block) -> Block:
        assert block.parent is None
        block.parent = self
        self.blocks.append(block)
        return block

    def clone(self, mapping: dict[Value, Value]) -> Region:
        copy = Region()
        for block in self.blocks:
            new = copy.add_block(Block())
            for argument in block.args:
                mapping[argument] = new.add_argument(argument.type, argument.name)
            block.clone_into(new, mapping)
        return copy


MODULE = "builtin.module"


def new_module() -> Operation:
    """An empty module."""
    return Operation(MODULE, regions=[Region([Block()])])


def functions(module: Operation) -> Iterator[Operation]:
    """Functions of a module (`func.func`, `torch.func`), declarations included."""
    for op in module.body().operations():
        if op.name in ("func.func", "torch.func"):
            yield op


def symbol(op: Operation) -> str:
    """The `sym_name` of a function or global."""
    return cast(str, op.attributes["sym_name"])


def lookup(module: Operation, name: str) -> Operation | None:
    """The top-level operation of that symbol."""
    return next((op for op in module.body().operations() if op.attributes.get("sym_name") == name), None)
