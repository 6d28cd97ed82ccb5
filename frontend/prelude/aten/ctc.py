# Connectionist temporal classification (Graves et al.).

import math
import torch
from torch import Tensor
from typing import List, Tuple


def _h_ctc_first(log_probs: Tensor, labels: Tensor, target_lengths: Tensor, blank: int) -> Tuple[Tensor, Tensor, Tensor]:
    # log_probs [T, N, C], labels [N, S]. Places 0 .. 2 S stand for blank, label, blank, ...: what is wanted there, whether the
    # blank before may be left out, and the logarithms of the probabilities after one step.
    n = labels.size(0)
    s = labels.size(1)
    places = torch.arange(2 * s + 1)
    odd = (places % 2 == 1).unsqueeze(0)
    padded = torch.cat([labels, torch.full([n, 1], blank, dtype=torch.int64)], 1)
    wanted = torch.where(odd, torch.index_select(padded, 1, places // 2), blank)
    two_before = torch.cat([torch.full([n, 2], blank, dtype=torch.int64), wanted], 1).narrow(1, 0, 2 * s + 1)
    may_skip = torch.logical_and(odd, torch.logical_and(wanted != two_before, (places >= 2).unsqueeze(0)))
    at_start = torch.logical_or(places == 0, torch.logical_and(places == 1, target_lengths.unsqueeze(1) > 0))
    alpha = torch.where(at_start, torch.gather(log_probs[0], 1, wanted), -math.inf)
    return wanted, may_skip, alpha


def _h_ctc_next(alpha: Tensor, log_prob: Tensor, wanted: Tensor, may_skip: Tensor) -> Tensor:
    # one step further; log_prob [N, C]
    low = torch.full([alpha.size(0), 2], -math.inf, dtype=alpha.dtype)
    shifted = torch.cat([low, alpha], 1)
    one = shifted.narrow(1, 1, alpha.size(1))
    two = torch.where(may_skip, shifted.narrow(1, 0, alpha.size(1)), -math.inf)
    top = torch.maximum(torch.maximum(alpha, one), two)
    top = torch.where(top == -math.inf, 0.0, top)
    total = torch.log(torch.exp(alpha - top) + torch.exp(one - top) + torch.exp(two - top)) + top
    return total + torch.gather(log_prob, 1, wanted)


def _h_ctc_last(alpha: Tensor, input_lengths: Tensor, target_lengths: Tensor) -> Tensor:
    # the loss of each sequence
    lengths = target_lengths.unsqueeze(1)
    last = torch.gather(alpha, 1, 2 * lengths)
    before = torch.where(lengths > 0, torch.gather(alpha, 1, torch.clamp_min(2 * lengths - 1, 0)), -math.inf)
    top = torch.maximum(last, before)
    top = torch.where(top == -math.inf, 0.0, top)
    loss = -(torch.log(torch.exp(last - top) + torch.exp(before - top)) + top).squeeze(1)
    nothing = torch.where(target_lengths == 0, 0.0, math.inf).to(loss.dtype)
    return torch.where(input_lengths == 0, nothing, loss)


def _h_ctc_losses(log_probs: Tensor, labels: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int) -> Tensor:
    wanted, may_skip, alpha = _h_ctc_first(log_probs, labels, target_lengths, blank)
    for t in range(1, log_probs.size(0)):
        step = _h_ctc_next(alpha, log_probs[t], wanted, may_skip)
        alpha = torch.where(t < input_lengths.unsqueeze(1), step, alpha)
    return _h_ctc_last(alpha, input_lengths, target_lengths)


def _h_ctc_labels(targets: Tensor, lengths: Tensor) -> Tensor:
    # [N, S] of the labels of all sequences one behind the other
    longest = int(lengths.max())
    starts = torch.cumsum(lengths, 0) - lengths
    index = torch.clamp_max(starts.unsqueeze(1) + torch.arange(longest), targets.size(0) - 1)
    return targets.to(torch.int64)[index]


def _h_ctc_check(log_probs: Tensor, input_lengths: Tensor, blank: int) -> None:
    if blank < 0 or blank >= log_probs.size(2):
        raise RuntimeError("blank must be in label range")
    if bool(torch.any(input_lengths > log_probs.size(0))):
        raise RuntimeError("Expected input_lengths to have value at most {}".format(log_probs.size(0)))


def ctc_loss__Tensor(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int, reduction: int, zero_infinity: bool
) -> Tensor:
    batched = log_probs.dim() == 3
    probs = log_probs if batched else log_probs.unsqueeze(1)
    times = input_lengths.to(torch.int64).reshape([probs.size(1)])
    lengths = target_lengths.to(torch.int64).reshape([probs.size(1)])
    _h_ctc_check(probs, times, blank)
    if targets.dim() == 2:
        labels = targets.to(torch.int64)
    elif not batched:
        labels = targets.to(torch.int64).unsqueeze(0)
    else:
        labels = _h_ctc_labels(targets, lengths)
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


def _ctc_loss__Tensor(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int, zero_infinity: bool
) -> Tuple[Tensor, Tensor]:
    # The losses, and the logarithms of the probabilities [N, T, 2 S + 1]. `zero_infinity` is for the gradient. PyTorch leaves what is
    # behind the end of a sequence as it was in memory.
    times = input_lengths.to(torch.int64).reshape([log_probs.size(1)])
    lengths = target_lengths.to(torch.int64).reshape([log_probs.size(1)])
    _h_ctc_check(log_probs, times, blank)
    labels = _h_ctc_labels(targets, lengths) if targets.dim() == 1 else targets.to(torch.int64).narrow(1, 0, int(lengths.max()))
    wanted, may_skip, alpha = _h_ctc_first(log_probs, labels, lengths, blank)
    steps = torch.zeros([log_probs.size(0), alpha.size(0), alpha.size(1)], dtype=alpha.dtype)
    steps[0] = alpha
    for t in range(1, log_probs.size(0)):
        step = _h_ctc_next(alpha, log_probs[t], wanted, may_skip)
        alpha = torch.where(t < times.unsqueeze(1), step, alpha)
        steps[t] = alpha
    return _h_ctc_last(alpha, times, lengths), steps.transpose(0, 1).contiguous()


def _ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: List[int], target_lengths: List[int], blank: int, zero_infinity: bool
) -> Tuple[Tensor, Tensor]:
    return _ctc_loss__Tensor(log_probs, targets, torch.tensor(input_lengths), torch.tensor(target_lengths), blank, zero_infinity)
