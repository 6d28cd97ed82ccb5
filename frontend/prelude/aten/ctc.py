# Connectionist temporal classification (Graves et al.).

import math
import torch
from torch import Tensor
from typing import List


def _h_ctc_losses(log_probs: Tensor, labels: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int) -> Tensor:
    # log_probs [T, N, C], labels [N, S]: the loss of each sequence. Places 0 .. 2 S stand for blank, label, blank, ...
    n = labels.size(0)
    s = labels.size(1)
    places = torch.arange(2 * s + 1)
    odd = (places % 2 == 1).unsqueeze(0)
    padded = torch.cat([labels, torch.full([n, 1], blank, dtype=torch.int64)], 1)
    wanted = torch.where(odd, torch.index_select(padded, 1, places // 2), blank)
    two_before = torch.cat([torch.full([n, 2], blank, dtype=torch.int64), wanted], 1).narrow(1, 0, 2 * s + 1)
    may_skip = torch.logical_and(odd, torch.logical_and(wanted != two_before, (places >= 2).unsqueeze(0)))
    lengths = target_lengths.unsqueeze(1)
    low = torch.full([n, 2], -math.inf, dtype=log_probs.dtype)
    at_start = torch.logical_or(places == 0, torch.logical_and(places == 1, lengths > 0))
    alpha = torch.where(at_start, torch.gather(log_probs[0], 1, wanted), -math.inf)
    for t in range(1, log_probs.size(0)):
        shifted = torch.cat([low, alpha], 1)
        one = shifted.narrow(1, 1, 2 * s + 1)
        two = torch.where(may_skip, shifted.narrow(1, 0, 2 * s + 1), -math.inf)
        top = torch.maximum(torch.maximum(alpha, one), two)
        top = torch.where(top == -math.inf, 0.0, top)
        total = torch.log(torch.exp(alpha - top) + torch.exp(one - top) + torch.exp(two - top)) + top
        step = total + torch.gather(log_probs[t], 1, wanted)
        alpha = torch.where(t < input_lengths.unsqueeze(1), step, alpha)
    last = torch.gather(alpha, 1, 2 * lengths)
    before = torch.where(lengths > 0, torch.gather(alpha, 1, torch.clamp_min(2 * lengths - 1, 0)), -math.inf)
    top = torch.maximum(last, before)
    top = torch.where(top == -math.inf, 0.0, top)
    loss = -(torch.log(torch.exp(last - top) + torch.exp(before - top)) + top).squeeze(1)
    nothing = torch.where(target_lengths == 0, 0.0, math.inf).to(loss.dtype)
    return torch.where(input_lengths == 0, nothing, loss)


def ctc_loss__Tensor(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int, reduction: int, zero_infinity: bool
) -> Tensor:
    batched = log_probs.dim() == 3
    probs = log_probs if batched else log_probs.unsqueeze(1)
    times = input_lengths.to(torch.int64).reshape([probs.size(1)])
    lengths = target_lengths.to(torch.int64).reshape([probs.size(1)])
    if blank < 0 or blank >= probs.size(2):
        raise RuntimeError("blank must be in label range")
    if bool(torch.any(times > probs.size(0))):
        raise RuntimeError("Expected input_lengths to have value at most {}".format(probs.size(0)))
    if targets.dim() == 2:
        labels = targets.to(torch.int64)
    elif not batched:
        labels = targets.to(torch.int64).unsqueeze(0)
    else:
        longest = int(lengths.max())
        starts = torch.cumsum(lengths, 0) - lengths
        index = torch.clamp_max(starts.unsqueeze(1) + torch.arange(longest), targets.size(0) - 1)
        labels = targets.to(torch.int64)[index]
    loss = _h_ctc_losses(probs, labels, times, lengths, blank)
    if zero_infinity:
        loss = torch.where(loss == math.inf, 0.0, loss)
    if reduction == 1:
        return (loss / torch.clamp_min(lengths, 1).to(loss.dtype)).mean()
    if reduction == 2:
        return loss.sum()
    return loss if batched else loss.squeeze(0)


def ctc_loss__IntList(
    log_probs: Tensor, targets: Tensor, input_lengths: List[int], target_lengths: List[int], blank: int, reduction: int, zero_infinity: bool
) -> Tensor:
    return ctc_loss__Tensor(
        log_probs, targets, torch.tensor(input_lengths), torch.tensor(target_lengths), blank, reduction, zero_infinity
    )
