# Losses.

import torch
from torch import Tensor
from typing import Optional, Tuple


def mse_loss(self: Tensor, target: Tensor, reduction: int) -> Tensor:
    d = self - target
    return _h_reduce(d * d, reduction)


def l1_loss(self: Tensor, target: Tensor, reduction: int) -> Tensor:
    return _h_reduce(torch.abs(self - target), reduction)


def smooth_l1_loss(self: Tensor, target: Tensor, reduction: int, beta: float) -> Tensor:
    if beta < 0.0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    d = torch.abs(self - target)
    if beta == 0.0:
        return _h_reduce(d, reduction)
    return _h_reduce(torch.where(d < beta, d * d * (0.5 / beta), d - 0.5 * beta), reduction)


def huber_loss(self: Tensor, target: Tensor, reduction: int, delta: float) -> Tensor:
    if delta <= 0.0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    d = torch.abs(_h_wide(self - target))
    loss = _h_narrow(torch.where(d <= delta, d * d * 0.5, (d - 0.5 * delta) * delta), torch.result_type(self, target))
    return _h_reduce(loss, reduction)


def soft_margin_loss(self: Tensor, target: Tensor, reduction: int) -> Tensor:
    return _h_reduce(torch.log1p(torch.exp(-target * self)), reduction)


def binary_cross_entropy(self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int) -> Tensor:
    if target.dtype != self.dtype:
        raise RuntimeError("Found dtype {} but expected {}".format(_h_type_name(target.dtype), _h_type_name(self.dtype)))
    # logarithms are cut off at -100, as in PyTorch
    loss = (target - 1) * torch.clamp_min(torch.log1p(-self), -100) - target * torch.clamp_min(torch.log(self), -100)
    if weight is not None:
        loss = loss * weight
    return _h_reduce(loss, reduction)


def binary_cross_entropy_with_logits(
    self: Tensor, target: Tensor, weight: Optional[Tensor], pos_weight: Optional[Tensor], reduction: int
) -> Tensor:
    if pos_weight is not None:
        log_weight = (pos_weight - 1) * target + 1
        loss = (1 - target) * self - log_weight * log_sigmoid(self)
    else:
        loss = (1 - target) * self - log_sigmoid(self)
    if weight is not None:
        loss = loss * weight
    return _h_reduce(loss, reduction)


def kl_div(self: Tensor, target: Tensor, reduction: int, log_target: bool) -> Tensor:
    if log_target:
        loss = torch.exp(target) * (target - self)
    else:
        log = torch.log(torch.where(target > 0, target, torch.ones_like(target)))
        loss = (
            torch.where(
                target > 0, target * log, torch.where(target == 0, torch.zeros_like(target), target * float("nan"))
            )
            - target * self
        )
    return _h_reduce(loss, reduction)


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int) -> Tensor:
    if log_input:
        loss = torch.exp(input) - target * input
    else:
        loss = input - target * torch.log(input + eps)
    if full:
        stirling = target * torch.log(target) - target + 0.5 * torch.log(target * 6.283185307179586)
        loss = loss + torch.where(target > 1, stirling, torch.zeros_like(stirling))
    return _h_reduce(loss, reduction)


def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float, reduction: int) -> Tensor:
    dim = input1.dim() - 1
    product = torch.sum(input1 * input2, [dim])
    square1 = torch.sum(input1 * input1, [dim]) + 9.999999960041972e-13
    square2 = torch.sum(input2 * input2, [dim]) + 9.999999960041972e-13
    cos = product / torch.sqrt(square1 * square2)
    zeros = torch.zeros_like(cos)
    loss = torch.where(target == 1, 1 - cos, zeros) + torch.where(target == -1, torch.clamp_min(cos - margin, 0), zeros)
    return _h_reduce(loss, reduction)


def hinge_embedding_loss(self: Tensor, target: Tensor, margin: float, reduction: int) -> Tensor:
    zeros = torch.zeros_like(self)
    loss = torch.where(target != 1, torch.clamp_min(margin - self, 0), zeros) + torch.where(target != -1, self, zeros)
    return _h_reduce(loss, reduction)


def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float, reduction: int) -> Tensor:
    if input1.dim() != input2.dim() or input1.dim() != target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: {}, input2: {}, "
            "target: {} ".format(input1.size(), input2.size(), target.size())
        )
    return _h_reduce(torch.clamp_min(-target * (input1 - input2) + margin, 0), reduction)


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float, p: float, eps: float, swap: bool, reduction: int
) -> Tensor:
    if anchor.dim() != positive.dim() or anchor.dim() != negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            "anchor {}D, positive {}D, and negative {}D inputs".format(anchor.dim(), positive.dim(), negative.dim())
        )
    near = pairwise_distance(anchor, positive, p, eps, False)
    far = pairwise_distance(anchor, negative, p, eps, False)
    if swap:
        far = torch.minimum(far, pairwise_distance(positive, negative, p, eps, False))
    return _h_reduce(torch.clamp_min(margin + near - far, 0), reduction)


def multi_margin_loss(
    self: Tensor, target: Tensor, p: number, margin: number, weight: Optional[Tensor], reduction: int
) -> Tensor:
    x = self if self.dim() == 2 else self.reshape([1, self.numel()])
    y = target if target.dim() == 1 else target.reshape([1])
    index = y.unsqueeze(1)
    terms = torch.clamp_min(x - torch.gather(x, 1, index) + margin, 0)
    if float(p) == 2.0:
        terms = terms * terms
    if weight is not None:
        terms = terms * weight[y].unsqueeze(1)
    other = torch.arange(x.size(1)).unsqueeze(0) != index
    loss = torch.sum(torch.where(other, terms, torch.zeros_like(terms)), [1]) / float(x.size(1))
    if self.dim() < 2:
        loss = loss.squeeze(0)
    return _h_reduce(loss, reduction)


def _h_nll(
    self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int
) -> Tuple[Tensor, Tensor]:
    # self [N, C, ...], target [N, ...]: minus the chosen class, and the sum of weights
    if not self.is_floating_point():
        raise RuntimeError("\"nll_loss_out_frame\" not implemented for '{}'".format(_h_type_name(self.dtype)))
    if target.dtype != torch.int64 and target.dtype != torch.uint8:
        raise RuntimeError("expected target dtype to be Long or Byte, but got {}".format(_h_type_name(target.dtype)))
    if weight is not None:
        if weight.numel() != self.size(1):
            raise RuntimeError(
                "weight tensor should be defined either for all {} classes or no classes but got weight tensor of shape: {}".format(
                    self.size(1), weight.size()
                )
            )
        if weight.dtype != self.dtype:
            raise RuntimeError(
                "expected scalar type {} but found {}".format(_h_type_name(self.dtype), _h_type_name(weight.dtype))
            )
    kept = target != ignore_index
    index = torch.where(kept, target, torch.zeros_like(target))
    picked = -torch.gather(self, 1, index.unsqueeze(1)).squeeze(1)
    if weight is not None:
        weights = torch.where(kept, weight[index], torch.zeros([], dtype=self.dtype))
    else:
        weights = kept.to(self.dtype)
    loss = torch.where(kept, picked * weights, torch.zeros_like(picked))
    total = weights.sum()
    if reduction == 1:
        return loss.sum() / total, total
    if reduction == 2:
        return loss.sum(), total
    return loss, torch.zeros_like(total)


def nll_loss_forward(
    self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int
) -> Tuple[Tensor, Tensor]:
    if self.dim() == 1:
        loss, total = _h_nll(self.unsqueeze(0), target.reshape([1]), weight, reduction, ignore_index)
        return loss.reshape(target.size()) if reduction == 0 else loss, total
    if self.size(0) != target.size(0):
        raise ValueError(
            "Expected input batch_size ({}) to match target batch_size ({}).".format(self.size(0), target.size(0))
        )
    return _h_nll(self, target, weight, reduction, ignore_index)


def nll_loss2d_forward(
    self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int
) -> Tuple[Tensor, Tensor]:
    return _h_nll(self, target, weight, reduction, ignore_index)


def nll_loss(self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int) -> Tensor:
    return nll_loss_forward(self, target, weight, reduction, ignore_index)[0]


def nll_loss2d(self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int) -> Tensor:
    return nll_loss2d_forward(self, target, weight, reduction, ignore_index)[0]


def nll_loss_nd(self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int) -> Tensor:
    return nll_loss_forward(self, target, weight, reduction, ignore_index)[0]


def cross_entropy_loss(
    self: Tensor, target: Tensor, weight: Optional[Tensor], reduction: int, ignore_index: int, label_smoothing: float
) -> Tensor:
    class_dim = 0 if self.dim() == 1 else 1
    logs = torch.log_softmax(self, class_dim)
    if target.is_floating_point():
        # class probabilities
        classes = self.size(class_dim)
        goal = target * (1.0 - label_smoothing) + label_smoothing / float(classes)
        terms = -goal * logs
        if weight is not None:
            terms = terms * (_h_per_channel(weight, self.dim()) if self.dim() > 1 else weight)
        loss = torch.sum(terms, [class_dim])
        if reduction == 1:
            rows = 1
            for i in range(self.dim()):
                if i != class_dim:
                    rows = rows * self.size(i)
            return loss.sum() / float(rows)
        return _h_reduce(loss, reduction)
    if label_smoothing == 0.0:
        return nll_loss_forward(logs, target, weight, reduction, ignore_index)[0]
    loss, total = nll_loss_forward(logs, target, weight, reduction, ignore_index)
    smooth = -logs
    if weight is not None:
        smooth = smooth * (_h_per_channel(weight, self.dim()) if self.dim() > 1 else weight)
    smooth = torch.sum(smooth, [class_dim])
    smooth = torch.where(target == ignore_index, torch.zeros_like(smooth), smooth)
    if reduction == 1:
        smooth = smooth.sum() / total
    if reduction == 2:
        smooth = smooth.sum()
    share = label_smoothing / float(self.size(class_dim))
    return loss * (1.0 - label_smoothing) + smooth * share
