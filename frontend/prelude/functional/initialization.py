# torch.nn.init, as far as torch.jit compiles it: `_h_init_NAME`.

import math

from torch import Generator, Tensor
from typing import Optional, Tuple


def _h_init_uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    return tensor.uniform_(a, b, generator=generator)


def _h_init_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    return tensor.normal_(mean, std, generator=generator)


def _h_init_constant_(tensor: Tensor, val: float) -> Tensor:
    return tensor.fill_(val)


def _h_init_ones_(tensor: Tensor) -> Tensor:
    return tensor.fill_(1.0)


def _h_init_zeros_(tensor: Tensor) -> Tensor:
    return tensor.zero_()


def _h_init_fans(tensor: Tensor) -> Tuple[int, int]:
    if tensor.dim() < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    receptive = 1
    for i in range(2, tensor.dim()):
        receptive = receptive * tensor.size(i)
    return tensor.size(1) * receptive, tensor.size(0) * receptive


def _h_init_xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    fan_in, fan_out = _h_init_fans(tensor)
    bound = math.sqrt(3.0) * (gain * math.sqrt(2.0 / float(fan_in + fan_out)))
    return tensor.uniform_(-bound, bound, generator=generator)


def _h_init_xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    fan_in, fan_out = _h_init_fans(tensor)
    return tensor.normal_(0.0, gain * math.sqrt(2.0 / float(fan_in + fan_out)), generator=generator)
