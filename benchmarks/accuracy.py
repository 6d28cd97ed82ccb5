"""Largest errors of mathematical functions, in units in the last place, against mpmath.

    python benchmarks/accuracy.py [FUNCTION ...] [--points 1000] [--dtype f32] [--write]

Needs mpmath; PyTorch, where it is installed, is measured on the same points. For each function and dtype: points spread
evenly over the representable numbers of its domain (so that small, large and denormal ones are among them), and evenly
over the interval where most programs use it. The error of a result r, where x is exact, is |r - x| / ulp(x), with the
spacing of normal numbers for what is smaller. A point where the exact result overflows or is not a number counts as right
if the result is the same infinity or NaN, else as infinitely wrong. `--write` puts the table into docs/accuracy.md.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import mpmath
import numpy as np

import torchcc

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "accuracy.md"
DTYPES = {
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
}
PRECISION = 160
"""Bits of the reference; sums of series near zeros of a function need more than twice those of f64."""

EVERYTHING = (-np.inf, np.inf)


@dataclass(frozen=True)
class Function:
    name: str
    """As `torch.NAME`."""
    exact: Callable[..., Any]
    domain: tuple[float, float] = EVERYTHING
    usual: tuple[float, float] = (-8.0, 8.0)
    arguments: int = 1


def _erfc(x: Any) -> Any:
    return mpmath.erfc(x) if abs(x) < 1000 else mpmath.mpf(2 if x < 0 else 0)  # mpmath's fails far out


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


def _gelu(x: Any) -> Any:
    return x * _erfc(-x / mpmath.sqrt(2)) / 2


def _softplus(x: Any) -> Any:
    return mpmath.log1p(mpmath.exp(x)) if x <= 20 else x


FULL_ONLY = ("special.ndtri", "special.i0", "special.i1", "special.erfcx")
"""PyTorch has these for f32 and f64 only, or for some halves."""

POSITIVE, UNIT = (0.0, np.inf), (-1.0, 1.0)

FUNCTIONS = (
    Function("exp", mpmath.exp),
    Function("exp2", lambda x: mpmath.mpf(2) ** x),
    Function("expm1", mpmath.expm1),
    Function("log", mpmath.log, POSITIVE, (0.0, 8.0)),
    Function("log2", lambda x: mpmath.log(x, 2), POSITIVE, (0.0, 8.0)),
    Function("log10", mpmath.log10, POSITIVE, (0.0, 8.0)),
    Function("log1p", mpmath.log1p, (-1.0, np.inf), (-1.0, 8.0)),
    Function("sqrt", mpmath.sqrt, POSITIVE, (0.0, 8.0)),
    Function("rsqrt", lambda x: 1 / mpmath.sqrt(x), POSITIVE, (0.0, 8.0)),
    Function("sin", mpmath.sin),
    Function("cos", mpmath.cos),
    Function("tan", mpmath.tan),
    Function("asin", mpmath.asin, UNIT, UNIT),
    Function("acos", mpmath.acos, UNIT, UNIT),
    Function("atan", mpmath.atan),
    Function("sinh", mpmath.sinh),
    Function("cosh", mpmath.cosh),
    Function("tanh", mpmath.tanh),
    Function("asinh", mpmath.asinh),
    Function("acosh", mpmath.acosh, (1.0, np.inf), (1.0, 8.0)),
    Function("atanh", mpmath.atanh, UNIT, UNIT),
    Function("sigmoid", _sigmoid),
    Function("erf", mpmath.erf),
    Function("erfc", _erfc),
    Function("erfinv", mpmath.erfinv, UNIT, UNIT),
    Function("lgamma", lambda x: mpmath.log(abs(mpmath.gamma(x))) if abs(x) < 1000 else mpmath.re(mpmath.loggamma(x))),
    Function("digamma", mpmath.digamma, POSITIVE, (0.0, 8.0)),
    Function("special.i0", lambda x: mpmath.besseli(0, x), (-80.0, 80.0)),
    Function("special.i1", lambda x: mpmath.besseli(1, x), (-80.0, 80.0)),
    Function("special.ndtri", lambda x: mpmath.sqrt(2) * mpmath.erfinv(2 * x - 1), (1e-40, 1.0), (0.0, 1.0)),
    Function("special.erfcx", lambda x: mpmath.exp(x * x) * mpmath.erfc(x), (-9.0, 1e6)),
    Function("nn.functional.gelu", _gelu),
    Function("nn.functional.silu", lambda x: x * _sigmoid(x)),
    Function("nn.functional.softplus", _softplus),
    Function("pow", lambda x, y: x**y, POSITIVE, (0.0, 8.0), 2),
    Function("atan2", mpmath.atan2, EVERYTHING, (-8.0, 8.0), 2),
    Function("hypot", mpmath.hypot, EVERYTHING, (-8.0, 8.0), 2),
)


# points


def points(function: Function, dtype: np.dtype[Any], count: int, seed: int) -> list[np.ndarray[Any, Any]]:
    """Arguments: half of them even over the representable numbers of the domain, half over the usual interval."""
    random = np.random.default_rng(seed)
    chosen: list[np.ndarray[Any, Any]] = []
    for _ in range(function.arguments):
        spread = _spread(function.domain, dtype, count // 2, random)
        usual = random.uniform(*function.usual, count - len(spread)).astype(dtype)
        chosen.append(np.concatenate([spread, usual]))
    return chosen


def _spread(domain: tuple[float, float], dtype: np.dtype[Any], count: int, random: Any) -> np.ndarray[Any, Any]:
    """Numbers whose bit patterns are even between those of the ends."""
    bits = np.dtype(f"i{dtype.itemsize}")
    top = np.array(np.inf, dtype).view(bits).item() - 1
    signed = [max(-top, min(top, _order(end, dtype, bits))) for end in domain]
    places = random.integers(signed[0], signed[1], count, endpoint=True, dtype=np.int64)
    magnitudes = np.abs(places).astype(bits).view(dtype)
    return np.where(places < 0, -magnitudes, magnitudes).astype(dtype)


def _order(value: float, dtype: np.dtype[Any], bits: np.dtype[Any]) -> int:
    """Position of a number among those of the dtype, 0 for zero."""
    place = np.array(abs(value), dtype).view(bits).item()
    return -place if value < 0 else place


# errors


def exact_values(function: Function, arguments: Sequence[np.ndarray[Any, Any]]) -> list[Any]:
    with mpmath.workprec(PRECISION):
        wide = [a.astype(np.float64).tolist() for a in arguments]
        return [_exact(function, [mpmath.mpf(v) for v in row]) for row in zip(*wide, strict=True)]


def _exact(function: Function, row: Sequence[Any]) -> Any:
    try:
        value = function.exact(*row)
    except (ZeroDivisionError, ValueError):
        return mpmath.nan  # a pole: whatever infinity or NaN a library gives there is not measured
    return value if not isinstance(value, mpmath.mpc) else mpmath.nan


def worst_error(found: np.ndarray[Any, Any], exact: Sequence[Any], dtype: np.dtype[Any]) -> float:
    """In units in the last place; NaN entries of `exact` are left out."""
    info: Any = ml_dtypes.finfo(dtype)
    largest, smallest = float(info.max), int(info.minexp)
    digits = int(info.nmant)
    worst = 0.0
    with mpmath.workprec(PRECISION):
        for value, x in zip(found.astype(np.float64).tolist(), exact, strict=True):
            if mpmath.isnan(x):
                continue
            exponent = mpmath.frexp(x)[1] - 1 if x != 0 and not mpmath.isinf(x) else smallest
            unit = mpmath.ldexp(1, max(exponent, smallest) - digits)
            if abs(x) > largest + unit / 2 or mpmath.isinf(x):
                worst = max(worst, 0.0 if abs(value) >= largest and (value > 0) == (x > 0) else np.inf)
            elif not np.isfinite(value):
                worst = max(worst, 1.0 if abs(x) > largest - unit else np.inf)
            else:
                worst = max(worst, float(abs(mpmath.mpf(value) - x) / unit))
    return worst


def measured(function: Function, dtype: np.dtype[Any], count: int, seed: int = 0) -> tuple[float, float | None]:
    """Worst errors of torchcc and of PyTorch, where it is installed; NaN where the function does not take the dtype."""
    if dtype.itemsize == 2 and function.name in FULL_ONLY:
        return np.nan, None
    arguments = points(function, dtype, count, seed)
    exact = exact_values(function, arguments)
    return (
        worst_error(_native(function, arguments), exact, dtype),
        worst_error(theirs, exact, dtype) if (theirs := _pytorch(function, arguments, dtype)) is not None else None,
    )


def _native(function: Function, arguments: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    names = ["x", "y"][: function.arguments]
    formals = ", ".join(f"{n}: torch.Tensor" for n in names)
    source = f"import torch\n\ndef f({formals}) -> torch.Tensor:\n    return torch.{function.name}({', '.join(names)})\n"
    return np.asarray(torchcc.compile_source(source).f(*arguments))


def _pytorch(
    function: Function, arguments: Sequence[np.ndarray[Any, Any]], dtype: np.dtype[Any]
) -> np.ndarray[Any, Any] | None:
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    target: Any = torch
    for part in function.name.split("."):
        target = getattr(target, part)
    kinds = {4: torch.float32, 8: torch.float64}
    kind = kinds.get(dtype.itemsize, torch.float16 if dtype == np.float16 else torch.bfloat16)
    tensors = [torch.from_numpy(a.astype(np.float64)).to(kind) for a in arguments]
    return target(*tensors).double().numpy()


# the table


def table(functions: Sequence[Function], dtypes: Sequence[str], count: int) -> list[str]:
    lines = [
        "| function | " + " | ".join(f"{d}" for d in dtypes) + " | " + " | ".join(f"PyTorch {d}" for d in dtypes) + " |",
        "|---" * (1 + 2 * len(dtypes)) + "|",
    ]
    for function in functions:
        found = [measured(function, DTYPES[d], count) for d in dtypes]
        cells = [shown(ours) for ours, _ in found] + ["" if theirs is None else shown(theirs) for _, theirs in found]
        lines.append(f"| `{function.name}` | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return lines


def shown(error: float) -> str:
    if not np.isfinite(error):
        return "" if np.isnan(error) else "inf"
    return f"{error:.2f}" if error < 100 else f"{error:.1e}"


def write(lines: Sequence[str]) -> None:
    text = DOCUMENT.read_text()
    head, begin, rest = text.partition("<!-- table -->\n")
    _, end, tail = rest.partition("<!-- end -->")
    DOCUMENT.write_text(head + begin + "\n".join(lines) + "\n" + end + tail)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("functions", nargs="*", metavar="FUNCTION")
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--dtype", choices=DTYPES, action="append")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    chosen = [f for f in FUNCTIONS if not options.functions or f.name in options.functions]
    lines = table(chosen, options.dtype or list(DTYPES), options.points)
    if options.write:
        write(lines)


if __name__ == "__main__":
    main()
