"""`canonicalize`: what must fold, what must stay, and that nothing changes in meaning."""



import numpy as np
import pytest

from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.lowering.contracts import verify_tensor
from torchcc.lowering.tensor.canonicalize import canonicalize


def canonical(text):
    module = parse_module(text)
    canonicalize(module)
    verify_tensor(module)
    return print_module(module)


def body(text):
    """The operations between the function's header and its return."""
    lines = [line.strip() for line in canonical(text).splitlines()]
    start = next(i for i, line in enumerate(lines) if line.startswith("func.func"))
    end = next(i for i, line in enumerate(lines) if line.startswith("return"))
    return lines[start + 1 : end + 1]


SCALARS = {
    "constants": ("%0 = arith.constant 6 : index\n%1 = arith.constant 7 : index\n%r = arith.muli %0, %1 : index", "42 : index"),
    "wrap": ("%0 = arith.constant 127 : i8\n%1 = arith.constant 1 : i8\n%s = arith.addi %0, %1 : i8\n%r = arith.extsi %s : i8 to i64", "-128 : i64"),
    "extui": ("%0 = arith.constant -1 : i8\n%r = arith.extui %0 : i8 to i64", "255 : i64"),
    "floordiv": ("%0 = arith.constant -7 : i64\n%1 = arith.constant 2 : i64\n%r = arith.floordivsi %0, %1 : i64", "-4 : i64"),
    "divsi": ("%0 = arith.constant -7 : i64\n%1 = arith.constant 2 : i64\n%r = arith.divsi %0, %1 : i64", "-3 : i64"),
    "remsi": ("%0 = arith.constant -7 : i64\n%1 = arith.constant 2 : i64\n%r = arith.remsi %0, %1 : i64", "-1 : i64"),
    "f32": ("%0 = arith.constant 0.1 : f32\n%1 = arith.constant 0.2 : f32\n%r = arith.addf %0, %1 : f32", None),
    "compare": ("%0 = arith.constant 3 : i64\n%1 = arith.constant -1 : i64\n%r = arith.cmpi ult, %0, %1 : i64", "true"),
    "nan": ("%0 = arith.constant 0x7FC00000 : f32\n%r = arith.cmpf une, %0, %0 : f32", "true"),
}  # fmt: skip


@pytest.mark.parametrize("name", SCALARS)
def test_scalar_folding(name):
    text, expected = SCALARS[name]
    kind = text.rpartition(" : ")[2].rpartition(" ")[2]
    kind = "i1" if "cmp" in text else kind
    lines = body(f"func.func @f() -> {kind} {{\n{text}\nreturn %r : {kind}\n}}")
    assert len(lines) == 2 and (expected is None or lines[0].endswith(f"arith.constant {expected}"))


def test_division_by_zero_stays():
    text = "%0 = arith.constant 1 : i64\n%1 = arith.constant 0 : i64\n%r = arith.divsi %0, %1 : i64"
    assert any("divsi" in line for line in body(f"func.func @f() -> i64 {{\n{text}\nreturn %r : i64\n}}"))


def test_adding_zero_keeps_the_sign_of_zero():
    text = "func.func @f(%x: f32) -> f32 {{\n%0 = arith.constant {} : f32\n%r = arith.addf %x, %0 : f32\nreturn %r : f32\n}}"
    assert len(body(text.format("0.0"))) == 3
    assert len(body(text.format("-0.0"))) == 1


def test_extents_are_followed_to_their_origin():
    lines = body("""
func.func @f(%x: tensor<?x4xf32>, %n: index) -> (index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %z = arith.constant 0.0 : f32
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %c = tensor.cast %f : tensor<?x4xf32> to tensor<?x?xf32>
  %d0 = tensor.dim %c, %c0 : tensor<?x?xf32>
  %d1 = tensor.dim %c, %c1 : tensor<?x?xf32>
  %s = tensor.extract_slice %x[0, 0] [%n, 2] [1, 1] : tensor<?x4xf32> to tensor<?x2xf32>
  %d2 = tensor.dim %s, %c0 : tensor<?x2xf32>
  return %d0, %d1, %d2 : index, index, index
}""")
    assert lines == ["%c4 = arith.constant 4 : index", "return %n, %c4, %n : index, index, index"]


def test_loop_carried_extent():
    lines = body("""
func.func @f(%x: tensor<?xf32>, %n: index) -> index {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %z = arith.constant 0.0 : f32
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> (tensor<?xf32>) {
    %b = tensor.insert %z into %a[%i] : tensor<?xf32>
    scf.yield %b : tensor<?xf32>
  }
  %d = tensor.dim %r, %c0 : tensor<?xf32>
  return %d : index
}""")
    assert lines[-2].startswith("%d = tensor.dim %x") or "tensor.dim %x, %c0" in lines[-2]


def test_constant_sizes_become_static(run_passes, normal):
    text = """
func.func @f(%x: tensor<4x4xf32>) -> tensor<?x?xf32> {
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %e = tensor.empty(%c2, %c3) : tensor<?x?xf32>
  %s = tensor.extract_slice %x[1, 0] [%c2, %c3] [1, 1] : tensor<4x4xf32> to tensor<?x?xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (a, b)>],
    iterator_types = ["parallel", "parallel"]} ins(%s : tensor<?x?xf32>) outs(%e : tensor<?x?xf32>) {
  ^bb0(%p: f32, %o: f32):
    %q = arith.addf %p, %p : f32
    linalg.yield %q : f32
  } -> tensor<?x?xf32>
  return %r : tensor<?x?xf32>
}"""
    module = run_passes(text, [normal(4, 4)], [canonicalize])
    assert "outs(%0 : tensor<2x3xf32>)" in print_module(module) or "tensor<2x3xf32>)" in print_module(module)


def test_failing_assertion_stays_and_decided_one_goes():
    lines = body("""
func.func @f(%x: tensor<?xf32>) -> index {
  %c0 = arith.constant 0 : index
  %d = tensor.dim %x, %c0 : tensor<?xf32>
  %ok = arith.cmpi sge, %d, %c0 : index
  cf.assert %ok, "never"
  %c1 = arith.constant 1 : index
  %maybe = arith.cmpi sge, %d, %c1 : index
  cf.assert %maybe, "at least one"
  return %d : index
}""")
    assert sum("cf.assert" in line for line in lines) == 1


def test_equal_operations_are_merged_but_not_zero_and_minus_zero():
    lines = body("""
func.func @f(%x: f32) -> (f32, f32, f32, f32) {
  %a = arith.constant 0.0 : f32
  %b = arith.constant -0.0 : f32
  %p = math.exp %x : f32
  %q = math.exp %x : f32
  return %a, %b, %p, %q : f32, f32, f32, f32
}""")
    assert sum("math.exp" in line for line in lines) == 1
    assert sum("arith.constant" in line for line in lines) == 2


CONTROL = """
func.func @f(%x: tensor<3xf32>) -> (tensor<3xf32>, i64) {
  %true = arith.constant true
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %i = arith.constant 5 : i64
  %e = tensor.empty() : tensor<3xf32>
  %r = scf.if %true -> (tensor<3xf32>) {
    scf.yield %x : tensor<3xf32>
  } else {
    scf.yield %e : tensor<3xf32>
  }
  %s:2 = scf.for %k = %c0 to %c1 step %c1 iter_args(%a = %r, %n = %i) -> (tensor<3xf32>, i64) {
    %m = arith.addi %n, %n : i64
    scf.yield %a, %m : tensor<3xf32>, i64
  }
  return %s#0, %s#1 : tensor<3xf32>, i64
}"""


def test_decided_control_flow(run_passes, normal):
    module = run_passes(CONTROL, [normal(3)], [canonicalize])
    assert "scf." not in print_module(module) and "10 : i64" in print_module(module)


def test_scalar_of_computed_tensor(run_passes):
    text = """
func.func @f(%x: f32, %y: f32) -> f32 {
  %a = tensor.from_elements %x : tensor<f32>
  %e = tensor.empty() : tensor<f32>
  %b = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
    ins(%a : tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%p: f32, %o: f32):
    %q = arith.mulf %p, %y : f32
    linalg.yield %q : f32
  } -> tensor<f32>
  %r = tensor.extract %b[] : tensor<f32>
  return %r : f32
}"""
    module = run_passes(text, [np.float32(3), np.float32(4)], [canonicalize])
    assert "linalg" not in print_module(module) and "tensor." not in print_module(module)


def test_reshapes_that_cancel(run_passes, normal):
    text = """
func.func @f(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %a = tensor.collapse_shape %x [[0, 1], [2]] : tensor<2x3x4xf32> into tensor<6x4xf32>
  %b = tensor.collapse_shape %a [[0, 1]] : tensor<6x4xf32> into tensor<24xf32>
  %c = tensor.expand_shape %b [[0, 1, 2]] output_shape [2, 3, 4] : tensor<24xf32> into tensor<2x3x4xf32>
  return %c : tensor<2x3x4xf32>
}"""
    module = run_passes(text, [normal(2, 3, 4)], [canonicalize])
    assert "shape" not in print_module(module)


def test_slices_compose(run_passes, normal):
    text = """
func.func @f(%x: tensor<8x9xf32>, %i: index) -> tensor<2xf32> {
  %a = tensor.extract_slice %x[1, 1] [6, 4] [1, 2] : tensor<8x9xf32> to tensor<6x4xf32>
  %b = tensor.extract_slice %a[%i, 1] [1, 2] [1, 1] : tensor<6x4xf32> to tensor<2xf32>
  return %b : tensor<2xf32>
}"""
    module = run_passes(text, [normal(8, 9), 2], [canonicalize])
    assert print_module(module).count("extract_slice") == 1
