"""The reference interpreter of the `torch` stage on hand-built graphs, and its builtins."""

import math

import numpy as np
import pytest

from torchcc.ir.attributes import Constant
from torchcc.ir.builder import Builder
from torchcc.ir.core import Block, Region, new_module
from torchcc.ir.diagnostics import ExecutionError
from torchcc.ir.dialects import torch as torch_dialect
from torchcc.ir.interpreters import builtins
from torchcc.ir.interpreters.torch import Interpreter
from torchcc.ir.operator import OperatorError
from torchcc.ir.script_types import BOOL, FLOAT, INT, STR, TENSOR, ClassType, ListType, ScriptObject

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def graph(arg_types):
    module = new_module()
    names = [f"a{i}" for i in range(len(arg_types))]
    function = torch_dialect.func(module, "f", names, arg_types)
    return function, Builder(function.body())


def const(b, value, type_):
    return torch_dialect.constant(b, value, type_)


def test_in_place_operators_write_through_views_into_the_argument():
    function, b = graph([TENSOR])
    x = function.body().args[0]
    zero, one = const(b, 0, INT), const(b, 1, INT)
    row = b.create("aten::select.int", [x, zero, one], [TENSOR]).result
    b.create("aten::add_.Scalar", [row, const(b, 10, INT), one], [TENSOR])
    torch_dialect.return_(b, [row])
    given = X.copy()
    (row_value,) = Interpreter().run(function, [given])
    np.testing.assert_array_equal(given[1], X[1] + 10)
    assert np.shares_memory(row_value, given)


def test_functional_operators_give_new_memory():
    function, b = graph([TENSOR])
    x = function.body().args[0]
    torch_dialect.return_(b, [b.create("aten::clone", [x, torch_dialect.none(b)], [TENSOR]).result])
    (copy,) = Interpreter().run(function, [X])
    assert not np.shares_memory(copy, X)


def test_loop_and_if():
    function, b = graph([INT])
    n = function.body().args[0]
    body = Block([INT, INT])
    loop = b.create("prim::Loop", [n, const(b, True, BOOL), const(b, 0, INT)], [INT], regions=[Region([body])])
    with b.inside(body):
        index, total = body.args
        even = b.create(
            "aten::eq.int",
            [b.create("aten::remainder.int", [index, const(b, 2, INT)], [INT]).result, const(b, 0, INT)],
            [BOOL],
        ).result
        then, otherwise = Block(), Block()
        choice = b.create("prim::If", [even], [INT], regions=[Region([then]), Region([otherwise])])
        with b.inside(then):
            torch_dialect.yield_(b, [b.create("aten::add.int", [total, index], [INT]).result])
        with b.inside(otherwise):
            torch_dialect.yield_(b, [total])
        torch_dialect.yield_(b, [const(b, True, BOOL), choice.result])
    torch_dialect.return_(b, [loop.result])
    assert Interpreter().run(function, [7]) == [12]


def test_objects_keep_their_state_in_the_interpreter_only():
    class_type = ClassType("M", is_module=True, attributes={"w": TENSOR, "n": INT})
    weight = Constant("w", np.zeros(3, np.float32))
    module = ScriptObject(class_type, {"w": weight, "n": 1})
    function, b = graph([class_type])
    (self_,) = function.body().args
    w = b.create("prim::GetAttr", [self_], [TENSOR], {"name": "w"}).result
    one = const(b, 1, INT)
    b.create("aten::add_.Scalar", [w, one, one], [TENSOR])
    b.create("prim::SetAttr", [self_, const(b, 5, INT)], [], {"name": "n"})
    torch_dialect.return_(b, [w, b.create("prim::GetAttr", [self_], [INT], {"name": "n"}).result])
    interpreter = Interpreter()
    interpreter.run(function, [module])
    w_value, n_value = interpreter.run(function, [module])
    assert w_value.tolist() == [2, 2, 2] and n_value == 5
    assert weight.array.tolist() == [0, 0, 0] and module.attributes["n"] == 1


def test_raise_with_numbers_in_the_message():
    function, b = graph([INT])
    (n,) = function.body().args
    b.create("prim::RaiseException", [const(b, "n is {}", STR), torch_dialect.none(b), n])
    torch_dialect.return_(b, [n])
    with pytest.raises(ExecutionError, match="n is 7"):
        Interpreter().run(function, [7])


def test_metadata_changes_in_place_are_seen_by_all_names():
    function, b = graph([TENSOR])
    x = function.body().args[0]
    held = b.create("prim::ListConstruct", [x], [ListType(TENSOR)]).result
    b.create("aten::unsqueeze_", [x, const(b, 0, INT)], [TENSOR])
    torch_dialect.return_(b, [x, held])
    given = X.copy()
    changed, (element,) = Interpreter().run(function, [given])
    assert changed.shape == element.shape == (1, 2, 3) and given.shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("aten::add.int", [2**62, 2**62], -(2**63)),
        ("aten::floordiv.int", [-7, 2], -4),
        ("aten::remainder.int", [-7, 2], 1),
        ("aten::div.int", [1, 0], math.inf),
        ("aten::pow.int", [2, 3], 8.0),
        ("aten::round.float", [2.5], 2.0),
        ("aten::sqrt.float", [4.0], 2.0),
        ("aten::__range_length", [5, 0, -2], 3),
        ("aten::str", [1.0], "1."),
        ("aten::str", [0.1], "0.10000000000000001"),
        ("aten::str", [[1, "a", 2.5]], "[1, a, 2.5]"),
        ("aten::format", ["{} {}", 1, None], "1 None"),
        ("aten::percentFormat", ["%d %s %f", 3, "x", 1.5], "3 x 1.500000"),
        ("aten::len.str", ["é"], 2),
        ("aten::slice.str", ["abcd", None, None, -1], "dcba"),
        ("aten::popitem.str", [{"a": 1, "b": 2}], ("a", 1)),
        ("aten::sorted.int", [[3, 1, 2]], [1, 2, 3]),
        ("prim::max.int_float", [1, 2.5], 2.5),
        ("prim::min.self_int", [[3, 1]], 1),
    ],
)
def test_builtins(name, values, expected):
    found = builtins.find(name, values)(*values)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("aten::floordiv.int", [1, 0], "division by 0"),
        ("aten::__getitem__.t", [[1], 5], "list index out of range"),
        ("aten::pop.t", [[]], "pop from empty list"),
        ("aten::remove.int", [[1], 7], "list.remove(x): x not in list"),
        ("aten::__getitem__.Dict_str", [{}, "q"], "KeyError: q"),
        ("aten::format", ["{}"], "Too few arguments for format string"),
        ("aten::Int.str", ["1.5"], "invalid literal for int()"),
    ],
)
def test_builtins_that_fail(name, values, message):
    with pytest.raises(OperatorError) as error:
        builtins.find(name, values)(*values)
    assert message in str(error.value)


def test_math_is_that_of_c():
    assert math.isnan(builtins.find("aten::sqrt.float", [-1.0])(-1.0))
    assert builtins.find("aten::log.float", [0.0])(0.0) == -math.inf
    assert FLOAT.name == "float"
