"""All dialects: `DEFINITIONS` maps an operation's name to its definition. `aten::` nodes are defined by their schemas."""

from __future__ import annotations

from typing import Final

from ..definition import OpDefinition
from . import (
    arith,
    cf,
    complex,
    func,
    gpu,
    linalg,
    linalg_ext,
    llvm,
    math,
    memref,
    rt,
    rt_clock,
    rt_dicts,
    rt_forks,
    rt_random,
    rt_records,
    rt_strings,
    rt_views,
    scf,
    tensor,
    torch,
    vector,
)

RUN_TIME: Final = (rt, rt_clock, rt_dicts, rt_forks, rt_random, rt_records, rt_strings, rt_views)
"""The parts of the dialect `rt`."""

DEFINITIONS: Final[dict[str, OpDefinition]] = {
    definition.name: definition
    for dialect in (torch, func, arith, complex, math, scf, cf, tensor, linalg, linalg_ext, memref, vector, llvm, gpu, *RUN_TIME)
    for definition in dialect.OPS
}
