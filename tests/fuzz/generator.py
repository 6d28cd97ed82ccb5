"""Random programs, typed by construction: `generate(seed, features)`.

Every program is accepted by PyTorch, ends after few steps, and means one thing: divisors are never 0 nor -1 where PyTorch would
crash, floats become ints only where they fit, values that depend on the order of a sum (`Type.exact`) decide nothing, and what
may raise is used (PyTorch drops operators whose result nobody needs, with their errors). What may raise does so in few places;
elsewhere it stands behind a condition. Sizes are bounded: loops by constants, containers by conditions before they grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from changes import Changes
from expressions import Expressions
from programs import (
    BOOL,
    FLOAT,
    INT,
    NONE,
    STR,
    Block,
    ClassDefinition,
    Expr,
    Function,
    Line,
    Program,
    Shared,
    Statement,
    Type,
    dict_of,
    expr,
    line,
    list_of,
    optional_of,
    tensor_of,
    tuple_of,
)
from protocols import Protocols
from scopes import FEATURES, WORDS, Scope, Variable, holds_objects, holds_tensors
from statements import Statements
from tensor_expressions import TensorExpressions


def generate(seed: int, features: Sequence[str] = FEATURES) -> Program:
    return Generator(seed, frozenset(features)).program()

class Generator(Statements, Changes, Expressions, TensorExpressions, Protocols):
    """Writes one program."""

    def program(self) -> Program:
        if self.has("records"):
            self.records += [self.record() for _ in range(self.random.randrange(1, 3))]
        if self.has("enums"):
            self.enums.append(self.enum())
        if self.has("objects"):
            for _ in range(self.random.randrange(1, 3)):
                definition = self.script_class()
                self.classes.append(definition)
                if self.has("protocols"):
                    definition.methods += self.protocols(definition)
        if self.has("functions"):
            for _ in range(self.random.randrange(1, 4)):
                self.functions.append(self.helper())
        parameters: list[tuple[str, Type]] = [("n0", INT)]
        if self.has("tensors"):
            parameters += [("x", tensor_of("float32", "n", "m")), ("k", tensor_of("int64", "m"))]
        for _ in range(self.random.randrange(0, 3)):
            parameters.append((self.fresh("a"), self.argument_type()))
        scope = self.entry_scope(parameters, None)
        statements: list[Statement] = self.size_lines(scope, parameters)
        statements.append(Statement([line("acc: int = 0")]))
        scope.variables.append(Variable("acc", INT, is_assignable=False))
        results: list[Variable] = [Variable("acc", INT)]
        scope.can_return = False
        for _ in range(self.random.randrange(2, 6)):
            type = self.variable_type()
            statements.append(self.declaration(scope, type))
            results.append(scope.variables[-1])
        scope.can_return = True
        for _ in range(self.random.randrange(4, 13)):
            statements += self.statement(scope)
        statements.append(Statement([Line([])]))
        main = Function("main", parameters, None, Block(statements))
        inputs = [self.arguments(parameters, s) for s in self.input_sizes()]
        if self.has("views") and self.chance(0.3):
            self.share(parameters, inputs)
        flat = [self.flattened(v.name, v.type) for v in results]
        methods = [*self.enums, *self.records, *self.classes, *self.functions]
        return Program(methods, main, flat, inputs, has_open_extents=self.chance(0.6))

    def input_sizes(self) -> list[dict[str, int]]:
        sizes = [{"n": self.random.randrange(1, 5), "m": self.random.randrange(1, 5)} for _ in range(3)]
        return sizes

    def entry_scope(self, parameters: Sequence[tuple[str, Type]], returns: Type | None) -> Scope:
        variables = [Variable(n, t, n not in ("x", "k")) for n, t in parameters]
        sizes = {"2": "2", "3": "3", "n": "3", "m": "2"}
        return Scope(variables, sizes, returns)

    def size_lines(self, scope: Scope, parameters: Sequence[tuple[str, Type]]) -> list[Statement]:
        """Reads the extents of tensor parameters into names of their own."""
        found: list[Statement] = []
        for name, type in parameters:
            for i, d in enumerate(type.dims):
                if d in ("n", "m") and scope.sizes[d] != d:
                    scope.sizes[d] = d
                    found.append(Statement([line(f"{d} = {name}.size({i})")]))
                    scope.variables.append(Variable(d, INT, is_assignable=False))
        return found

    def argument_type(self) -> Type:
        options: list[Type] = [INT, FLOAT, BOOL]
        if self.has("tuples"):
            options.append(tuple_of(INT, FLOAT))
        if self.has("arguments"):
            options += [list_of(INT), list_of(FLOAT)] if self.has("lists") else []
            options += [STR] if self.has("strings") else []
            options += [list_of(STR)] if self.has("strings", "lists") else []
            options += [optional_of(INT)] if self.has("optionals") else []
            options += [self.union_type()] if self.has("unions") else []
            options += [dict_of(self.key_type(), INT)] if self.has("dicts") else []
            options += [list_of(tensor_of("float32", "n"))] if self.has("tensors", "lists") else []
        if self.has("tensors"):
            options += [tensor_of("float32", "n"), tensor_of("bool", "n", "m"), tensor_of("int64", "n", "m")]
        if self.has("tensors", "views"):
            options += [tensor_of("float32", "n", "m"), tensor_of("int64", "m")]
        return self.choose(options)

    def arguments(self, parameters: Sequence[tuple[str, Type]], sizes: dict[str, int]) -> list[Any]:
        return [self.value(t, sizes) for _, t in parameters]

    def share(self, parameters: Sequence[tuple[str, Type]], inputs: list[list[Any]]) -> None:
        """Gives a tensor twice, or as a part of itself, where another of its kind is a parameter."""
        for i, (_, type) in enumerate(parameters):
            for k, (_, other) in enumerate(parameters[:i]):
                if type.kind == "tensor" and (type.name, type.dims) == (other.name, other.dims) and self.chance(0.7):
                    for values in inputs:
                        values[i] = Shared(k)
                    return

    def value(self, type: Type, sizes: dict[str, int]) -> Any:
        """A value of the type for a caller to give."""
        match type.kind:
            case "int":
                return self.choose([0, 1, 2, 3, 5, -1, -4, 7, 100])
            case "float":
                return self.choose([0.0, 0.5, -1.25, 3.0, 1e10, -0.75])
            case "bool":
                return self.chance(0.5)
            case "str":
                return self.choose(WORDS)
            case "list":
                return [self.value(type.parts[0], sizes) for _ in range(self.random.randrange(0, 4))]
            case "tuple":
                return tuple(self.value(p, sizes) for p in type.parts)
            case "dict":
                return {self.value(type.parts[0], sizes): self.value(type.parts[1], sizes) for _ in range(2)}
            case "optional":
                return None if self.chance(0.4) else self.value(type.parts[0], sizes)
            case "union":
                return self.value(self.choose(type.parts), sizes)
            case _:
                shape = [sizes[d] if d in sizes else int(d) for d in type.dims]
                seed = np.random.RandomState(self.random.randrange(2**31))
                numbers = seed.randint(-8, 9, size=shape)
                if type.name == "float32":
                    return (numbers / 4).astype(np.float32)
                return numbers > 0 if type.name == "bool" else numbers.astype(np.int64)

    # definitions

    def record(self) -> ClassDefinition:
        fields = [(f"f{i}", self.scalar_type()) for i in range(self.random.randrange(2, 4))]
        return ClassDefinition(Type("record", name=self.fresh("R")), fields)

    def enum(self) -> ClassDefinition:
        values = ["x", "yy", "z"] if self.has("strings") and self.chance(0.4) else [1, 5, -2]
        return ClassDefinition(Type("enum", name=self.fresh("E")), list(zip(("P", "Q", "S"), values)))

    def script_class(self) -> ClassDefinition:
        type = Type("class", name=self.fresh("C"))
        fields = [("f0", INT), *((f"f{i}", self.field_type()) for i in range(1, self.random.randrange(2, 4)))]
        methods: list[Function] = []
        for _ in range(self.random.randrange(1, 3)):
            parameters = [(self.fresh("p"), self.scalar_type())]
            returns = self.scalar_type()
            scope = self.entry_scope([*((f"self.{n}", t) for n, t in fields), *parameters], returns)
            body = self.body(scope, returns, 3)
            methods.append(Function(self.fresh("g"), parameters, returns, body, is_method=True))
        return ClassDefinition(type, fields, methods, self.has("dataclasses") and self.chance(0.5))

    def field_type(self) -> Type:
        options = [(3.0, self.scalar_type)]
        if self.has("lists"):
            options.append((1.5, lambda: list_of(self.scalar_type())))
        if self.has("optionals"):
            options.append((1.0, lambda: optional_of(self.scalar_type())))
        return self.weighted(options)()

    def helper(self) -> Function:
        parameters = [(self.fresh("p"), self.variable_type()) for _ in range(self.random.randrange(1, 4))]
        # extents have names that only mean something where they are read: no tensors inside others, none that come back
        parameters = [(n, t) for n, t in parameters if not holds_tensors(t) or t.kind == "tensor"] or [("p", INT)]
        returns = self.variable_type()
        if holds_tensors(returns):
            returns = self.scalar_type()
        scope = self.entry_scope(parameters, returns)
        sizes = self.size_lines(scope, parameters)
        body = self.body(scope, returns, 4)
        body.statements[:0] = sizes
        return Function(self.fresh("h"), parameters, returns, body)

    def body(self, scope: Scope, returns: Type, length: int) -> Block:
        statements: list[Statement] = []
        scope.loops += 1  # it may be called in loops: one level less
        for _ in range(self.random.randrange(1, length)):
            statements += self.statement(scope)
        statements.append(Statement([line("return $", self.expression(scope, returns, 2))]))
        return Block(statements)

    def flattened(self, text: str, type: Type) -> Expr:
        """What of a variable is returned: objects cannot be, as the caller does not know their class."""
        match type.kind:
            case "class":
                return self.listed([self.flattened(f"{text}.{n}", t) for n, t in self.definition(type).fields])
            case "enum":
                return Expr(NONE, [f"{text}.name"])
            case "list" | "dict" if holds_objects(type):
                inner = type.parts[-1]
                name = self.fresh("e")
                over = f"{text}.values()" if type.kind == "dict" else text
                return expr(NONE, f"[$ for {name} in {over}]", self.flattened(name, inner))
            case "tuple" if holds_objects(type):
                return self.listed([self.flattened(f"{text}[{i}]", t) for i, t in enumerate(type.parts)])
            case "optional" if holds_objects(type):
                return Expr(NONE, [f"{text} is None"])
            case _:
                return Expr(NONE, [text])

    def listed(self, elements: Sequence[Expr]) -> Expr:
        return expr(NONE, "(" + ", ".join("$" for _ in elements) + ",)", *elements)
