"""The pass manager: order, verification, printing, stopping, failures that name the pass."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from torchcc.ir.core import Operation
from torchcc.ir.diagnostics import CompileError, InternalError
from torchcc.ir.parser import parse_module
from torchcc.ir.printer import print_module
from torchcc.lowering.effects import erase_unused
from torchcc.lowering.pass_manager import (
    PassFailure,
    PassManager,
    Pipeline,
    Progress,
    Stage,
    parse_pass_spec,
    pass_spec,
    slowest,
)

TEXT = """
func.func @f(%x: f32) -> f32 {
  %a = arith.addf %x, %x : f32
  %b = arith.mulf %a, %a : f32
  return %a : f32
}
"""


@dataclass(frozen=True)
class RemoveDead:
    name: str = "remove-dead"

    def apply(self, module: Operation) -> Operation:
        erase_unused(module)
        return module


@dataclass(frozen=True)
class Rename:
    """Replaces one operation by another of the same shape."""

    old: str = "arith.addf"
    new: str = "arith.mulf"
    name: str = "rename"

    def apply(self, module: Operation) -> Operation:
        for op in module.walk():
            if op.name == self.old:
                op.name = self.new
        return module


@dataclass(frozen=True)
class Stumble:
    name: str = "stumble"

    def apply(self, module: Operation) -> Operation:
        raise KeyError("tile")


@dataclass(frozen=True)
class Refuse:
    name: str = "refuse"

    def apply(self, module: Operation) -> Operation:
        raise CompileError.at(None, "not supported")


def test_runs_in_order_and_reports() -> None:
    seen: list[Progress] = []
    printed: list[str] = []
    watched: list[str] = []
    pipeline = Pipeline(Stage("one", RemoveDead(), RemoveDead()), Stage("two", Rename()))
    manager = PassManager(
        print_after="changed",
        sink=printed.append,
        progress=seen.append,
        watch=lambda name, module: watched.append(name),
    )
    modules = manager.run(pipeline, parse_module(TEXT))
    assert [(p.stage, p.pass_name, p.index, p.total) for p in seen] == [
        ("one", "remove-dead", 0, 3),
        ("one", "remove-dead", 1, 3),
        ("two", "rename", 2, 3),
    ]
    assert [p.partition("\n")[0] for p in printed] == [
        "// after remove-dead (stage one)",
        "// after rename (stage two)",
    ]
    assert list(modules) == ["one", "two"]
    assert "arith.addf" in print_module(modules["one"]) and "arith.mulf" in print_module(modules["two"])
    assert [t.pass_name for t in manager.timings] == watched == ["remove-dead", "remove-dead", "rename"]
    assert "rename" in slowest(manager.timings)


def test_printing_by_name_and_everything() -> None:
    for print_after, count in (("all", 2), (("rename",), 1), ("none", 0)):
        printed: list[str] = []
        manager = PassManager(print_after=print_after, sink=printed.append)
        manager.run(Pipeline(Stage("s", RemoveDead(), Rename())), parse_module(TEXT))
        assert len(printed) == count


def test_stop_after() -> None:
    pipeline = Pipeline(Stage("one", RemoveDead()), Stage("two", Rename(), Stumble()))
    for name in ("one", "remove-dead"):
        modules = PassManager(stop_after=name).run(pipeline, parse_module(TEXT))
        assert list(modules) == ["one"] and "arith.addf" in print_module(modules["one"])
    assert "arith.mulf" in print_module(PassManager(stop_after="rename").run(pipeline, parse_module(TEXT))["two"])
    assert len(pipeline.up_to("one").passes) == 1


def test_failure_names_the_pass_and_holds_its_input() -> None:
    before = TEXT.replace("  %b = arith.mulf %a, %a : f32\n", "").replace("addf", "mulf")
    with pytest.raises(PassFailure, match=r"pass stumble of stage s: KeyError: 'tile'") as caught:
        PassManager().run(Pipeline(Stage("s", RemoveDead(), Rename(), Stumble())), parse_module(TEXT))
    assert caught.value.before == print_module(parse_module(before))
    assert caught.value.command == "torchcc opt --pass 'stumble' before.mlir"
    assert isinstance(caught.value.__cause__, KeyError)


def test_invalid_ir_names_the_pass() -> None:
    pipeline = Pipeline(Stage("s", Rename(new="arith.addi")))
    with pytest.raises(PassFailure, match=r"pass rename\{new=arith.addi\} of stage s: invalid IR(.|\n)*\^ ") as caught:
        PassManager().run(pipeline, parse_module(TEXT))
    assert caught.value.before == print_module(parse_module(TEXT))
    PassManager(verify="nothing").run(pipeline, parse_module(TEXT))


def test_contract() -> None:
    def no_multiplication(module: Operation) -> None:
        if any(op.name == "arith.mulf" for op in module.walk()):
            raise InternalError("no product is left")

    PassManager().run(Pipeline(Stage("s", RemoveDead(), ensures=no_multiplication)), parse_module(TEXT))
    with pytest.raises(PassFailure, match=r"pass rename of stage s(.|\n)*contract(.|\n)*no product is left"):
        PassManager().run(Pipeline(Stage("s", RemoveDead(), Rename(), ensures=no_multiplication)), parse_module(TEXT))


def test_errors_of_the_program_pass_through() -> None:
    with pytest.raises(CompileError, match="not supported"):
        PassManager().run(Pipeline(Stage("s", Refuse())), parse_module(TEXT))


def test_specs() -> None:
    assert pass_spec(Rename()) == "rename"
    assert pass_spec(Rename("a b", "c")) == "rename{old='a b' new=c}"
    assert parse_pass_spec("rename") == ("rename", {})
    assert parse_pass_spec("tile{sizes=[8, 16] kind='a b' n=3}") == (
        "tile",
        {"sizes": "[8, 16]", "kind": "'a b'", "n": "3"},
    )
    for bad in ("tile{n=3", "tile{n}"):
        with pytest.raises(ValueError, match="`"):
            parse_pass_spec(bad)
