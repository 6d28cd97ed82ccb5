"""torchcc: the stand-alone compiler for TorchScript. Source files in, native machine code out; no PyTorch needed.

Names are imported when they are first used: `import torchcc` itself costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .api import (
        CompilationUnit,
        CompiledCall,
        Library,
        ScriptFunction,
        ScriptInstance,
        ScriptModule,
        compile_file,
        compile_source,
        freeze,
        load,
        optimize_for_inference,
        save,
        script,
        trace,
        trace_module,
    )
    from .api.devices import Device
    from .api.generators import Generator
    from .api.of_torch_jit import (
        enable_onednn_fusion,
        export_opnames,
        fuser,
        onednn_fusion_enabled,
        optimized_execution,
        run_frozen_optimizations,
        set_fusion_strategy,
        strict_fusion,
    )
    from .backend.cpu.jit import num_threads, set_num_threads
    from .backend.cpu.random import initial_seed, manual_seed, seed
    from .ir.diagnostics import CompileError, ExecutionError, InternalError, TorchccError
    from .ir.dtypes import DType
    from .ir.signature import Dim, TensorSpec

__version__ = "0.1.0"

__all__ = [
    "CompilationUnit",
    "CompileError",
    "CompiledCall",
    "DType",
    "Device",
    "Dim",
    "ExecutionError",
    "Generator",
    "InternalError",
    "Library",
    "ScriptFunction",
    "ScriptInstance",
    "ScriptModule",
    "TensorSpec",
    "TorchccError",
    "__version__",
    "compile_file",
    "compile_source",
    "enable_onednn_fusion",
    "export_opnames",
    "freeze",
    "fuser",
    "initial_seed",
    "load",
    "manual_seed",
    "num_threads",
    "onednn_fusion_enabled",
    "optimize_for_inference",
    "optimized_execution",
    "run_frozen_optimizations",
    "save",
    "script",
    "seed",
    "set_fusion_strategy",
    "set_num_threads",
    "strict_fusion",
    "trace",
    "trace_module",
]

_HOMES: Final = {
    "CompilationUnit": ".api",
    "CompileError": ".ir.diagnostics",
    "CompiledCall": ".api",
    "DType": ".ir.dtypes",
    "Device": ".api.devices",
    "Dim": ".ir.signature",
    "ExecutionError": ".ir.diagnostics",
    "Generator": ".api.generators",
    "InternalError": ".ir.diagnostics",
    "Library": ".api",
    "ScriptFunction": ".api",
    "ScriptInstance": ".api",
    "ScriptModule": ".api",
    "TensorSpec": ".ir.signature",
    "TorchccError": ".ir.diagnostics",
    "compile_file": ".api",
    "compile_source": ".api",
    "enable_onednn_fusion": ".api.of_torch_jit",
    "export_opnames": ".api.of_torch_jit",
    "freeze": ".api",
    "fuser": ".api.of_torch_jit",
    "initial_seed": ".backend.cpu.random",
    "load": ".api",
    "manual_seed": ".backend.cpu.random",
    "num_threads": ".backend.cpu.jit",
    "onednn_fusion_enabled": ".api.of_torch_jit",
    "optimize_for_inference": ".api",
    "optimized_execution": ".api.of_torch_jit",
    "run_frozen_optimizations": ".api.of_torch_jit",
    "save": ".api",
    "script": ".api",
    "seed": ".backend.cpu.random",
    "set_fusion_strategy": ".api.of_torch_jit",
    "set_num_threads": ".backend.cpu.jit",
    "strict_fusion": ".api.of_torch_jit",
    "trace": ".api",
    "trace_module": ".api",
}


def __getattr__(name: str) -> Any:
    """A public name, or a dtype by its name in PyTorch (`torchcc.float32`)."""
    home = _HOMES.get(name)
    if home is not None:
        found = getattr(import_module(home, __name__), name)
    elif name in _DTYPES:
        found = getattr(import_module(".ir.dtypes", __name__).DType, name)
    else:
        raise AttributeError(f"module 'torchcc' has no attribute '{name}'")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, *_DTYPES])


_DTYPES: Final = (
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "uint16",
    "uint32",
    "uint64",
    "complex32",
    "complex64",
    "complex128",
    "bool",
)
