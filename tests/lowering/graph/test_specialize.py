"""The shape of specialised graphs: what is decided at compile time, what is left, what is refused."""

import numpy as np
import pytest

from torchcc.driver import composite
from torchcc.ir.diagnostics import CompileError
from torchcc.ir.dtypes import DType
from torchcc.ir.program import StateNeeded
from torchcc.ir.script_types import INT, TensorType
from torchcc.ir.signature import (
    ConstantResult,
    Leaf,
    ScalarSpec,
    SequenceResult,
    SequenceSpec,
    StateSpec,
    TensorSpec,
)
from torchcc.lowering.graph.functionalize import functionalize
from torchcc.lowering.graph.specialize import specialize

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_sizes_and_dtypes_are_constants(steps):
    case = steps("def f(x):\n  return x.view(x.size(1), -1) * x.dim() + len(x)\n", [X]).lower()
    assert not any(n.startswith("aten::size") for n in case.names)
    assert case.signature.results == (TensorType(DType.float32, (3, 2)),)


def test_dynamic_sizes_are_numbers_at_run_time(steps):
    case = steps("def f(x):\n  return x.view(x.size(1), x.size(0)), x.size(0)\n", [X], dynamic=True).lower()
    assert case.names.count("aten::size.int") == 2
    assert case.signature.results == (TensorType(DType.float32, (None, None)), INT)


def test_calls_objects_and_composites_disappear(steps):
    source = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])
        self.scale = 2
    def forward(self, x):
        for layer in self.layers:
            x = torch.softmax(layer(x), -1) * self.scale
        return x
"""
    case = steps(source, [X], entry="Net()")
    case.check()
    assert not {"prim::CallMethod", "prim::GetAttr", "aten::softmax.int"} & set(case.names)
    assert case.names.count("aten::linear") == 2


def test_short_loops_are_unrolled_and_long_ones_stay(steps):
    source = "def f(x):\n  for i in range({}):\n    x = x * 2 + i\n  return x\n"
    assert "prim::Loop" not in steps(source.format(4), [X]).lower().names
    assert steps(source.format(100), [X]).lower().names.count("prim::Loop") == 1


def test_a_long_loop_over_a_list_of_tensors_is_unrolled(steps):
    source = "def f(x):\n  l = [x + i for i in range(20)]\n  for i in range(20):\n    x = x + l[i]\n  return x\n"
    case = steps(source, [X])
    case.check()
    assert "prim::Loop" not in case.names


def test_only_what_an_iteration_changes_is_carried(steps):
    source = """
def f(x, n: int):
    t = (x + 1, 3, [1, 2])
    y = x
    for i in range(n):
        y = y + t[0] * t[2][1]
    return y
"""
    case = steps(source, [X, 3]).lower()
    (loop,) = [op for op in case.function.walk() if op.name == "prim::Loop"]
    assert len(loop.results) == 1


def test_extents_that_change_in_a_loop_become_dynamic(steps):
    source = "def f(x, n: int):\n  for i in range(n):\n    x = torch.cat([x, x])\n  return x\n"
    case = steps(source, [X, 3])
    assert case.check().shape == (16, 3)
    assert case.signature.results == (TensorType(DType.float32, (None, 3)),)


def test_extents_that_differ_between_branches_become_dynamic(steps):
    source = "def f(x, n: int):\n  if n > 0:\n    y = x\n  else:\n    y = x[:1]\n  return y\n"
    case = steps(source, [X, 0])
    assert case.check().shape == (1, 3)
    assert case.signature.results == (TensorType(DType.float32, (None, 3)),)


def test_a_raising_branch_is_a_check_and_nothing_is_nested(steps):
    source = "def f(x, n: int):\n  if n < 0:\n    raise ValueError(f'n is {n}')\n  return x * n\n"
    case = steps(source, [X, 3]).lower()
    (branch,) = [op for op in case.function.walk() if op.name == "prim::If"]
    assert not branch.results and branch.body(0).first.name == "prim::RaiseException"
    assert any(op.name == "aten::mul.Scalar" for op in case.function.body().operations())


def test_message_of_a_raise_has_holes(steps):
    case = steps("def f(x, n: int):\n  assert n > 0, f'n is {n}, not {[n, 1]}'\n  return x\n", [X, -1])
    assert case.check().message == "AssertionError: n is -1, not [-1, 1]"


def test_a_function_that_always_raises_compiles(steps):
    case = steps("def f(x):\n  raise ValueError('no')\n", [X])
    assert case.check().message.endswith("ValueError: no")


def test_constants_of_an_argument_are_folded(steps):
    source = "def f(x, mode: str, k: int):\n  if mode == 'double' and k > 1:\n    return x * 2\n  return x\n"
    case = steps(source, [X, "double", 3], constant=[1, 2]).lower()
    assert "prim::If" not in case.names and len(case.signature.parameters) == 1


def test_structured_arguments_and_results(steps):
    source = "def f(xs: List[Tensor], p: Tuple[Tensor, int]):\n  return xs[0] + p[0], [p[1], 7], None\n"
    case = steps(source, [[X, X], (X, 4)])
    case.check()
    assert [p.name for p in case.signature.parameters] == ["xs[0]", "xs[1]", "p[0]", "p[1]"]
    first, second, third = case.signature.tree.elements
    assert isinstance(first, Leaf) and third == ConstantResult(None)
    assert isinstance(second, SequenceResult) and second.elements[1] == ConstantResult(7)


def test_defaults_of_parameters(steps):
    case = steps("def f(x, k: int = 3):\n  return x * k\n", [X])
    case.check()


def test_types_of_item_follow_the_dtype(steps):
    source = "def f(x, i, b):\n  return x[0, 0].item(), i.sum().item(), b.any().item()\n"
    case = steps(source, [X, np.arange(3), np.array([True, False])])
    case.check()
    assert [str(t) for t in case.signature.results] == ["float", "int", "bool"]


def test_folded_constants(steps):
    source = "def f(x):\n  k = torch.arange(3) * 2 + 1\n  return x + k, torch.zeros(2, 3)\n"
    case = steps(source, [X])
    case.check()
    assert "aten::arange" not in case.names and "aten::zeros" in case.names


REFUSED = {
    "element_of_a_list_of_run_time_length": (
        "def f(x, n: int):\n  l = [x]\n  for i in range(n):\n    l.append(x[0])\n  return torch.cat(l)\n",
        "the dtype or number of dimensions of the tensors in this list is only known at run time",
    ),
    "shape_error": ("def f(x):\n  return x @ x\n", "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_an_error_at_its_line(name, steps):
    source, message = REFUSED[name]
    args = [X, 1] if "n: int" in source else [X]
    with pytest.raises(CompileError) as found:
        steps(source, args).lower()
    assert message in str(found.value) and found.value.diagnostics[0].span is not None


def test_an_error_in_a_branch_that_is_not_taken_is_one_at_run_time(steps):
    source = "def f(x, n: int):\n  if n > 1:\n    x = x @ x\n  return x\n"
    steps(source, [X, 0]).check()
    assert "cannot be multiplied" in steps(source, [X, 2]).check().message


def test_errors_name_the_calls_that_led_there(steps):
    source = "def g(x):\n  return x @ x\ndef f(x):\n  return g(x)\n"
    with pytest.raises(CompileError) as found:
        steps(source, [X]).lower()
    (diagnostic,) = found.value.diagnostics
    assert diagnostic.span.text.startswith("x @ x") and any(n.message == "called from here" for n in diagnostic.notes)


STATE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(3))
        self.count = 0
        self.items = [1, 2]
    def forward(self, x):
        {}
        return x
"""


@pytest.mark.parametrize(
    ("statement", "attributes", "tensors"),
    [
        ("self.count += 1", ["count"], 0),
        ("self.total.add_(1)", [], 1),
        ("self.total[0] = 2", [], 1),
        ("self.total = x", ["total"], 0),
        ("self.items.append(1)", ["items"], 0),
        ("self.total.unsqueeze_(0)", [], 1),
        ("self.count = self.count", [], None),
    ],
)
def test_attributes_that_are_changed_must_be_declared(statement, attributes, tensors, steps):
    program = steps(STATE.format(statement), [X], entry="Net()")
    if tensors is None:
        program.lower()
        return
    with pytest.raises(StateNeeded) as found:
        program.lower()
    assert [name for _, name in found.value.attributes] == attributes and len(found.value.tensors) == tensors


def test_declared_state_is_input_and_result(steps):
    program = steps(STATE.format("self.count += 1; self.total.add_(1); self.items.append(self.count)"), [X], entry="Net()").program
    state = (
        StateSpec("total", TensorSpec(DType.float32, (3,))),
        StateSpec("count", ScalarSpec(INT)),
        StateSpec("items", SequenceSpec((ScalarSpec(INT), ScalarSpec(INT)))),
    )
    module, signature = specialize(program, [TensorSpec(DType.float32, (2, 3))], composite, state=state)
    signature = functionalize(module, signature)
    assert [p.name for p in signature.parameters] == ["x", "self.total", "self.count", "self.items[0]", "self.items[1]"]
    assert [p.write_back is not None for p in signature.parameters] == [False, True, False, False, False]
    assert [r.path for r in signature.state] == ["count", "items"] and signature.used == ("total", "count", "items")
    count, items = (r.tree for r in signature.state)
    assert isinstance(count, Leaf) and isinstance(items, SequenceResult)
    assert items.identity == "items" and items.elements[2] == count and signature.returned == {0}


def test_state_that_is_not_used_is_no_parameter(steps):
    program = steps(STATE.format("x = x + self.count"), [X], entry="Net()").program
    state = (StateSpec("total", TensorSpec(DType.float32, (3,))), StateSpec("count", ScalarSpec(INT)))
    _, signature = specialize(program, [TensorSpec(DType.float32, (2, 3))], composite, state=state)
    assert [p.path for p in signature.parameters] == [None, "count"] and signature.used == ("count",)
    assert signature.state == ()
