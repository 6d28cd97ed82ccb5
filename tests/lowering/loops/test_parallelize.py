"""`parallelize`: big loops go to the thread pool, small ones do not, and nothing else changes."""

import dataclasses

import pytest

from torchcc.ir.parser import parse_module
from torchcc.ir.target import AVX512
from torchcc.lowering.loops.parallelize import ATTRIBUTE, parallelize

FOUR_CORES = dataclasses.replace(AVX512, cores=4)


def loop(extent, body):
    constant = (
        "%n = memref.dim %x, %c0 : memref<?x8xf32>" if extent is None else f"%n = arith.constant {extent} : index"
    )
    return f"""
func.func @f(%x: memref<?x8xf32>) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  {constant}
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {{
    {body}
    scf.reduce
  }}
  return
}}"""


ROW = """scf.parallel (%j) = (%c0) to (%c8) step (%c1) {
      %v = memref.load %x[%i, %j] : memref<?x8xf32>
      %w = arith.addf %v, %v : f32
      memref.store %w, %x[%i, %j] : memref<?x8xf32>
      scf.reduce
    }"""


def marked(text, target=FOUR_CORES):
    module = parse_module(text)
    parallelize(module, target)
    return [op.attributes.get(ATTRIBUTE) for op in module.walk() if op.name == "scf.parallel"]


@pytest.mark.parametrize(("extent", "expected"), [(4, False), (1_000_000, True), (None, True)])
def test_by_work(extent, expected):
    outer, inner = marked(loop(extent, ROW))
    assert (outer is not None) == expected and inner is None


def test_pieces_are_large_enough():
    outer, _ = marked(loop(1_000_000, ROW))
    assert 100 < outer.value < 100_000


def test_one_core_has_no_use_for_it():
    assert marked(loop(1_000_000, ROW), AVX512) == [None, None]
