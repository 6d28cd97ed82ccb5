"""expand-complex: what is left, and that it means the same; the text of complex types, constants and operations."""

import numpy as np
import pytest

from torchcc.ir.diagnostics import CompileError
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.ir.structure import difference
from torchcc.ir.verifier import verify
from torchcc.lowering.loops.expand_complex import EXPANSIONS, ExpandComplex
from torchcc.lowering.tensor.canonicalize import canonicalize

MODULE = """module {
  func.func @f(%x: memref<?xcomplex<f32>>, %y: memref<?xcomplex<f32>>, %out: memref<?xcomplex<f32>>, %same: memref<?xi1>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %n = memref.dim %x, %c0 : memref<?xcomplex<f32>>
    %k = complex.constant [0.5 : f32, -2.0 : f32] : complex<f32>
    scf.for %i = %c0 to %n step %c1 {
      %a = memref.load %x[%i] : memref<?xcomplex<f32>>
      %b = memref.load %y[%i] : memref<?xcomplex<f32>>
      %sum = complex.add %a, %b fastmath<reassoc> : complex<f32>
      %product = complex.mul %sum, %k : complex<f32>
      %difference = complex.sub %product, %a : complex<f32>
      %negative = complex.neg %difference : complex<f32>
      %other = complex.conj %negative : complex<f32>
      %equal = complex.eq %a, %b : complex<f32>
      %unequal = complex.neq %a, %b : complex<f32>
      %chosen = arith.select %unequal, %other, %k : complex<f32>
      memref.store %chosen, %out[%i] : memref<?xcomplex<f32>>
      memref.store %equal, %same[%i] : memref<?xi1>
    }
    return
  }
}
"""


def run(module):
    x = np.array([1 + 2j, -0.5j, 3, np.inf], np.complex64)
    y = np.array([2 - 1j, -0.5j, -3 + 1j, 1j], np.complex64)
    out, same = np.zeros(4, np.complex64), np.zeros(4, np.bool_)
    interpret(module, "f", [x, y, out, same])
    return out, same


def test_only_parts_are_left_and_they_mean_the_same():
    module = parse_module(MODULE)
    verify(module)
    names = {op.name for op in module.walk()}
    assert set(EXPANSIONS) <= names
    expected = run(module)
    ExpandComplex().apply(module)
    verify(module)
    left = {op.name for op in module.walk() if op.name.startswith("complex.")}
    assert left <= {"complex.create", "complex.re", "complex.im", "complex.constant"}
    for got, wanted in zip(run(module), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert "arith.addf" in print_module(module) and "fastmath<reassoc>" in print_module(module)


def test_text_round_trip():
    text = print_module(parse_module(MODULE))
    assert difference(parse_module(MODULE), parse_module(text)) is None
    constant = 'module {\n  func.func @g() -> tensor<2xcomplex<f64>> {\n    %0 = arith.constant dense<[(1.0, -2.5), (0.0, 1e-08)]> : tensor<2xcomplex<f64>>\n    return %0 : tensor<2xcomplex<f64>>\n  }\n}\n'
    module = parse_module(constant.replace("1e-08", "1.0e-08"))
    assert difference(module, parse_module(print_module(module))) is None
    np.testing.assert_array_equal(interpret(module, "g", [])[0], np.array([1 - 2.5j, 1e-8j]))


def test_parts_of_what_was_just_made_are_folded():
    module = parse_module("""module {
  func.func @f(%a: f32, %b: f32) -> (f32, f32, f32) {
    %z = complex.create %a, %b : complex<f32>
    %k = complex.constant [3.0 : f32, 4.0 : f32] : complex<f32>
    %re = complex.re %z : complex<f32>
    %im = complex.im %z : complex<f32>
    %four = complex.im %k : complex<f32>
    return %re, %im, %four : f32, f32, f32
  }
}
""")
    canonicalize(module)
    assert "complex" not in print_module(module)
    assert interpret(module, "f", [np.float32(1), np.float32(2)]) == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("text", ["complex<i32>", "complex<f32"])
def test_wrong_types(text):
    with pytest.raises(CompileError):
        parse_module(f"module {{\n  func.func @f(%x: {text}) {{\n    return\n  }}\n}}\n")
