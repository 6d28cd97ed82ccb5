# The regularised incomplete gamma functions, as in Cephes and SciPy: series, a continued fraction, Temme's expansion.

import math
import torch
from torch import Tensor


def _h_lanczos_scaled(x: Tensor) -> Tensor:
    # Boost's sum for g = 6.02..., times exp(-g); a quotient of polynomials of 1 / x beyond 1
    inner = x <= 1.0
    y = torch.where(inner, x, 1.0 / x)
    up = _h_horner(
        y,
        [
            0.006061842346248907, 0.5098416655656676, 19.519927882476175, 449.9445569063168, 6955.999602515376,
            75999.29304014542, 601859.6171681099, 3481712.154980646, 14605578.087685067, 43338889.32467614,
            86363131.2881386, 103794043.11634454, 56906521.913471565,
        ],
    ) / _h_horner(
        y,
        [
            1.0, 66.0, 1925.0, 32670.0, 357423.0, 2637558.0, 13339535.0, 45995730.0, 105258076.0, 150917976.0,
            120543840.0, 39916800.0, 0.0,
        ],
    )
    down = _h_horner(
        y,
        [
            56906521.913471565, 103794043.11634454, 86363131.2881386, 43338889.32467614, 14605578.087685067,
            3481712.154980646, 601859.6171681099, 75999.29304014542, 6955.999602515376, 449.9445569063168,
            19.519927882476175, 0.5098416655656676, 0.006061842346248907,
        ],
    ) / _h_horner(
        y,
        [
            0.0, 39916800.0, 120543840.0, 150917976.0, 105258076.0, 45995730.0, 13339535.0, 2637558.0, 357423.0,
            32670.0, 1925.0, 66.0, 1.0,
        ],
    )
    return torch.where(inner, up, down)


def _h_gamma_factor(a: Tensor, x: Tensor, log_gamma: Tensor) -> Tensor:
    # x^a exp(-x) / gamma(a)
    far = torch.abs(a - x) > 0.4 * torch.abs(a)
    direct = torch.exp(a * torch.log(x) - x - log_gamma)
    fac = a + 5.524680040776729583740234375
    root = torch.sqrt(fac / math.e) / _h_lanczos_scaled(a)
    near = root * torch.exp(a - x) * torch.pow(x / fac, a)
    part = (x - a - 5.524680040776729583740234375) / fac
    large = root * torch.exp(a * (torch.log1p(part) - part) + x * -5.524680040776729583740234375 / fac)
    return torch.where(far, direct, torch.where(torch.logical_and(a < 200, x < 200), near, large))


def _h_gamma_epsilon(a: Tensor) -> float:
    return 1.11022302462515654042e-16 if a.dtype == torch.float64 else 5.9604644775390625e-8


def _h_lower_series(a: Tensor, x: Tensor, factor: Tensor, wanted: Tensor) -> Tensor:
    epsilon = _h_gamma_epsilon(a)
    r = a
    term = torch.ones_like(a)
    sum = torch.ones_like(a)
    going = torch.logical_and(wanted, factor != 0.0)
    i = 0
    while i < 2000 and bool(going.any()):
        r = r + 1.0
        term = term * (x / r)
        sum = torch.where(going, sum + term, sum)
        going = torch.logical_and(going, term > epsilon * sum)
        i += 1
    return torch.where(factor == 0.0, 0.0, sum * factor / a)


def _h_upper_series(a: Tensor, x: Tensor, log_gamma1: Tensor, wanted: Tensor) -> Tensor:
    epsilon = _h_gamma_epsilon(a)
    power = torch.ones_like(a)
    sum = torch.zeros_like(a)
    going = wanted
    n = 1
    while n < 2000 and bool(going.any()):
        power = power * (-x / float(n))
        term = power / (a + float(n))
        sum = torch.where(going, sum + term, sum)
        going = torch.logical_and(going, torch.abs(term) > epsilon * torch.abs(sum))
        n += 1
    power = a * torch.log(x) - log_gamma1
    return -torch.expm1(power) - torch.exp(power) * a * sum


def _h_upper_fraction(a: Tensor, x: Tensor, factor: Tensor, wanted: Tensor) -> Tensor:
    epsilon = _h_gamma_epsilon(a)
    big = 4.503599627370496e15 if a.dtype == torch.float64 else 16777216.0
    y = 1.0 - a
    z = x + y + 1.0
    p2 = torch.ones_like(a)
    q2 = x
    p1 = x + 1.0
    q1 = z * x
    value = p1 / q1
    going = torch.logical_and(wanted, factor != 0.0)
    i = 0
    while i < 2000 and bool(going.any()):
        c = float(i + 1)
        y = y + 1.0
        z = z + 2.0
        p = p1 * z - p2 * (y * c)
        q = q1 * z - q2 * (y * c)
        r = p / q
        defined = q != 0.0
        change = torch.where(defined, torch.abs((value - r) / r), 1.0)
        value = torch.where(torch.logical_and(going, defined), r, value)
        scale = torch.where(torch.abs(p) > big, 1.0 / big, torch.ones_like(p))
        p2 = p1 * scale
        p1 = p * scale
        q2 = q1 * scale
        q1 = q * scale
        going = torch.logical_and(going, change > epsilon)
        i += 1
    return torch.where(factor == 0.0, 0.0, value * factor)


def _h_uniform_expansion(a: Tensor, x: Tensor, sign: float) -> Tensor:
    # Temme's, for a > 200 and x near it; the coefficients of the powers of eta, the highest first, a row for each power of 1 / a
    ratio = x / a
    sigma = (x - a) / a
    eta = torch.sqrt(torch.clamp_min(-2.0 * (torch.log1p(sigma) - sigma), 0.0))
    eta = torch.where(ratio < 1.0, -eta, eta)
    table = torch.tensor(
        [
            -2.551419399494625e-11, 9.14769958223679e-10, -4.382036018453353e-09, 1.0261809784240309e-08,
            6.707853543401498e-09, -1.7665952736826078e-07, 8.296711340953087e-07, -1.85406221071516e-06,
            -2.1854485106799924e-06, 3.919263178522438e-05, -0.0001787551440329218, 0.0003527336860670194,
            0.0011574074074074073, -0.014814814814814815, 0.08333333333333333, -0.3333333333333333,
            4.162792991842583e-10, -1.0091543710600413e-09, -1.7543241719747647e-11, 1.1951628599778148e-08,
            -5.752545603517705e-08, 1.378633446915721e-07, 4.647127802807434e-09, -1.6120900894563446e-06,
            7.64916091608111e-06, -1.8098550334489977e-05, -4.018775720164609e-07, 0.00020576131687242798,
            -0.0009902263374485596, 0.0026455026455026454, -0.003472222222222222, -0.001851851851851852,
            9.428356159014678e-13, -1.3670488396617112e-09, 6.228974084922022e-09, -1.409252991086752e-08,
            -2.0477098421990866e-10, 1.4280614206064242e-07, -6.298992138380055e-07, 1.3721957309062932e-06,
            3.423578734096138e-08, -1.2760635188618728e-05, 5.2923448829120125e-05, -0.00010736653226365161,
            2.0093878600823047e-06, 0.0007716049382716049, -0.0026813271604938273, 0.004133597883597883,
            -9.460496661855133e-10, 2.0620131815488797e-09, 2.3928620439808118e-12, -1.9111168485973655e-08,
            8.099464905388083e-08, -1.6958404091930278e-07, -2.7861080291528143e-11, 1.4230900732435883e-06,
            -5.6749528269915965e-06, 1.1082654115347302e-05, -2.396505113867297e-07, -7.561801671883977e-05,
            0.00026772063206283885, -0.0004691894943952557, 0.00022947209362139917, 0.0006494341563786008,
            -2.3024517174528067e-13, 3.4463580499464896e-09, -1.4189739437803219e-08, 2.8865829742708783e-08,
            2.956794137544049e-11, -2.292934834000805e-07, 8.907507532205309e-07, -1.6954149536558305e-06,
            2.507497226237533e-10, 1.1375726970678419e-05, -3.968365047179435e-05, 6.641498215465122e-05,
            -1.4638452578843418e-06, -0.0002990724803031902, 0.0007840392217200666, -0.0008618882909167117,
            3.162417628774568e-09, -6.306194500013523e-09, -1.7989466721743514e-14, 4.8240967037894184e-08,
            -1.8447187191171344e-07, 3.4652846491085265e-07, -3.252473551298454e-10, -2.291481176508095e-06,
            8.018470256334202e-06, -1.3594048189768693e-05, 1.419062920643967e-07, 6.797780477937208e-05,
            -0.00019932570516188847, 0.0002772753244959392, -6.972813758365858e-05, -0.00033679855336635813,
            8.649648858010293e-14, -1.2545415020710382e-08, 4.7435958880408125e-08, -8.828600746330484e-08,
            2.338630673826657e-13, 5.788792863149004e-07, -2.0291327396058603e-06, 3.465155368803609e-06,
            -3.0796134506033047e-09, -1.8329116582843375e-05, 5.61168275310625e-05, -8.153969367561969e-05,
            7.902353232660328e-07, 0.0002708782096718045, -0.0005921664373536939, 0.0005313079364639922,
            -1.4578352908731272e-08, 2.695423606288966e-08, -1.297447328701544e-12, -1.7562973359060463e-07,
            6.166714376110408e-07, -1.0595367014026043e-06, 4.93875893393627e-10, 5.7876949497350525e-06,
            -1.8263488805711332e-05, 2.7744451511563645e-05, -1.2741009095484485e-07, -0.00010976582244684731,
            0.0002812695154763237, -0.00033493161081142234, 5.171790908260592e-05, 0.00034436760689237765,
        ],
        dtype=a.dtype,
    )
    sum = torch.zeros_like(a)
    # by Horner's rule in 1 / a too; a loop at run time, since hardly anything is in this region, and the text is long
    width = _h_run_time(16)
    for row in range(_h_run_time(8)):
        inner = torch.zeros_like(a)
        for column in range(width):
            inner = inner * eta + table[(7 - row) * width + column]
        sum = sum / a + inner
    return 0.5 * torch.erfc(sign * eta * torch.sqrt(a / 2.0)) + sign * torch.exp(-0.5 * a * eta * eta) * sum / torch.sqrt(2.0 * math.pi * a)


def _h_incomplete(a: Tensor, x: Tensor, by_lower: Tensor, upper: bool) -> Tensor:
    # where `by_lower`, the lower function is found by its series; elsewhere the upper one, by one of two ways
    log_gamma1 = lgamma(1.0 + a)
    factor = _h_gamma_factor(a, x, log_gamma1 - torch.log(a))
    uniform = torch.logical_and(a > 200.0, torch.abs(x - a) / a < 4.5 / torch.sqrt(a))
    inside = torch.logical_and(torch.logical_and(a > 0, x > 0), torch.logical_not(torch.logical_or(torch.isinf(x), torch.isinf(a))))
    wanted = torch.logical_and(inside, torch.logical_not(uniform))
    by_upper = torch.logical_and(wanted, torch.logical_not(by_lower))
    by_fraction = torch.logical_and(by_upper, x > 1.1)
    by_series = torch.logical_and(by_upper, x <= 1.1)
    low = _h_lower_series(a, x, factor, torch.logical_and(wanted, by_lower))
    fraction = _h_upper_fraction(a, x, factor, by_fraction)
    high = torch.where(by_fraction, fraction, _h_upper_series(a, x, log_gamma1, by_series))
    if upper:
        value = torch.where(by_lower, 1.0 - low, high)
    else:
        value = torch.where(by_lower, low, 1.0 - high)
    if bool(uniform.any()):
        value = torch.where(uniform, _h_uniform_expansion(a, x, 1.0 if upper else -1.0), value)
    value = torch.where(torch.isnan(x + a), math.nan, value)
    # the limits, the strongest last
    at_zero = 1.0 if upper else 0.0
    value = torch.where(torch.isinf(x), 1.0 - at_zero, value)
    value = torch.where(torch.isinf(a), torch.where(torch.isinf(x), math.nan, at_zero), value)
    value = torch.where(x == 0, at_zero, value)
    value = torch.where(a == 0, torch.where(x > 0, 1.0 - at_zero, math.nan), value)
    return torch.where(torch.logical_or(x < 0, a < 0), math.nan, value)


def _h_upper_gamma(a: Tensor, x: Tensor) -> Tensor:
    small = torch.where(x <= 0.5, -0.4 / torch.log(x) < a, x * 1.1 < a)
    return _h_incomplete(a, x, torch.where(x > 1.1, x < a, small), True)


def _h_lower_gamma(a: Tensor, x: Tensor) -> Tensor:
    return _h_incomplete(a, x, torch.logical_or(x <= 1.0, x <= a), False)


def igamma(self: Tensor, other: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(self, other))
    a, x = torch.broadcast_tensors([_h_wide(self.to(dtype)), _h_wide(other.to(dtype))])
    return _h_narrow(_h_lower_gamma(a, x), dtype)


def igammac(self: Tensor, other: Tensor) -> Tensor:
    dtype = _h_float_dtype(torch.result_type(self, other))
    a, x = torch.broadcast_tensors([_h_wide(self.to(dtype)), _h_wide(other.to(dtype))])
    return _h_narrow(_h_upper_gamma(a, x), dtype)


def special_gammainc(self: Tensor, other: Tensor) -> Tensor:
    return igamma(self, other)


def special_gammaincc(self: Tensor, other: Tensor) -> Tensor:
    return igammac(self, other)
