"""What a reader sees of many faults: those that are the same stand once, with their other places."""

from torchcc.ir.diagnostics import CompileError, Diagnostic
from torchcc.ir.source import SourceFile, Span

FILE = SourceFile("net.py", "y = f(x)\n" * 12)


def faults(name, count, help=None):
    return [Diagnostic(f"unknown function `{name}`", Span(FILE, 9 * i + 4, 9 * i + 5), "here", (), help) for i in range(count)]


def test_a_fault_that_repeats_stands_once():
    error = CompileError([*faults("f", 10, "do this"), *faults("g", 1)])
    assert len(error.diagnostics) == 11
    text = str(error)
    assert text.count("error: unknown function `f`") == text.count("help: do this") == 1
    assert "net.py:1:5" in text and "note: the same at 9 other places: net.py:2:5, net.py:3:5, net.py:4:5, net.py:5:5, 5 more" in text
    assert text.index("`f`") < text.index("`g`")


def test_a_few_faults_are_shown_in_full():
    error = CompileError(faults("f", 3))
    assert error.shown == error.diagnostics
    assert str(error).count("error: ") == 3


def test_places_that_are_unknown_are_counted():
    error = CompileError([Diagnostic("too large") for _ in range(5)])
    assert [n.message for n in error.shown[0].notes] == ["the same at 4 other places: 4 more"]
