"""The passes, in order. `specialize` and `functionalize` come first: they make the function and its signature."""

from __future__ import annotations

from typing import Final

from ..ir.schedule import Schedules
from ..ir.signature import Signature
from ..ir.target import Target
from .contracts import check_graph, verify_loops, verify_tensor
from .graph.eliminate_dead_code import EliminateDeadCode
from .graph.fold_batch_norm import FoldBatchNorm
from .graph.fold_constants import FoldConstants
from .graph.merge_branches import MergeBranches
from .loops.borrow_references import BorrowReferences
from .loops.bufferize import Bufferize
from .loops.convert_linalg_to_loops import ConvertLinalgToLoops
from .loops.count_references import CountReferences
from .loops.expand_complex import ExpandComplex
from .loops.expand_math import ExpandMath
from .loops.fill_strings import FillStrings
from .loops.find_keys_once import FindKeysOnce
from .loops.fuse_loops import FuseLoops
from .loops.hoist_indices import HoistIndices
from .loops.map_to_gpu import MapToGpu
from .loops.parallelize import Parallelize
from .loops.plan_memory import PlanMemory
from .loops.stream_results import StreamResults
from .loops.write_in_place import WriteInPlace
from .pass_manager import Pipeline, Stage
from .tensor.canonicalize import Canonicalize
from .tensor.convert_torch_to_linalg import ConvertTorchToLinalg
from .tensor.fold_moved_constants import FoldMovedConstants
from .tensor.fuse_attention import FuseAttention
from .tensor.fuse_elementwise import FuseElementwise
from .tensor.move_channels_last import MoveChannelsLast
from .tensor.narrow_products import NarrowProducts
from .tensor.relax_exponentials import RelaxExponentials
from .tensor.short_weights import ShortWeights

CONSTANTS_SETTLED: Final = ConvertLinalgToLoops.name
"""The pass after which no constant comes or goes: weights are packed as the loops read them."""


SCHEDULES_MATTER_AFTER: Final = WriteInPlace.name
"""The last pass for a CPU that does not look at schedules."""


def scheduled(whole: Pipeline) -> Pipeline:
    """The part of a pipeline for a CPU that stands behind that pass."""
    last = whole.stages[-1]
    names = [p.name for p in last.passes]
    return Pipeline(Stage(last.name, *last.passes[names.index(SCHEDULES_MATTER_AFTER) + 1 :], ensures=last.ensures))


def pipeline(signature: Signature, target: Target, *, gpu: bool, schedules: Schedules | None = None) -> Pipeline:
    """From the specialised, functional graph to loops; `schedules` stand instead of the cost model's, and record what was decided."""
    return Pipeline(
        Stage(
            "torch",
            FoldConstants(),
            EliminateDeadCode(),  # so that what uses a value really uses it
            FoldBatchNorm(),
            MergeBranches(),
            EliminateDeadCode(),
            ensures=check_graph,
        ),
        Stage(
            "linalg",
            ConvertTorchToLinalg(signature),
            Canonicalize(),
            FoldMovedConstants(),
            *(() if gpu else (NarrowProducts(), ShortWeights(target.short_weights))),
            *(() if gpu else (MoveChannelsLast(),)),  # registers of a CPU run along channels; a GPU has threads for pixels
            *(() if gpu else (FuseAttention(target), RelaxExponentials())),
            FuseElementwise(),
            Canonicalize(),  # what fusion left behind
            ensures=verify_tensor,
        ),
        Stage(
            "loops",
            Bufferize(),
            *(() if gpu else (WriteInPlace(),)),
            ConvertLinalgToLoops(target, Schedules() if schedules is None else schedules),
            *(() if gpu else (FuseLoops(target), HoistIndices(), StreamResults(target))),  # a GPU would rather have many short loops than few long ones
            PlanMemory(),  # after the loops: fused intermediates need no memory
            ExpandComplex(),
            ExpandMath(),  # last of the rewriting: earlier passes weigh a function as one operation
            CountReferences(),  # nothing moves after it
            BorrowReferences(),
            FindKeysOnce(),
            FillStrings(),
            MapToGpu() if gpu else Parallelize(target),
            ensures=verify_loops,
        ),
    )
