"""`loops` stage -> LLVM IR text, shared by the CPU and the PTX target.

`translate.translate_module` is the entry. LLVM is assembler, scheduler and register allocator here: structured control
flow becomes phis directly, memrefs exist only at compile time (`buffers.Buffer`), no alloca stands for a variable.
"""
