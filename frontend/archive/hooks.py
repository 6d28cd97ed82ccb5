"""Hooks of the module that is called: what runs around its `forward`.

Hooks of inner modules are calls in the code already. Those of the module that a program is called on are run by whoever
calls it; here, by a method `__call__` that is added to the class, in TorchScript like the rest.
"""

from __future__ import annotations

from typing import Final

from ...ir.diagnostics import CompileError
from ...ir.source import SourceFile
from .. import ast
from ..parser import parse
from ..values import ClassValue, FunctionValue
from .code import names_of

CALL: Final = "__call__"
"""The method that is `forward` with its hooks."""

_BEFORE: Final = "__forward_pre_hooks__"
_AFTER: Final = "__forward_hooks__"


def hook_names(cls: ClassValue) -> tuple[str, ...]:
    """The methods that are hooks; a class without any is called by its `forward`."""
    return (*names_of(cls.find(_BEFORE)), *names_of(cls.find(_AFTER)))


def call_with_hooks(cls: ClassValue) -> FunctionValue:
    """`__call__` of a class with a `forward`: pre-hooks change its arguments, hooks its result."""
    found = cls.members.get(CALL)
    if isinstance(found, FunctionValue):
        return found
    forward = _method(cls, "forward")
    text = _Writer(cls, forward).text()
    definition = parse(SourceFile(f"{_place(forward)} ({cls.name} with its hooks)", text), dialect="archive").body[0]
    assert isinstance(definition, ast.FunctionDef)
    function = FunctionValue(definition, cls.scope, f"{forward.qualified.rpartition('.')[0]}.{CALL}", cls)
    cls.members[CALL] = function
    return function


def _method(cls: ClassValue, name: str) -> FunctionValue:
    function = cls.find(name)
    if not isinstance(function, FunctionValue) or not isinstance(function.definition, ast.FunctionDef):
        span = cls.definition.name_span if cls.definition is not None else None
        raise CompileError.at(span, f"the class `{cls.name}` has no method `{name}`")
    return function


def _place(function: FunctionValue) -> str:
    return function.definition.span.file.name


class _Writer:
    """The text of `__call__`."""

    def __init__(self, cls: ClassValue, forward: FunctionValue) -> None:
        assert isinstance(forward.definition, ast.FunctionDef)
        self.cls = cls
        self.owner, *self.parameters = forward.definition.params
        self.names = [p.name for p in self.parameters]
        taken = {self.owner.name, *self.names}
        self.inputs, self.result = (self._free(n, taken) for n in ("_input", "_result"))

    def _free(self, name: str, taken: set[str]) -> str:
        while name in taken:
            name += "_"
        return name

    def text(self) -> str:
        self_ = self.owner.name
        parts = [self_, *map(self._declared, self.parameters)]
        lines = [f"def {CALL}({', '.join(parts)}):", f"  {self.inputs} = ({', '.join(self.names)}{',' * (len(self.names) == 1)})"]
        for hook in names_of(self.cls.find(_BEFORE)):
            lines += self._before(self_, hook)
        lines.append(f"  {self.result} = ({self_}).forward({', '.join(self.names)})")
        for hook in names_of(self.cls.find(_AFTER)):
            kept = "" if self._is_none(self._returned(hook)) else f"{self.result} = "
            lines.append(f"  {kept}({self_}).{hook}({self.inputs}, {self.result})")
        return "\n".join([*lines, f"  return {self.result}", ""])

    def _declared(self, parameter: ast.Param) -> str:
        text = parameter.name
        if parameter.annotation is not None:
            text += f": {parameter.annotation.span.text}"
        return text if parameter.default is None else f"{text}={parameter.default.span.text}"

    def _before(self, self_: str, hook: str) -> list[str]:
        """A pre-hook gives the new arguments: all of them as a tuple, the only one as it is, or None for no change."""
        returned = self._returned(hook)
        call = f"({self_}).{hook}({self.inputs})"
        if self._is_none(returned):
            return [f"  {call}"]
        if isinstance(returned, ast.Subscript) and _word(returned.value) == "Tuple":
            unpacked = [f"  {', '.join(self.names)}, = {self.inputs}"] if self.names else []
            return [f"  {self.inputs} = {call}", *unpacked]
        if len(self.names) != 1:
            raise CompileError.at(
                returned.span,
                f"the hook `{hook}` gives one value for the {len(self.names)} arguments of `forward`",
            )
        return [f"  {self.inputs} = ({call},)", f"  {self.names[0]}, = {self.inputs}"]

    def _returned(self, hook: str) -> ast.Expr:
        definition = _method(self.cls, hook).definition
        assert isinstance(definition, ast.FunctionDef)
        if definition.returns is None or _word(definition.returns) in ("Optional", "Union", "Any"):
            raise CompileError.at(
                definition.name_span, f"what the hook `{hook}` gives is only known when it has run, which is not supported"
            )
        return definition.returns

    def _is_none(self, returned: ast.Expr) -> bool:
        return _word(returned) in ("None", "NoneType")


def _word(node: ast.Expr) -> str:
    if isinstance(node, ast.Subscript):
        return _word(node.value)
    if isinstance(node, ast.Literal_) and node.value is None:
        return "None"
    return node.id if isinstance(node, ast.Name) else ""
