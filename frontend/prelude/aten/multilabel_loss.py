# The loss of several classes per row.

import torch
from torch import Tensor
from typing import Tuple


def multilabel_margin_loss_forward(self: Tensor, target: Tensor, reduction: int) -> Tuple[Tensor, Tensor]:
    # the classes of a row are the places before its first -1
    if self.dim() == 1 and self.size(0) == 0 or self.dim() == 2 and self.size(1) == 0:
        raise RuntimeError("Expected non-empty vector or matrix with optional 0-dim batch size, but got: {}".format(self.size()))
    x = self if self.dim() == 2 else self.reshape([1, self.numel()])
    y = target if target.dim() == 2 else target.reshape([1, target.numel()])
    if self.dim() > 2 or x.size(0) != y.size(0) or x.size(1) != y.size(1):
        raise RuntimeError("inconsistent target size: {} for input of size: {}".format(target.size(), self.size()))
    given = torch.cumprod((y >= 0).to(torch.int64), 1)
    place = torch.clamp_min(y, 0)
    marked = torch.scatter_reduce(torch.zeros_like(y), 1, place, given, "amax", include_self=True)
    chosen = torch.gather(x, 1, place)
    margins = torch.clamp_min(1.0 - (chosen.unsqueeze(2) - x.unsqueeze(1)), 0)
    counted = torch.logical_and((given > 0).unsqueeze(2), (marked == 0).unsqueeze(1))
    loss = torch.where(counted, margins, torch.zeros_like(margins)).sum([1, 2]) / float(x.size(1))
    is_target = marked.to(self.dtype).reshape(target.size())
    if reduction == 0:
        return loss if self.dim() == 2 else loss.squeeze(0), is_target
    return (loss.mean() if reduction == 1 else loss.sum()), is_target


def multilabel_margin_loss(self: Tensor, target: Tensor, reduction: int) -> Tensor:
    return multilabel_margin_loss_forward(self, target, reduction)[0]
