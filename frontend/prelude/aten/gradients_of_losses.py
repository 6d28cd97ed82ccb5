# Gradients that PyTorch's own backward passes compute, callable by their names: losses, gates, cubic resampling, products.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


def log_sigmoid_forward(self: Tensor) -> Tuple[Tensor, Tensor]:
    return torch.log_sigmoid(self), torch.exp(-torch.abs(self))


def glu_jvp(glu: Tensor, x: Tensor, dx: Tensor, dim: int) -> Tensor:
    halves = x.chunk(2, dim)
    changes = dx.chunk(2, dim)
    gate = torch.sigmoid(halves[1])
    return changes[0] * gate + glu * (changes[1] - gate * changes[1])


def glu_backward_jvp(grad_x: Tensor, grad_glu: Tensor, x: Tensor, dgrad_glu: Tensor, dx: Tensor, dim: int) -> Tensor:
    halves = x.chunk(2, dim)
    changes = dx.chunk(2, dim)
    gate = torch.sigmoid(halves[1])
    slope = gate * (1.0 - gate)
    first = dgrad_glu * gate + grad_glu * slope * changes[1]
    both = dgrad_glu * halves[0] + grad_glu * changes[0]
    second = both * slope + grad_glu * halves[0] * slope * (1.0 - 2.0 * gate) * changes[1]
    return torch.cat([first, second], dim)


def masked_scatter_backward(grad_output: Tensor, mask: Tensor, sizes: List[int]) -> Tensor:
    count = 1
    for extent in sizes:
        count *= extent
    chosen = grad_output.masked_select(mask)
    result = torch.zeros([count], dtype=grad_output.dtype)
    taken = min(chosen.size(0), count)
    result[:taken] = chosen[:taken]
    return result.reshape(sizes)


def _h_spread_over(grad_output: Tensor, rows: int, reduction: int, dtype: int) -> Tensor:
    # [rows, 1]: the gradient of the loss of each row
    if reduction == 0:
        return grad_output.reshape([rows, 1]).to(dtype)
    part = grad_output.reshape([1, 1]).expand([rows, 1])
    return part / float(rows) if reduction == 1 else part


def multi_margin_loss_backward(
    grad_output: Tensor,
    self: Tensor,
    target: Tensor,
    p: number,
    margin: number,
    weight: Optional[Tensor],
    reduction: int,
) -> Tensor:
    x = self if self.dim() == 2 else self.reshape([1, self.numel()])
    y = target if target.dim() == 1 else target.reshape([1])
    index = y.unsqueeze(1)
    terms = x - torch.gather(x, 1, index) + margin
    slope = (terms > 0).to(x.dtype) / float(x.size(1))
    if float(p) == 2.0:
        slope = slope * 2.0 * terms
    if weight is not None:
        slope = slope * weight[y].unsqueeze(1)
    other = torch.arange(x.size(1)).unsqueeze(0) != index
    slope = torch.where(other, slope, torch.zeros_like(slope))
    slope = slope - torch.where(other, torch.zeros_like(slope), slope.sum(1, True).expand(slope.size()))
    return (slope * _h_spread_over(grad_output, x.size(0), reduction, x.dtype)).reshape(self.size())


def multilabel_margin_loss_backward(
    grad_output: Tensor, self: Tensor, target: Tensor, reduction: int, is_target: Tensor
) -> Tensor:
    x = self if self.dim() == 2 else self.reshape([1, self.numel()])
    y = target if target.dim() == 2 else target.reshape([1, target.numel()])
    marked = is_target.reshape(y.size())
    given = torch.cumprod((y >= 0).to(torch.int64), 1)
    place = torch.clamp_min(y, 0)
    chosen = torch.gather(x, 1, place)
    counted = torch.logical_and((given > 0).unsqueeze(2), (marked == 0).unsqueeze(1))
    positive = torch.logical_and(counted, 1.0 - (chosen.unsqueeze(2) - x.unsqueeze(1)) > 0)
    ones = positive.to(x.dtype) / float(x.size(1))
    slope = ones.sum(1).scatter_add(1, place, -ones.sum(2))
    return (slope * _h_spread_over(grad_output, x.size(0), reduction, x.dtype)).reshape(self.size())


def upsample_bicubic2d_backward(
    grad_output: Tensor,
    output_size: List[int],
    input_size: List[int],
    align_corners: bool,
    scales_h: Optional[float],
    scales_w: Optional[float],
) -> Tensor:
    # The resampling of each dimension is a product with a matrix; here with its transpose.
    wide = _h_wide(grad_output)
    rows = torch.eye(input_size[2], dtype=wide.dtype).reshape([1, 1, input_size[2], input_size[2]])
    columns = torch.eye(input_size[3], dtype=wide.dtype).reshape([1, 1, input_size[3], input_size[3]])
    down = _h_cubic_axis(rows, 2, output_size[0], align_corners, scales_h)[0, 0]
    across = _h_cubic_axis(columns, 2, output_size[1], align_corners, scales_w)[0, 0]
    return _h_narrow(torch.matmul(torch.matmul(down.t(), wide), across), grad_output.dtype)


def cumprod_backward(grad: Tensor, input: Tensor, dim: int, output: Tensor) -> Tensor:
    if input.dim() == 0:
        return grad
    # [..., k, j]: products up to j of all factors but k
    x = input.transpose(dim, -1)
    count = x.size(-1)
    own = torch.eye(count, dtype=torch.bool)
    factors = torch.where(own, torch.ones([], dtype=x.dtype), x.unsqueeze(-2))
    products = torch.cumprod(factors, -1)
    later = torch.arange(count).unsqueeze(0) >= torch.arange(count).unsqueeze(1)
    products = torch.where(later, products.conj(), torch.zeros([], dtype=x.dtype))
    return (products * grad.transpose(dim, -1).unsqueeze(-2)).sum(-1).transpose(dim, -1)


def matrix_exp_backward(self: Tensor, grad: Tensor) -> Tensor:
    # The corner of the exponential of a block matrix is the derivative in a direction.
    a = self.mH
    n = a.size(-1)
    upper = torch.cat([a, grad], -1)
    lower = torch.cat([torch.zeros_like(a), a], -1)
    return torch.linalg_matrix_exp(torch.cat([upper, lower], -2))[..., :n, n:]
