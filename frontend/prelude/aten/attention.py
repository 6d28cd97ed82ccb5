# Attention, and the fast paths that PyTorch has for it.

import torch
from torch import Tensor
from typing import List, Optional, Tuple


# scaled dot products


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Optional[Tensor],
    dropout_p: float,
    is_causal: bool,
    scale: Optional[float],
    enable_gqa: bool,
) -> Tensor:
    factor = 0.0
    if scale is not None:
        factor = scale
    else:
        factor = 1.0 / float(query.size(-1)) ** 0.5
    # half types are computed with in float32 throughout
    k = _h_wide(key)
    v = _h_wide(value)
    if enable_gqa:
        k = torch.repeat_interleave(k, query.size(-3) // key.size(-3), -3)
        v = torch.repeat_interleave(v, query.size(-3) // value.size(-3), -3)
    scores = torch.matmul(_h_wide(query) * factor, k.transpose(-2, -1))
    if is_causal:
        rows = torch.arange(query.size(-2)).unsqueeze(1)
        scores = torch.where(
            torch.arange(k.size(-2)) <= rows, scores, torch.full([], float("-inf"), dtype=scores.dtype)
        )
    weights = _h_softmax(scores, -1)
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            scores = torch.where(attn_mask, scores, torch.full([], float("-inf"), dtype=scores.dtype))
        else:
            scores = scores + attn_mask
        # a row in which everything is masked out attends to nothing
        top = torch.amax(scores, [-1], True)
        nothing = top == float("-inf")
        e = torch.exp(scores - torch.where(nothing, torch.zeros_like(top), top))
        weights = e / torch.where(nothing, torch.ones_like(top), torch.sum(e, [-1], True))
    weights = torch.dropout(weights, dropout_p, dropout_p > 0.0)
    return _h_narrow(torch.matmul(weights, v), query.dtype)


# The fast paths of attention that PyTorch takes in evaluation: what they compute, without the speed of their own.


def _h_masked_scores(scores: Tensor, mask: Optional[Tensor], mask_type: Optional[int]) -> Tensor:
    # mask types: 0 is one per query and key, 1 is padding of keys, 2 has the shape of the scores; true hides
    if mask is None:
        return scores
    hidden = mask != 0
    if mask_type is not None:
        if mask_type == 1:
            hidden = hidden.unsqueeze(1).unsqueeze(1)
    return scores.masked_fill(hidden, float("-inf"))


def _native_multi_head_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim: int,
    num_head: int,
    qkv_weight: Tensor,
    qkv_bias: Tensor,
    proj_weight: Tensor,
    proj_bias: Tensor,
    mask: Optional[Tensor],
    need_weights: bool,
    average_attn_weights: bool,
    mask_type: Optional[int],
) -> Tuple[Tensor, Tensor]:
    batch = query.size(0)
    width = embed_dim // num_head
    q = torch.linear(query, qkv_weight[:embed_dim], qkv_bias[:embed_dim])
    k = torch.linear(key, qkv_weight[embed_dim : 2 * embed_dim], qkv_bias[embed_dim : 2 * embed_dim])
    v = torch.linear(value, qkv_weight[2 * embed_dim :], qkv_bias[2 * embed_dim :])
    q = q.view(batch, -1, num_head, width).transpose(1, 2) * (1.0 / float(width) ** 0.5)
    k = k.view(batch, -1, num_head, width).transpose(1, 2)
    v = v.view(batch, -1, num_head, width).transpose(1, 2)
    scores = _h_masked_scores(torch.matmul(q, k.transpose(-2, -1)), mask, mask_type)
    weights = torch.softmax(scores, -1)
    heads = torch.matmul(weights, v).transpose(1, 2).reshape(batch, -1, embed_dim)
    result = torch.linear(heads, proj_weight, proj_bias)
    if not need_weights:
        return result, result
    if average_attn_weights:
        return result, weights.mean([1])
    return result, weights


def _transformer_encoder_layer_fwd(
    src: Tensor,
    embed_dim: int,
    num_heads: int,
    qkv_weight: Tensor,
    qkv_bias: Tensor,
    proj_weight: Tensor,
    proj_bias: Tensor,
    use_gelu: bool,
    norm_first: bool,
    eps: float,
    norm_weight_1: Tensor,
    norm_bias_1: Tensor,
    norm_weight_2: Tensor,
    norm_bias_2: Tensor,
    ffn_weight_1: Tensor,
    ffn_bias_1: Tensor,
    ffn_weight_2: Tensor,
    ffn_bias_2: Tensor,
    mask: Optional[Tensor],
    mask_type: Optional[int],
) -> Tensor:
    x = src
    if norm_first:
        x = torch.layer_norm(x, [embed_dim], norm_weight_1, norm_bias_1, eps)
    attended, _ = _native_multi_head_attention(
        x, x, x, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, mask, False, True, mask_type
    )
    x = attended + src
    if not norm_first:
        x = torch.layer_norm(x, [embed_dim], norm_weight_1, norm_bias_1, eps)
    before = x
    if norm_first:
        x = torch.layer_norm(x, [embed_dim], norm_weight_2, norm_bias_2, eps)
    x = torch.linear(x, ffn_weight_1, ffn_bias_1)
    x = torch.gelu(x) if use_gelu else torch.relu(x)
    x = torch.linear(x, ffn_weight_2, ffn_bias_2) + before
    if not norm_first:
        x = torch.layer_norm(x, [embed_dim], norm_weight_2, norm_bias_2, eps)
    return x


# Nested tensors, as far as the encoder's fast path goes: lowering/graph/nested_tensors.py keeps the padded tensor and a mask.


def _nested_tensor_from_mask_left_aligned(t: Tensor, mask: Tensor) -> bool:
    # every sequence stands at the start of its row
    return bool((mask == (torch.arange(mask.size(1)) < mask.sum(1, keepdim=True))).all())


def _h_nested_mask(t: Tensor, mask: Tensor, mask_check: bool) -> Tensor:
    if t.size(0) != mask.size(0) or t.size(1) != mask.size(1):
        raise RuntimeError("Expected size of mask and input to be the same in the first two dimensions")
    if mask_check:
        if not _nested_tensor_from_mask_left_aligned(t, mask):
            raise RuntimeError("Expected mask to be left-aligned without gaps")
    return mask.to(torch.bool)


def _h_nested_hidden(valid: Tensor) -> Tensor:
    return torch.logical_not(valid)


def _h_nested_to_padded(padded: Tensor, valid: Tensor, padding: float, output_size: Optional[List[int]]) -> Tensor:
    result = torch.where(valid.unsqueeze(-1), padded, torch.full([], padding, dtype=padded.dtype))
    if output_size is None:
        return result[:, : int(valid.sum(1).max().item())]
    if len(output_size) != 3 or output_size[0] != padded.size(0) or output_size[2] != padded.size(2):
        raise RuntimeError("to_padded_tensor: output_size does not fit the nested tensor")
    if output_size[1] != padded.size(1):
        raise RuntimeError("to_padded_tensor: only the size of the tensor that was nested is supported as output_size")
    return result
