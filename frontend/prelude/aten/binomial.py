# Random numbers of the binomial distribution, one by one.

import math
import torch
from torch import Generator, Tensor
from typing import Optional


def _h_binomial_of_waits(count: float, prob: float, generator: Optional[Generator]) -> float:
    # how many geometric waiting times fit in
    found, waited = 0, 0.0
    log_miss = math.log1p(-prob)
    while waited <= count:
        waited += float(math.ceil(math.log(_h_uniform_number(generator)) / log_miss))
        found += 1
    return float(found - 1)


def _h_stirling_tail(k: float) -> float:
    if k <= 9.0:
        exact = [
            0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
            0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287,
        ]
        return exact[int(k)]
    next = k + 1.0
    square = next * next
    return (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / square) / square) / next


def _h_binomial_by_rejection(count: float, prob: float, generator: Optional[Generator]) -> float:
    # Hoermann's transformed rejection with squeeze
    deviation = math.sqrt(count * prob * (1.0 - prob))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * prob
    c = count * prob + 0.5
    accepted = 0.92 - 4.2 / b
    ratio = prob / (1.0 - prob)
    alpha = (2.83 + 5.1 / b) * deviation
    mode = float(math.floor((count + 1.0) * prob))
    result = -1.0
    while result < 0.0:
        u = _h_uniform_number(generator) - 0.5
        v = _h_uniform_number(generator)
        distance = 0.5 - abs(u)
        k = float(math.floor((2.0 * a / distance + b) * u + c))
        if distance >= 0.07 and v <= accepted:
            result = k
        elif not (k < 0.0 or k > count):
            bound = (mode + 0.5) * math.log((mode + 1.0) / (ratio * (count - mode + 1.0)))
            bound += (count + 1.0) * math.log((count - mode + 1.0) / (count - k + 1.0))
            bound += (k + 0.5) * math.log(ratio * (count - k + 1.0) / (k + 1.0))
            bound += _h_stirling_tail(mode) + _h_stirling_tail(count - mode)
            bound -= _h_stirling_tail(k) + _h_stirling_tail(count - k)
            if math.log(v * alpha / (a / (distance * distance) + b)) <= bound:
                result = k
    return result


def _h_binomial(count: float, prob: float, generator: Optional[Generator]) -> float:
    if count <= 0.0 or prob <= 0.0:
        return 0.0
    if prob >= 1.0:
        return count
    if prob != prob:
        return prob
    rare = min(prob, 1.0 - prob)
    if count * rare >= 10.0:
        hits = _h_binomial_by_rejection(count, rare, generator)
    else:
        hits = _h_binomial_of_waits(count, rare, generator)
    return hits if prob <= 0.5 else count - hits


def binomial(count: Tensor, prob: Tensor, generator: Optional[Generator]) -> Tensor:
    if not count.is_floating_point():
        raise RuntimeError("binomial only supports floating-point dtypes for count, got: {}".format(count.dtype))
    if not prob.is_floating_point():
        raise RuntimeError("binomial only supports floating-point dtypes for prob, got: {}".format(prob.dtype))
    wide, chance = torch.broadcast_tensors([count, prob])
    counts, chances = wide.reshape([-1]), chance.reshape([-1])
    result = torch.zeros(counts.size(), dtype=count.dtype)
    for i in range(counts.size(0)):
        result[i] = _h_binomial(float(counts[i]), float(chances[i]), generator)
    return result.reshape(wide.size())
