"""Reads the `.pt` archives of `torch.jit.save`: zip container, pickles, code; `load` gives a `Program`."""

from .load import load

__all__ = ["load"]
