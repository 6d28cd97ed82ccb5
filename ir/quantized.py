"""Quantized tensors and packed weights: what they are made of, and the signatures of the operators on them.

A quantized tensor is an integer tensor with its scale and zero point: `(values - zero_point) * scale`. No stage has a type
for it: it is an object of one of the classes here, whose parts are ordinary tensors and numbers. Packed weights (C++
classes of PyTorch) are objects too, of the weight as it was before packing.
"""

from __future__ import annotations

from typing import Final

from .dtypes import DType
from .script_types import BOOL, FLOAT, INT, TENSOR, ClassType, ListType, OptionalType

BY_TENSOR: Final = ClassType("QuantizedTensor", attributes={"values": TENSOR, "scale": FLOAT, "zero_point": INT})
"""One scale and zero point. PyTorch keeps a double and computes with the float32 next to it."""

BY_CHANNEL: Final = ClassType(
    "QuantizedTensorByChannel", attributes={"values": TENSOR, "scales": TENSOR, "zero_points": TENSOR, "axis": INT}
)
"""One of each (float64, int64) for every index along `axis`."""

_BOUND: Final = "__torch__.torch.classes"

LINEAR: Final = ClassType(
    f"{_BOUND}.quantized.LinearPackedParamsBase", attributes={"weight": TENSOR, "bias": OptionalType(TENSOR)}
)

_CONVOLUTION: Final = {
    "weight": TENSOR,
    "bias": OptionalType(TENSOR),
    "stride": ListType(INT),
    "padding": ListType(INT),
    "dilation": ListType(INT),
    "output_padding": ListType(INT),
    "groups": INT,
    "transpose": BOOL,
}
CONV2D: Final = ClassType(f"{_BOUND}.quantized.Conv2dPackedParamsBase", attributes=dict(_CONVOLUTION))
CONV3D: Final = ClassType(f"{_BOUND}.quantized.Conv3dPackedParamsBase", attributes=dict(_CONVOLUTION))

CELL: Final = ClassType(
    f"{_BOUND}.rnn.CellParamsBase", attributes={"input": LINEAR, "hidden": LINEAR, "reduce_range": BOOL}
)
"""Weights of one layer and direction of a dynamically quantized recurrent network."""

EMBEDDING: Final = ClassType(f"{_BOUND}.quantized.EmbeddingPackedParamsBase", attributes={"weight": TENSOR})
"""A table whose rows have a scale and a zero point (floats) each."""

TENSORS: Final = (BY_TENSOR, BY_CHANNEL)
PACKED: Final = {t.name: t for t in (LINEAR, CONV2D, CONV3D, CELL, EMBEDDING)}

METHODS: Final = {
    LINEAR: {"unpack": "quantized::linear_unpack"},
    CONV2D: {"unpack": "quantized::conv2d_unpack"},
    CONV3D: {"unpack": "quantized::conv3d_unpack"},
    CELL: dict[str, str](),
    EMBEDDING: dict[str, str](),
}
"""Methods of packed weights, and the operators that they are."""

DTYPES: Final = {13: DType.uint8, 12: DType.int8, 14: DType.int32}
"""quint8, qint8 and qint32 by their number: the dtype of the integers."""

NUMBERS: Final = {dtype: number for number, dtype in DTYPES.items()}

RANGES: Final = {DType.uint8: (0, 255), DType.int8: (-128, 127), DType.int32: (-(1 << 31), (1 << 31) - 1)}

_OUT: Final = "float output_scale, int output_zero_point"
_PREPACK_TRANSPOSED: Final = (
    "Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] output_padding, int[] dilation, int groups"
)
_NUMBERS: Final = ("stride", "padding", "output_padding", "dilation", "groups", "transpose")
_BAG: Final = (
    "Tensor indices, Tensor? offsets=None, bool scale_grad_by_freq=False, int mode=0, bool pruned_weights=False, "
    "Tensor? per_sample_weights=None, Tensor? compressed_indices_mapping=None, bool include_last_offset=False"
)
_CONVOLUTIONS: Final = (("1d", CONV2D, ""), ("2d", CONV2D, ".new"), ("3d", CONV3D, ".new"))
_PREPACK: Final = "Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, int groups"
_UNPACKED: Final = "(Tensor unpacked_weights, Tensor? B_origin)"
_RECURRENT: Final = f"{CELL.name}[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional"
_CELL: Final = f"{LINEAR.name} w_ih, {LINEAR.name} w_hh, Tensor b_ih, Tensor b_hh"
_NORM: Final = "Tensor qx, Tensor? weight, Tensor? bias, Tensor mean, Tensor var, float eps"

SIGNATURES: Final[tuple[str, ...]] = (
    *(
        f"quantized::linear{suffix}(Tensor X, {LINEAR.name} W_prepack, {arguments}) -> Tensor"
        for suffix, arguments in (
            ("", "float Y_scale_i, int Y_zero_point_i"),
            ("_relu", "float Y_scale_i, int Y_zero_point_i"),
            ("_dynamic", "bool reduce_range=False"),
            ("_relu_dynamic", "bool reduce_range=False"),
        )
    ),
    *(f"quantized::linear{relu}_dynamic_fp16(Tensor X, {LINEAR.name} W_prepack) -> Tensor" for relu in ("", "_relu")),
    f"quantized::linear_prepack(Tensor W, Tensor? B=None) -> {LINEAR.name}",
    f"quantized::linear_unpack({LINEAR.name} self) -> (Tensor W_origin, Tensor? B_origin)",
    f"quantized::linear_prepack_fp16(Tensor W, Tensor? B=None) -> {LINEAR.name}",
    f"quantized::linear_unpack_fp16({LINEAR.name} W_prepack) -> (Tensor W_origin, Tensor? B_origin)",
    *(
        line
        for dims, packed, overload in _CONVOLUTIONS
        for line in (
            f"quantized::conv{dims}{overload}(Tensor qx, {packed.name} packed_weight, {_OUT}) -> Tensor",
            f"quantized::conv{dims}_relu{overload}(Tensor qx, {packed.name} packed_weight, {_OUT}) -> Tensor",
            f"quantized::conv{dims}_prepack({_PREPACK}) -> {packed.name}",
            f"quantized::conv{dims}_unpack({packed.name} self) -> {_UNPACKED}",
            f"quantized::conv{dims}_dynamic(Tensor qx, {packed.name} packed_weight, bool reduce_range=False) -> Tensor",
            f"quantized::conv_transpose{dims}(Tensor qx, {packed.name} packed_weight, {_OUT}) -> Tensor",
            f"quantized::conv_transpose{dims}_prepack({_PREPACK_TRANSPOSED}) -> {packed.name}",
            f"quantized::conv_transpose{dims}_unpack({packed.name} self) -> {_UNPACKED}",
            f"quantized::conv_transpose{dims}_dynamic(Tensor qx, {packed.name} packed_weight, bool reduce_range=False) -> Tensor",
        )
    ),
    *(
        f"quantized::conv{transposed}{dims}_{number}({packed.name} packed_weights) -> {'int' if number in _NUMBERS[4:] else 'int[]'}"
        for dims, packed, _ in _CONVOLUTIONS[1:]
        for transposed in ("", "_transpose")
        for number in _NUMBERS
    ),
    *(
        f"quantized::conv{dims}{relu}(Tensor qx, {packed.name} weight, int[] stride, int[] padding, int[] dilation, int groups, "
        f"{_OUT}) -> Tensor"
        for dims, packed, _ in _CONVOLUTIONS[1:]
        for relu in ("", "_relu")
    ),
    *(
        f"quantized::{name}{relu}({arguments}) -> Tensor"
        for name, arguments in (
            ("add", "Tensor qa, Tensor qb, float scale, int zero_point"),
            ("mul", "Tensor qa, Tensor qb, float scale, int zero_point"),
            ("cat", "Tensor[] qx, int dim, float? scale, int? zero_point"),
            *((f"batch_norm{dims}", f"{_NORM}, {_OUT}") for dims in ("", "1d", "2d", "3d")),
        )
        for relu in ("", "_relu")
    ),
    *(
        f"quantized::{name}{relu}{overload}({arguments}) -> Tensor"
        for name in ("add", "mul")
        for relu in ("", "_relu")
        for overload, arguments in ((".Scalar", "Tensor qa, Scalar b"), (".Scalar2", "Scalar b, Tensor qa"))
    ),
    *(
        f"quantized::{name}_scalar{relu}{overload}(Tensor qa, {kind} b) -> Tensor"
        for name in ("add", "mul")
        for relu in ("", "_relu")
        for overload, kind in (("", "Scalar"), (".Tensor", "Tensor"))
    ),
    "quantized::matmul(Tensor qa, Tensor qb, float scale, int zero_point) -> Tensor",
    f"quantized::layer_norm(Tensor input, int[] normalized_shape, Tensor? weight, Tensor? bias, float eps, {_OUT}) -> Tensor",
    f"quantized::group_norm(Tensor input, int num_groups, Tensor? weight, Tensor? bias, float eps, {_OUT}) -> Tensor",
    f"quantized::instance_norm(Tensor input, Tensor? weight, Tensor? bias, float eps, {_OUT}) -> Tensor",
    "quantized::relu6(Tensor qx, bool inplace=False) -> Tensor",
    "quantized::clamp(Tensor qx, Scalar? min=None, Scalar? max=None) -> Tensor",
    "quantized::threshold(Tensor qx, Scalar threshold, Scalar value) -> Tensor",
    f"quantized::softmax(Tensor qx, int dim, {_OUT}) -> Tensor",
    f"quantized::prelu(Tensor qx, Tensor weight, {_OUT}) -> Tensor",
    f"quantized::elu(Tensor self, {_OUT}, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor",
    f"quantized::celu(Tensor self, {_OUT}, Scalar alpha=1) -> Tensor",
    f"quantized::embedding_bag_prepack(Tensor weight) -> {EMBEDDING.name}",
    f"quantized::embedding_bag_unpack({EMBEDDING.name} W_prepack) -> Tensor",
    *(
        f"quantized::embedding_{bits}({EMBEDDING.name} weight, Tensor indices, bool pruned_weights=False) -> Tensor"
        for bits in ("byte", "4bit")
    ),
    *(f"quantized::embedding_bag_{bits}({EMBEDDING.name} weight, {_BAG}) -> Tensor" for bits in ("byte", "4bit")),
    *(f"quantized::embedding_bag_{bits}_rowwise_offsets(Tensor weight, {_BAG}) -> Tensor" for bits in ("byte", "4bit", "2bit")),
    *(f"quantized::embedding_bag_{bits}_unpack(Tensor weight) -> Tensor" for bits in ("byte", "4bit", "2bit")),
    "quantized::embedding_bag_byte_prepack(Tensor weight) -> Tensor",
    *(
        f"quantized::embedding_bag_{bits}_prepack(Tensor weight, bool optimized_qparams=False, int nbins=200, float ratio=0.16) -> Tensor"
        for bits in ("4bit", "2bit")
    ),
    f"quantized::hardswish(Tensor input, {_OUT}) -> Tensor",
    f"quantized::leaky_relu(Tensor qx, Scalar negative_slope, bool inplace, {_OUT}) -> Tensor",
    f"quantized::sigmoid(Tensor qx, {_OUT}) -> Tensor",
    f"quantized::make_quantized_cell_params_dynamic({LINEAR.name} w_ih, {LINEAR.name} w_hh, Tensor bias_ih, Tensor bias_hh, "
    f"bool reduce_range=False) -> {CELL.name}",
    f"quantized::make_quantized_cell_params_fp16({LINEAR.name} w_ih, {LINEAR.name} w_hh) -> {CELL.name}",
    f"quantized::quantized_lstm_cell_dynamic(Tensor input, Tensor[] hx, {_CELL}) -> (Tensor, Tensor)",
    *(
        f"quantized::quantized_{name}_cell_dynamic(Tensor input, Tensor hx, {_CELL}) -> Tensor"
        for name in ("gru", "rnn_tanh", "rnn_relu")
    ),
    *(
        f"aten::quantized_max_pool{n}d(Tensor self, int[{n}] kernel_size, int[{n}] stride=[], int[{n}] padding=0, "
        f"int[{n}] dilation=1, bool ceil_mode=False) -> Tensor"
        for n in (1, 2, 3)
    ),
    f"aten::quantized_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor mean, Tensor var, float eps, {_OUT}) -> Tensor",
    "aten::quantize_per_channel(Tensor self, Tensor scales, Tensor zero_points, int axis, ScalarType dtype) -> Tensor",
    "aten::quantize_per_tensor_dynamic(Tensor self, ScalarType dtype, bool reduce_range) -> Tensor",
    "aten::q_per_channel_scales(Tensor self) -> Tensor",
    "aten::q_per_channel_zero_points(Tensor self) -> Tensor",
    "aten::q_per_channel_axis(Tensor self) -> int",
    "aten::qscheme(Tensor self) -> QScheme",
    f"aten::quantized_lstm.input(Tensor input, Tensor[] hx, {_RECURRENT}, bool batch_first, *, ScalarType? dtype=None, "
    "bool use_dynamic=False) -> (Tensor, Tensor, Tensor)",
    f"aten::quantized_lstm.data(Tensor data, Tensor batch_sizes, Tensor[] hx, {_RECURRENT}, *, ScalarType? dtype=None, "
    "bool use_dynamic=False) -> (Tensor, Tensor, Tensor)",
    f"aten::quantized_gru.input(Tensor input, Tensor hx, {_RECURRENT}, bool batch_first) -> (Tensor, Tensor)",
    f"aten::quantized_gru.data(Tensor data, Tensor batch_sizes, Tensor hx, {_RECURRENT}) -> (Tensor, Tensor)",
)
"""The operators of PyTorch's C++ library that its table of operators leaves out."""
