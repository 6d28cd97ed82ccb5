"""Every list and box is given back once: after its last use, on every path."""

import numpy as np
import pytest

from torchcc.ir.diagnostics import InternalError
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.verifier import verify
from torchcc.lowering.loops.count_references import CountReferences


def counted(text):
    module = CountReferences().apply(parse_module(text))
    verify(module)
    return module


def names(module):
    return [op.name for op in module.walk() if op.name.startswith("rt.")]


def test_a_list_is_given_back_after_its_last_use():
    module = counted("""
func.func @f(%x: i64) -> index {
  %l = rt.list : !rt.list<i64>
  rt.push(%l, %x) : (!rt.list<i64>, i64) -> ()
  %n = rt.len(%l) : (!rt.list<i64>) -> index
  return %n : index
}
""")
    assert names(module) == ["rt.list", "rt.push", "rt.len", "rt.release"]
    assert interpret(module, "f", [7]) == [1]


def test_what_a_branch_yields_is_handed_over():
    module = counted("""
func.func @f(%c: i1, %x: i64) -> index {
  %a = rt.list : !rt.list<i64>
  %l = scf.if %c -> (!rt.list<i64>) {
    %b = rt.list : !rt.list<i64>
    rt.push(%b, %x) : (!rt.list<i64>, i64) -> ()
    scf.yield %b : !rt.list<i64>
  } else {
    scf.yield %a : !rt.list<i64>
  }
  %n = rt.len(%l) : (!rt.list<i64>) -> index
  return %n : index
}
""")
    # the new list moves out, and so does the other one, which the branches have taken over: the first gives it back
    assert names(module).count("rt.retain") == 0 and names(module).count("rt.release") == 2
    assert interpret(module, "f", [True, 7]) == [1]
    assert interpret(module, "f", [False, 7]) == [0]


def test_a_carried_list_is_given_back_in_each_iteration():
    module = counted("""
func.func @f(%n: index, %x: i64) -> index {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %a = rt.list : !rt.list<i64>
  %last = scf.for %i = %zero to %n step %one iter_args(%l = %a) -> (!rt.list<i64>) {
    %b = rt.list : !rt.list<i64>
    rt.push(%b, %x) : (!rt.list<i64>, i64) -> ()
    rt.push(%b, %x) : (!rt.list<i64>, i64) -> ()
    scf.yield %b : !rt.list<i64>
  }
  %m = rt.len(%last) : (!rt.list<i64>) -> index
  return %m : index
}
""")
    assert interpret(module, "f", [3, 7]) == [2]
    assert interpret(module, "f", [0, 7]) == [0]


def test_an_element_outlives_the_list_that_it_was_read_from():
    module = counted("""
func.func @f(%x: i64) -> i64 {
  %zero = arith.constant 0 : index
  %outer = rt.list : !rt.list<!rt.list<i64>>
  %inner = rt.list : !rt.list<i64>
  rt.push(%inner, %x) : (!rt.list<i64>, i64) -> ()
  rt.push(%outer, %inner) : (!rt.list<!rt.list<i64>>, !rt.list<i64>) -> ()
  %again = rt.get(%outer, %zero) : (!rt.list<!rt.list<i64>>, index) -> !rt.list<i64>
  %y = rt.get(%again, %zero) : (!rt.list<i64>, index) -> i64
  return %y : i64
}
""")
    assert names(module).count("rt.release") == 3
    assert interpret(module, "f", [7]) == [7]


def test_a_box_lives_as_long_as_its_buffer_is_read():
    module = counted("""
func.func @f(%x: memref<2xf32>) -> f32 {
  %zero = arith.constant 0 : index
  %box = rt.box(%x) : (memref<2xf32>) -> !rt.box<tensor<2xf32>>
  %m = rt.unbox(%box) : (!rt.box<tensor<2xf32>>) -> memref<2xf32>
  %v = memref.subview %m[1] [1] [1] : memref<2xf32> to memref<1xf32, strided<[1], offset: 1>>
  %y = memref.load %v[%zero] : memref<1xf32, strided<[1], offset: 1>>
  return %y : f32
}
""")
    assert names(module) == ["rt.box", "rt.unbox", "rt.release"]
    assert [op.name for op in module.walk()].index("memref.load") < [op.name for op in module.walk()].index("rt.release")
    assert interpret(module, "f", [np.float32([1, 2])]) == [2.0]


def test_the_interpreter_sees_what_is_never_given_back_and_what_is_used_after_that():
    text = """
func.func @f(%x: i64) -> index {
  %l = rt.list : !rt.list<i64>
  %n = rt.len(%l) : (!rt.list<i64>) -> index
  CHANGE
  return %n : index
}
"""
    with pytest.raises(InternalError, match="never given back"):
        release = "rt.retain(%l) : (!rt.list<i64>) -> ()\n  rt.release(%l) : (!rt.list<i64>) -> ()"
        interpret(parse_module(text.replace("CHANGE", release)), "f", [1])
    with pytest.raises(InternalError, match="has been given back"):
        twice = "rt.release(%l) : (!rt.list<i64>) -> ()\n" * 2
        interpret(parse_module(text.replace("CHANGE", twice)), "f", [1])
