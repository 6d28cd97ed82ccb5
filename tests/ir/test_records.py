"""Dataclass trees as text: what comes back is equal, and what means nothing elsewhere is refused."""

from __future__ import annotations

import math

import pytest

from torchcc.ir import records
from torchcc.ir.diagnostics import Diagnostic, Note
from torchcc.ir.dtypes import DType
from torchcc.ir.schema import Argument, Schema
from torchcc.ir.script_types import FLOAT, INT, ClassType, DictType, ListType, OptionalType, TensorType
from torchcc.ir.signature import (
    ConstantSpec,
    Dim,
    Leaf,
    Parameter,
    ScalarSpec,
    SequenceResult,
    SequenceSpec,
    Signature,
    TensorSpec,
)
from torchcc.ir.source import SourceFile, Span

TENSOR = TensorSpec(DType.bfloat16, (2, Dim("n", 1, None)))

VALUES = [
    None,
    True,
    -(2**70),
    "ä\n\"'",
    (1, [2.5, (), []], {"k": 1, 3: None}),
    1e-320,
    -math.inf,
    complex(-0.0, 1.5),
    TENSOR,
    (ConstantSpec(None), ConstantSpec([1, 2.0, "x"]), SequenceSpec((TENSOR, ScalarSpec(INT)), True)),
    Signature(
        "f",
        (Parameter("x", TENSOR, 1), Parameter("k", ScalarSpec(FLOAT))),
        (TensorType(DType.float32, (2, None)), INT),
        SequenceResult((Leaf(0, TensorType(DType.float32, (2, None))), Leaf(1, INT)), False),
    ),
    Schema("aten", "f", "", (Argument("x", ListType(OptionalType(INT)), "int", (1, 2), True),), (Argument("", DictType(INT, FLOAT), ""),)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: type(v).__name__)
def test_what_comes_back_is_equal(value):
    again = records.from_text(records.to_text(value))
    assert again == value and type(again) is type(value)


def test_numbers_keep_their_kind_and_sign():
    values = records.from_text(records.to_text((0.0, -0.0, 1, 1.0, True, math.nan)))
    assert [type(v) for v in values] == [float, float, int, float, bool, float]
    assert math.copysign(1, values[1]) == -1 and math.isnan(values[5])


def test_spans_share_their_files():
    a, b = SourceFile("a.py", "x = 1\n"), SourceFile("a.py", "x = 1\n")
    spans = records.from_text(records.to_text((Span(a, 0, 1), Span(a, 4, 5, Span(b, 0, 1)), None)))
    assert [str(s) for s in spans[:2]] == ["a.py:1:1", "a.py:1:5"]
    assert spans[0].file is spans[1].file is not spans[1].origin.file
    note = Diagnostic("wrong", Span(a, 4, 5), "here", (Note("see", Span(a, 0, 1)),), "do this")
    assert records.from_text(records.to_text(note)).render() == note.render()


@pytest.mark.parametrize("value", [ClassType("C"), object(), ConstantSpec(ClassType("C")), b"bytes", {1: {2}}], ids=lambda v: type(v).__name__)
def test_identities_are_refused(value):
    with pytest.raises(records.NotStorable):
        records.to_text(value)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "[1]", "[[\"Nothing\",1],[]]", "[[\"Span\",1],[]]", "[[\"file\",3],[]]", "[[\"dtype\",\"f\"],[]]", "[" * 100_000, "[[[]],[]]", "[[{}],[]]"],
)
def test_other_text_is_refused(text):
    with pytest.raises(records.NotReadable):
        records.from_text(text)
