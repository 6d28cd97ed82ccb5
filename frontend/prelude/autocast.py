# The objects of `with torch.autocast(...)`, with the names that PyTorch's JIT looks for. What they do: `ir/autocast.py`.

import torch
from typing import Any, Optional


class autocast:
    def __init__(
        self, device_type: str, dtype: Optional[int] = None, enabled: bool = True, cache_enabled: Optional[bool] = None
    ):
        self.fast_dtype = torch.get_autocast_dtype(device_type) if dtype is None else dtype
        self._enabled = enabled
        self.device = device_type

    def __enter__(self):
        return self

    def __exit__(self, exc_type: Any, exc_val: Any, exc_tb: Any):
        return


def cpu_autocast(enabled: bool = True, dtype: int = torch.bfloat16, cache_enabled: bool = True):
    return autocast("cpu", dtype, enabled)


def cuda_autocast(enabled: bool = True, dtype: int = torch.float16, cache_enabled: bool = True):
    return autocast("cuda", dtype, enabled)
