# Fourier transforms.
#
# A line of n complex numbers is held as two planes [batch, 2, n], real and imaginary. Stockham's algorithm: a factor r of n
# at a time, z[(j m + p) s + q] -> y[(p r + k) s + q], as one product with a real matrix [2r, 2r], which keeps the processor's
# multipliers busy as butterflies do not, then a multiplication by roots of unity. Lengths with a large prime factor are
# Bluestein's convolution. Roots are computed in float64; where the length is known they are constants.

import math
import torch
from torch import Tensor
from typing import List, Optional, Tuple


def _h_fft_turn(k: Tensor, n: int) -> Tuple[Tensor, Tensor]:
    # cos and sin of 2 pi k / n for 0 <= k < n, reduced to an eighth of a turn by integers
    octant = torch.div(k * 8, n, rounding_mode="floor")
    rest = k * 8 - octant * n
    odd = octant % 2 == 1
    angle = torch.where(odd, n - rest, rest).to(torch.float64) * (math.pi / 4.0) / n
    c = torch.cos(angle)
    s = torch.sin(angle)
    swap = (octant + 1) % 4 >= 2
    cosine = torch.where(swap, s, c)
    sine = torch.where(swap, c, s)
    return (
        torch.where((octant >= 2) & (octant < 6), -cosine, cosine),
        torch.where(octant >= 4, -sine, sine),
    )


def _h_fft_factor(n: int) -> int:
    # the largest divisor up to 16, else the smallest prime one; no loop, so that it is known where n is
    if n % 16 == 0:
        return 16
    if n % 15 == 0:
        return 15
    if n % 14 == 0:
        return 14
    if n % 13 == 0:
        return 13
    if n % 12 == 0:
        return 12
    if n % 11 == 0:
        return 11
    if n % 10 == 0:
        return 10
    if n % 9 == 0:
        return 9
    if n % 8 == 0:
        return 8
    if n % 7 == 0:
        return 7
    if n % 6 == 0:
        return 6
    if n % 5 == 0:
        return 5
    if n % 4 == 0:
        return 4
    if n % 3 == 0:
        return 3
    if n % 2 == 0:
        return 2
    if n % 17 == 0:
        return 17
    if n % 19 == 0:
        return 19
    if n % 23 == 0:
        return 23
    if n % 29 == 0:
        return 29
    if n % 31 == 0:
        return 31
    if n % 37 == 0:
        return 37
    if n % 41 == 0:
        return 41
    if n % 43 == 0:
        return 43
    if n % 47 == 0:
        return 47
    if n % 53 == 0:
        return 53
    if n % 59 == 0:
        return 59
    return 61


def _h_fft_is_rough(n: int) -> bool:
    # whether a prime factor is too large for a product with its matrix
    rest = n // math.gcd(n, 1 << 62)
    rest = rest // math.gcd(rest, 4052555153018976267)  # 3 ** 39
    rest = rest // math.gcd(rest, 1490116119384765625)  # 5 ** 26
    rest = rest // math.gcd(rest, 3909821048582988049)  # 7 ** 22
    rest = rest // math.gcd(rest, 505447028499293771)  # 11 ** 17
    rest = rest // math.gcd(rest, 665416609183179841)  # 13 ** 16
    rest = rest // math.gcd(rest, 2862423051509815793)  # 17 ** 15
    rest = rest // math.gcd(rest, 799006685782884121)  # 19 ** 14
    rest = rest // math.gcd(rest, 504036361936467383)  # 23 ** 13
    rest = rest // math.gcd(rest, 353814783205469041)  # 29 ** 12
    rest = rest // math.gcd(rest, 787662783788549761)  # 31 ** 12
    rest = rest // math.gcd(rest, 177917621779460413)  # 37 ** 11
    rest = rest // math.gcd(rest, 550329031716248441)  # 41 ** 11
    rest = rest // math.gcd(rest, 929293739471222707)  # 43 ** 11
    rest = rest // math.gcd(rest, 2472159215084012303)  # 47 ** 11
    rest = rest // math.gcd(rest, 174887470365513049)  # 53 ** 10
    rest = rest // math.gcd(rest, 511116753300641401)  # 59 ** 10
    rest = rest // math.gcd(rest, 713342911662882601)  # 61 ** 10
    return rest > 1


def _h_fft_matrix(r: int, sign: float, scale: float, like: Tensor) -> Tensor:
    # of a transform of length r, on real parts above imaginary ones
    j = torch.arange(r)
    c, s = _h_fft_turn(j.unsqueeze(1) * j % r, r)
    c = c * scale
    s = s * (sign * scale)
    return torch.cat([torch.cat([c, s], 1), torch.cat([-s, c], 1)]).to(like.dtype)


def _h_fft_times(z: Tensor, c: Tensor, s: Tensor) -> Tensor:
    # both planes (dimension 1) times c - i s
    both = torch.stack([s, -s]).to(z.dtype)
    return z * c.to(z.dtype) + z.flip([1]) * both


def _h_fft_pass(z: Tensor, n: int, sign: float, scale: float) -> Tensor:
    # z [lines, 2, n], n without large prime factors
    lines = z.size(0)
    if n == 1:
        z = z * scale
    s = 1
    rest = n
    while rest > 1:
        r = _h_fft_factor(rest)
        m = rest // r
        matrix = _h_fft_matrix(r, sign, scale if s == 1 else 1.0, z)
        y = torch.matmul(matrix, z.reshape([lines, 2 * r, m * s]))
        if m > 1:
            k = torch.arange(r).unsqueeze(1) * torch.arange(m)
            c, d = _h_fft_turn(k, rest)
            y = _h_fft_times(y.reshape([lines, 2, r, m, s]), c.unsqueeze(-1), d.unsqueeze(-1) * sign)
            z = y.permute([0, 1, 3, 2, 4]).reshape([lines, 2, n])
        else:
            z = y.reshape([lines, 2, n])
        s = s * r
        rest = m
    return z


# Bluestein: exp(-2 pi i j k / n) = w[j] w[k] / w[k - j] with w[k] = exp(-pi i k k / n), a convolution, by two passes of
# a length that is a power of two.


def _h_fft_chirp(n: int, sign: float) -> Tuple[Tensor, Tensor]:
    k = torch.arange(n)
    c, s = _h_fft_turn(k * k % (2 * n), 2 * n)
    return c, s * sign


def _h_fft_padded(n: int) -> int:
    # the least power of two from 2 n - 1 on
    size = 2 * n - 2
    for i in [1, 2, 4, 8, 16, 32]:
        size = size | (size >> i)
    return size + 1


def _h_fft_spread(z: Tensor, n: int, size: int, sign: float) -> Tensor:
    # the lines times w, and 1 / w as one more line
    c, s = _h_fft_chirp(n, sign)
    around = torch.stack([c, s]).to(z.dtype).unsqueeze(0)
    gap = torch.zeros([1, 2, size - 2 * n + 1], dtype=z.dtype)
    kernel = torch.cat([around, gap, around.slice(2, 1, n).flip([2])], 2)
    return torch.cat([torch.constant_pad_nd(_h_fft_times(z, c, s), [0, size - n], 0), kernel], 0)


def _h_fft_planes(z: Tensor, n: int, sign: float, scale: float) -> Tensor:
    # z [batch, 2, n]; sign 1 forward, -1 backward. One pass, or two and a convolution between: written as a loop, so that
    # where n is known at run time only there is one copy of a pass.
    batch = z.size(0)
    rough = _h_fft_is_rough(n)
    size = _h_fft_padded(n) if rough else n
    x = _h_fft_spread(z, n, size, sign) if rough else z
    for i in range(2 if rough else 1):
        way = sign
        factor = scale
        if rough:
            way = 1.0 if i == 0 else -1.0
            factor = 1.0 if i == 0 else scale / size
        x = _h_fft_pass(x, size, way, factor)
        if rough and i == 0:
            kernel = x.select(0, batch)
            x = _h_fft_times(x.narrow(0, 0, batch), kernel.select(0, 0), -kernel.select(0, 1))
    if rough:
        c, s = _h_fft_chirp(n, sign)
        x = _h_fft_times(x.slice(2, 0, n), c, s)
    return x


def _h_fft_count(shape: List[int]) -> int:
    # of lines along the last dimension
    count = 1
    for i in range(len(shape) - 1):
        count = count * shape[i]
    return count


# Short lines are one product with the whole matrix, real and imaginary parts beside each other as they lie in memory.


def _h_fft_roots(n: int, count: int, sign: float, scale: float) -> Tuple[Tensor, Tensor]:
    # [n, count]
    c, s = _h_fft_turn(torch.arange(n).unsqueeze(1) * torch.arange(count) % n, n)
    return c * scale, s * (sign * scale)


def _h_fft_short(z: Tensor, n: int, sign: float, scale: float) -> Tensor:
    # [lines, 2n]
    c, s = _h_fft_roots(n, n, sign, scale)
    matrix = torch.stack([torch.stack([c, -s], 2), torch.stack([s, c], 2)], 1)
    return torch.matmul(z, matrix.reshape([2 * n, 2 * n]).to(z.dtype))


def _h_fft_short_real(x: Tensor, n: int, count: int, scale: float) -> Tensor:
    # [lines, n] -> the first `count` complex numbers
    c, s = _h_fft_roots(n, count, 1.0, scale)
    y = torch.matmul(x, torch.stack([c, -s], 2).reshape([n, 2 * count]).to(x.dtype))
    return torch.view_as_complex(y.reshape([x.size(0), count, 2]))


def _h_fft_complex(x: Tensor, dim: int, sign: float, scale: float) -> Tensor:
    line = x.movedim(dim, -1)
    shape = line.size()
    n = shape[-1]
    lines = _h_fft_count(shape)
    if n <= 64:
        y = _h_fft_short(torch.view_as_real(line).reshape([lines, 2 * n]), n, sign, scale)
        return torch.view_as_complex(y.reshape([lines, n, 2])).reshape(shape).movedim(-1, dim)
    z = torch.view_as_real(line).reshape([lines, n, 2]).permute([0, 2, 1])
    z = _h_fft_planes(z, n, sign, scale)
    return torch.complex(z.select(1, 0), z.select(1, 1)).reshape(shape).movedim(-1, dim)


def _h_fft_half(z: Tensor, h: int) -> Tensor:
    # z [batch, 2, h]: the transform of even elements as real parts and odd ones as imaginary parts, to that of 2h real ones
    z = torch.cat([z, z.slice(2, 0, 1)], 2)
    re, im = z.select(1, 0), z.select(1, 1)
    back = z.flip([2])
    back_re, back_im = back.select(1, 0), back.select(1, 1)
    c, s = _h_fft_turn(torch.arange(h + 1), 2 * h)
    c, s = c.to(z.dtype), s.to(z.dtype)
    odd_re, odd_im = im + back_im, back_re - re
    return torch.complex(re + back_re + c * odd_re + s * odd_im, im - back_im + c * odd_im - s * odd_re)


def _h_fft_real(x: Tensor, dim: int, onesided: bool, scale: float) -> Tensor:
    line = x.movedim(dim, -1)
    shape = line.size()
    n = shape[-1]
    batch = _h_fft_count(shape)
    flat = line.reshape([batch, n])
    if n <= 128:
        count = n // 2 + 1 if onesided else n
        found = _h_fft_short_real(flat, n, count, scale)
        shape[-1] = count
        return found.reshape(shape).movedim(-1, dim)
    even = n % 2 == 0
    length = n // 2 if even else n
    if even:
        z = flat.reshape([batch, length, 2]).permute([0, 2, 1])
    else:
        z = torch.stack([flat, torch.zeros_like(flat)], 1)
    z = _h_fft_planes(z, length, 1.0, 0.5 * scale if even else scale)
    if even:
        half = _h_fft_half(z, length)
    else:
        half = torch.complex(z.select(1, 0), z.select(1, 1)).slice(1, 0, n // 2 + 1)
    if not onesided:
        half = torch.cat([half, half.slice(1, 1, n - n // 2).flip([1]).conj()], 1)
        return half.reshape(shape).movedim(-1, dim)
    shape[-1] = n // 2 + 1
    return half.reshape(shape).movedim(-1, dim)


def _h_fft_packed(re: Tensor, im: Tensor, n: int) -> Tensor:
    # the other way: from the transform of n = 2h real elements, of which half is given, to lines of h complex ones
    back_re, back_im = re.flip([1]), im.flip([1])
    c, s = _h_fft_turn(torch.arange(n // 2 + 1), n)
    c, s = c.to(re.dtype), s.to(re.dtype)
    odd_re, odd_im = re - back_re, im + back_im
    z_re = re + back_re - s * odd_re - c * odd_im
    z_im = im - back_im + c * odd_re - s * odd_im
    return torch.stack([z_re, z_im], 1).slice(2, 0, n // 2)


def _h_fft_mirrored(re: Tensor, im: Tensor, n: int) -> Tensor:
    z = torch.stack([re, im], 1)
    return torch.cat([z, torch.stack([re, -im], 1).slice(2, 1, n // 2 + 1).flip([2])], 2)


def _h_fft_to_real(x: Tensor, dim: int, n: int, scale: float) -> Tensor:
    line = x.movedim(dim, -1)
    shape = line.size()
    batch = _h_fft_count(shape)
    flat = line.reshape([batch, shape[-1]])
    place = torch.arange(n // 2 + 1)
    re = flat.real
    # what stands beside the real first (and last) number is not looked at
    im = torch.where((place == 0) | (2 * place == n), 0.0, flat.imag)
    even = n % 2 == 0
    z = _h_fft_packed(re, im, n) if even else _h_fft_mirrored(re, im, n)
    z = _h_fft_planes(z, n // 2 if even else n, -1.0, scale)
    found = z.permute([0, 2, 1]).reshape([batch, n]) if even else z.select(1, 0)
    shape[-1] = n
    return found.reshape(shape).movedim(-1, dim)


# the operators of Core ATen


def _h_fft_scale(shape: List[int], dim: List[int], normalization: int) -> float:
    # normalization: 0 none, 1 by the root of the number of elements, 2 by that number
    count = 1.0
    for d in dim:
        count = count * float(shape[d])
    if normalization == 0:
        return 1.0
    if normalization == 1:
        return 1.0 / math.sqrt(count)
    return 1.0 / count


def _fft_c2c(self: Tensor, dim: List[int], normalization: int, forward: bool) -> Tensor:
    if not self.is_complex():
        raise RuntimeError("Expected a complex tensor")
    scale = _h_fft_scale(self.size(), dim, normalization)
    result = self
    for i in range(len(dim)):
        result = _h_fft_complex(result, dim[i], 1.0 if forward else -1.0, scale if i == 0 else 1.0)
    return result


def _fft_r2c(self: Tensor, dim: List[int], normalization: int, onesided: bool) -> Tensor:
    if not self.is_floating_point():
        raise RuntimeError("Expected a floating point tensor")
    last = len(dim) - 1
    result = _h_fft_real(self, dim[last], onesided, _h_fft_scale(self.size(), dim, normalization))
    for i in range(last):
        result = _h_fft_complex(result, dim[i], 1.0, 1.0)
    return result


def _fft_c2r(self: Tensor, dim: List[int], normalization: int, last_dim_size: int) -> Tensor:
    if not self.is_complex():
        raise RuntimeError("Expected a complex tensor")
    last = len(dim) - 1
    shape = self.size()
    shape[dim[last]] = last_dim_size
    scale = _h_fft_scale(shape, dim, normalization)
    result = self
    for i in range(last):
        result = _h_fft_complex(result, dim[i], -1.0, 1.0)
    return _h_fft_to_real(result, dim[last], last_dim_size, scale)


# torch.fft


def _h_fft_norm(norm: Optional[str], forward: bool) -> int:
    if norm is None or norm == "backward":
        return 0 if forward else 2
    if norm == "forward":
        return 2 if forward else 0
    if norm == "ortho":
        return 1
    raise RuntimeError('Invalid normalization mode: "{}"'.format(norm))


def _h_fft_checked(x: Tensor) -> Tensor:
    if x.dtype == torch.float16 or x.dtype == torch.bfloat16:
        raise RuntimeError("Unsupported dtype {}".format("Half" if x.dtype == torch.float16 else "BFloat16"))
    return _h_floating(x)


def _h_fft_as_complex(x: Tensor) -> Tensor:
    x = _h_fft_checked(x)
    if x.is_complex():
        return x
    return torch.complex(x, torch.zeros_like(x))


def _h_fft_as_real(x: Tensor, name: str) -> Tensor:
    if x.is_complex():
        raise RuntimeError("{} expects a real input tensor, but got {}".format(name, "a complex one"))
    return _h_fft_checked(x)


def _h_fft_fitted(x: Tensor, dim: int, n: int) -> Tensor:
    # cut off or filled up with zeros
    if n < 1:
        raise RuntimeError("Invalid number of data points ({}) specified".format(n))
    have = x.size(dim)
    if have == n:
        return x
    if have > n:
        return x.narrow(dim, 0, n)
    d = dim if dim < 0 else dim - x.dim()
    pads: List[int] = []
    for _ in range(-d - 1):
        pads.append(0)
        pads.append(0)
    pads.append(0)
    pads.append(n - have)
    return torch.constant_pad_nd(x, pads, 0)


def fft_fft(self: Tensor, n: Optional[int], dim: int, norm: Optional[str]) -> Tensor:
    x = _h_fft_checked(self)
    size = x.size(dim) if n is None else n
    x = _h_fft_fitted(x, dim, size)
    if x.is_complex():
        return _fft_c2c(x, [dim], _h_fft_norm(norm, True), True)
    return _fft_r2c(x, [dim], _h_fft_norm(norm, True), False)


def fft_ifft(self: Tensor, n: Optional[int], dim: int, norm: Optional[str]) -> Tensor:
    x = _h_fft_checked(self)
    size = x.size(dim) if n is None else n
    x = _h_fft_fitted(x, dim, size)
    if x.is_complex():
        return _fft_c2c(x, [dim], _h_fft_norm(norm, False), False)
    return _fft_r2c(x, [dim], _h_fft_norm(norm, False), False).conj()


def fft_rfft(self: Tensor, n: Optional[int], dim: int, norm: Optional[str]) -> Tensor:
    x = _h_fft_as_real(self, "rfft")
    size = x.size(dim) if n is None else n
    return _fft_r2c(_h_fft_fitted(x, dim, size), [dim], _h_fft_norm(norm, True), True)


def fft_ihfft(self: Tensor, n: Optional[int], dim: int, norm: Optional[str]) -> Tensor:
    x = _h_fft_as_real(self, "ihfft")
    size = x.size(dim) if n is None else n
    return _fft_r2c(_h_fft_fitted(x, dim, size), [dim], _h_fft_norm(norm, False), True).conj()


def _h_fft_halved(self: Tensor, n: Optional[int], dim: int) -> Tuple[Tensor, int]:
    x = _h_fft_as_complex(self)
    size = 2 * (x.size(dim) - 1) if n is None else n
    if size < 1:
        raise RuntimeError("Invalid number of data points ({}) specified".format(size))
    return _h_fft_fitted(x, dim, size // 2 + 1), size


def fft_irfft(self: Tensor, n: Optional[int], dim: int, norm: Optional[str]) -> Tensor:
    x, size = _h_fft_halved(self, n, dim)
    return _fft_c2r(x, [dim], _h_fft_norm(norm, False), size)


def fft_hfft(self: Tensor, n: Optional[int], dim: int, norm: Optional[str]) -> Tensor:
    x, size = _h_fft_halved(self, n, dim)
    return _fft_c2r(x.conj(), [dim], _h_fft_norm(norm, True), size)


# several dimensions


def _h_fft_dims(x: Tensor, s: Optional[List[int]], dim: Optional[List[int]]) -> List[int]:
    dims: List[int] = []
    if dim is not None:
        for d in dim:
            wrapped = d if d >= 0 else d + x.dim()
            if wrapped < 0 or wrapped >= x.dim():
                raise IndexError(
                    "Dimension out of range (expected to be in range of [{}, {}], but got {})".format(-x.dim(), x.dim() - 1, d)
                )
            if wrapped in dims:
                raise RuntimeError("FFT dims must be unique")
            dims.append(wrapped)
        if s is not None and len(s) != len(dims):
            raise RuntimeError("When given, dim and shape arguments must have the same length")
        return dims
    count = x.dim()
    if s is not None:
        count = len(s)
        if count > x.dim():
            raise RuntimeError("Got shape with {} values but input tensor only has {} dimensions.".format(count, x.dim()))
    for i in range(x.dim() - count, x.dim()):
        dims.append(i)
    return dims


def _h_fft_all_fitted(x: Tensor, s: Optional[List[int]], dims: List[int]) -> Tensor:
    for i in range(len(dims)):
        size = x.size(dims[i])
        if s is not None:
            if s[i] != -1:
                size = s[i]
        x = _h_fft_fitted(x, dims[i], size)
    return x


def _h_fft_last_fitted(x: Tensor, s: Optional[List[int]], dims: List[int]) -> Tuple[Tensor, int]:
    # for a real result: half of the last dimension is given
    if len(dims) == 0:
        raise RuntimeError("irfftn must transform at least one axis")
    last = dims[-1]
    size = 2 * (x.size(last) - 1)
    if s is not None:
        if s[-1] != -1:
            size = s[-1]
        x = _h_fft_all_fitted(x, s[:-1], dims[:-1])
    if size < 1:
        raise RuntimeError("Invalid number of data points ({}) specified".format(size))
    return _h_fft_fitted(x, last, size // 2 + 1), size


def _h_fft_n(x: Tensor, s: Optional[List[int]], dim: Optional[List[int]], norm: Optional[str], forward: bool) -> Tensor:
    x = _h_fft_as_complex(x)
    dims = _h_fft_dims(x, s, dim)
    return _fft_c2c(_h_fft_all_fitted(x, s, dims), dims, _h_fft_norm(norm, forward), forward)


def fft_fftn(self: Tensor, s: Optional[List[int]], dim: Optional[List[int]], norm: Optional[str]) -> Tensor:
    return _h_fft_n(self, s, dim, norm, True)


def fft_ifftn(self: Tensor, s: Optional[List[int]], dim: Optional[List[int]], norm: Optional[str]) -> Tensor:
    return _h_fft_n(self, s, dim, norm, False)


def fft_rfftn(self: Tensor, s: Optional[List[int]], dim: Optional[List[int]], norm: Optional[str]) -> Tensor:
    x = _h_fft_as_real(self, "rfftn")
    dims = _h_fft_dims(x, s, dim)
    if len(dims) == 0:
        raise RuntimeError("rfftn must transform at least one axis")
    return _fft_r2c(_h_fft_all_fitted(x, s, dims), dims, _h_fft_norm(norm, True), True)


def fft_irfftn(self: Tensor, s: Optional[List[int]], dim: Optional[List[int]], norm: Optional[str]) -> Tensor:
    x = _h_fft_as_complex(self)
    dims = _h_fft_dims(x, s, dim)
    x, size = _h_fft_last_fitted(x, s, dims)
    return _fft_c2r(x, dims, _h_fft_norm(norm, False), size)


def fft_hfftn(self: Tensor, s: Optional[List[int]], dim: Optional[List[int]], norm: Optional[str]) -> Tensor:
    x = _h_fft_as_complex(self)
    dims = _h_fft_dims(x, s, dim)
    x, size = _h_fft_last_fitted(x, s, dims)
    # backwards, all directions turned round
    return _fft_c2r(x.conj(), dims, _h_fft_norm(norm, True), size)


def fft_ihfftn(self: Tensor, s: Optional[List[int]], dim: Optional[List[int]], norm: Optional[str]) -> Tensor:
    x = _h_fft_as_real(self, "ihfftn")
    dims = _h_fft_dims(x, s, dim)
    if len(dims) == 0:
        raise RuntimeError("ihfftn must transform at least one axis")
    return _fft_r2c(_h_fft_all_fitted(x, s, dims), dims, _h_fft_norm(norm, False), True).conj()


def fft_fft2(self: Tensor, s: Optional[List[int]], dim: List[int], norm: Optional[str]) -> Tensor:
    return fft_fftn(self, s, dim, norm)


def fft_ifft2(self: Tensor, s: Optional[List[int]], dim: List[int], norm: Optional[str]) -> Tensor:
    return fft_ifftn(self, s, dim, norm)


def fft_rfft2(self: Tensor, s: Optional[List[int]], dim: List[int], norm: Optional[str]) -> Tensor:
    return fft_rfftn(self, s, dim, norm)


def fft_irfft2(self: Tensor, s: Optional[List[int]], dim: List[int], norm: Optional[str]) -> Tensor:
    return fft_irfftn(self, s, dim, norm)


def fft_hfft2(self: Tensor, s: Optional[List[int]], dim: List[int], norm: Optional[str]) -> Tensor:
    return fft_hfftn(self, s, dim, norm)


def fft_ihfft2(self: Tensor, s: Optional[List[int]], dim: List[int], norm: Optional[str]) -> Tensor:
    return fft_ihfftn(self, s, dim, norm)


# frequencies, shifts


def fft_fftfreq(
    n: int, d: float, dtype: Optional[int], layout: Optional[int], device: Optional[Device], pin_memory: Optional[bool]
) -> Tensor:
    kind = torch.float32 if dtype is None else dtype
    place = torch.arange(n)
    return torch.where(place >= (n + 1) // 2, place - n, place).to(kind) * (1.0 / (n * d))


def fft_rfftfreq(
    n: int, d: float, dtype: Optional[int], layout: Optional[int], device: Optional[Device], pin_memory: Optional[bool]
) -> Tensor:
    kind = torch.float32 if dtype is None else dtype
    return torch.arange(n // 2 + 1).to(kind) * (1.0 / (n * d))


def _h_fft_shift_dims(x: Tensor, dim: Optional[List[int]]) -> List[int]:
    if dim is not None:
        return dim
    dims: List[int] = []
    for i in range(x.dim()):
        dims.append(i)
    return dims


def fft_fftshift(self: Tensor, dim: Optional[List[int]]) -> Tensor:
    dims = _h_fft_shift_dims(self, dim)
    shifts: List[int] = []
    for d in dims:
        shifts.append(self.size(d) // 2)
    return torch.roll(self, shifts, dims)


def fft_ifftshift(self: Tensor, dim: Optional[List[int]]) -> Tensor:
    dims = _h_fft_shift_dims(self, dim)
    shifts: List[int] = []
    for d in dims:
        shifts.append((self.size(d) + 1) // 2)
    return torch.roll(self, shifts, dims)


def _h_stft_window(window: Optional[Tensor], win_length: int, n_fft: int, like: Tensor) -> Tensor:
    # the window in the middle of n_fft zeros
    whole = torch.ones([win_length], dtype=like.dtype) if window is None else window
    if whole.dim() != 1 or whole.size(0) != win_length:
        raise RuntimeError(
            "expected a 1D window tensor of size equal to win_length={}, but got window with size {}".format(
                win_length, whole.size()
            )
        )
    if win_length == n_fft:
        return whole
    left = (n_fft - win_length) // 2
    return torch.constant_pad_nd(whole, [left, n_fft - win_length - left], 0)


def _h_stft(
    self: Tensor,
    n_fft: int,
    hop_length: Optional[int],
    win_length: Optional[int],
    window: Optional[Tensor],
    normalized: bool,
    onesided: Optional[bool],
    return_complex: Optional[bool],
    align_to_window: bool,
) -> Tensor:
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    as_complex = True
    if return_complex is None:
        if window is not None:
            as_complex = self.is_complex() or window.is_complex()
        else:
            as_complex = self.is_complex()
        if not as_complex:
            raise RuntimeError("stft requires the return_complex parameter be given for real inputs, and will further require that return_complex=True in a future PyTorch release.")
    else:
        as_complex = return_complex
    if not self.is_floating_point() and not self.is_complex():
        raise RuntimeError("stft: expected a tensor of floating point or complex values")
    if self.dim() < 1 or self.dim() > 2:
        raise RuntimeError("stft: expected a 1D or 2D tensor")
    x = self.unsqueeze(0) if self.dim() == 1 else self
    size = x.size(1)
    if n_fft <= 0 or n_fft > size:
        raise RuntimeError("stft: expected 0 < n_fft < {}, but got n_fft={}".format(size, n_fft))
    if hop <= 0:
        raise RuntimeError("stft: expected hop_length > 0, but got hop_length={}".format(hop))
    if length <= 0 or length > n_fft:
        raise RuntimeError("stft: expected 0 < win_length <= n_fft, but got win_length={}".format(length))
    frames = x.unfold(1, n_fft, hop)
    if window is not None or length < n_fft:
        frames = frames * _h_stft_window(window, length, n_fft, x.real)
    norm = 1 if normalized else 0
    if frames.is_complex():
        half = False
        if onesided is not None:
            half = onesided
        if half:
            raise RuntimeError("Cannot have onesided output if window or input is complex")
        found = _fft_c2c(frames, [2], norm, True)
    else:
        half = True
        if onesided is not None:
            half = onesided
        found = _fft_r2c(frames, [2], norm, half)
    found = found.transpose(1, 2)
    if self.dim() == 1:
        found = found.squeeze(0)
    return found if as_complex else torch.view_as_real(found)


def stft(
    self: Tensor,
    n_fft: int,
    hop_length: Optional[int],
    win_length: Optional[int],
    window: Optional[Tensor],
    normalized: bool,
    onesided: Optional[bool],
    return_complex: Optional[bool],
    align_to_window: Optional[bool],
) -> Tensor:
    return _h_stft(self, n_fft, hop_length, win_length, window, normalized, onesided, return_complex, False)


def stft__center(
    self: Tensor,
    n_fft: int,
    hop_length: Optional[int],
    win_length: Optional[int],
    window: Optional[Tensor],
    center: bool,
    pad_mode: str,
    normalized: bool,
    onesided: Optional[bool],
    return_complex: Optional[bool],
    align_to_window: Optional[bool],
) -> Tensor:
    x = self
    if center:
        pads = [n_fft // 2, n_fft // 2]
        if self.dim() == 1:
            x = torch.nn.functional.pad(self.unsqueeze(0).unsqueeze(0), pads, pad_mode).squeeze(0).squeeze(0)
        else:
            x = torch.nn.functional.pad(self.unsqueeze(0), pads, pad_mode).squeeze(0)
    return _h_stft(x, n_fft, hop_length, win_length, window, normalized, onesided, return_complex, False)


def _h_overlap_add(frames: Tensor, hop: int, size: int) -> Tensor:
    # [batch, count, n] -> [batch, size], frame i from i * hop on
    count, n = frames.size(1), frames.size(2)
    place = (torch.arange(count).unsqueeze(1) * hop + torch.arange(n)).reshape([count * n])
    start = torch.zeros([frames.size(0), size], dtype=frames.dtype)
    return start.index_add(1, place, frames.reshape([frames.size(0), count * n]))


def istft(
    self: Tensor,
    n_fft: int,
    hop_length: Optional[int],
    win_length: Optional[int],
    window: Optional[Tensor],
    center: bool,
    normalized: bool,
    onesided: Optional[bool],
    length: Optional[int],
    return_complex: bool,
) -> Tensor:
    if not self.is_complex():
        raise RuntimeError("istft requires a complex-valued input tensor matching the output from stft with return_complex=True.")
    if self.dim() < 2 or self.dim() > 3:
        raise RuntimeError("istft: expected a tensor with 2 or 3 dimensions, but got {}".format(self.dim()))
    hop = n_fft // 4 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    count = self.size(-1)
    bins = self.size(-2)
    half = bins != n_fft
    if onesided is not None:
        half = onesided
    if half and n_fft // 2 + 1 != bins:
        raise RuntimeError("istft: expected the frequency dimension (3rd to the last) of the input tensor to match n_fft / 2 + 1 when onesided=True, but got {}".format(bins))
    if not half and n_fft != bins:
        raise RuntimeError("istft: expected the frequency dimension (3rd to the last) of the input tensor to match n_fft when onesided=False, but got {}".format(bins))
    if hop <= 0 or hop > width:
        raise RuntimeError("istft: expected 0 < hop_length <= win_length")
    if width <= 0 or width > n_fft:
        raise RuntimeError("istft: expected 0 < win_length <= n_fft")
    x = self.unsqueeze(0) if self.dim() == 2 else self
    x = x.transpose(1, 2)
    norm = 1 if normalized else 2
    whole = _h_stft_window(window, width, n_fft, x.real)
    if return_complex:
        if half:
            raise RuntimeError("Cannot have onesided output if window or input is complex")
        frames = _fft_c2c(x, [2], norm, False)
    else:
        if whole.is_complex():
            raise RuntimeError("Complex windows are incompatible with return_complex=False")
        if not half:
            x = x.slice(2, 0, n_fft // 2 + 1)
        frames = _fft_c2r(x, [2], norm, n_fft)
    size = n_fft + hop * (count - 1)
    y = _h_overlap_add(frames * whole, hop, size)
    envelope = _h_overlap_add((whole * whole).expand([1, count, n_fft]), hop, size)
    start = n_fft // 2 if center else 0
    end = size
    if length is not None:
        end = start + length
    elif center:
        end = size - n_fft // 2
    stop = min(end, size)
    y = y.slice(1, start, stop)
    envelope = envelope.slice(1, start, stop)
    if bool(envelope.abs().min() < 1e-11):
        raise RuntimeError("window overlap add min: 1")
    y = y / envelope
    if end > size:
        y = torch.constant_pad_nd(y, [0, end - size], 0)
    return y.squeeze(0) if self.dim() == 2 else y
