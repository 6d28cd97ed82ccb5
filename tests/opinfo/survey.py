"""Which operators, dtypes and forms are tried, and what is known not to agree yet (`known.tsv`)."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from calls import Call, Unspeakable, samples
from judge import Verdict, judge

DTYPES: Final = {
    "f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16, "i64": torch.int64, "i32": torch.int32,
    "i16": torch.int16, "i8": torch.int8, "u8": torch.uint8, "b1": torch.bool, "c64": torch.complex64, "c128": torch.complex128,
    "c32": torch.complex32, "u16": torch.uint16, "u32": torch.uint32, "u64": torch.uint64,
}  # fmt: skip
KNOWN: Final = Path(__file__).parent / "known.tsv"
SHORT_DTYPES: Final = ("f32", "i64", "b1")
SHORT_SAMPLES: Final = 2
SLOW: Final = ("linalg.", "svd", "pca", "lobpcg")
"""Seconds each: not in the short form."""


def full_name(op: Any) -> str:
    return op.name + (f"/{op.variant_test_name}" if op.variant_test_name else "")


def operators(pattern: str | None = None) -> list[Any]:
    from torch.testing._internal.common_methods_invocations import op_db

    patterns = (pattern or "*").split(",")
    return [op for op in op_db if any(fnmatch.fnmatch(full_name(op), p) for p in patterns)]


def supports(op: Any, dtype: str) -> bool:
    return DTYPES[dtype] in op.supported_dtypes("cpu")


def known() -> dict[tuple[str, str], str]:
    """(operator, dtype) -> why not."""
    if not KNOWN.exists():
        return {}
    rows = (line.split("\t") for line in KNOWN.read_text().splitlines() if line and not line.startswith("#"))
    return {(name, dtype): why for name, dtype, why in rows}


def short_calls(op: Any, dtype: str) -> list[Call]:
    try:
        return list(samples(op, DTYPES[dtype], "function", SHORT_SAMPLES))
    except Unspeakable:
        return []


def short_verdicts(ops: Sequence[Any], left_out: Iterable[tuple[str, str]] = ()) -> dict[tuple[str, str], Verdict]:
    """The first verdict that is not agreement for each operator and dtype; those of several operators are compiled together."""
    owners: list[tuple[str, str]] = []
    calls: list[Call] = []
    skipped = set(left_out)
    for op in ops:
        for dtype in SHORT_DTYPES:
            key = (full_name(op), dtype)
            if supports(op, dtype) and key not in skipped and not op.name.startswith(SLOW):
                found = short_calls(op, dtype)
                calls += found
                owners += [key] * len(found)
    result: dict[tuple[str, str], Verdict] = {}
    for key, verdict in zip(owners, judge(calls), strict=True):
        if verdict.kind in ("refused", "failed"):
            result.setdefault(key, verdict)
    return result
