# The hash of a tensor: its bits, combined by exclusive or.

import torch
from torch import Tensor
from typing import List


def hash_tensor(self: Tensor, dim: List[int], keepdim: bool, mode: int) -> Tensor:
    if mode != 0:
        raise RuntimeError("hash_tensor: mode must be 0 (xor)")
    if self.numel() == 0 and len(dim) == 0:
        raise RuntimeError(
            "hash_tensor: Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument."
        )
    if self.is_floating_point():
        words = torch.ops.aten.view_copy(self.to(torch.float64), dtype=torch.int64)
    else:
        words = self.to(torch.int64)
    dims = [d % max(self.dim(), 1) for d in (dim if len(dim) > 0 else list(range(self.dim())))]
    places = torch.arange(64)
    bits = (words.unsqueeze(-1) >> places) & 1
    if len(dims) > 0 and self.dim() > 0:
        bits = bits.sum(dims, keepdim) & 1  # exclusive or is the parity of each bit
    return (bits << places).sum(-1).to(torch.uint64)
