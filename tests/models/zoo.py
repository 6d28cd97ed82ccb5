"""What a model of the zoo is: a network written here in plain PyTorch, and how it is saved and called.

A family file (`resnet.py`, ...) ends in `MODELS: tuple[Model, ...]`. `build.py` turns it into archives; needs no torch itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

FORMS = ("traced", "scripted", "traced-frozen", "scripted-frozen", "traced-optimized", "scripted-optimized")


@dataclass(frozen=True)
class Model:
    name: str
    make: Callable[[bool], Any]
    """`make(full)`: the module; the small version has every kind of operator and is quick to compile. Seeded by the builder."""
    calls: Callable[[bool], list[tuple[Any, ...]]]
    """`calls(full)`: the arguments of each call, in order, on one loaded module; the first is the one it is traced with.

    Arguments are tensors, numbers, strings, None, and lists and tuples of these. Seeded by the builder.
    """
    forms: tuple[str, ...] = ("traced", "scripted")
    dynamic: tuple[tuple[int, int, str], ...] = ()
    """(argument, dimension, name): compiled once more with these extents open, for all calls. Equal names are equal extents."""
    settle: bool = True
    """Whether the first call is made in training mode before saving, for running statistics that are not 0 and 1."""
    method: str = "forward"
    known: Mapping[str, str] = field(default_factory=dict[str, str])
    """Forms that are known not to work yet, with the reason; they are expected to be refused, never to be wrong."""
