# Functions of numbers: divmod and what `math` has beyond the primitives.

import math
import torch
from torch import Tensor
from typing import Tuple


def divmod__int(x: int, y: int) -> Tuple[int, int]:
    return x // y, x % y


def divmod__float(x: float, y: float) -> Tuple[float, float]:
    return x // y, x % y


def divmod__int_float(x: int, y: float) -> Tuple[float, float]:
    return x // y, x % y


def divmod__float_int(x: float, y: int) -> Tuple[float, float]:
    return x // y, x % y


def gcd__int(a: int, b: int) -> int:
    a, b = abs(a), abs(b)
    while b != 0:
        a, b = b, a % b
    return a


def factorial__int(a: int) -> int:
    if a < 0:
        raise ValueError("factorial() not defined for negative values")
    result = 1
    for i in range(2, a + 1):
        result *= i
    return result


def frexp(a: float) -> Tuple[float, int]:
    if a == 0.0 or not math.isfinite(a):
        return a, 0
    mantissa, exponent = a, 0
    while abs(mantissa) >= 1.8446744073709552e19:
        mantissa, exponent = mantissa * 5.421010862427522e-20, exponent + 64
    while abs(mantissa) < 5.421010862427522e-20:
        mantissa, exponent = mantissa * 1.8446744073709552e19, exponent - 64
    while abs(mantissa) >= 1.0:
        mantissa, exponent = mantissa * 0.5, exponent + 1
    while abs(mantissa) < 0.5:
        mantissa, exponent = mantissa * 2.0, exponent - 1
    return mantissa, exponent


def modf(a: float) -> Tuple[float, float]:
    if math.isinf(a):
        return math.copysign(0.0, a), a
    part = math.fmod(a, 1.0)
    return part, a - part


def _h_lanczos(x: float) -> float:
    # Godfrey's coefficients for g = 607 / 128
    return (
        0.99999999999999709182
        + 57.156235665862923517 / (x + 1.0)
        - 59.597960355475491248 / (x + 2.0)
        + 14.136097974741747174 / (x + 3.0)
        - 0.49191381609762019978 / (x + 4.0)
        + 0.33994649984811888699e-4 / (x + 5.0)
        + 0.46523628927048575665e-4 / (x + 6.0)
        - 0.98374475304879564677e-4 / (x + 7.0)
        + 0.15808870322491248884e-3 / (x + 8.0)
        - 0.21026444172410488319e-3 / (x + 9.0)
        + 0.21743961811521264320e-3 / (x + 10.0)
        - 0.16431810653676389022e-3 / (x + 11.0)
        + 0.84418223983852743293e-4 / (x + 12.0)
        - 0.26190838401581408670e-4 / (x + 13.0)
        + 0.36899182659531622704e-5 / (x + 14.0)
    )


def gamma__float(a: float) -> float:
    if a == 0.0:
        return math.copysign(math.inf, a)
    if a > 172.0 or math.isnan(a):
        return a if math.isnan(a) else math.inf
    whole = math.fmod(a, 1.0) == 0.0
    if whole and a < 0.0:
        return math.nan
    if whole and a < 24.0:
        product = 1.0
        for i in range(2, int(a)):
            product = product * float(i)
        return product
    x = 1.0 - a if a < 0.5 else a
    t = x + 4.7421875 - 0.5
    half = math.pow(t, 0.5 * (x - 0.5))
    value = 2.5066282746310005 * _h_lanczos(x - 1.0) * (half * math.exp(-t)) * half
    if a < 0.5:
        return math.pi / (math.sin(math.pi * math.fmod(a, 2.0)) * value)
    return value


def gamma__int(a: int) -> float:
    return gamma__float(float(a))


def lgamma__float(a: float) -> float:
    if math.isnan(a):
        return a
    if math.isinf(a) or (a <= 0.0 and math.fmod(a, 1.0) == 0.0):
        return math.inf
    if a == 1.0 or a == 2.0:
        return 0.0
    x = 1.0 - a if a < 0.5 else a
    t = x + 4.7421875 - 0.5
    value = math.log(2.5066282746310005 * _h_lanczos(x - 1.0)) + (x - 0.5) * math.log(t) - t
    if a < 0.5:
        return math.log(math.pi / abs(math.sin(math.pi * math.fmod(a, 2.0)))) - value
    return value


def lgamma__int(a: int) -> float:
    return lgamma__float(float(a))
