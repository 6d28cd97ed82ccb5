"""LLVM IR -> something that runs on a CPU: in this process (`jit`), as an object file or a `shared_library`."""
