"""Strings of the `rt` dialect: their text, what the verifier refuses, what the interpreter does, how they are counted."""

import pytest

from torchcc.ir.diagnostics import InternalError
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.ir.structure import difference
from torchcc.ir.verifier import verify
from torchcc.lowering.loops.count_references import CountReferences

PROGRAM = """
func.func @f(%n: index, %c: i64, %x: f64) -> (index, i64, i1, i64, i64, f64, i64) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %empty = rt.str_constant {value = "\\C3\\83\\22"} : !rt.str
  %s = scf.for %i = %zero to %n step %one iter_args(%acc = %empty) -> (!rt.str) {
    %byte = rt.str_of_byte(%c) : (i64) -> !rt.str
    %more = rt.str_concat(%acc, %byte) : (!rt.str, !rt.str) -> !rt.str
    scf.yield %more : !rt.str
  }
  %length = rt.str_len(%s) : (!rt.str) -> index
  %first = rt.str_byte(%s, %zero) : (!rt.str, index) -> i64
  %part = rt.str_slice(%s, %one, %length) : (!rt.str, index, index) -> !rt.str
  %same = rt.str_equal(%s, %part) : (!rt.str, !rt.str) -> i1
  %order = rt.str_compare(%s, %part) : (!rt.str, !rt.str) -> i64
  %found = rt.str_find(%s, %part, %zero, %length) : (!rt.str, !rt.str, index, index) -> i64
  %number = rt.str_from_f64(%x) {kind = "g"} : (f64) -> !rt.str
  %text = rt.str_from_i64(%c) : (i64) -> !rt.str
  %both = rt.str_concat(%text, %number) : (!rt.str, !rt.str) -> !rt.str
  %value, %used = rt.str_to_f64(%both) : (!rt.str) -> (f64, i64)
  return %length, %first, %same, %order, %found, %value, %used : index, i64, i1, i64, i64, f64, i64
}
"""
EXPECTED = [5, 0xC3, False, 1, 1, 977.5, 5]


def test_text_and_meaning():
    module = parse_module(PROGRAM)
    verify(module)
    assert difference(module, parse_module(print_module(module))) is None
    assert interpret(module, "f", [3, 97, 7.5]) == EXPECTED


def test_counted_strings_are_given_back_and_grow_in_place():
    module = CountReferences().apply(parse_module(PROGRAM))
    verify(module)
    assert interpret(module, "f", [3, 97, 7.5]) == EXPECTED  # fails where an object is left, or used after its end
    text = print_module(module)
    assert text.count("rt.str_append") == 2 and "rt.str_concat" not in text


def test_a_string_with_another_use_does_not_grow():
    module = CountReferences().apply(parse_module("""
func.func @f(%n: i64) -> index {
  %a = rt.str_from_i64(%n) : (i64) -> !rt.str
  %b = rt.str_concat(%a, %a) : (!rt.str, !rt.str) -> !rt.str
  %c = rt.str_concat(%a, %b) : (!rt.str, !rt.str) -> !rt.str
  %n1 = rt.str_len(%a) : (!rt.str) -> index
  %n2 = rt.str_len(%c) : (!rt.str) -> index
  %sum = arith.addi %n1, %n2 : index
  return %sum : index
}
"""))
    assert "rt.str_append" not in print_module(module)
    assert interpret(module, "f", [123]) == [12]


def test_a_branch_takes_over_what_it_uses_last():
    module = CountReferences().apply(parse_module("""
func.func @f(%n: i64, %c: i1) -> index {
  %a = rt.str_from_i64(%n) : (i64) -> !rt.str
  %r = scf.if %c -> (!rt.str) {
    %b = rt.str_of_byte(%n) : (i64) -> !rt.str
    %more = rt.str_concat(%a, %b) : (!rt.str, !rt.str) -> !rt.str
    scf.yield %more : !rt.str
  } else {
    scf.yield %a : !rt.str
  }
  %length = rt.str_len(%r) : (!rt.str) -> index
  return %length : index
}
"""))
    verify(module)
    assert "rt.str_append" in print_module(module)
    assert interpret(module, "f", [123, True]) == [4] and interpret(module, "f", [123, False]) == [3]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%a = rt.str_concat(%s, %n) : (!rt.str, index) -> !rt.str", r"takes !rt.str, !rt.str, not !rt.str, index"),
        ("%a = rt.str_of_byte(%n) : (index) -> !rt.str", "takes i64, not index"),
        ("%a = rt.str_from_f64(%x) {kind = \"d\"} : (f64) -> !rt.str", "`kind` is no way to show a float"),
        ("%a = rt.str_constant {value = 5 : i64} : !rt.str", "`value` is no text of bytes"),
        ("rt.print(%x) : (f64) -> ()", "takes !rt.str, not f64"),
    ],
)
def test_what_the_verifier_refuses(line, message):
    text = f'func.func @f(%n: index, %x: f64) {{\n  %s = rt.str_constant {{value = "s"}} : !rt.str\n  {line}\n  return\n}}\n'
    with pytest.raises(InternalError, match=message):
        verify(parse_module(text))


def test_a_byte_out_of_range_is_a_fault_of_the_lowering():
    text = """
func.func @f(%i: index) -> i64 {
  %s = rt.str_constant {value = "abc"} : !rt.str
  %x = rt.str_byte(%s, %i) : (!rt.str, index) -> i64
  return %x : i64
}
"""
    assert interpret(parse_module(text), "f", [2]) == [99]
    with pytest.raises(InternalError, match="byte 3 of a string of 3 bytes"):
        interpret(parse_module(text), "f", [3])
