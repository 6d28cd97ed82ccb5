"""A C program that calls functions of a compiled library and compares what they give with what is expected.

The program is complete in itself: arguments and expected results are tables in its text, so that nothing but the
library computes anything. It prints a line for each result that differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from torchcc.ir.dtypes import DType, from_numpy
from torchcc.ir.script_types import TensorType
from torchcc.ir.signature import ConstantResult, Leaf, ResultTree, SequenceResult, Signature, TensorSpec

HEAD = r"""
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "operators.h"

static double value(int code, int bits, const void *data, int64_t i) {
    uint32_t word = 0;
    float single;
    if (code == 0) return bits == 8 ? ((const int8_t *)data)[i] : bits == 16 ? ((const int16_t *)data)[i] : ((const int32_t *)data)[i];
    if (code == 1 || code == 6) return ((const uint8_t *)data)[i];
    if (bits == 64) return ((const double *)data)[i];
    if (bits == 32) return ((const float *)data)[i];
    word = ((const uint16_t *)data)[i];
    if (code == 4) {
        word <<= 16;
        memcpy(&single, &word, 4);
        return single;
    }
    double fraction = word & 1023, sign = word >> 15 ? -1 : 1;
    int exponent = word >> 10 & 31;
    if (exponent == 31) return fraction ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexp(fraction + 1024, exponent - 25) : ldexp(fraction, -24));
}

static int close_to(double found, double expected, double relative, double absolute) {
    if (isnan(expected)) return isnan(found);
    return found == expected || fabs(found - expected) <= absolute + relative * fabs(expected);
}

static int wrong(const char *what, DLTensor *t, int code, int bits, int rank, const int64_t *shape, const void *expected,
                 double relative, double absolute) {
    int64_t count = 1;
    if (t->dtype.code != code || t->dtype.bits != bits || t->ndim != rank) return printf("%s: type or rank\n", what), 1;
    for (int i = 0; i < rank; i++) {
        if (t->shape[i] != shape[i]) return printf("%s: extent %d is %" PRId64 "\n", what, i, t->shape[i]), 1;
        count *= shape[i];
    }
    const char *data = (const char *)t->data + t->byte_offset;
    for (int64_t i = 0; code == 0 && bits == 64 && i < count; i++)
        if (((const int64_t *)data)[i] != ((const int64_t *)expected)[i]) return printf("%s: element %" PRId64 "\n", what, i), 1;
    if (code == 5) code = 2, bits /= 2, count *= 2;
    for (int64_t i = 0; (code != 0 || bits != 64) && i < count; i++) {
        double found = value(code, bits, data, i), wanted = value(code, bits, expected, i);
        if (!close_to(found, wanted, relative, absolute))
            return printf("%s: element %" PRId64 " is %g, expected %g\n", what, i, found, wanted), 1;
    }
    return torchcc_free(t), 0;
}
"""

CODES = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}
"""DLPack's, by numpy's kind; bfloat16 has 4."""


@dataclass(frozen=True)
class Trial:
    """One call of one function."""

    signature: Signature
    leaves: Sequence[Any]
    """Run-time arguments, in the order of the parameters."""
    expected: Any
    """Nested like the signature's results."""
    label: Callable[[int], str]
    """What to say of the result of that number (of the outermost sequence) where it differs."""
    tolerance: dict[Any, tuple[float, float]]


def c_program(trials: Sequence[Trial]) -> str:
    """The text of `main.c`; `operators.h` declares the functions."""
    functions = "".join(_trial(i, t) for i, t in enumerate(trials))
    calls = "".join(f"    faults += trial{i}();\n" for i in range(len(trials)))
    return f"{HEAD}\n{functions}\nint main(void) {{\n    int faults = 0;\n{calls}    return faults != 0;\n}}\n"


def _trial(number: int, trial: Trial) -> str:
    signature = trial.signature
    tables: list[str] = []
    actuals: list[str] = []
    for i, (parameter, leaf) in enumerate(zip(signature.parameters, trial.leaves, strict=True)):
        if isinstance(parameter.spec, TensorSpec):
            tables += _argument(i, np.asarray(leaf))
            actuals.append(f"&x{i}")
        else:
            actuals.append(_number(leaf))
    checks: list[str] = []
    for leaf, wanted, place in _expected(signature.tree, trial.expected, 0):
        label = f'"{trial.label(place)}"'
        if isinstance(signature.results[leaf.index], TensorType):
            array = np.asarray(wanted)
            tables.append(_table(f"e{leaf.index}", array))
            checks.append(_tensor_check(leaf.index, array, label, trial.tolerance.get(array.dtype, (0.0, 0.0))))
        else:
            checks.append(f"if (!close_to(o{leaf.index}, {_number(wanted)}, 1e-12, 1e-15)) puts({label}), faults++;")
    outputs = [f"{_c_type(signature.results[i])} o{i}; memset(&o{i}, 0, sizeof o{i});" for i in signature.outputs]
    call = f"{signature.name}({', '.join([*actuals, *(f'&o{i}' for i in signature.outputs)])})"
    lines = [*tables, *outputs, f"if ({call}) return puts(torchcc_last_error()), 1;", *checks, "return faults;"]
    return f"static int trial{number}(void) {{\n    int faults = 0;\n" + "".join(f"    {x}\n" for x in lines) + "}\n\n"


def _expected(tree: ResultTree, value: Any, place: int, depth: int = 0) -> Iterator[tuple[Leaf, Any, int]]:
    """Every result that the function gives at run time, with what it has to be."""
    match tree:
        case Leaf():
            yield tree, value, place
        case ConstantResult(known):
            assert known == value or known != known
        case SequenceResult(elements):
            value = (value.real, value.imag) if isinstance(value, complex) else value
            assert len(elements) == len(value)
            for i, (element, inner) in enumerate(zip(elements, value, strict=True)):
                yield from _expected(element, inner, place if depth else i, depth + 1)
        case _:
            raise AssertionError(f"a result of the form {tree}")


def _kind(array: Any) -> tuple[int, int]:
    """DLPack's code and bits."""
    if from_numpy(array.dtype) is DType.bfloat16:
        return 4, 16
    return CODES[array.dtype.kind], array.dtype.itemsize * 8


def _table(name: str, array: Any) -> str:
    """The elements, bit by bit."""
    size = min(array.dtype.itemsize, 8)
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    words = flat.view(f"u{size}").tolist() if flat.size else []
    inside = ", ".join(f"{w}{'u' if size < 8 else 'ull'}" for w in words) or "0"
    return f"static const uint{size * 8}_t {name}[] = {{{inside}}};"


def _argument(i: int, array: Any) -> list[str]:
    code, bits = _kind(array)
    shape = f"static int64_t s{i}[] = {{{', '.join(map(str, array.shape)) or '0'}}};"
    tensor = f"DLTensor x{i} = {{(void *)a{i}, {{1, 0}}, {array.ndim}, {{{code}, {bits}, 1}}, s{i}, 0, 0}};"
    return [_table(f"a{i}", array), shape, tensor]


def _tensor_check(index: int, array: Any, label: str, tolerance: tuple[float, float]) -> str:
    code, bits = _kind(array)
    extents = f"(int64_t[]){{{', '.join(map(str, array.shape))}}}" if array.ndim else "0"
    what = f"{label}, &o{index}, {code}, {bits}, {array.ndim}, {extents}, e{index}"
    return f"faults += wrong({what}, {tolerance[0]}, {tolerance[1]});"


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return f"INT64_C({value})" if value > -(2**63) else "INT64_MIN"
    return {"inf": "INFINITY", "-inf": "-INFINITY", "nan": "NAN"}.get(repr(float(value)), repr(float(value)))


def _c_type(type_: Any) -> str:
    return "DLTensor" if isinstance(type_, TensorType) else {"int": "int64_t", "float": "double", "bool": "bool"}[str(type_)]
