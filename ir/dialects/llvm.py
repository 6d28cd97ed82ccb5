"""`llvm`: instructions of a processor that no other dialect has a word for, called by the name of LLVM's intrinsic.

`DOTS` are sums of products of small integers, added to sums of 32 bits: of four bytes (unsigned times signed) for each lane, or of
two numbers of 16 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from ..builder import Builder
from ..core import Operation, Value
from ..definition import OpDefinition, Trait
from ..types import I8, I16, I32, Type, VectorType

BYTE_DOTS: Final = {16: "llvm.x86.avx512.vpdpbusd.512", 8: "llvm.x86.avx512.vpdpbusd.256"}
"""By lanes of the sums: (sums, unsigned bytes, signed bytes) -> sums."""

WORD_DOTS: Final = {16: "llvm.x86.avx512.pmaddw.d.512", 8: "llvm.x86.avx2.pmadd.wd", 4: "llvm.x86.sse2.pmadd.wd"}
"""By lanes of the result: (words, words) -> sums of the products of neighbours."""


def call_intrinsic(b: Builder, name: str, arguments: Sequence[Value], result: Type) -> Value:
    return b.create("llvm.call_intrinsic", arguments, (result,), {"intrin": name}).result


def name_of(op: Operation) -> str:
    return cast(str, op.attributes["intrin"])


def _verify(op: Operation) -> str | None:
    name, types = op.attributes.get("intrin"), tuple(v.type for v in op.operands)
    for table, expected in ((BYTE_DOTS, (I32, I8, I8)), (WORD_DOTS, (I16, I16))):
        for lanes, known in table.items():
            if name == known:
                wanted = tuple(VectorType((lanes * 4 // (t.width // 8),), t) for t in expected)
                sums = VectorType((lanes,), I32)
                taken = ", ".join(map(str, wanted))
                return None if types == wanted and op.result.type == sums else f"{name} takes {taken} and gives {sums}"
    return f"no intrinsic {name} is known here"


OPS: tuple[OpDefinition, ...] = (
    OpDefinition(
        "llvm.call_intrinsic",
        ("args*",),
        assembly="#intrin ( $args ) attr-dict : functional-type",
        traits=frozenset({Trait.PURE}),
        verify=_verify,
    ),
)
