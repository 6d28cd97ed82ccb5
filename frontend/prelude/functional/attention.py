# Attention of torch.nn.functional.

import torch
from torch import Tensor
from typing import Optional, Tuple


def _h_split_heads(x: Tensor, num_heads: int) -> Tensor:
    # [length, batch, heads * size] -> [batch, heads, length, size]
    return x.reshape([x.size(0), x.size(1), num_heads, -1]).permute([1, 2, 0, 3])


def _h_added_mask(mask: Tensor, dtype: int) -> Tensor:
    # a mask that is added to the scores: True means "not allowed"
    if mask.dtype == torch.bool:
        return torch.where(mask, torch.full([], float("-inf"), dtype=dtype), torch.zeros([], dtype=dtype))
    return mask


def _h_given_heads(given: Tensor, name: str, q: Tensor) -> Tensor:
    # [batch * heads, length, size] as [batch, heads, length, size]
    if given.size(0) != q.size(0) * q.size(1):
        raise AssertionError("expecting {}.size(0) of {}, but got {}".format(name, q.size(0) * q.size(1), given.size(0)))
    if given.size(2) != q.size(3):
        raise AssertionError("expecting {}.size(2) of {}, but got {}".format(name, q.size(3), given.size(2)))
    return given.reshape([q.size(0), q.size(1), given.size(1), given.size(2)])


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Optional[Tensor],
    in_proj_bias: Optional[Tensor],
    bias_k: Optional[Tensor],
    bias_v: Optional[Tensor],
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Optional[Tensor],
    training: bool = True,
    key_padding_mask: Optional[Tensor] = None,
    need_weights: bool = True,
    attn_mask: Optional[Tensor] = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Optional[Tensor] = None,
    k_proj_weight: Optional[Tensor] = None,
    v_proj_weight: Optional[Tensor] = None,
    static_k: Optional[Tensor] = None,
    static_v: Optional[Tensor] = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Tuple[Tensor, Optional[Tensor]]:
    batched = query.dim() == 3
    q_in = query if batched else query.unsqueeze(1)
    k_in = key if batched else key.unsqueeze(1)
    v_in = value if batched else value.unsqueeze(1)
    embed = q_in.size(2)
    if embed != embed_dim_to_check:
        raise AssertionError("was expecting embedding dimension of {}, but got {}".format(embed_dim_to_check, embed))
    b_q: Optional[Tensor] = None
    b_k: Optional[Tensor] = None
    b_v: Optional[Tensor] = None
    if in_proj_bias is not None:
        b_q = in_proj_bias.narrow(0, 0, embed)
        b_k = in_proj_bias.narrow(0, embed, embed)
        b_v = in_proj_bias.narrow(0, 2 * embed, embed)
    if use_separate_proj_weight:
        assert q_proj_weight is not None and k_proj_weight is not None and v_proj_weight is not None
        q = torch.linear(q_in, q_proj_weight, b_q)
        k = torch.linear(k_in, k_proj_weight, b_k)
        v = torch.linear(v_in, v_proj_weight, b_v)
    else:
        assert in_proj_weight is not None, "use_separate_proj_weight is False but in_proj_weight is None"
        q = torch.linear(q_in, in_proj_weight.narrow(0, 0, embed), b_q)
        k = torch.linear(k_in, in_proj_weight.narrow(0, embed, embed), b_k)
        v = torch.linear(v_in, in_proj_weight.narrow(0, 2 * embed, embed), b_v)
    length, batch = q.size(0), q.size(1)
    mask: Optional[Tensor] = None
    if attn_mask is not None:
        m = _h_added_mask(attn_mask, q.dtype)
        mask = m.unsqueeze(0).unsqueeze(0) if m.dim() == 2 else m.reshape([batch, num_heads, m.size(1), m.size(2)])
    padding: Optional[Tensor] = None
    if key_padding_mask is not None:
        p = _h_added_mask(key_padding_mask, q.dtype)
        padding = p if batched else p.unsqueeze(0)
    if bias_k is not None and bias_v is not None:
        k = torch.cat([k, bias_k.expand([1, batch, embed])], 0)
        v = torch.cat([v, bias_v.expand([1, batch, embed])], 0)
        if mask is not None:
            mask = torch.constant_pad_nd(mask, [0, 1], 0)
        if padding is not None:
            padding = torch.constant_pad_nd(padding, [0, 1], 0)
    qh = _h_split_heads(q, num_heads)
    kh = _h_split_heads(k, num_heads) if static_k is None else _h_given_heads(static_k, "static_k", qh)
    vh = _h_split_heads(v, num_heads) if static_v is None else _h_given_heads(static_v, "static_v", qh)
    if add_zero_attn:
        kh = torch.constant_pad_nd(kh, [0, 0, 0, 1], 0)
        vh = torch.constant_pad_nd(vh, [0, 0, 0, 1], 0)
        if mask is not None:
            mask = torch.constant_pad_nd(mask, [0, 1], 0)
        if padding is not None:
            padding = torch.constant_pad_nd(padding, [0, 1], 0)
    if padding is not None:
        across = padding.reshape([batch, 1, 1, -1])
        if mask is None:
            mask = across
        else:
            mask = mask + across
    p_drop = dropout_p if training else 0.0
    if need_weights:
        scores = torch.matmul(qh * (1.0 / float(qh.size(3)) ** 0.5), kh.transpose(2, 3))
        if mask is not None:
            scores = scores + mask
        weights = torch.dropout(torch.softmax(scores, -1), p_drop, p_drop > 0.0)
        heads = torch.matmul(weights, vh)
    else:
        weights = qh
        heads = torch.scaled_dot_product_attention(qh, kh, vh, mask, p_drop, is_causal and mask is None)
    joined = heads.permute([2, 0, 1, 3]).reshape([length * batch, embed])
    out = torch.linear(joined, out_proj_weight, out_proj_bias).reshape([length, batch, -1])
    if not batched:
        out = out.squeeze(1)
    if not need_weights:
        return out, None
    if average_attn_weights:
        weights = weights.mean([1])
    return out, weights if batched else weights.squeeze(0)
