"""Archives of convolutional networks, written by PyTorch, run where there is no PyTorch."""

import numpy as np
import pytest

import torchcc

FAMILIES = (
    "resnet",
    "mobilenet",
    "efficientnet",
    "densenet",
    "vgg",
    "inception",
    "squeezenet",
    "shufflenet",
    "convnext",
    "unet",
    "generative",
    "resolution",
    "wavenet",
    "recommender",
)


@pytest.mark.parametrize("family", FAMILIES)
def test_family(check_family, family):
    check_family(family)


def test_archives_without_their_weights_are_refused(tmp_path):
    """`optimize_for_inference` turns weights into a form that `save` leaves out: PyTorch cannot load such a file either."""
    torch = pytest.importorskip("torch", reason="the archive is written by PyTorch")
    layer = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()).eval()
    optimized = torch.jit.optimize_for_inference(torch.jit.script(layer))
    if "mkldnn" not in optimized.code.lower():
        pytest.skip("this build of PyTorch does not change the weights")
    optimized.save(str(tmp_path / "optimized.pt"))
    with pytest.raises(torchcc.CompileError, match="save the module before that"):
        torchcc.load(tmp_path / "optimized.pt")(np.zeros((1, 3, 8, 8), np.float32))
