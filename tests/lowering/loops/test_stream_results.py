"""`stream-results`: large results are written past the caches, and hold the same as before."""

from dataclasses import replace

import numpy as np
import pytest

import torchcc
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.ir.target import AVX512
from torchcc.ir.verifier import verify
from torchcc.lowering.loops.stream_results import NONTEMPORAL, STREAMS, StreamResults

SMALL = replace(AVX512, l2_bytes=64)
HEAD = "func.func @f(%x: memref<6x32xf32>, %w: memref<32xf32>) -> memref<6x32xf32> {\n"
START = """
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %n = arith.constant {n} : index
  %zero = arith.constant 0.0 : f32
  %r = memref.alloc() : memref<6x32xf32>
"""
END = "\n  return %r : memref<6x32xf32>\n}"
NORMALISED = """
  scf.parallel (%i) = (%c0) to (%c6) step (%c1) {
    scf.parallel (%j) = (%c0) to (%n) step (%c1) {
      %a = memref.load %x[%i, %j] : memref<6x32xf32>
      %e = math.exp %a : f32
      memref.store %e, %r[%i, %j] : memref<6x32xf32>
      scf.reduce
    }
    %s = scf.for %j = %c0 to %n step %c1 iter_args(%t = %zero) -> (f32) {
      %a = memref.load %r[%i, %j] : memref<6x32xf32>
      %u = arith.addf %t, %a : f32
      scf.yield %u : f32
    }
    scf.parallel (%j) = (%c0) to (%n) step (%c1) {
      %a = memref.load %r[%i, %j] : memref<6x32xf32>
      %b = memref.load %w[%j] : memref<32xf32>
      %q = arith.divf %a, %s : f32
      %p = arith.mulf %q, %b : f32
      memref.store %p, %r[%i, %j] : memref<6x32xf32>
      scf.reduce
    }
    scf.reduce
  }"""
PLAIN = """
  scf.parallel (%i, %j) = (%c0, %c0) to (%c6, %n) step (%c1, %c1) {
    %a = memref.load %x[%i, %j] : memref<6x32xf32>
    %b = memref.load %x[%i, %c0] : memref<6x32xf32>
    %q = arith.subf %a, %b : f32
    memref.store %q, %r[%i, %j] : memref<6x32xf32>
    scf.reduce
  }"""
OTHER_ROW = NORMALISED.replace("load %r[%i, %j] : memref<6x32xf32>\n      %u", "load %r[%c0, %j] : memref<6x32xf32>\n      %u")
BEHIND = NORMALISED.replace("    scf.reduce\n  }", "    memref.store %s, %r[%i, %c0] : memref<6x32xf32>\n    scf.reduce\n  }")


def module_of(body, n=32):
    return parse_module(HEAD + START.format(n=n) + body + END)


def streamed(module):
    return sum(NONTEMPORAL in op.attributes for op in module.walk())


@pytest.mark.parametrize(("body", "stores"), [(NORMALISED, 1), (PLAIN, 1), (OTHER_ROW, 0), (BEHIND, 0)])
def test_same_values(body, stores):
    x, w = np.random.default_rng(0).standard_normal((6, 32)).astype(np.float32), np.arange(32, dtype=np.float32)
    (expected,) = interpret(module_of(body), "f", [x, w])
    module = StreamResults(SMALL).apply(module_of(body))
    verify(module)
    assert streamed(module) == stores
    assert sum(STREAMS in op.attributes for op in module.walk()) == stores
    (found,) = interpret(module, "f", [x, w])
    np.testing.assert_array_equal(found, expected)


def test_what_is_not_streamed():
    assert streamed(StreamResults(AVX512).apply(module_of(PLAIN))) == 0, "fits the caches"
    assert streamed(StreamResults(replace(SMALL, streams=False)).apply(module_of(PLAIN))) == 0
    assert streamed(StreamResults(SMALL).apply(module_of(PLAIN, 24))) == 0, "not all of the row"


SOURCE = """
import torch
from torch import Tensor
def softmax(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return torch.softmax(x, -1)
def norm(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return torch.layer_norm(x, [768], w, b)
def ragged(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return torch.tanh(x[:, 1:]) + b[1:]
"""


def test_in_machine_code():
    x = np.random.default_rng(1).standard_normal((2800, 768)).astype(np.float32)
    w, b = x[0], x[1]
    unit = torchcc.compile_source(SOURCE)
    shifted = np.exp(x.astype(np.float64) - x.max(-1, keepdims=True))
    np.testing.assert_allclose(unit.softmax(x, w, b), shifted / shifted.sum(-1, keepdims=True), rtol=2e-6)
    exact = x.astype(np.float64) - x.mean(-1, keepdims=True, dtype=np.float64)
    exact /= np.sqrt((exact**2).mean(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(unit.norm(x, w, b), exact * w + b, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(unit.ragged(x, w, b), np.tanh(x[:, 1:]) + b[1:], rtol=1e-5, atol=1e-6)
