"""LLVM text of one function, line by line."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..llvm.types import quoted


@dataclass
class FunctionText:
    """A function under construction: its lines, and the constants that it needs, named after `prefix`."""

    prefix: str
    globals: list[str] = field(default_factory=list[str])
    lines: list[str] = field(default_factory=list[str])
    counter: int = 0

    def name(self) -> str:
        """A register that is not used yet."""
        self.counter += 1
        return f"%v{self.counter}"

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def op(self, text: str) -> str:
        """Appends an instruction; its register."""
        name = self.name()
        self.line(f"{name} = {text}")
        return name

    def label(self, label: str) -> None:
        self.lines.append(f"{label}:")

    def fail_if(self, condition: str, to: str = "fail") -> None:
        """Goes to the block `to` where the condition holds."""
        self.counter += 1
        self.line(f"br i1 {condition}, label %{to}, label %next{self.counter}")
        self.label(f"next{self.counter}")

    def constant(self, type: str, value: str) -> str:
        """A private constant; its symbol."""
        symbol = f'@"{self.prefix}.abi.{len(self.globals)}"'
        self.globals.append(f"{symbol} = private unnamed_addr constant {type} {value}")
        return symbol

    def string(self, text: str) -> str:
        data = text.encode() + b"\0"
        return self.constant(f"[{len(data)} x i8]", quoted(data))
