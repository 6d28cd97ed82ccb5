"""What nn.Module does to all of a module at once: `to`, `double`, `half`, `apply`, `save`, ...

In: the module, as `ScriptModule.__getattr__` finds that the program has no attribute of such a name. Out: the same module.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ..ir.dtypes import DType
from .arguments import call_error, dtype_of

if TYPE_CHECKING:
    from .module import ScriptModule


def _to(module: ScriptModule, *args: Any, **kwargs: Any) -> ScriptModule:
    """`to(dtype)`, `to(device)`, `to(device, dtype)`, `to(tensor)`; the only device is the CPU."""
    given = [*args, *(kwargs[n] for n in ("device", "dtype", "tensor") if n in kwargs)]
    wanted: DType | None = None
    for value in given:
        if value is None or isinstance(value, bool):  # non_blocking, copy
            continue
        found = dtype_of(value if dtype_of(value) is not None else getattr(value, "dtype", None))
        if found is None and str(value).partition(":")[0] != "cpu":
            raise call_error(f"a module cannot be moved to {value!r}", 'its memory is that of the CPU: "cpu", or a dtype')
        wanted = found or wanted
    return module if wanted is None else _cast(module, wanted)


def _cast(module: ScriptModule, dtype: DType) -> ScriptModule:
    """Parameters and buffers that are floating become `dtype`; others stay as they are."""
    if not dtype.is_floating:
        raise call_error(f"a module can only be of a floating dtype, not {dtype.name}")
    module.convert_tensors(lambda array, found: array.astype(dtype.numpy) if found.is_floating and found != dtype else None)
    return module


def _caster(dtype: DType) -> Callable[[ScriptModule], ScriptModule]:
    return lambda module: _cast(module, dtype)


def _cpu(module: ScriptModule) -> ScriptModule:
    return module


def _apply(module: ScriptModule, fn: Callable[[ScriptModule], Any]) -> ScriptModule:
    """Calls `fn` for every module below this one, then for itself."""
    for child in module.children():
        _apply(child, fn)
    fn(module)
    return module


def _zero_grad(module: ScriptModule, set_to_none: bool = True) -> None:
    """There are no gradients."""
    del module, set_to_none


_Files = Mapping[str, str | bytes] | None


def _save(
    module: ScriptModule, file: str | os.PathLike[str] | BinaryIO, extra_files: _Files = None, *, _extra_files: _Files = None
) -> None:
    """As `torchcc.save` writes it."""
    module.write(file, _extra_files if extra_files is None else extra_files)


def _save_to_buffer(module: ScriptModule, extra_files: _Files = None, *, _extra_files: _Files = None) -> bytes:
    """The archive's bytes."""
    buffer = io.BytesIO()
    module.write(buffer, _extra_files if extra_files is None else extra_files)
    return buffer.getvalue()


def _cuda(module: ScriptModule, device: Any = None) -> ScriptModule:
    """Refused: the memory of a module is that of the CPU."""
    return _to(module, "cuda" if device is None else device)


METHODS: Final[dict[str, Callable[..., Any]]] = {
    "to": _to,
    "cpu": _cpu,
    "float": _caster(DType.float32),
    "double": _caster(DType.float64),
    "half": _caster(DType.float16),
    "bfloat16": _caster(DType.bfloat16),
    "apply": _apply,
    "zero_grad": _zero_grad,
    "save": _save,
    "save_to_buffer": _save_to_buffer,
    "cuda": _cuda,
}
