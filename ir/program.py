"""What a frontend hands over: compiled functions, the entry among them, and the module instance it is bound to."""

from __future__ import annotations

from dataclasses import dataclass

from .core import Operation
from .schema import Schema
from .script_types import ScriptObject


@dataclass
class Program:
    """`module` holds a `torch.func` for the entry and for everything it reaches."""

    module: Operation
    entry: str
    """Symbol of the entry function."""
    schema: Schema
    """Its parameters, without `self`."""
    receiver: ScriptObject | None = None
    """`self` of a method: the module instance, its weights included."""
