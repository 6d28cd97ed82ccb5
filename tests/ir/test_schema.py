"""Signatures as text: parsed, printed, and compared with the shipped table."""

import pytest

from torchcc.ir.overloads import candidates, core_names, names
from torchcc.ir.schema import parse_schema, print_schema
from torchcc.ir.script_types import (
    BOOL,
    FLOAT,
    INT,
    NUMBER,
    STR,
    TENSOR,
    DictType,
    FutureType,
    ListType,
    OptionalType,
    TupleType,
    TypeVariable,
)


def test_name_arguments_and_result():
    schema = parse_schema("aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor")
    assert (schema.namespace, schema.base, schema.overload) == ("aten", "add", "Tensor")
    assert schema.name == "aten::add.Tensor"
    assert [a.name for a in schema.arguments] == ["self", "other", "alpha"]
    alpha = schema.arguments[2]
    assert alpha.type == NUMBER and alpha.keyword_only and alpha.has_default and alpha.default == 1
    assert not schema.arguments[1].keyword_only and not schema.arguments[1].has_default
    assert [r.type for r in schema.returns] == [TENSOR]


@pytest.mark.parametrize(
    ("text", "type_", "kind", "size"),
    [
        ("int[2] x", ListType(INT), "int", 2),
        ("SymInt[] x", ListType(INT), "SymInt", None),
        ("Tensor?[] x", ListType(OptionalType(TENSOR)), "Tensor", None),
        ("float[]? x", OptionalType(ListType(FLOAT)), "float", None),
        ("Dict(str, t) x", DictType(STR, TypeVariable("t")), "Dict", None),
        ("(int, bool)[] x", ListType(TupleType((INT, BOOL))), "tuple", None),
        ("Future(t) x", FutureType(TypeVariable("t")), "Future", None),
        ("ScalarType? x", OptionalType(INT), "ScalarType", None),
        ("int[1]? x", OptionalType(ListType(INT)), "int", 1),
    ],
)
def test_argument_types(text, type_, kind, size):
    (argument,) = parse_schema(f"ns::f({text}) -> ()").arguments
    assert (argument.type, argument.kind, argument.size) == (type_, kind, size)


@pytest.mark.parametrize(
    ("text", "default"),
    [
        ("int[2] x=1", (1, 1)),
        ("int[] x=[]", ()),
        ("int[2] x=[3, 4]", (3, 4)),
        ("float x=1", 1.0),
        ("float x=1.0000000000000001e-05", 1e-5),
        ('str x="a\\n"', "a\n"),
        ("int x=Mean", 1),
        ("MemoryFormat x=contiguous_format", 0),
        ("bool? x=None", None),
        ("bool x=True", True),
        ("Scalar x=-1", -1),
    ],
)
def test_defaults(text, default):
    (argument,) = parse_schema(f"ns::f({text}) -> ()").arguments
    assert argument.has_default and argument.default == default and type(argument.default) is type(default)


def test_alias_marks():
    schema = parse_schema("aten::split.Tensor(Tensor(a -> *) self, SymInt n, int dim=0) -> Tensor(a)[]")
    assert schema.arguments[0].alias == "a -> *" and not schema.arguments[0].is_written
    assert schema.returns[0].alias == "a" and schema.returns[0].type == ListType(TENSOR)
    written = parse_schema("aten::append.t(t[](a!) self, t(c -> *) el) -> t[](a!)").arguments[0]
    assert written.is_written and written.type == ListType(TypeVariable("t"))


def test_results_varargs_and_keyword_only():
    assert parse_schema("a::f() -> ()").returns == ()
    pair = parse_schema("a::f(Tensor x) -> (Tensor values, Tensor indices)").returns
    assert [r.name for r in pair] == ["values", "indices"]
    (only,) = parse_schema("a::f() -> ((int, str))").returns
    assert only.type == TupleType((INT, STR))
    assert parse_schema("aten::format(str self, ...) -> str").varargs


@pytest.mark.parametrize(
    "text", ["aten::f", "aten::f(", "aten::f(Tensor) -> Tensor", "aten::f(int x=) -> int", "f() -> $", ""]
)
def test_text_that_is_no_signature(text):
    with pytest.raises(ValueError):
        parse_schema(text)


def test_every_shipped_signature_is_read_and_printed_alike():
    different = 0
    for name in names():
        for schema in candidates(name):
            again = parse_schema(print_schema(schema))
            different += [(a.name, a.type, a.default) for a in schema.arguments] != [
                (a.name, a.type, a.default) for a in again.arguments
            ] or [r.type for r in schema.returns] != [r.type for r in again.returns]
    assert different == 0
    assert len(names()) > 1000 and len(core_names()) > 150


def test_shipped_signatures_are_pytorchs_in_its_order():
    torch = pytest.importorskip("torch", reason="compares with PyTorch's own registry")
    for name in names():
        theirs = [s.split("(")[0] for s in map(str, torch._C._jit_get_schemas_for_operator(name))]
        ours = [s.name for s in candidates(name)]
        assert [t for t in theirs if t in ours] == ours, name
