# The normal distribution's relatives of the error function, and entropy.

import math
import torch
from torch import Tensor


def _h_erfcx_right(x: Tensor) -> Tensor:
    # x >= 0: (1 + 2 x) exp(x * x) erfc(x) is smooth in t, which runs from -1 to 1; its Chebyshev coefficients
    t = (x - 3.75) / (x + 3.75)
    y = _h_chebyshev_sum(
        2.0 * t,
        [
            -2.187342944303018e-18, -2.2370566594359995e-18, 5.068148904796111e-17, 7.418235256624044e-17,
            -1.2507950530688648e-15, -1.864562880419313e-15, 3.3478119482868056e-14, 3.25254814814874e-14,
            -9.65469674843344e-13, 1.9455868545777347e-13, 2.86879501093067e-11, -6.318088340886684e-11,
            -7.754400208831351e-10, 4.521959811218287e-09, 1.076499946567091e-08, -2.1886401049234397e-07,
            7.74038306619849e-07, 4.13902798607301e-06, -6.916973302501207e-05, 0.0004907758365258086,
            -0.002413163540417608, 0.009074997670705265, -0.026658668435305753, 0.05920993999819189,
            -0.08424913336651792, -0.004590054580646478, 2.3551578691348034,
        ],
    )
    y = torch.where(x > 1e30, 0.5 * y / x, y / (1.0 + 2.0 * x))  # twice the largest numbers is infinite
    return torch.where(torch.isinf(x), 0.0, y)


def _h_erfcx(x: Tensor) -> Tensor:
    right = _h_erfcx_right(torch.abs(x))
    return torch.where(x < 0, 2.0 * torch.exp(x * x) - right, right)


def special_erfcx(self: Tensor) -> Tensor:
    return _h_special_result(_h_erfcx(_h_wide_argument(self, "erfcx_cpu")), self)


def special_ndtr(self: Tensor) -> Tensor:
    x = _h_special_argument(self)
    return _h_special_result(0.5 * torch.erfc(x * -0.7071067811865476), self)


def special_log_ndtr(self: Tensor) -> Tensor:
    x = _h_wide_argument(self, "log_ndtr_cpu")
    t = x * 0.7071067811865476
    far = torch.log(_h_erfcx(-t) / 2.0) - t * t
    return _h_special_result(torch.where(x < -1.0, far, torch.log1p(-torch.erfc(t) / 2.0)), self)


def special_ndtri(self: Tensor) -> Tensor:
    # Cephes: two expansions in the tail, one in the middle
    p = _h_wide_argument(self, "ndtri_cpu")
    upper = p > 1.0 - 0.13533528323661269189
    y = torch.where(upper, 1.0 - p, p)
    c = y - 0.5
    z = c * c
    middle = 2.50662827463100050242 * (
        c
        + c
        * (
            z
            * _h_horner(
                z,
                [
                    -59.96335010141079, 98.00107541859997, -56.67628574690703, 13.931260938727968,
                    -1.2391658386738125,
                ],
            )
            / _h_horner(
                z,
                [
                    1.0, 1.9544885833814176, 4.676279128988815, 86.36024213908905, -225.46268785411937,
                    200.26021238006066, -82.03722561683334, 15.90562251262117, -1.1833162112133,
                ],
            )
        )
    )
    x = torch.sqrt(-2.0 * torch.log(y))
    w = 1.0 / x
    near = w * _h_horner(
        w,
        [
            4.0554489230596245, 31.525109459989388, 57.16281922464213, 44.08050738932008, 14.684956192885803,
            2.1866330685079025, -0.1402560791713545, -0.03504246268278482, -0.0008574567851546854,
        ],
    ) / _h_horner(
        w,
        [
            1.0, 15.779988325646675, 45.39076351288792, 41.3172038254672, 15.04253856929075, 2.504649462083094,
            -0.14218292285478779, -0.03808064076915783, -0.0009332594808954574,
        ],
    )
    far = w * _h_horner(
        w,
        [
            3.2377489177694603, 6.915228890689842, 3.9388102529247444, 1.3330346081580755, 0.20148538954917908,
            0.012371663481782003, 0.00030158155350823543, 2.6580697468673755e-06, 6.239745391849833e-09,
        ],
    ) / _h_horner(
        w,
        [
            1.0, 6.02427039364742, 3.6798356385616087, 1.3770209948908132, 0.21623699359449663,
            0.013420400608854318, 0.00032801446468212774, 2.8924786474538068e-06, 6.790194080099813e-09,
        ],
    )
    tail = x - torch.log(x) / x - torch.where(x < 8.0, near, far)
    value = torch.where(y > 0.13533528323661269189, middle, torch.where(upper, tail, -tail))
    value = torch.where(torch.logical_or(p < 0, p > 1), math.nan, value)
    value = torch.where(p == 0, -math.inf, torch.where(p == 1, math.inf, value))
    return _h_special_result(value, self)


def erfinv(self: Tensor) -> Tensor:
    # a rational start (G. L. Pavlis), then two steps of Newton's method
    y = _h_special_argument(self)
    size = torch.abs(y)
    z = y * y
    middle = y * _h_horner(z, [-0.140543331, 0.914624893, -1.645349621, 0.886226899])
    middle = middle / _h_horner(z, [0.012229801, -0.329097515, 1.442710462, -2.118377725, 1.0])
    z = torch.sqrt(-torch.log((1.0 - size) / 2.0))
    tail = torch.copysign(_h_horner(z, [1.641345311, 3.429567803, -1.624906493, -1.970840454]), y)
    tail = tail / _h_horner(z, [1.637067800, 3.543889200, 1.0])
    x = torch.where(size <= 0.7, middle, tail)
    # near 1 and -1 what is left of it, 1 - |y|, is exact, and erfc keeps its digits
    rest = 1.0 - size
    for _ in range(2):
        slope = 1.1283791670955126 * torch.exp(-x * x)
        inner = torch.erf(x) - y
        outer = torch.sign(y) * (rest - torch.erfc(torch.abs(x)))
        x = x - torch.where(size <= 0.5, inner, outer) / slope
    x = torch.where(size == 1.0, torch.copysign(torch.full_like(y, math.inf), y), x)
    return _h_special_result(torch.where(size > 1.0, math.nan, x), self)


def special_erfinv(self: Tensor) -> Tensor:
    return erfinv(self)


def special_entr(self: Tensor) -> Tensor:
    x = _h_special_argument(self)
    value = torch.where(x > 0, -x * torch.log(x), torch.where(x == 0, 0.0, -math.inf))
    return _h_special_result(torch.where(torch.isnan(x), x, value), self)


def special_xlog1py(self: Tensor, other: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(self, other))
    x = _h_wide(self.to(dtype))
    y = _h_wide(other.to(dtype))
    value = torch.where(torch.isnan(y), y, torch.where(x == 0, 0.0, x * torch.log1p(y)))
    return _h_narrow(value, dtype)


def special_xlog1py__other_scalar(self: Tensor, other: number) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(self, other))
    return special_xlog1py(self.to(dtype), torch.full([], other, dtype=dtype))


def special_xlog1py__self_scalar(self: number, other: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(other, self))
    return special_xlog1py(torch.full([], self, dtype=dtype), other.to(dtype))
