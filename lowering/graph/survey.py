"""Everything in a program that specialisation refuses, not only what it met first.

In: a program that failed to specialise. Out: the diagnostics of all faults that do not follow from one another. The
program is walked again; a node that is refused leaves a value that nothing is known of, and nodes on it are passed
over. No code comes out of this.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from ...ir.core import Block, Operation
from ...ir.diagnostics import CompileError, Diagnostic, InternalError
from ...ir.operators import find, functional_form, schema, split_name, uniform_name
from ...ir.script_types import BOOL, INT, TensorType
from .evaluator import FORWARDING, Evaluator, Frame
from .tensor_builtins import TENSOR_BUILTINS
from .values import Abstract, Diverged, Heap, Ref, RunTimeOnly, Scalar

MAX_ERRORS: Final = 20
"""So many are reported at most."""

FAILED: Final = RunTimeOnly("what could not be compiled", None)


class _FollowsFromAnother(CompileError):
    """A use of what could not be compiled."""


class _Enough(Exception):
    """As many faults as are reported have been found."""


def surveyed(surveyor: Surveyor, walk: Callable[[], object]) -> list[Diagnostic]:
    """What is found while `walk()` has the program evaluated by `surveyor`."""
    try:
        walk()
    except CompileError as error:
        with suppress(_Enough):
            surveyor.note(error)
    except (Diverged, _Enough):
        pass
    except (InternalError, AssertionError):
        pass  # a value of which nothing is known where none can be: what was found before that stands
    return surveyor.found


@dataclass
class Surveyor(Evaluator):
    """An evaluator that notes errors and goes on."""

    found: list[Diagnostic] = field(default_factory=list[Diagnostic])
    _attempts: int = 0

    def use_error(self, value: RunTimeOnly) -> CompileError:
        error = super().use_error(value)
        return _FollowsFromAnother(error.diagnostics) if value is FAILED else error

    def note(self, error: CompileError) -> None:
        if isinstance(error, _FollowsFromAnother):
            return
        seen = {(d.message, d.span) for d in self.found}
        self.found += [d for d in error.diagnostics if (d.message, d.span) not in seen]
        if len(self.found) >= MAX_ERRORS:
            del self.found[MAX_ERRORS:]
            raise _Enough

    @contextmanager
    def attempt(self) -> Generator[None]:
        """Inside, an error is one: another way is tried then."""
        self._attempts += 1
        try:
            with super().attempt():
                yield
        finally:
            self._attempts -= 1

    def evaluate(self, frame: Frame, op: Operation, operands: list[Abstract]) -> Sequence[Abstract]:
        if any(o is FAILED for o in operands[: FORWARDING.get(op.name, len(operands))]):
            return self._passed_over(frame, op, operands)
        if self._attempts:
            return super().evaluate(frame, op, operands)
        try:
            results = super().evaluate(frame, op, operands)
        except CompileError as error:
            if self.inlined_at is not None:
                raise  # one fault of the operator whose definition this is in
            self.note(error)
            if op.name == "prim::Loop":
                self._look_into(frame, op)
            return [FAILED] * len(op.results)
        if op.name == "prim::Loop" and any(o is FAILED for o in operands):
            self._look_into(frame, op)  # ways to write a loop are tried without noting what they pass over
        self._note_unless_supported(op)
        return results

    def _passed_over(self, frame: Frame, op: Operation, operands: list[Abstract]) -> Sequence[Abstract]:
        if op.name == "prim::If":
            return super().evaluate(frame, op, [Scalar(self.emit("prim::Uninitialized", (), (BOOL,)).result)])
        if op.name == "prim::Loop":
            self._look_into(frame, op)
        else:
            self._note_unless_supported(op)
        for operand in operands:
            if isinstance(operand, Ref) and not operand.is_outer and _may_change(op):
                self.heap[operand] = FAILED
        return [FAILED] * len(op.results)

    def _note_unless_supported(self, op: Operation) -> None:
        if op.name.startswith("aten::") and not self._attempts:
            reason = self._why_not(uniform_name(op.name))
            if reason is not None:
                self.place(op.span)
                self.note(self.error(reason))

    def _why_not(self, name: str) -> str | None:
        record = find(name)
        if record is not None:
            refused = record.lower.__name__ == "unsupported"
            return f"{name}: {record.lower.__doc__}" if refused else None
        derived = functional_form(name)
        base, form = split_name(name)[0], schema(name)
        if name in TENSOR_BUILTINS or base in TENSOR_BUILTINS or self.composite(name) is not None:
            return None
        if derived is not None:
            return self._why_not(derived[0])
        if form is None or not form.arguments or not isinstance(form.arguments[0].type, TensorType):
            return None
        return f"operator {name} is not supported yet"

    def _look_into(self, frame: Frame, op: Operation) -> None:
        """One iteration of a loop that was refused, of which nothing is known."""
        body = op.body()
        heap: Heap = dict(self.heap)
        index = Scalar(self.emit("prim::Uninitialized", (), (INT,)).result)
        self.conditional += 1
        try:
            with self.b.inside(Block()):
                self.run_block(frame, body, [index, *[FAILED] * (len(body.args) - 1)])
        except (Diverged, CompileError):
            pass
        finally:
            self.conditional -= 1
        changed = [key for key, contents in heap.items() if self.heap.get(key) is not contents]
        self.heap = {**heap, **dict.fromkeys(changed, FAILED)}


def _may_change(op: Operation) -> bool:
    form = schema(op.name) if op.name.startswith("aten::") else None
    return form is not None and any(a.is_written for a in form.arguments)
