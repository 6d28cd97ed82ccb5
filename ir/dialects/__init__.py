"""All dialects: `DEFINITIONS` maps an operation's name to its definition. `aten::` nodes are defined by their schemas."""

from __future__ import annotations

from typing import Final

from ..definition import OpDefinition
from . import arith, cf, func, gpu, linalg, math, memref, rt, scf, tensor, torch, vector

DEFINITIONS: Final[dict[str, OpDefinition]] = {
    definition.name: definition
    for dialect in (torch, func, arith, math, scf, cf, tensor, linalg, memref, vector, gpu, rt)
    for definition in dialect.OPS
}
