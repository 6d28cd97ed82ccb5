"""Lists and boxes of the `rt` dialect: their text, what the verifier refuses, what the interpreter does."""

import numpy as np
import pytest

from torchcc.ir.diagnostics import CompileError, InternalError
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.ir.structure import difference
from torchcc.ir.verifier import verify

LIST = "!rt.list<i64, f64>"

PROGRAM = f"""
func.func @f(%n: index, %x: i64, %y: f64, %t: tensor<?x2xf32>) -> (index, i64, f64, tensor<?x2xf32>) {{
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %l = rt.list : {LIST}
  scf.for %i = %zero to %n step %one {{
    rt.push(%l, %x, %y) : ({LIST}, i64, f64) -> ()
  }}
  %z = arith.constant 5 : i64
  rt.insert(%l, %one, %z, %y) : ({LIST}, index, i64, f64) -> ()
  rt.set(%l, %zero, %z, %y) : ({LIST}, index, i64, f64) -> ()
  rt.erase(%l, %zero, %one) : ({LIST}, index, index) -> ()
  %m = rt.len(%l) : ({LIST}) -> index
  %a, %b = rt.get(%l, %zero) : ({LIST}, index) -> (i64, f64)
  %box = rt.box(%t) : (tensor<?x2xf32>) -> !rt.box<tensor<?x2xf32>>
  %ts = rt.list : !rt.list<!rt.box<tensor<?x2xf32>>>
  rt.push(%ts, %box) : (!rt.list<!rt.box<tensor<?x2xf32>>>, !rt.box<tensor<?x2xf32>>) -> ()
  %again = rt.get(%ts, %zero) : (!rt.list<!rt.box<tensor<?x2xf32>>>, index) -> !rt.box<tensor<?x2xf32>>
  %u = rt.unbox(%again) : (!rt.box<tensor<?x2xf32>>) -> tensor<?x2xf32>
  return %m, %a, %b, %u : index, i64, f64, tensor<?x2xf32>
}}
"""


def test_text_and_meaning():
    module = parse_module(PROGRAM)
    verify(module)
    assert difference(module, parse_module(print_module(module))) is None
    t = np.arange(6, dtype=np.float32).reshape(3, 2)
    count, a, b, u = interpret(module, "f", [4, 7, 0.5, t])
    assert (count, a, b) == (4, 5, 0.5)
    np.testing.assert_array_equal(u, t)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rt.push(%l, %y, %x) : (!rt.list<i64, f64>, f64, i64) -> ()", "an element of f64, i64"),
        ("rt.push(%l, %x) : (!rt.list<i64, f64>, i64) -> ()", "an element of i64"),
        ("%a = rt.get(%l, %n) : (!rt.list<i64, f64>, index) -> i64", "gives i64"),
        ("%a:2 = rt.get(%l, %x) : (!rt.list<i64, f64>, i64) -> (i64, f64)", "the index is no index"),
        ("%a = rt.len(%x) : (i64) -> index", "i64 is no list"),
        ("%a = rt.list : !rt.list<f32>", "is no list"),
        ("rt.release(%x) : (i64) -> ()", "i64 is not counted"),
        ("%a = rt.unbox(%x) : (i64) -> tensor<2xf32>", "out of i64"),
    ],
)
def test_what_the_verifier_refuses(line, message):
    text = f"func.func @f(%n: index, %x: i64, %y: f64) {{\n  %l = rt.list : {LIST}\n  {line}\n  return\n}}\n"
    with pytest.raises(InternalError, match=message):
        verify(parse_module(text))


@pytest.mark.parametrize("type", ["!rt.list<i64", "!rt.box<i64>", "!rt.nothing<i64>", "!rt.list<>"])
def test_types_that_are_none(type):
    with pytest.raises((CompileError, InternalError)):
        verify(parse_module(f"func.func @f() {{\n  %l = rt.list : {type}\n  return\n}}\n"))


def test_an_index_out_of_range_is_a_fault_of_the_lowering():
    text = """
func.func @f(%i: index) -> i64 {
  %l = rt.list : !rt.list<i64>
  %x = rt.get(%l, %i) : (!rt.list<i64>, index) -> i64
  return %x : i64
}
"""
    with pytest.raises(InternalError, match="index 0 of a list of 0 elements"):
        interpret(parse_module(text), "f", [0])
