"""Common subexpressions: what is merged, and where a value is not visible."""

from torchcc.ir.parser import parse_module
from torchcc.ir.structure import difference
from torchcc.lowering.cse import eliminate_common_subexpressions


def test_equal_operations_are_merged_where_the_first_is_visible():
    module = parse_module("""
func.func @f(%x: f32, %y: f32, %c: i1) -> (f32, f32, f32) {
  %a = arith.addf %x, %y : f32
  %b = arith.addf %y, %x : f32
  %d = arith.subf %x, %y : f32
  %e = arith.subf %y, %x : f32
  %p = arith.constant 0.0 : f32
  %n = arith.constant -0.0 : f32
  %r = scf.if %c -> (f32) {
    %u = arith.addf %x, %y : f32
    %v = arith.mulf %x, %y : f32
    %s = arith.addf %u, %v : f32
    scf.yield %s : f32
  } else {
    %v = arith.mulf %x, %y : f32
    scf.yield %v : f32
  }
  %w = arith.mulf %b, %e : f32
  %z = arith.mulf %p, %n : f32
  return %r, %w, %z : f32, f32, f32
}""")
    assert eliminate_common_subexpressions(module)
    expected = parse_module("""
func.func @f(%x: f32, %y: f32, %c: i1) -> (f32, f32, f32) {
  %a = arith.addf %x, %y : f32
  %d = arith.subf %x, %y : f32
  %e = arith.subf %y, %x : f32
  %p = arith.constant 0.0 : f32
  %n = arith.constant -0.0 : f32
  %r = scf.if %c -> (f32) {
    %v = arith.mulf %x, %y : f32
    %s = arith.addf %a, %v : f32
    scf.yield %s : f32
  } else {
    %v = arith.mulf %x, %y : f32
    scf.yield %v : f32
  }
  %w = arith.mulf %a, %e : f32
  %z = arith.mulf %p, %n : f32
  return %r, %w, %z : f32, f32, f32
}""")
    assert difference(module, expected) is None
    assert not eliminate_common_subexpressions(module)


def test_equal_bodies_are_merged():
    body = """
  %{0} = tensor.generate {{
  ^bb0(%i: index):
    %d = arith.addi %i, %i : index
    tensor.yield %d : index
  }} : tensor<4xindex>"""
    module = parse_module(
        "func.func @f() -> (tensor<4xindex>, tensor<4xindex>) {"
        + body.format("a") + body.format("b")
        + "\n  return %a, %b : tensor<4xindex>, tensor<4xindex>\n}"
    )  # fmt: skip
    assert eliminate_common_subexpressions(module)
    assert [op.name for op in module.walk()].count("tensor.generate") == 1


def test_functions_keep_their_own():
    text = "\n".join(
        f"func.func @f{i}() -> i64 {{\n  %c = arith.constant 1 : i64\n  return %c : i64\n}}" for i in range(2)
    )
    assert not eliminate_common_subexpressions(parse_module(text))
