"""The door to llvmlite, which has no type information."""

from __future__ import annotations

from typing import Any, Final

import llvmlite  # pyright: ignore[reportMissingTypeStubs]
import llvmlite.binding  # pyright: ignore[reportMissingTypeStubs]

llvm: Final[Any] = llvmlite.binding
LLVM_VERSION: Final = ".".join(str(part) for part in llvm.llvm_version_info)
LLVMLITE_VERSION: Final = str(getattr(llvmlite, "__version__", ""))
