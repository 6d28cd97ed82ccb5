"""What autocast does to an operator's tensors: the lists that PyTorch's JIT goes by, and the casts.

`with torch.autocast("cpu", dtype)` leaves values as they are; operators in it take their operands in another precision.
The lists are those of the JIT, not of eager PyTorch, which differ: here every `add` of what is of less precision gives
float32, `softmax` is left alone, and so is what a forked function computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from .dtypes import DType
from .operator import OperatorError
from .operators import schema

CLASS: Final = "torch.amp.autocast_mode.autocast"
"""The class whose objects turn autocast on and off; it has these attributes."""

ATTRIBUTES: Final = ("device", "_enabled", "fast_dtype")

_CLASSES: Final = frozenset(
    {
        CLASS,
        "torch.autocast_mode.autocast",
        "torch.cpu.amp.autocast_mode.autocast",
        "torch.cuda.amp.autocast_mode.autocast",
    }
)
"""The names that it has in archives."""

Policy = Literal["reduced", "full", "full without dtype", "refused"]


def _of(policy: Policy, names: str) -> dict[str, Policy]:
    return {f"aten::{name}": policy for name in names.split()}


POLICIES: Final[dict[str, Policy]] = {
    **_of(
        "reduced",
        """_convolution conv1d conv2d conv3d conv_tbc conv_transpose1d convolution cudnn_convolution
        cudnn_convolution_transpose prelu addmm addmv addr matmul mm mv linear addbmm baddbmm bmm chain_matmul
        _thnn_fused_lstm_cell _thnn_fused_gru_cell lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell""",
    ),
    **_of(
        "full",
        """native_layer_norm acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan pow softplus
        gelu layer_norm group_norm frobenius_norm nuclear_norm cosine_similarity cosine_embedding_loss nll_loss
        nll_loss2d hinge_embedding_loss kl_div l1_loss smooth_l1_loss mse_loss margin_ranking_loss
        multilabel_margin_loss soft_margin_loss triplet_margin_loss multi_margin_loss
        binary_cross_entropy_with_logits dist pdist cdist renorm logsumexp""",
    ),
    # operands of several dtypes are brought to the widest, which nobody knows when the JIT decides: float32
    **_of(
        "full",
        "addcdiv addcmul atan2 bilinear cross dot equal index_put tensordot add sub mul div",
    ),
    **_of("full without dtype", "prod log_softmax cumprod cumsum sum"),
    **_of("refused", "binary_cross_entropy"),
}
"""By operator, whatever its overload. In-place and `out=` forms have none: they compute in what they write to."""

_HALVES: Final = (DType.float16, DType.bfloat16)


@dataclass(frozen=True)
class Autocast:
    """What is on at one place of the program: the dtype on the CPU, None where autocast is off, and whether GPUs have it on."""

    cpu: DType | None = None
    cuda: bool = False

    def inside(self, device: str, enabled: bool, dtype: int) -> Autocast:
        """What is on in a `with` of this object."""
        kind = device.partition(":")[0]
        if kind == "cpu":
            return Autocast(DType(dtype) if enabled else None, self.cuda)
        return Autocast(self.cpu, enabled) if kind == "cuda" else self

    def policy(self, name: str) -> Policy | None:
        """What happens to the tensors of an operator, given without its overload. OperatorError for one that may not stand here."""
        found = POLICIES.get(name) if self.cpu is not None else None
        if found == "refused":
            raise OperatorError(f"{name} is unsafe to autocast")
        return found

    def cast(self, policy: Policy, dtype: DType | None) -> DType | None:
        """The dtype to which a tensor of this one is cast; None if it stays as it is."""
        if policy == "reduced":
            return self.cpu if dtype is DType.float32 and self.cpu is not DType.float32 else None
        return DType.float32 if dtype in _HALVES else None


OFF: Final = Autocast()


def dtype_argument(name: str, policy: Policy) -> int | None:
    """The position of the argument that has an operator's tensors stay as they are, unless it is None."""
    form = schema(name) if policy == "full without dtype" else None
    return None if form is None else form.index("dtype")


def is_context(class_name: str) -> bool:
    """Whether objects of the class are those of autocast."""
    words = [w for w in class_name.split(".") if not w.startswith("___torch_mangle_")]
    return ".".join(words).removeprefix("__torch__.") in _CLASSES
