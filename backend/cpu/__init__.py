"""LLVM IR -> something that runs on a CPU: in this process (`jit`), or as object file and shared library (`shared_library`)."""
