# The gamma function's logarithm and its derivatives, Hurwitz' zeta function.

import math
import torch
from torch import Tensor


def _h_float_dtype(dtype: int) -> int:
    # integers and bool give the default float type: the numbers of dtypes from 5 on are those of floats, but for bool and wide unsigned ones
    if dtype >= 5:
        if dtype != 11 and dtype < 27:
            return dtype
    return torch.float32


def _h_lgamma_near_two(z: Tensor) -> Tensor:
    # of 2 + z, |z| <= 1/2: the coefficients are (-1)^k (zeta(k) - 1) / k, and 1 - Euler's constant
    y = _h_horner(
        z,
        [
            7.275974480239079e-12, -1.5021384080754142e-11, 3.1044247747322276e-11, -6.4229645638381e-11,
            1.330476437424449e-10, -2.7595228851242334e-10, 5.731367241678862e-10, -1.1921401405860912e-09,
            2.4836745438024785e-09, -5.183475041970047e-09, 1.0838659214896955e-08, -2.2711094608943164e-08,
            4.7698101693639804e-08, -1.0043224823968099e-07, 2.1207184805554665e-07, -4.492469198764566e-07,
            9.55141213040742e-07, -2.039215753801366e-06, 4.374866789907488e-06, -9.439488275268397e-06,
            2.050721277567069e-05, -4.492623673813314e-05, 9.945751278180853e-05, -0.00022315475845357939,
            0.0005096695247430425, -0.001192753911703261, 0.0028905103307415234, -0.007385551028673986,
            0.020580808427784546, -0.0673523010531981, 0.3224670334241132,
        ],
    )
    return z * (0.42278433509846713 + z * y)


def _h_lgamma(x: Tensor) -> Tensor:
    # float64
    a = torch.abs(x)
    # a < 1/2, 1/2 .. 3/2: by 2 + z; up to 8: downwards to 3/2 .. 5/2 by the recurrence; above: Stirling's series
    product = torch.ones_like(a)
    y = a
    for i in range(6):
        above = y > 2.5
        y = torch.where(above, y - 1.0, y)
        product = torch.where(above, product * y, product)
    z = torch.where(a < 0.5, a, torch.where(a < 1.5, a - 1.0, y - 2.0))
    low = _h_lgamma_near_two(z)
    low = torch.where(a < 1.5, low - torch.log1p(z), low + torch.log(product))
    low = torch.where(a < 0.5, low - torch.log(a), low)
    w = 1.0 / a
    series = w * _h_horner(
        w * w,
        [
            -1.3924322169059011, 0.17964437236883057, -0.029550653594771242, 0.00641025641025641,
            -0.0019175269175269176, 0.0008417508417508417, -0.0005952380952380953, 0.0007936507936507937,
            -0.002777777777777778, 0.08333333333333333,
        ],
    )
    high = (a - 0.5) * torch.log(a) - a + 0.9189385332046728 + series
    value = torch.where(a < 8.0, low, high)
    value = torch.where(torch.isinf(a), math.inf, value)
    # reflection
    sine = torch.abs(torch.sin(math.pi * (a - torch.round(a))))
    left = torch.log(math.pi / (a * sine)) - value
    left = torch.where(a < 1e-17, -torch.log(a), left)  # where the product is nothing
    whole = a == torch.floor(a)
    return torch.where(x <= 0, torch.where(whole, math.inf, left), value)


def lgamma(self: Tensor) -> Tensor:
    x = _h_floating(self)
    return _h_narrow(_h_lgamma(x.to(torch.float64)), x.dtype)


def special_gammaln(self: Tensor) -> Tensor:
    return lgamma(self)


def mvlgamma(self: Tensor, p: int) -> Tensor:
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    x = _h_floating(self)
    terms = lgamma(x.unsqueeze(-1) - torch.arange(p).to(x.dtype) * 0.5)
    return torch.sum(terms, [-1]) + float(p * (p - 1)) * (math.log(math.pi) / 4.0)


def special_multigammaln(self: Tensor, p: int) -> Tensor:
    return mvlgamma(self, p)


def _h_digamma(x: Tensor) -> Tensor:
    # Cephes: by the recurrence up to 10, then the asymptotic series
    y = torch.where(x < 0, 1.0 - x, x)
    result = torch.zeros_like(y)
    for i in range(10):
        below = y < 10.0
        result = torch.where(below, result - 1.0 / y, result)
        y = torch.where(below, y + 1.0, y)
    z = 1.0 / (y * y)
    series = z * _h_horner(
        z,
        [
            8.33333333333333333333e-2, -2.10927960927960927961e-2, 7.57575757575757575758e-3, -4.16666666666666666667e-3,
            3.96825396825396825397e-3, -8.33333333333333333333e-3, 8.33333333333333333333e-2,
        ],
    )
    high = torch.log(y) - 0.5 / y - torch.where(y < 1.0e17, series, 0.0)
    result = result + torch.where(y == 10.0, 2.25175258906672110764, high)
    rest = (x - torch.trunc(x)).to(torch.float64)
    reflected = result - (math.pi / torch.tan(math.pi * rest)).to(x.dtype)
    result = torch.where(x < 0, torch.where(x == torch.trunc(x), math.nan, reflected), result)
    return torch.where(x == 0, torch.copysign(torch.full_like(x, math.inf), -x), result)


def digamma(self: Tensor) -> Tensor:
    return _h_special_result(_h_digamma(_h_special_argument(self)), self)


def special_digamma(self: Tensor) -> Tensor:
    return digamma(self)


def special_psi(self: Tensor) -> Tensor:
    return digamma(self)


def _h_trigamma(x: Tensor) -> Tensor:
    left = x < 0.5
    sine = torch.sin(math.pi * x)
    result = torch.where(left, -(math.pi * math.pi) / (sine * sine), 0.0)
    y = torch.where(left, 1.0 - x, x)
    for i in range(6):
        result = result + 1.0 / (y * y)
        y = y + 1.0
    z = 1.0 / (y * y)
    result = result + (1.0 + 1.0 / (2.0 * y) + z * (1.0 / 6.0 - z * (1.0 / 30.0 - z * (1.0 / 42.0)))) / y
    return torch.where(left, -result, result)


def _h_zeta(x: Tensor, q: Tensor) -> Tensor:
    # Cephes: some terms of the sum, then Euler and Maclaurin's formula; float64
    epsilon = 1.11022302462515654042e-16
    sum = torch.pow(q, -x)
    a = q
    term = torch.zeros_like(sum)
    ended = torch.zeros_like(sum, dtype=torch.bool)
    at_pole = torch.logical_and(q <= 0, q == torch.floor(q))
    undefined = torch.logical_or(torch.isnan(x), torch.logical_and(q <= 0, x != torch.floor(x)))
    wanted = torch.logical_and(x > 1.0, torch.logical_not(torch.logical_or(at_pole, undefined)))
    i = 0
    going = wanted
    while i < 2000000 and bool(going.any()):
        a = torch.where(going, a + 1.0, a)
        term = torch.where(going, torch.pow(a, -x), term)
        sum = torch.where(going, sum + term, sum)
        ended = torch.logical_or(ended, torch.logical_and(-epsilon * sum < term, term < epsilon * sum))
        i += 1
        going = torch.logical_and(wanted, torch.logical_not(ended))
        if i >= 9:
            going = torch.logical_and(going, a <= 9.0)
    w = a
    sum = torch.where(ended, sum, sum + term * w / (x - 1.0) - 0.5 * term)
    factor = torch.ones_like(sum)
    k = 0.0
    for divisor in [
        12.0, -720.0, 30240.0, -1209600.0, 47900160.0, -1.8924375803183791606e9, 7.47242496e10, -2.950130727918164224e12,
        1.1646782814350067249e14, -4.5979787224074726105e15, 1.8152105401943546773e17, -7.1661652561756670113e18,
    ]:
        factor = factor * (x + k)
        term = term / w
        t = factor * term / divisor
        sum = torch.where(ended, sum, sum + t)
        ended = torch.logical_or(ended, torch.abs(t / sum) < epsilon)
        k += 1.0
        factor = factor * (x + k)
        term = term / w
        k += 1.0
    sum = torch.where(at_pole, math.inf, torch.where(undefined, math.nan, sum))
    return torch.where(x == 1.0, math.inf, torch.where(x < 1.0, math.nan, sum))


def special_zeta(self: Tensor, other: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(self, other))
    _h_refuse_halves(dtype, "zeta_cpu")
    x, q = torch.broadcast_tensors([self.to(torch.float64), other.to(torch.float64)])
    return _h_narrow(_h_zeta(x, q), dtype)


def special_zeta__other_scalar(self: Tensor, other: number) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(self, other))
    return special_zeta(self.to(dtype), torch.full([], other, dtype=dtype))


def special_zeta__self_scalar(self: number, other: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(other, self))
    return special_zeta(torch.full([], self, dtype=dtype), other.to(dtype))


def polygamma(n: int, self: Tensor) -> Tensor:
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    if n == 0:
        return digamma(self)
    x = _h_special_argument(self)
    if n == 1:
        return _h_special_result(_h_trigamma(x), self)
    factorial = 1.0 if n % 2 == 1 else -1.0
    for i in range(2, n + 1):
        factorial = factorial * float(i)
    wide = x.to(torch.float64)
    value = factorial * _h_zeta(torch.full_like(wide, float(n + 1)), wide)
    return _h_special_result(value.to(x.dtype), self)


def polygamma_(self: Tensor, n: int) -> Tensor:
    # its arguments stand in another order than those of `polygamma`
    if not self.is_floating_point():
        raise RuntimeError("result type Float can't be cast to the desired output type of an integer tensor")
    return self.copy_(polygamma(n, self))


def special_polygamma(n: int, self: Tensor) -> Tensor:
    return polygamma(n, self)
