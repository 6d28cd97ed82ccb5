"""Control flow: what loops carry, how early exits are written, and what programs compute (run by the interpreter)."""

import numpy as np
import pytest

from torchcc.frontend.compile import compile_text, prelude_function
from torchcc.ir.attributes import Constant
from torchcc.ir.core import Operation, functions, lookup, symbol
from torchcc.ir.script_types import BOOL, INT, TENSOR, ClassType, OptionalType

_HEAD = "import torch\nimport torch.nn as nn\nfrom typing import *\nfrom torch import Tensor\n"


def function(text: str, entry: str = "f") -> Operation:
    program = compile_text(_HEAD + text, entry=entry)
    found = lookup(program.module, program.entry)
    assert found is not None
    return found


def only(op: Operation, name: str) -> Operation:
    (found,) = [o for o in op.walk() if o.name == name]
    return found


def named(op: Operation, name: str) -> list[Operation]:
    return [o for o in op.walk() if o.name == name]


def test_function_form():
    f = function("def f(x: Tensor, n: int = 3):\n    return x + n\n")
    assert f.attributes == {"sym_name": "f", "arg_names": ("x", "n")}
    assert [(a.name, a.type) for a in f.body().args] == [("x", TENSOR), ("n", INT)]
    add = only(f, "aten::add.Scalar")
    assert len(add.operands) == 3 and add.operand(0) is f.body().args[0]
    assert f.body().terminator.name == "torch.return" and f.body().terminator.operands == (add.result,)


def test_every_operation_has_a_place_and_constants_stand_first_once():
    f = function("def f(x, n: int):\n    for i in range(n):\n        x = x + 1\n        x = x * 1\n    return x\n")
    assert all(op.span is not None for op in f.walk())
    constants = named(f, "prim::Constant")
    assert all(c.parent is f.body() for c in constants)
    assert sum(c.attributes.get("value") == 1 and c.result.type == INT for c in constants) == 1


def test_loop_carries_what_it_sets():
    f = function(
        "def f(x, n: int):\n    y = x\n    for i in range(n):\n        y = y + x\n        z = y * 2\n    return y\n"
    )
    loop = only(f, "prim::Loop")
    assert [r.name for r in loop.results] == ["y"]
    assert [a.name for a in loop.body().args] == ["i", "y"]
    assert len(loop.body().terminator.operands) == 2


def test_return_in_a_loop_adds_a_flag_and_the_result():
    f = function("def f(l: List[int]):\n    for x in l:\n        if x > 2: return x\n    return 0\n")
    loop = only(f, "prim::Loop")
    assert [r.type for r in loop.results] == [BOOL, INT]


def test_code_behind_an_early_return_stands_in_the_other_branch():
    f = function("def f(x, c: bool):\n    if c: return x\n    y = x + 1\n    return y\n")
    branch = only(f, "prim::If")
    assert only(f, "aten::add.Scalar").parent is branch.body(1)
    assert f.body().terminator.operands == (branch.result,)


def test_merged_variables_are_results():
    f = function("def f(x, c: bool):\n    y = x\n    if c: y = x + 1\n    return y\n")
    branch = only(f, "prim::If")
    assert branch.result.name == "y" and branch.body(1).terminator.operands == (f.body().args[0],)


def test_refinement_is_a_cast_and_the_idiom_of_a_default_works():
    f = function("def f(x: Optional[int]):\n    if x is None:\n        x = 1\n    return x + 1\n")
    branch = only(f, "prim::If")
    assert branch.result.type == INT
    f = function(
        "def f(x: Optional[Tensor], y: Tensor):\n    if x is None:\n        raise ValueError('x')\n    return x + y\n"
    )
    add = only(f, "aten::add.Tensor")
    assert add.operand(0).type == TENSOR and add.parent is f.body()


def test_declared_type_is_kept():
    f = function("def f(c: bool):\n    y: Optional[int] = None\n    if c: y = 3\n    return y\n")
    assert only(f, "prim::If").result.type == OptionalType(INT)


def test_static_conditions_compile_one_branch():
    text = "def f(x: Tensor, y: Optional[int] = None):\n    if isinstance(x, int): return x.nonsense()\n"
    text += "    if not torch.jit.is_scripting(): return x.nonsense()\n"
    text += "    if x is None: return x.nonsense()\n    return x\n"
    assert not named(function(text), "prim::If")


def test_raise_and_assert():
    f = function("def f(n: int):\n    assert n > 0, f'bad {n}'\n    if n > 5: raise KeyError('big')\n    return n\n")
    first, second = named(f, "prim::RaiseException")
    message = first.operand(0).defining_op("aten::add.str")
    assert message is not None
    assert second.operand(0).defining_op().attributes["value"] == "big"
    assert second.operand(1).defining_op().attributes["value"] == "builtins.KeyError"


def test_calls_are_functions_of_the_module():
    program = compile_text(_HEAD + "def g(x, k: int = 2):\n    return x * k\ndef f(x):\n    return g(x) + g(x, k=3)\n")
    assert program.entry == "f"
    assert [symbol(f) for f in functions(program.module)] == ["g", "f"]
    calls = named(lookup(program.module, "f"), "prim::CallFunction")
    assert len(calls) == 2 and all(c.operand(0).defining_op().attributes["name"] == "g" for c in calls)


_MODULE = """
class Block(nn.Module):
    def __init__(self, n: int):
        super().__init__()
        self.fc = nn.Linear(n, n)
        self.calls = 0
    def forward(self, x):
        self.calls += 1
        return self.fc(x)

class Net(nn.Module):
    scale: Final[float]
    def __init__(self, n: int = 4):
        super().__init__()
        self.scale = 2.0
        self.blocks = nn.ModuleList([Block(n), Block(n)])
        self.extra = None
        self.register_buffer("offset", torch.zeros(n))
    @property
    def factor(self) -> float:
        return self.scale
    @torch.jit.unused
    def helper(self, x):
        return x.nonsense
    @torch.jit.export
    def twice(self, x: int) -> int:
        return 2 * x
    def forward(self, x, unused: bool = False):
        for i, block in enumerate(self.blocks):
            x = block(x) + i
        if self.extra is not None:
            x = x + self.extra.nonsense
        if unused:
            x = self.helper(x)
        return x * self.factor + self.offset
"""


def test_module():
    program = compile_text(_HEAD + _MODULE)
    assert program.entry == "Net.forward"
    names = [symbol(f) for f in functions(program.module)]
    assert {"Block.forward", "Net.helper", "Net.factor", "Net.twice", "Net.forward"} <= set(names)
    assert names.count("Block.forward") == 1
    receiver = program.receiver
    assert receiver is not None and isinstance(receiver.type, ClassType)
    assert receiver.type.methods["forward"] == "Net.forward" and receiver.type.constants == {"scale": 2.0}
    tensors = receiver.named_tensors()
    assert list(tensors) == [
        "offset",
        "blocks.0.fc.weight",
        "blocks.0.fc.bias",
        "blocks.1.fc.weight",
        "blocks.1.fc.bias",
    ]
    assert all(isinstance(t, Constant) and t.name == n for n, t in tensors.items())
    assert [a.name for a in program.schema.arguments] == ["x", "unused"]
    forward = lookup(program.module, "Net.forward")
    assert forward.body().args[0].type is receiver.type
    calls = [c.attributes["name"] for c in named(forward, "prim::CallMethod")]
    assert calls == ["forward", "forward", "helper", "factor"]


def test_equal_instances_share_a_type():
    program = compile_text(_HEAD + _MODULE)
    blocks = program.receiver.attributes["blocks"]
    assert blocks.attributes["0"].type is blocks.attributes["1"].type
    assert blocks.attributes["0"] is not blocks.attributes["1"]


def test_weights_are_loaded_and_checked():
    weights = {
        n: np.full(t.array.shape, 3.0) for n, t in compile_text(_HEAD + _MODULE).receiver.named_tensors().items()
    }
    loaded = compile_text(_HEAD + _MODULE, weights=weights).receiver.named_tensors()
    assert all((t.array == 3.0).all() for t in loaded.values())
    del weights["offset"]
    with pytest.raises(Exception, match="missing: offset"):
        compile_text(_HEAD + _MODULE, weights=weights)


def test_composite_operators_compile_one_by_one():
    program = prelude_function("aten::softmax.int")
    assert program.entry in [symbol(f) for f in functions(program.module)]
    assert [a.name for a in program.schema.arguments] == ["self", "dim", "dtype"]
    with pytest.raises(KeyError):
        prelude_function("aten::no_such_operator")
