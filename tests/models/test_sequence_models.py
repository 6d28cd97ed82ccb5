"""Archives of attention and recurrent networks, written by PyTorch, run where there is no PyTorch."""

import pytest

FAMILIES = ("vision_transformers", "encoders", "decoders", "recurrent", "speech", "transformers", "searches")


@pytest.mark.parametrize("family", FAMILIES)
def test_family(check_family, family):
    check_family(family)
