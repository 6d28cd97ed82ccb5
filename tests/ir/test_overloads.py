"""Which overload a call means, and what happens to its arguments."""

import pytest

from torchcc.frontend.compile import compile_text
from torchcc.ir.overloads import (
    Default,
    Given,
    Operand,
    OverloadError,
    Packed,
    candidates,
    has_method,
    resolve,
    resolve_operands,
    suggest,
)
from torchcc.ir.script_types import (
    ANY,
    BOOL,
    FLOAT,
    INT,
    NONE,
    NUMBER,
    STR,
    TENSOR,
    DictType,
    ListType,
    OptionalType,
    TupleType,
)
from torchcc.ir.subtyping import is_subtype, unify, union


@pytest.mark.parametrize(
    ("base", "types", "overload", "result"),
    [
        ("add", [TENSOR, TENSOR], "Tensor", TENSOR),
        ("add", [TENSOR, INT], "Scalar", TENSOR),
        ("add", [INT, INT], "int", INT),
        ("add", [INT, FLOAT], "int_float", FLOAT),
        ("add", [STR, STR], "str", STR),
        ("add", [ListType(STR), ListType(STR)], "t", ListType(STR)),
        ("add", [NUMBER, INT], "", NUMBER),
        ("div", [INT, INT], "int", FLOAT),
        ("pow", [TENSOR, FLOAT], "Tensor_Scalar", TENSOR),
        ("sum", [TENSOR], "", TENSOR),
        ("softmax", [TENSOR, INT], "int", TENSOR),
        ("__getitem__", [DictType(STR, ListType(INT)), STR], "Dict_str", ListType(INT)),
        ("max", [TENSOR, INT], "dim", TupleType((TENSOR, TENSOR))),
        ("size", [TENSOR], "", ListType(INT)),
        ("size", [TENSOR, INT], "int", INT),
        ("len", [ListType(TENSOR)], "t", INT),
    ],
)
def test_overload(base, types, overload, result):
    match = resolve(f"aten::{base}", types)
    assert match.schema.overload == overload and match.result == result


def test_no_conversion_wins_over_an_earlier_candidate_with_one():
    # aten::mul.int(int, int) would take a bool only by conversion
    assert resolve("aten::mul", [TENSOR, BOOL]).schema.overload in ("Tensor", "Scalar")
    match = resolve("aten::mul", [BOOL, BOOL])
    assert match.schema.overload == "int"
    assert [a.conversion.operator for a in match.arguments if isinstance(a, Given)] == ["aten::Int.bool"] * 2


def test_int_for_a_list_of_fixed_size_is_repeated():
    match = resolve("aten::max_pool2d", [TENSOR, INT])
    kernel = match.arguments[1]
    assert isinstance(kernel, Given) and kernel.conversion.kind == "repeat" and kernel.conversion.count == 2
    assert isinstance(match.arguments[2], Default)


def test_varargs_become_the_last_list():
    match = resolve("aten::view", [INT, INT], receiver=TENSOR)
    assert isinstance(match.arguments[1], Packed) and len(match.arguments[1].items) == 2
    match = resolve("aten::zeros", [INT, INT], {"dtype": INT})
    assert isinstance(match.arguments[0], Packed)


def test_tuple_for_a_list_and_tensor_for_a_number():
    match = resolve("aten::zeros", [TupleType((INT, INT))])
    assert isinstance(match.arguments[0], Given) and match.arguments[0].conversion.kind == "to_list"
    match = resolve("aten::select", [TENSOR, INT, TENSOR])
    assert isinstance(match.arguments[2], Given) and match.arguments[2].conversion.operator == "aten::IntImplicit"


def test_str_for_a_device_and_a_none_for_an_optional():
    match = resolve("aten::to", [STR], receiver=TENSOR)
    assert match.schema.overload == "prim_Device"
    resolve("aten::clamp", [TENSOR, NONE, INT])


def test_empty_list_takes_the_type_it_is_needed_as():
    match = resolve("aten::zeros", [Operand(ListType(TENSOR), empty_list=True)])
    assert isinstance(match.arguments[0], Given) and match.arguments[0].conversion.type == ListType(INT)
    with pytest.raises(OverloadError):
        resolve("aten::zeros", [Operand(ListType(TENSOR))])


def test_input_is_another_name_of_self():
    assert resolve("aten::relu", [], {"input": TENSOR}).arguments[0].source == "input"


def test_failures_say_why():
    with pytest.raises(OverloadError) as caught:
        resolve("aten::relu", [INT])
    failure = caught.value.failures[0]
    assert "`self` expects Tensor, found int" in failure.reason and failure.source == 0
    with pytest.raises(OverloadError, match="unknown keyword argument `axis`"):
        resolve("aten::relu", [TENSOR], {"axis": INT})
    with pytest.raises(OverloadError, match="argument `other` is missing"):
        resolve("aten::matmul", [TENSOR])
    with pytest.raises(OverloadError, match="at most 1 positional argument, found 2"):
        resolve("aten::relu", [TENSOR, TENSOR])


def test_operands_of_printed_nodes():
    assert resolve_operands("aten::add", [TENSOR, INT, INT]).overload == "Scalar"
    assert resolve_operands("aten::add", [INT, INT]).overload == "int"
    assert resolve_operands("aten::to", [TENSOR, INT, BOOL, BOOL, NONE]).overload == "dtype"
    assert resolve_operands("aten::format", [STR, INT, TENSOR]).base == "format"
    assert resolve_operands("aten::nothing", [TENSOR]) is None


def test_methods_and_suggestions():
    assert has_method("aten::append", ListType(INT)) and not has_method("aten::append", TENSOR)
    assert has_method("aten::relu", TENSOR) and not has_method("aten::relu", INT)
    assert "relu" in suggest("aten::rleu", TENSOR)
    assert candidates("aten::no_such_operator") == ()


def test_subtypes_and_unification():
    assert is_subtype(INT, NUMBER) and not is_subtype(BOOL, NUMBER) and not is_subtype(INT, FLOAT)
    assert is_subtype(NONE, OptionalType(INT)) and is_subtype(INT, OptionalType(INT)) and is_subtype(STR, ANY)
    assert not is_subtype(ListType(INT), ListType(OptionalType(INT)))
    assert is_subtype(TupleType((INT, NONE)), TupleType((INT, OptionalType(STR))))
    assert unify(INT, NONE) == OptionalType(INT) and unify(INT, FLOAT) is None
    assert str(unify(INT, FLOAT, or_union=True)) == "Union(float, int)"
    assert str(union([INT, STR, NONE])) == "Union(int, NoneType, str)"
    assert union([INT, NONE]) == OptionalType(INT)


def test_agrees_with_pytorch_on_many_calls():
    torch = pytest.importorskip("torch", reason="compares with PyTorch's own resolution")
    calls = [
        ("x + y", "add.Tensor"),
        ("x * 2", "mul.Scalar"),
        ("x.sum(1)", "sum.dim_IntList"),
        ("x.sum()", "sum"),
        ("x.mean((0, 1))", "mean.dim"),
        ("x.permute(1, 0)", "permute"),
        ("x.transpose(0, 1)", "transpose.int"),
        ("x.to(y)", "to.other"),
        ("x.to(torch.float64)", "to.dtype"),
        ("x.clamp(0, 1)", "clamp"),
        ("x.max()", "max"),
        ("torch.max(x, y)", "max.other"),
        ("x.std(0)", "std.dim"),
        ("torch.where(x > 0, x, y)", "where.self"),
        ("torch.where(x > 0, x, 1.0)", "where.ScalarOther"),
        ("torch.full((2, 3), 1.5)", "full"),
        ("torch.arange(0, 10, 2)", "arange.start_step"),
        ("torch.cat([x, y], 1)", "cat"),
        ("x.split(2)", "split.Tensor"),
        ("x ** y", "pow.Tensor_Tensor"),
        ("x.pow(2)", "pow.Tensor_Scalar"),
        ("x.norm()", "norm.Scalar"),
        ("x.squeeze(0)", "squeeze.dim"),
        ("torch.linspace(0, 1, 5)", "linspace"),
    ]

    for text, expected in calls:
        source = f"import torch\ndef f(x, y):\n    return {text}\n"
        module = compile_text(source, entry="f").module
        ours = [op.name for op in module.walk() if op.name.startswith("aten::")]
        assert ours[-1] == f"aten::{expected}", text
        theirs = torch.jit.CompilationUnit(f"def f(x, y):\n    return {text}\n").f.graph
        schemas = [n.schema().split("(")[0] for n in theirs.nodes() if n.kind().startswith("aten::")]
        assert schemas[-1] == ours[-1], text
