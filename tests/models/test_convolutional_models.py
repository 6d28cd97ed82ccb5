"""Archives of convolutional networks, written by PyTorch, run where there is no PyTorch."""

import pytest

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
