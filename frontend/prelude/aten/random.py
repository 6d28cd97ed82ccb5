# Random tensors as formulas over the four operators that draw: `uniform_`, `random_`, `normal_` and `log_normal_`.

import math
import torch
from torch import Generator, Tensor
from typing import List, Optional


def rand(
    size: List[int],
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return torch.empty(size, dtype=dtype).uniform_()


def rand__generator(
    size: List[int],
    generator: Optional[Generator],
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return torch.empty(size, dtype=dtype).uniform_(0.0, 1.0, generator=generator)


def rand_like(
    self: Tensor,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
    memory_format: Optional[int],
) -> Tensor:
    return torch.empty_like(self, dtype=dtype).uniform_()


def rand_like__generator(
    self: Tensor,
    generator: Optional[Generator],
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
    memory_format: Optional[int],
) -> Tensor:
    return torch.empty_like(self, dtype=dtype).uniform_(0.0, 1.0, generator=generator)


def randn(
    size: List[int],
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return torch.empty(size, dtype=dtype).normal_()


def randn__generator(
    size: List[int],
    generator: Optional[Generator],
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return torch.empty(size, dtype=dtype).normal_(0.0, 1.0, generator=generator)


def randn_like(
    self: Tensor,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
    memory_format: Optional[int],
) -> Tensor:
    return torch.empty_like(self, dtype=dtype).normal_()


def randn_like__generator(
    self: Tensor,
    generator: Optional[Generator],
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
    memory_format: Optional[int],
) -> Tensor:
    return torch.empty_like(self, dtype=dtype).normal_(0.0, 1.0, generator=generator)


def randint(
    high: int,
    size: List[int],
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return torch.empty(size, dtype=4 if dtype is None else dtype).random_(0, high)


def randint__generator(
    high: int,
    size: List[int],
    generator: Optional[Generator],
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return torch.empty(size, dtype=4 if dtype is None else dtype).random_(0, high, generator=generator)


def randint__low(
    low: int,
    high: int,
    size: List[int],
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return torch.empty(size, dtype=4 if dtype is None else dtype).random_(low, high)


def randint__low_generator(
    low: int,
    high: int,
    size: List[int],
    generator: Optional[Generator],
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return torch.empty(size, dtype=4 if dtype is None else dtype).random_(low, high, generator=generator)


def randint_like(
    self: Tensor,
    high: int,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
    memory_format: Optional[int],
) -> Tensor:
    return torch.empty_like(self, dtype=dtype).random_(0, high)


def randint_like__low_dtype(
    self: Tensor,
    low: int,
    high: int,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
    memory_format: Optional[int],
) -> Tensor:
    return torch.empty_like(self, dtype=dtype).random_(low, high)


def randint_like__Tensor(
    self: Tensor,
    high: Tensor,
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
    memory_format: Optional[int],
) -> Tensor:
    return torch.empty_like(self, dtype=dtype).random_(0, int(high.item()))


def normal__float_float(
    mean: float,
    std: float,
    size: List[int],
    generator: Optional[Generator],
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
) -> Tensor:
    return torch.empty(size, dtype=dtype).normal_(mean, std, generator=generator)


def normal__Tensor_float(mean: Tensor, std: float, generator: Optional[Generator]) -> Tensor:
    return torch.empty(mean.size(), dtype=mean.dtype).normal_(0.0, std, generator=generator) + mean


def _h_check_std(std: Tensor):
    if std.numel() > 0 and bool((std < 0).any()):
        raise RuntimeError("normal expects all elements of std >= 0.0")


def normal__float_Tensor(mean: float, std: Tensor, generator: Optional[Generator]) -> Tensor:
    _h_check_std(std)
    drawn = torch.empty(std.size(), dtype=std.dtype).normal_(0.0, 1.0, generator=generator)
    return drawn * std + torch.full([], mean, dtype=std.dtype)


def normal__Tensor_Tensor(mean: Tensor, std: Tensor, generator: Optional[Generator]) -> Tensor:
    _h_check_std(std)
    size = torch.broadcast_tensors([mean, std])[0].size()
    drawn = torch.empty(size, dtype=mean.dtype).normal_(0.0, 1.0, generator=generator)
    return (drawn * std).to(mean.dtype) + mean


def _h_doubles(self: Tensor, generator: Optional[Generator]) -> Tensor:
    return torch.empty_like(self, dtype=torch.float64).uniform_(0.0, 1.0, generator=generator)


def _h_check_chances(p: Tensor):
    if p.numel() > 0 and not bool(torch.logical_and(p >= 0, p <= 1).all()):
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")


def bernoulli(self: Tensor, generator: Optional[Generator]) -> Tensor:
    return torch.empty(self.size(), dtype=self.dtype).bernoulli_(self, generator=generator)


def bernoulli__p(self: Tensor, p: float, generator: Optional[Generator]) -> Tensor:
    if not (p >= 0.0 and p <= 1.0):
        raise RuntimeError("bernoulli_ expects p to be in [0, 1], but got p={}".format(p))
    return (_h_doubles(self, generator) < p).to(self.dtype)


def bernoulli__Tensor(self: Tensor, p: Tensor, generator: Optional[Generator]) -> Tensor:
    if not p.is_floating_point():
        raise RuntimeError("bernoulli_ needs probabilities in floating point")
    _h_check_chances(p)
    precision = torch.float64 if p.dtype == torch.float64 else torch.float32
    drawn = torch.empty_like(self, dtype=precision).uniform_(0.0, 1.0, generator=generator)
    return (drawn < p.to(precision)).to(self.dtype)


def exponential(self: Tensor, lambd: float, generator: Optional[Generator]) -> Tensor:
    if not lambd > 0.0:
        raise RuntimeError("exponential_ expects lambda > 0.0, but found lambda={}".format(lambd))
    if not self.is_floating_point():
        raise RuntimeError("Exponential distribution is a continuous probability distribution.")
    return (torch.log1p(-_h_doubles(self, generator)) * (-1.0 / lambd)).to(self.dtype)


def geometric(self: Tensor, p: float, generator: Optional[Generator]) -> Tensor:
    if not (p > 0.0 and p < 1.0):
        raise RuntimeError("geometric_ expects p to be in (0, 1), but got p={}".format(p))
    rest = torch.log1p(torch.full([], -p, dtype=torch.float64))
    return torch.ceil(torch.log(_h_doubles(self, generator)) / rest).to(self.dtype)


def cauchy(self: Tensor, median: float, sigma: float, generator: Optional[Generator]) -> Tensor:
    if not sigma > 0.0:
        raise RuntimeError("cauchy_ expects sigma > 0.0, but found sigma={}".format(sigma))
    if not self.is_floating_point():
        raise RuntimeError("Cauchy distribution is a continuous probability distribution.")
    angle = (_h_doubles(self, generator) - 0.5) * 3.141592653589793
    return (torch.tan(angle) * sigma + median).to(self.dtype)


def _h_uniform_number(generator: Optional[Generator]) -> float:
    return float(torch.empty([], dtype=torch.float64).uniform_(0.0, 1.0, generator=generator))


def _h_draw_multinomial(self: Tensor, num_samples: int, generator: Optional[Generator]) -> Tensor:
    rows = self if self.dim() == 2 else self.unsqueeze(0)
    sums = torch.cumsum(rows, 1)
    sums = sums / sums[:, -1:]
    drawn = torch.empty([rows.size(0), num_samples], dtype=torch.float64).uniform_(0.0, 1.0, generator=generator)
    found = torch.searchsorted(sums.to(torch.float64), drawn)
    found = torch.clamp(found, max=rows.size(1) - 1)
    return found if self.dim() == 2 else found.squeeze(0)


def multinomial(self: Tensor, num_samples: int, replacement: bool, generator: Optional[Generator]) -> Tensor:
    if self.dim() == 0 or self.dim() > 2:
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if not self.is_floating_point():
        raise RuntimeError("multinomial only supports floating-point dtypes for input, got: {}".format(self.dtype))
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and num_samples > self.size(-1):
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if not bool(torch.logical_and(self >= 0, self < float("inf")).all()):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if bool((self.sum(-1) == 0).any()):
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    if replacement and num_samples > 1:
        return _h_draw_multinomial(self, num_samples, generator)
    chances = self / torch.empty_like(self).exponential_(1.0, generator=generator)
    if num_samples == 1:
        return torch.argmax(chances, -1, True)
    return torch.topk(chances, num_samples)[1]


def _h_poisson(rate: float, generator: Optional[Generator]) -> float:
    # Hoermann's transformed rejection for large rates, Knuth's multiplication for small ones.
    if not rate > 0.0:
        return 0.0
    if rate < 10.0:
        limit = math.exp(-rate)
        count = 0
        product = _h_uniform_number(generator)
        while product > limit:
            count += 1
            product *= _h_uniform_number(generator)
        return float(count)
    log_rate = math.log(rate)
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    accepted = 0.9277 - 3.6224 / (b - 2.0)
    result = -1.0
    while result < 0.0:
        u = _h_uniform_number(generator) - 0.5
        v = _h_uniform_number(generator)
        distance = 0.5 - abs(u)
        k = float(math.floor((2.0 * a / distance + b) * u + rate + 0.43))
        if distance >= 0.07 and v <= accepted:
            result = k
        elif not (k < 0.0 or (distance < 0.013 and v > distance)):
            if math.log(v) + math.log(inverse) - math.log(a / (distance * distance) + b) <= (
                -rate + k * log_rate - math.lgamma(k + 1.0)
            ):
                result = k
    return result


def poisson(self: Tensor, generator: Optional[Generator]) -> Tensor:
    if not self.is_floating_point():
        raise RuntimeError('"poisson_cpu" not implemented for integers')
    rates = self.reshape([-1])
    result = torch.zeros(rates.size(), dtype=self.dtype)
    for i in range(rates.size(0)):
        rate = float(rates[i])
        if not rate >= 0.0:
            raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
        result[i] = _h_poisson(rate, generator)
    return result.reshape(self.size())


def randint_like__generator(
    self: Tensor,
    high: int,
    generator: Optional[Generator],
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
    memory_format: Optional[int],
) -> Tensor:
    return torch.empty_like(self, dtype=dtype).random_(0, high, generator=generator)


def randint_like__low_generator_dtype(
    self: Tensor,
    low: int,
    high: int,
    generator: Optional[Generator],
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
    memory_format: Optional[int],
) -> Tensor:
    return torch.empty_like(self, dtype=dtype).random_(low, high, generator=generator)


def randint_like__Tensor_generator(
    self: Tensor,
    high: Tensor,
    generator: Optional[Generator],
    dtype: Optional[int],
    layout: Optional[int],
    device: Optional[torch.device],
    pin_memory: Optional[bool],
    memory_format: Optional[int],
) -> Tensor:
    return torch.empty_like(self, dtype=dtype).random_(0, int(high.item()), generator=generator)
