"""Products of bytes read bytes; operands that are no bytes stay as they are."""

from __future__ import annotations

import numpy as np
import pytest

from torchcc.ir.attributes import Constant
from torchcc.ir.dialects import linalg
from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.ir.verifier import verify
from torchcc.lowering.tensor.narrow_products import NarrowProducts

TEXT = """
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @f(%x: tensor<5x{k}xi8>, %y: tensor<5x16xi32>) -> tensor<5x16xi32> {{
  %e = tensor.empty() : tensor<5x{k}xi32>
  %w = linalg.generic {{indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}} ins(%x : tensor<5x{k}xi8>) outs(%e : tensor<5x{k}xi32>) {{
  ^bb0(%a: i8, %b: i32):
    %c = arith.{cast} %a : i8 to i32
    linalg.yield %c : i32
  }} -> tensor<5x{k}xi32>
  %m = arith.constant dense_resource<m> : tensor<{k}x16xi32>
  %r = linalg.matmul ins(%w, %m : tensor<5x{k}xi32>, tensor<{k}x16xi32>) outs(%y : tensor<5x16xi32>) -> tensor<5x16xi32>
  return %r : tensor<5x16xi32>
}}
"""


def narrowed(k, low, high, cast="extui"):
    weights = np.linspace(low, high, k * 16).astype(np.int32).reshape(k, 16)
    module = parse_module(TEXT.format(k=k, cast=cast), {"m": Constant("m", weights)})
    NarrowProducts().apply(module)
    verify(module)
    return module, print_module(module)


@pytest.mark.parametrize(("low", "high", "extension"), [(-128, 127, "arith.extsi"), (0, 255, "arith.extui")])
def test_constants_that_fit_become_bytes(low, high, extension):
    module, text = narrowed(8, low, high)
    (product,) = [op for op in module.walk() if op.name == "linalg.generic"]
    body = [op.name for op in product.body().operations()]
    assert body == ["arith.extui", extension, "arith.muli", "arith.addi", "linalg.yield"]
    assert "tensor<8x16xi8>" in text and "tensor.pad" not in text
    assert linalg.iterator_types(product)[-1] == linalg.REDUCTION


def test_signs_are_those_of_the_extension():
    module, _ = narrowed(8, -3, 3, "extsi")
    (product,) = [op for op in module.walk() if op.name == "linalg.generic"]
    assert next(iter(product.body().operations())).name == "arith.extsi"


def test_what_is_summed_over_becomes_a_multiple_of_four():
    _, text = narrowed(30, -128, 127)
    assert "tensor.pad %x low[0, 0] high[0, 2]" in text and "tensor<32x16xi8>" in text


@pytest.mark.parametrize(("low", "high"), [(-129, 5), (-1, 255), (0, 256)])
def test_larger_numbers_stay(low, high):
    _, text = narrowed(8, low, high)
    assert "linalg.matmul" in text and "xi8>" in text and "tensor<8x16xi8>" not in text
