"""Runs passes: each takes a valid module and gives a valid one; pipelines are lists of stages, stages of passes.

After each pass the module is verified, after each stage its contract is checked. A manager can print the IR on the way,
stop after a pass, measure, and report its progress. A pass that fails is named in a `PassFailure`, which holds the IR
that went into the pass and the command that repeats it.

    pipeline = Pipeline(
        Stage("linalg", ConvertTorchToLinalg(), Canonicalize(), FuseElementwise(), ensures=verify_tensor),
        Stage("loops", Bufferize(), ConvertLinalgToLoops(), ensures=verify_loops),
    )
    modules = PassManager(print_after="changed").run(pipeline, module)
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ..ir.core import Operation
from ..ir.diagnostics import CompileError, ExecutionError, InternalError
from ..ir.printer import print_module
from ..ir.verifier import verify


class Pass(Protocol):
    """A frozen dataclass: `name` is its name on the command line, its other fields are its options."""

    @property
    def name(self) -> str: ...

    def apply(self, module: Operation) -> Operation:
        """The module after the pass: the same one changed in place, or another."""
        ...


Contract = Callable[[Operation], None]
"""What holds where a stage ends: raises InternalError (or CompileError) for a module that breaks it."""


class Stage:
    """Passes that lead to a form of the program with a name of its own, and what holds of it."""

    def __init__(self, name: str, *passes: Pass, ensures: Contract | None = None) -> None:
        self.name = name
        self.passes = passes
        self.ensures = ensures


@dataclass(frozen=True)
class Progress:
    """Pass number `index` (from 0) of `total` is about to run."""

    stage: str
    pass_name: str
    index: int
    total: int


@dataclass(frozen=True)
class Timing:
    stage: str
    pass_name: str
    seconds: float


def _to_stderr(text: str) -> None:
    sys.stderr.write(text)


class PassFailure(InternalError):
    """A pass failed or left invalid IR. `before` is the text of the module that went into it."""

    def __init__(self, stage: str, spec: str, reason: str, before: str) -> None:
        self.stage = stage
        self.spec = spec
        self.reason = reason
        self.before = before
        super().__init__(
            f"pass {spec} of stage {stage}: {reason}\nto repeat, save the IR before it and run: {self.command}"
        )

    @property
    def command(self) -> str:
        """Repeats the failure from a file with the text `before`."""
        return f"torchcc opt --pass '{self.spec}' before.mlir"


def pass_spec(p: Pass) -> str:
    """The pass as the command line takes it: `tile{sizes=[8, 16] unroll=4}`, options that are not the default only."""
    if not dataclasses.is_dataclass(p):
        return p.name
    options = [
        f"{f.name}={_shown(getattr(p, f.name))}"
        for f in dataclasses.fields(p)
        if f.name != "name" and getattr(p, f.name) != _default(f)
    ]
    return p.name + (f"{{{' '.join(options)}}}" if options else "")


def _shown(value: Any) -> str:
    """An option as text; of a target or signature its name, which is all that a command line can say of it."""
    text = str(getattr(value, "name", value))
    return repr(value) if isinstance(value, str) and (" " in text or not text) else text


def _default(f: dataclasses.Field[Any]) -> Any:
    if f.default_factory is not dataclasses.MISSING:
        return f.default_factory()
    return f.default


def parse_pass_spec(text: str) -> tuple[str, dict[str, str]]:
    """(name, options as text) of what `pass_spec` gives. ValueError for anything else."""
    name, brace, rest = text.strip().partition("{")
    if not brace:
        return name, {}
    if not rest.endswith("}"):
        raise ValueError(f"`{text}`: the options do not end with }}")
    options: dict[str, str] = {}
    for entry in _entries(rest[:-1]):
        key, equals, value = entry.partition("=")
        if not equals:
            raise ValueError(f"`{entry}` is not option=value")
        options[key] = value
    return name, options


def _entries(text: str) -> Iterator[str]:
    """Splits at spaces outside of brackets and quotes."""
    depth, start, quote = 0, 0, ""
    for i, c in enumerate(f"{text} "):
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == " " and depth == 0:
            if text[start:i]:
                yield text[start:i]
            start = i + 1


class Pipeline:
    """Stages in their order."""

    def __init__(self, *stages: Stage) -> None:
        self.stages = stages

    @property
    def passes(self) -> tuple[Pass, ...]:
        return tuple(p for stage in self.stages for p in stage.passes)

    def up_to(self, stage: str) -> Pipeline:
        """The pipeline that ends with the stage of that name."""
        names = [s.name for s in self.stages]
        return Pipeline(*self.stages[: names.index(stage) + 1])


@dataclass
class PassManager:
    """How pipelines are run; collects the times that passes take."""

    verify: Literal["passes", "stages", "contracts", "nothing"] = "passes"
    """When the verifier runs: after every pass, or where a stage ends, which is where its contract is checked too, or never."""
    keeps_stages: bool = True
    """Whether the module at the end of each stage is given, or only the last; then a failure has no IR to show."""
    print_after: Literal["none", "all", "changed"] | Collection[str] = "none"
    """After no pass, all, those that changed something, or those of these names."""
    stop_after: str | None = None
    """Name of the pass, or of the stage, after which nothing more is run."""
    sink: Callable[[str], None] = _to_stderr
    """Takes the printed IR."""
    progress: Callable[[Progress], None] | None = None
    watch: Callable[[str, Operation], None] | None = None
    """Called with the name of each pass and the module after it."""
    timings: list[Timing] = field(default_factory=list[Timing])

    def run(self, pipeline: Pipeline, module: Operation) -> dict[str, Operation]:
        """The module at the end of each stage, by the stage's name. The module given may be changed in place.

        With `stop_after` the last entry is the module where it stopped.
        """
        modules: dict[str, Operation] = {}
        start = module.clone() if self.keeps_stages else None
        total = len(pipeline.passes)
        index = 0
        for stage in pipeline.stages:
            done: list[Pass] = []
            for p in stage.passes:
                if self.progress is not None:
                    self.progress(Progress(stage.name, p.name, index, total))
                index += 1
                module = self._apply(p, module, _Input(stage, start, done))
                done.append(p)
                if self.stop_after == p.name:
                    return {**modules, stage.name: module}
            self._check_contract(stage, module, start)
            if self.stop_after == stage.name or stage is pipeline.stages[-1]:
                modules[stage.name] = module
                break
            if self.keeps_stages:
                modules[stage.name] = start = module.clone()
        return modules

    @contextmanager
    def timed(self, stage: str, step: str) -> Generator[None]:
        """Keeps the time of a step that is no pass."""
        begin = time.perf_counter()
        yield
        self.timings.append(Timing(stage, step, time.perf_counter() - begin))

    def _apply(self, p: Pass, module: Operation, given: _Input) -> Operation:
        compares = self.print_after == "changed"
        old = print_module(module) if compares else ""
        begin = time.perf_counter()
        try:
            result = p.apply(module)
            if self.verify == "passes" or (self.verify == "stages" and p is given.stage.passes[-1]):
                verify(result)
        except (CompileError, ExecutionError):
            raise  # the program's fault
        except (
            Exception
        ) as error:  # whatever a pass stumbles over is our bug: it is reported with the pass and its input
            raise PassFailure(given.stage.name, pass_spec(p), _reason(error), given.text()) from error
        self.timings.append(Timing(given.stage.name, p.name, time.perf_counter() - begin))
        if self._prints(p) or (compares and print_module(result) != old):
            self.sink(f"// after {pass_spec(p)} (stage {given.stage.name})\n{print_module(result)}\n")
        if self.watch is not None:
            self.watch(p.name, result)
        return result

    def _prints(self, p: Pass) -> bool:
        return self.print_after == "all" or (not isinstance(self.print_after, str) and p.name in self.print_after)

    def _check_contract(self, stage: Stage, module: Operation, start: Operation | None) -> None:
        if self.verify == "nothing" or stage.ensures is None:
            return
        try:
            stage.ensures(module)
        except InternalError as error:
            if not stage.passes:
                raise
            *before, last = stage.passes
            given = _Input(stage, start, before)
            raise PassFailure(
                stage.name, pass_spec(last), f"the stage ends without its contract kept: {error}", given.text()
            ) from error


@dataclass(frozen=True)
class _Input:
    """The module that goes into a pass, found again by running those before it on a copy: they give the same again."""

    stage: Stage
    start: Operation | None
    """None: not kept."""
    done: Sequence[Pass]

    def text(self) -> str:
        if self.start is None:
            return ""
        module = self.start.clone()
        for p in self.done:
            module = p.apply(module)
        return print_module(module)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, InternalError) else f"{type(error).__name__}: {error}"


def slowest(timings: Collection[Timing], count: int = 10) -> str:
    """A table of the passes that took longest."""
    total = sum(t.seconds for t in timings) or 1.0
    rows = sorted(timings, key=lambda t: -t.seconds)[:count]
    width = max((len(t.pass_name) for t in rows), default=0)
    return "\n".join(
        f"{t.seconds * 1e3:9.2f} ms {t.seconds / total:6.1%}  {t.pass_name:{width}}  {t.stage}" for t in rows
    )
