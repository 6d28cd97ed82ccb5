"""The context that records write code with: what it folds, shares, checks and broadcasts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from torchcc.ir.builder import Builder
from torchcc.ir.core import Operation, Value, new_module
from torchcc.ir.diagnostics import ExecutionError
from torchcc.ir.dialects import arith, func, tensor
from torchcc.ir.dialects.aten.lowering import LoweringContext, convert_number
from torchcc.ir.dialects.aten.rules import cast_array
from torchcc.ir.dtypes import DType
from torchcc.ir.interpreters.run import interpret
from torchcc.ir.types import F32, RankedTensorType

Body = Callable[[LoweringContext, Sequence[Value]], Value]


def lowered(shapes: Sequence[tuple[int | None, ...]], body: Body) -> Operation:
    """A function of float tensors that returns what `body` writes."""
    module = new_module()
    function = func.func(module, "f", [RankedTensorType(s, F32) for s in shapes], [])
    b = Builder(function.body())
    func.return_(b, [body(LoweringContext(b), function.body().args)])
    return module


def add(cx: LoweringContext, args: Sequence[Value]) -> Value:
    def body(b: Builder, x: Value, y: Value) -> Value:
        return arith.addf(b, x, y)

    return cx.pointwise(args, DType.float32, body)


def names(module: Operation) -> list[str]:
    return [op.name for op in module.walk()]


def ones(*shape: int) -> Any:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def test_static_shapes_leave_no_arithmetic_behind() -> None:
    assert names(lowered([(2, 3), (3,)], add))[2:] == [
        "tensor.empty", "linalg.generic", "arith.addf", "linalg.yield", "func.return",
    ]  # fmt: skip


def test_equal_extents_are_one_value_and_need_no_check() -> None:
    def twice(cx: LoweringContext, args: Sequence[Value]) -> Value:
        return add(cx, [add(cx, [args[0], args[0]]), args[0]])

    module = lowered([(None, 3)], twice)
    assert names(module).count("tensor.dim") == 1
    assert "cf.assert" not in names(module)


@pytest.mark.parametrize(
    ("x", "y"),
    [((2, 3), (2, 3)), ((1, 3), (2, 3)), ((2, 3), (2, 1)), ((1, 1), (2, 3)), ((0, 3), (1, 3)), ((2, 3), (3,))],
)
def test_a_run_time_one_is_broadcast(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    a, b = ones(*x), ones(*y)
    module = lowered([(None,) * len(x), (None,) * len(y)], add)
    np.testing.assert_array_equal(interpret(module, "f", [a, b])[0], a + b)


def test_extents_that_do_not_fit_are_a_run_time_error() -> None:
    module = lowered([(None, 3), (None, 3)], add)
    text = r"The size of tensor a \(2\) must match the size of tensor b \(4\) at non-singleton dimension 0"
    with pytest.raises(ExecutionError, match=text):
        interpret(module, "f", [ones(2, 3), ones(4, 3)])


def test_extents_are_traced_through_shape_operations() -> None:
    def traced(cx: LoweringContext, args: Sequence[Value]) -> Value:
        n = cx.dim(args[0], 0)
        expanded = cx.with_unit_dims(args[0], [0, 2])
        assert cx.dims(expanded) == [1, n, 1, 3]
        flat = tensor.collapse_shape(cx.b, args[0], [[0, 1]])
        assert cx.dim(flat, 0) is cx.mul(n, 3) or isinstance(cx.dim(flat, 0), Value)
        cut = tensor.extract_slice(cx.b, args[0], [0, 1], [n, 1], [1, 1], dropped=[1])
        assert cx.dims(cut) == [n]
        return cut

    lowered([(None, 3)], traced)


def test_arithmetic_on_extents_folds_and_is_shared() -> None:
    def body(cx: LoweringContext, args: Sequence[Value]) -> Value:
        n = cx.dim(args[0], 0)
        assert (cx.add(2, 3), cx.floordiv(7, 2), cx.ceildiv(7, 2), cx.mod(-1, 3)) == (5, 3, 4, 2)
        assert cx.add(n, 0) is n
        assert cx.mul(n, 1) is n
        assert cx.sub(n, n) == 0
        assert cx.mul(n, 2) is cx.mul(n, 2)
        assert cx.compare("eq", n, n) is True
        assert cx.all_of(True, cx.compare("lt", 1, 2)) is True
        return args[0]

    lowered([(None,)], body)


@pytest.mark.parametrize("dtype", [d for d in DType if not d.is_complex])
@pytest.mark.parametrize("value", [0, 1, -1, 2.7, -2.7, 300, -300, 1e10, float("nan"), float("inf"), True])
def test_numbers_convert_like_elements(dtype: DType, value: float) -> None:
    """The compile-time conversion and the one of arrays agree."""
    wide = np.asarray(
        value, np.bool_ if isinstance(value, bool) else np.int64 if isinstance(value, int) else np.float64
    )
    expected = cast_array(wide, dtype)
    found = np.asarray(convert_number(value, dtype), dtype.numpy)
    assert found == expected or (found != found and expected != expected)
