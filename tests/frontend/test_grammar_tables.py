"""The parser's tables that are kept are those of the grammar."""

from importlib.resources import files
from pathlib import Path

import lark
import pytest

from torchcc.frontend import grammar_tables, parser
from torchcc.ir.source import SourceFile

FOLDER = Path(str(files("torchcc.frontend")))
GRAMMAR = (FOLDER / "torchscript.lark").read_text(encoding="utf-8")


def test_they_are_of_this_grammar(request):
    if request.config.getoption("--update-golden"):
        (FOLDER / grammar_tables.FILE).write_bytes(grammar_tables.written(GRAMMAR, parser.build(GRAMMAR)))
    if not (FOLDER / grammar_tables.FILE).read_bytes().startswith(f"lark {lark.__version__}\n".encode()):
        pytest.skip("the tables are of another version of lark, so they are computed")
    assert grammar_tables.read(GRAMMAR) is not None, "the grammar has changed: run this with --update-golden"


@pytest.mark.parametrize("text", ["def f(x: int = 3) -> int:\n    return [i for i in (x, 1)][0]\n", "def f(x)\n    return x\n", "x = 3 $ 4\n", "class A:\n  def f(self: (\n"])
def test_they_parse_alike(text, monkeypatch):
    def parsed():
        parser._lark.cache_clear()
        try:
            return repr(parser.parse(SourceFile("a.py", text)))
        except parser.CompileError as error:
            return str(error)

    loaded = parsed()
    monkeypatch.setattr(grammar_tables, "read", lambda grammar: None)
    assert parsed() == loaded
    parser._lark.cache_clear()


def test_another_grammar_has_others():
    assert grammar_tables.read(GRAMMAR + "\n") is None
