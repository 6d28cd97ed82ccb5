"""How often Python collects garbage is the program's choice again after a compilation."""

from __future__ import annotations

import gc

import pytest

from torchcc.ir.collection import rarely_collected


@pytest.fixture(params=[(700, 10, 10), (0, 10, 10), (10**6, 5, 5)])
def thresholds(request):
    before = gc.get_threshold()
    gc.set_threshold(*request.param)
    yield gc.get_threshold()
    gc.set_threshold(*before)


def test_thresholds_come_back(thresholds):
    with rarely_collected():
        assert (gc.get_threshold() == thresholds) == (thresholds[0] != 700)
        with pytest.raises(ValueError, match="wrong"), rarely_collected():
            raise ValueError("wrong")
        assert (gc.get_threshold() == thresholds) == (thresholds[0] != 700)
    assert gc.get_threshold() == thresholds


def test_those_set_meanwhile_stay():
    before = gc.get_threshold()
    try:
        with rarely_collected():
            gc.set_threshold(1234, 5, 6)
        assert gc.get_threshold() == (1234, 5, 6)
    finally:
        gc.set_threshold(*before)
