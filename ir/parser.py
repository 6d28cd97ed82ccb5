"""Reads IR of every stage: what `print_module` writes comes back as an equal module.

MLIR text for `linalg` and `loops`, TorchScript graph text for `torch`; which of them it is, the text tells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from .attributes import Constant
from .core import Operation, new_module
from .cursor import Task, drive
from .dialects import DEFINITIONS
from .graph_parser import parse_graphs
from .source import SourceFile
from .syntax import PARSE, RESULT_TYPES
from .text_parser import Parser

_GRAPH: Final = re.compile(r"(?:\s+|#[^\n]*\n)*[A-Za-z_]\w*\(")
"""A graph starts with a word and its parameters; in MLIR no operation is written so."""


def parse_module(
    text: str, constants: Mapping[str, Constant] | None = None, file: SourceFile | None = None
) -> Operation:
    """The module of a text; operations without a module around them get one.

    `constants`: data of the names in `dense_resource<name>`, and of tensors in graphs. `file` names the text in errors.
    """
    if _GRAPH.match(text):
        return parse_graphs(text, constants, file=file)
    source = file if file is not None and file.text == text else SourceFile(file.name if file else "<string>", text)
    parser = Parser(source, DEFINITIONS, PARSE, RESULT_TYPES, constants or {})
    return drive(_module(parser))


def _module(parser: Parser) -> Task:
    operations: list[Operation] = []
    while parser.position < len(parser.text):
        if parser.peek("#"):
            parser.alias_definition()
        else:
            operations.append((yield parser.operation()))
    if len(operations) == 1 and operations[0].name == "builtin.module":
        return operations[0]
    module = new_module()
    for operation in operations:
        module.body().append(operation)
    return module
