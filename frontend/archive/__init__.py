"""Reads the `.pt` archives of `torch.jit.save`: zip container, pickles, code; `load` gives a `Program`."""

from .load import extra_files, load, load_from
from .reader import ArchiveReader, open_archive

__all__ = ["ArchiveReader", "extra_files", "load", "load_from", "open_archive"]
