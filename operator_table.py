"""The table of operators that `torchcc ops` prints and docs/operators.md holds: what each takes, where it is defined, how it is tested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

import numpy as np

from . import catalogue
from .frontend import prelude
from .ir.dialects import aten
from .ir.dialects.aten.rules import array_type
from .ir.dtypes import SHORT_NAMES, DType
from .ir.operator import Operator, OperatorError, Sample, Unsupported
from .ir.operators import find, functional_form, uniform_name
from .ir.script_types import TensorType

HEAD: Final = ("operator", "implemented as", "dtypes", "defined in", "tested with", "core")

_TRIED: Final = 12
"""Samples that are looked at for one dtype."""

_WORDS: Final = {
    frozenset(SHORT_NAMES): "all",
    frozenset(SHORT_NAMES) - {"bool"}: "all but bool",
    frozenset(n for n in SHORT_NAMES if n[0] != "c"): "all but complex",
    frozenset(n for n in SHORT_NAMES if n[0] != "c") - {"bool"}: "integers, floats",
    frozenset(n for n in SHORT_NAMES if n[0] in "cfb") - {"bool"}: "floats, complex",
    frozenset(n for n in SHORT_NAMES if n[0] in "fb") - {"bool"}: "floats",
    frozenset(n for n in SHORT_NAMES if n[0] in "ui") | {"bool"}: "integers, bool",
    frozenset(n for n in SHORT_NAMES if n[0] in "ui"): "integers",
}


@dataclass(frozen=True)
class Row:
    operator: catalogue.KnownOperator
    dtypes: str
    """Of the first tensor, in words; empty where it is not the operator itself that decides."""
    definition: str
    tests: str

    @property
    def cells(self) -> tuple[str, ...]:
        core = "core" if self.operator.core else ""
        return (self.operator.name, self.operator.status, self.dtypes, self.definition, self.tests, core)


def rows(pattern: str = "", *, core_only: bool = False) -> list[Row]:
    """Of all operators whose name contains `pattern`, in the order of their names."""
    found = (o for o in catalogue.operators() if pattern in o.name and (o.core or not core_only))
    return [_row(o) for o in sorted(found, key=lambda o: o.name)]


def markdown() -> str:
    """The whole table."""
    lines = [HEAD, ("---",) * len(HEAD), *(r.cells for r in rows() if r.operator.supported)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _row(operator: catalogue.KnownOperator) -> Row:
    name = operator.name
    if operator.status == "derived":
        form = functional_form(name)
        return Row(operator, "", f"as `{form[0] if form is not None else uniform_name(name)}`", "")
    if operator.status == "composite":
        return Row(operator, "", f"frontend/prelude/{prelude.functions('aten')[prelude.function_name(name)].file}", "programs")
    if operator.status == "language":
        return Row(operator, "", "lowering/graph", "programs")
    record = find(name)
    if record is None or not operator.supported:
        return Row(operator, "", "", "")
    samples = list(record.samples())
    return Row(operator, in_words(dtypes(record)), _file_of(name), f"{len(samples)} samples")


# dtypes


def dtypes(record: Operator) -> list[str]:
    """Short names of the dtypes that the first tensor may have, by the record's own rule; none where there is no tensor."""
    samples = [s for s in record.samples() if s.raises is None and next(_tensors((*s.args, *s.kwargs.values())), None) is not None]
    return [name for name, dtype in SHORT_NAMES.items() if any(_accepts(record, s, dtype) for s in samples[:_TRIED])]


def in_words(names: Sequence[str]) -> str:
    return _WORDS.get(frozenset(names), ", ".join(names))


def _accepts(record: Operator, sample: Sample, dtype: DType) -> bool:
    first = next(_tensors((*sample.args, *sample.kwargs.values())))
    arguments = {name: _described(value, array_type(first).dtype, dtype) for name, value in _bound(record, sample).items()}
    try:
        record.infer(**arguments)
    except (OperatorError, Unsupported):
        return False
    return True


def _bound(record: Operator, sample: Sample) -> dict[str, Any]:
    """All arguments by name, defaults filled in."""
    formals = record.schema.arguments
    given = dict(zip((a.name for a in formals if not a.keyword_only), sample.args, strict=False)) | dict(sample.kwargs)
    found: dict[str, Any] = {}
    for formal in formals:
        value: Any = given.get(formal.name, formal.default)
        if isinstance(value, tuple) and formal.name not in given:
            value = list(cast("tuple[Any, ...]", value))
        found[formal.name] = [value] * formal.size if formal.size is not None and isinstance(value, int) else value
    return found


def _tensors(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, np.ndarray | np.generic):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(cast("Sequence[Any]", value))


def _described(value: Any, old: DType | None, new: DType) -> Any:
    """The type of an argument; tensors of the dtype `old` get the dtype `new`."""
    if isinstance(value, np.ndarray | np.generic):
        known = array_type(cast(Any, value))
        return TensorType(new if known.dtype is old else known.dtype, known.shape)
    if isinstance(value, list | tuple):
        return [_described(v, old, new) for v in cast("Sequence[Any]", value)]
    return value


# places


def _file_of(name: str) -> str:
    return f"ir/dialects/aten/{_files()[name]}"


@cache
def _files() -> dict[str, str]:
    families = [m for m in vars(aten).values() if isinstance(m, ModuleType) and hasattr(m, "OPERATORS")]
    return {record.name: Path(str(m.__file__)).name for m in families for record in m.OPERATORS}
