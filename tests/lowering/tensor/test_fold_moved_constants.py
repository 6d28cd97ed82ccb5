"""Constants that are only moved are moved at compile time; nothing grows."""

import numpy as np
import pytest

import torchcc
from torchcc.ir.attributes import Constant
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.parser import parse_module
from torchcc.lowering.tensor.fold_moved_constants import FoldMovedConstants

MOVED = """
func.func @f() -> (tensor<4x2xf32>, tensor<2x2xf32>, tensor<2xf32>, tensor<3x4xf32>, tensor<8xf32>) {
  %k = arith.constant dense_resource<k> : tensor<2x4xf32>
  %s = arith.constant dense_resource<s> : tensor<4xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %t = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0 * -1 + 3)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%k : tensor<2x4xf32>) outs(%e : tensor<4x2xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<4x2xf32>
  %c = tensor.extract_slice %k[0, 1] [2, 2] [1, 2] : tensor<2x4xf32> to tensor<2x2xf32>
  %d = tensor.extract_slice %k[1, 0] [1, 2] [1, 1] : tensor<2x4xf32> to tensor<2xf32>
  %g = tensor.empty() : tensor<3x4xf32>
  %h = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%s : tensor<4xf32>) outs(%g : tensor<3x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<3x4xf32>
  %f = tensor.collapse_shape %k [[0, 1]] : tensor<2x4xf32> into tensor<8xf32>
  return %t, %c, %d, %h, %f : tensor<4x2xf32>, tensor<2x2xf32>, tensor<2xf32>, tensor<3x4xf32>, tensor<8xf32>
}
"""


def test_turned_and_cut_constants_are_constants():
    k, s = np.arange(8, dtype=np.float32).reshape(2, 4), np.arange(4, dtype=np.float32)
    module = parse_module(MOVED, {"k": Constant("k", k), "s": Constant("s", s)})
    module = FoldMovedConstants().apply(module)
    turned, cut, row, grown, flat = interpret(module, "f", [])
    np.testing.assert_array_equal(turned, k[:, ::-1].T)
    np.testing.assert_array_equal(cut, k[:, 1::2])
    np.testing.assert_array_equal(row, k[1, :2])
    np.testing.assert_array_equal(flat, k.ravel())
    np.testing.assert_array_equal(grown, np.broadcast_to(s, (3, 4)))
    assert [op.name for op in module.walk() if op.name.startswith(("linalg.g", "tensor.ex", "tensor.coll"))] == ["linalg.generic"]
    names = [op.attributes["value"].value.name for op in module.walk() if op.name == "arith.constant"]
    assert len(set(names)) == len(names), "each is declared by its name"


TRANSPOSED = [  # kernel, stride, padding, output padding, dilation, groups
    (2, 2, 0, 0, 1, 1), (4, 2, 1, 0, 1, 1), (3, 2, 1, 1, 1, 1), (3, 2, 0, 0, 1, 2), (3, 2, 1, 0, 2, 1), (1, 2, 0, 1, 1, 1),
    (5, 3, 2, 1, 1, 1), (2, 3, 0, 2, 1, 1), (4, (2, 1), 1, 0, 1, 4), (3, 4, 0, 0, 3, 1), (3, 2, 2, 1, 1, 1),
]  # fmt: skip


def test_transposed_convolutions_in_phases(tmp_path):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    torch.manual_seed(0)
    layers = [
        torch.nn.ConvTranspose2d(8, 12, k, stride=s, padding=p, output_padding=o, dilation=d, groups=g)
        for k, s, p, o, d, g in TRANSPOSED
    ]
    x = torch.randn(2, 8, 5, 7)
    for i, layer in enumerate(layers):
        layer.eval()
        layers[i] = torch.nn.Sequential(torch.nn.Conv2d(8, 8, 1), layer, torch.nn.Conv2d(12, 4, 1)).eval()
    chain = torch.nn.ModuleList(layers)

    class All(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.chain = chain

        def forward(self, x):
            return tuple(layer(x) for layer in self.chain)

    with torch.no_grad():
        traced = torch.jit.trace(All().eval(), (x,))
        expected = traced(x)
    traced.save(str(tmp_path / "all.pt"))
    for found, wanted in zip(torchcc.load(tmp_path / "all.pt")(x.numpy()), expected, strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4, atol=1e-5)
