"""The methods of `torch.nn.Module` that a constructor may call; each is `f(machine, span, module, ...)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ..ir.dtypes import DType
from ..ir.source import Span
from .host_tensor import HostTensor
from .machine import Machine, fail
from .values import FunctionValue, ModuleInstance, Value


def _init(machine: Machine, span: Span | None, module: ModuleInstance, *args: Any, **keywords: Any) -> None:
    if args or keywords:
        fail(span, "nn.Module.__init__ takes no arguments")
    module.attributes.setdefault("training", True)


def _check_name(module: ModuleInstance, name: Any, span: Span | None, what: str) -> None:
    if "training" not in module.attributes:
        fail(span, f"a {what} is assigned before Module.__init__() is called", help="call `super().__init__()` first")
    if not isinstance(name, str) or not name or "." in name:
        fail(span, f"the name of a {what} must be a string without dots, and not empty")


def _forget(module: ModuleInstance, name: str) -> None:
    for table in (module.parameters, module.buffers, module.modules, module.attributes):
        table.pop(name, None)  # pyright: ignore[reportUnknownMemberType]


def register_parameter(machine: Machine, span: Span | None, module: ModuleInstance, name: str, param: Value) -> None:
    _check_name(module, name, span, "parameter")
    if param is not None and not (isinstance(param, HostTensor) and param.is_parameter):
        fail(span, f"{machine.text(param)} is no parameter", help="wrap the tensor in nn.Parameter(...)")
    if name not in module.parameters:
        _forget(module, name)
    module.parameters[name] = param


def register_buffer(
    machine: Machine,
    span: Span | None,
    module: ModuleInstance,
    name: str,
    tensor: Value,
    persistent: bool = True,
) -> None:
    _check_name(module, name, span, "buffer")
    if tensor is not None and not isinstance(tensor, HostTensor):
        fail(span, f"a buffer must be a tensor or None, not {machine.text(tensor)}")
    if name not in module.buffers:
        _forget(module, name)
    module.buffers[name] = tensor
    module.non_persistent.discard(name)
    if not persistent:
        module.non_persistent.add(name)


def add_module(machine: Machine, span: Span | None, module: ModuleInstance, name: str, child: Value) -> None:
    _check_name(module, name, span, "submodule")
    if child is not None and not isinstance(child, ModuleInstance):
        fail(span, f"{machine.text(child)} is no nn.Module", label="expected a module or None")
    if name not in module.modules:
        _forget(module, name)
    module.modules[name] = child


def assign(machine: Machine, span: Span | None, module: ModuleInstance, name: str, value: Value) -> None:
    """`module.name = value`, by the rules of `Module.__setattr__`."""
    if isinstance(value, HostTensor) and value.is_parameter:
        register_parameter(machine, span, module, name, value)
    elif name in module.parameters:
        if value is not None:
            fail(
                span,
                f"cannot assign {machine.text(value)} as parameter `{name}`",
                help="wrap it in nn.Parameter(...), or assign None",
            )
        module.parameters[name] = None
    elif isinstance(value, ModuleInstance):
        add_module(machine, span, module, name, value)
    elif name in module.modules:
        if value is not None:
            fail(span, f"cannot assign {machine.text(value)} as submodule `{name}`", help="assign a module or None")
        module.modules[name] = None
    elif name in module.buffers:
        if value is not None and not isinstance(value, HostTensor):
            fail(span, f"cannot assign {machine.text(value)} as buffer `{name}`", help="assign a tensor or None")
        module.buffers[name] = value
    else:
        module.attributes[name] = value


def find(module: ModuleInstance, name: str) -> tuple[bool, Value]:
    """The value of an instance attribute: (found, value)."""
    for table in (module.attributes, module.parameters, module.buffers, module.modules):
        if name in table:
            return True, table[name]  # pyright: ignore[reportUnknownVariableType]
    tables = {"_parameters": module.parameters, "_buffers": module.buffers, "_modules": module.modules}
    return (True, tables[name]) if name in tables else (False, None)


def delete(module: ModuleInstance, name: str) -> bool:
    found, _ = find(module, name)
    _forget(module, name)
    return found


def _tensors(
    module: ModuleInstance, *, parameters: bool, buffers: bool, recurse: bool, prefix: str = ""
) -> list[tuple[str, HostTensor]]:
    """Named tensors, each once."""
    seen: set[int] = set()
    found: list[tuple[str, HostTensor]] = []
    for path, owner in module.named_modules(prefix) if recurse else [(prefix, module)]:
        items = [*(owner.parameters.items() if parameters else ()), *(owner.buffers.items() if buffers else ())]
        for name, tensor in items:
            if tensor is not None and id(tensor) not in seen:
                seen.add(id(tensor))
                found.append((f"{path}.{name}" if path else name, tensor))
    return found


def _named_parameters(
    machine: Machine, span: Span | None, module: ModuleInstance, prefix: str = "", recurse: bool = True
) -> list[Any]:
    return _tensors(module, parameters=True, buffers=False, recurse=recurse, prefix=prefix)


def _named_buffers(
    machine: Machine, span: Span | None, module: ModuleInstance, prefix: str = "", recurse: bool = True
) -> list[Any]:
    return _tensors(module, parameters=False, buffers=True, recurse=recurse, prefix=prefix)


def _named_children(machine: Machine, span: Span | None, module: ModuleInstance) -> list[Any]:
    return list(module.children())


def _named_modules(machine: Machine, span: Span | None, module: ModuleInstance) -> list[Any]:
    return list(module.named_modules())


def _values(named: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    def listed(machine: Machine, span: Span | None, module: ModuleInstance, *args: Any, **keywords: Any) -> list[Any]:
        return [value for _, value in named(machine, span, module, *args, **keywords)]

    return listed


def _parameters(machine: Machine, span: Span | None, module: ModuleInstance, recurse: bool = True) -> list[Any]:
    return [value for _, value in _named_parameters(machine, span, module, "", recurse)]


def _state_dict(machine: Machine, span: Span | None, module: ModuleInstance) -> dict[str, HostTensor]:
    return dict(module.named_tensors())


def _load_state_dict(
    machine: Machine, span: Span | None, module: ModuleInstance, state_dict: dict[str, HostTensor], strict: bool = True
) -> None:
    own = dict(module.named_tensors())
    wrong = sorted(own.keys() ^ state_dict.keys())
    if wrong and strict:
        fail(span, f"load_state_dict: missing or unexpected keys: {', '.join(wrong[:10])}")
    for name in own.keys() & state_dict.keys():
        if own[name].shape != state_dict[name].shape:
            fail(
                span,
                f"load_state_dict: `{name}` has the shape {list(state_dict[name].shape)}, "
                f"expected {list(own[name].shape)}",
            )
        own[name].array[...] = state_dict[name].array


def _train(machine: Machine, span: Span | None, module: ModuleInstance, mode: bool = True) -> ModuleInstance:
    """Through `train` of each submodule, which a class may override."""
    module.attributes["training"] = bool(mode)
    for _, child in module.children():
        machine.call(machine.attribute(child, "train", span), [mode], {}, span)
    return module


def _eval(machine: Machine, span: Span | None, module: ModuleInstance) -> ModuleInstance:
    return machine.call(machine.attribute(module, "train", span), [False], {}, span)


def _apply(machine: Machine, span: Span | None, module: ModuleInstance, fn: Value) -> ModuleInstance:
    for _, child in module.children():
        machine.call(machine.attribute(child, "apply", span), [fn], {}, span)
    machine.call(fn, [module], {}, span)
    return module


def _requires_grad(
    machine: Machine, span: Span | None, module: ModuleInstance, requires_grad: bool = True
) -> ModuleInstance:
    for _, tensor in _tensors(module, parameters=True, buffers=False, recurse=True):
        tensor.requires_grad = requires_grad
    return module


def _cast(dtype: DType) -> Callable[..., ModuleInstance]:
    def cast(machine: Machine, span: Span | None, module: ModuleInstance) -> ModuleInstance:
        for _, tensor in _tensors(module, parameters=True, buffers=True, recurse=True):
            if tensor.dtype.is_floating:
                tensor.array = tensor.array.astype(dtype.numpy)
        return module

    return cast


def _to(
    machine: Machine, span: Span | None, module: ModuleInstance, *args: Any, dtype: DType | None = None, **_: Any
) -> ModuleInstance:
    wanted = next((a for a in args if isinstance(a, DType)), dtype)
    return module if wanted is None else _cast(wanted)(machine, span, module)


def _same(machine: Machine, span: Span | None, module: ModuleInstance, *_: Any, **__: Any) -> ModuleInstance:
    return module


def _name(machine: Machine, span: Span | None, module: ModuleInstance) -> str:
    return module.cls.name


def _hook(table: str) -> Callable[..., None]:
    def register(machine: Machine, span: Span | None, module: ModuleInstance, hook: Value) -> None:
        if not isinstance(hook, FunctionValue):
            fail(span, f"a hook must be a function of the file, not {machine.text(hook)}")
        getattr(module, table).append(hook)

    return register


def _get_submodule(machine: Machine, span: Span | None, module: ModuleInstance, target: str) -> Value:
    found = dict(module.named_modules()).get(target)
    if found is None:
        fail(span, f"there is no submodule `{target}`")
    return found


def _get_parameter(machine: Machine, span: Span | None, module: ModuleInstance, target: str) -> Value:
    found = dict(_tensors(module, parameters=True, buffers=True, recurse=True)).get(target)
    if found is None:
        fail(span, f"there is no parameter or buffer `{target}`")
    return found


MODULE_METHODS: Final[dict[str, Callable[..., Any]]] = {
    "__init__": _init,
    "register_parameter": register_parameter,
    "register_buffer": register_buffer,
    "add_module": add_module,
    "register_module": add_module,
    "named_parameters": _named_parameters,
    "parameters": _parameters,
    "named_buffers": _named_buffers,
    "buffers": _values(_named_buffers),
    "named_children": _named_children,
    "children": _values(_named_children),
    "named_modules": _named_modules,
    "modules": _values(_named_modules),
    "state_dict": _state_dict,
    "load_state_dict": _load_state_dict,
    "train": _train,
    "eval": _eval,
    "apply": _apply,
    "requires_grad_": _requires_grad,
    "float": _cast(DType.float32),
    "double": _cast(DType.float64),
    "half": _cast(DType.float16),
    "bfloat16": _cast(DType.bfloat16),
    "to": _to,
    "cpu": _same,
    "cuda": _same,
    "zero_grad": _same,
    "share_memory": _same,
    "_get_name": _name,
    "register_forward_hook": _hook("hooks"),
    "register_forward_pre_hook": _hook("pre_hooks"),
    "get_submodule": _get_submodule,
    "get_parameter": _get_parameter,
    "get_buffer": _get_parameter,
}
