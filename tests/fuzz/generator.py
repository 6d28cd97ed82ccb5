"""Random programs, typed by construction: `generate(seed, features)`.

Every program is accepted by PyTorch, ends after few steps, and means one thing: divisors are never 0 nor -1 where PyTorch would
crash, floats become ints only where they fit, values that depend on the order of a sum (`Type.exact`) decide nothing, and what
may raise is used (PyTorch drops operators whose result nobody needs, with their errors). What may raise does so in few places;
elsewhere it stands behind a condition. Sizes are bounded: loops by constants, containers by conditions before they grow.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
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

FEATURES = (
    "lists", "nested", "tuples", "records", "enums", "strings", "dicts", "objects", "optionals", "tensors", "views",
    "functions", "raises", "prints", "arguments",
)  # fmt: skip
"""What can be switched: `arguments` are lists, dicts, strings and optionals given by the caller; `views` writes in place."""

RATES = {"prints": 0.3, "raises": 0.5, "functions": 0.5}
"""How many of the programs have a feature that is asked for, where that is not 0.7."""

WORDS = ("", "a", "ab", "b,c", "Foo bar", "x1", " y ", "zz-z", "7")
MAX_DEPTH = 3


@dataclass(frozen=True)
class Variable:
    name: str
    type: Type
    is_assignable: bool = True


@dataclass
class Scope:
    """What may be named at a place, and what may be said there."""

    variables: list[Variable]
    sizes: dict[str, str]
    """Extents by symbol: what says them."""
    returns: Type | None
    loop: str = ""
    """'loop' where break may stand, 'unrolled' in a loop over a tuple."""
    depth: int = 0
    loops: int = 0
    can_return: bool = True
    iterates: bool = False
    """Whether a list that may be any is being iterated: none is to become shorter, as PyTorch drops errors that nobody sees."""

    def inner(self, *variables: Variable, loop: str | None = None) -> Scope:
        hidden = {v.name for v in variables}
        known = [v for v in self.variables if v.name not in hidden]
        deeper = self.loops + (loop is not None)
        return Scope(
            [*known, *variables], self.sizes, self.returns, self.loop if loop is None else loop, self.depth + 1, deeper,
            self.can_return, self.iterates,
        )  # fmt: skip


def generate(seed: int, features: Sequence[str] = FEATURES) -> Program:
    return Generator(seed, frozenset(features)).program()


class Generator:
    def __init__(self, seed: int, features: frozenset[str]) -> None:
        self.random = random.Random(seed)
        # each program has some of the features only: otherwise each had a little of everything
        self.features = frozenset(f for f in FEATURES if f in features and self.random.random() < RATES.get(f, 0.7))
        self.count = 0
        self.pure = 0
        """Above 0, expressions have no calls: PyTorch evaluates subscripts of tensors several times."""
        self.functions: list[Function] = []
        self.classes: list[ClassDefinition] = []
        self.records: list[ClassDefinition] = []
        self.enums: list[ClassDefinition] = []

    # choices

    def has(self, *features: str) -> bool:
        return all(f in self.features for f in features)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def choose(self, options: Sequence[Any]) -> Any:
        return options[self.random.randrange(len(options))]

    def weighted(self, options: Sequence[tuple[float, Callable[[], Any]]]) -> Callable[[], Any]:
        return self.random.choices([f for _, f in options], [w for w, _ in options])[0]

    def fresh(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def scalar_type(self) -> Type:
        types = [INT, INT, FLOAT, BOOL]
        if self.has("strings"):
            types += [STR, STR]
        return self.choose(types)

    def key_type(self) -> Type:
        return self.choose([INT, STR, STR] if self.has("strings") else [INT])

    def element_type(self, depth: int = 1) -> Type:
        options = [(4.0, self.scalar_type)]
        if depth and self.has("tuples"):
            options.append((1.0, lambda: self.tuple_type(0)))
        if depth and self.has("nested"):
            options.append((1.5, lambda: list_of(self.element_type(0))))
        if depth and self.has("nested", "dicts"):
            options.append((0.7, lambda: dict_of(self.key_type(), self.element_type(0))))
        if depth and self.has("optionals", "nested"):
            options.append((0.8, lambda: optional_of(self.scalar_type())))
        if depth and self.has("tensors"):
            options.append((1.5, self.tensor_type))
        if depth and self.classes:
            options.append((1.5, lambda: self.choose(self.classes).type))
        if self.records:
            options.append((0.7, lambda: self.choose(self.records).type))
        if self.enums:
            options.append((0.5, lambda: self.choose(self.enums).type))
        return self.weighted(options)()

    def tuple_type(self, depth: int = 1) -> Type:
        return tuple_of(*(self.element_type(depth) for _ in range(self.random.randrange(2, 4))))

    def tensor_type(self) -> Type:
        dtype = self.choose(["float32", "float32", "int64", "int64", "bool"])
        dims = self.choose([("n",), ("n", "m"), ("n", "m"), ("n", "m"), ("m",), ("m",), ("?",), ("?", "m"), (), ("m", "3"), ("n", "m", "2")])
        exact = dtype != "float32" or self.chance(0.8)
        return tensor_of(dtype, *dims, exact=exact)

    def variable_type(self) -> Type:
        options = [(3.0, self.scalar_type)]
        if self.has("lists"):
            options.append((3.0, lambda: list_of(self.element_type())))
        if self.has("dicts"):
            options.append((2.0, lambda: dict_of(self.key_type(), self.element_type())))
        if self.has("tuples"):
            options.append((1.0, self.tuple_type))
        if self.has("tensors"):
            options.append((3.0, self.tensor_type))
        if self.has("optionals"):
            options.append((1.5, self.optional_type))
        if self.classes:
            options.append((2.0, lambda: self.choose(self.classes).type))
        if self.records:
            options.append((1.0, lambda: self.choose(self.records).type))
        if self.enums:
            options.append((0.7, lambda: self.choose(self.enums).type))
        return self.weighted(options)()

    def optional_type(self) -> Type:
        inner = self.element_type()
        return inner if inner.kind == "optional" else optional_of(inner)

    # the program

    def program(self) -> Program:
        if self.has("records"):
            self.records += [self.record() for _ in range(self.random.randrange(1, 3))]
        if self.has("enums"):
            self.enums.append(self.enum())
        if self.has("objects"):
            self.classes += [self.script_class() for _ in range(self.random.randrange(1, 3))]
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
        scope.variables.append(Variable("acc", INT))
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
            options += [dict_of(self.key_type(), INT)] if self.has("dicts") else []
            options += [list_of(tensor_of("float32", "n"))] if self.has("tensors", "lists") else []
        if self.has("tensors"):
            options += [tensor_of("float32", "n"), tensor_of("bool", "n", "m"), tensor_of("int64", "n", "m")]
        return self.choose(options)

    def arguments(self, parameters: Sequence[tuple[str, Type]], sizes: dict[str, int]) -> list[Any]:
        return [self.value(t, sizes) for _, t in parameters]

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
        return ClassDefinition(type, fields, methods)

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
        parameters = [(n, t) for n, t in parameters if not _holds_tensors(t) or t.kind == "tensor"] or [("p", INT)]
        returns = self.variable_type()
        if _holds_tensors(returns):
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

    def definition(self, type: Type) -> ClassDefinition:
        return next(c for c in [*self.classes, *self.records, *self.enums] if c.type == type)

    def flattened(self, text: str, type: Type) -> Expr:
        """What of a variable is returned: objects cannot be, as the caller does not know their class."""
        match type.kind:
            case "class":
                return self.listed([self.flattened(f"{text}.{n}", t) for n, t in self.definition(type).fields])
            case "enum":
                return Expr(NONE, [f"{text}.name"])
            case "list" | "dict" if _holds_objects(type):
                inner = type.parts[-1]
                name = self.fresh("e")
                over = f"{text}.values()" if type.kind == "dict" else text
                return expr(NONE, f"[$ for {name} in {over}]", self.flattened(name, inner))
            case "tuple" if _holds_objects(type):
                return self.listed([self.flattened(f"{text}[{i}]", t) for i, t in enumerate(type.parts)])
            case "optional" if _holds_objects(type):
                return Expr(NONE, [f"{text} is None"])
            case _:
                return Expr(NONE, [text])

    def listed(self, elements: Sequence[Expr]) -> Expr:
        return expr(NONE, "(" + ", ".join("$" for _ in elements) + ",)", *elements)

    # expressions

    def variables(self, scope: Scope, type: Type) -> list[Expr]:
        return [Expr(type, [v.name]) for v in scope.variables if fits(v.type, type)]

    def of_kind(self, scope: Scope, *kinds: str) -> list[Variable]:
        return [v for v in scope.variables if v.type.kind in kinds]

    def expression(self, scope: Scope, type: Type, depth: int = 2) -> Expr:
        known = self.variables(scope, type)
        if known and (depth <= 0 or self.chance(0.4)):
            return self.choose(known)
        if depth > 0 and self.chance(0.08):
            a, b = self.expression(scope, type, depth - 1), self.expression(scope, type, depth - 1)
            return expr(type, "($ if $ else $)", a, self.expression(scope, BOOL, depth - 1), b)
        makers = {
            "int": self.int_, "float": self.float_, "bool": self.bool_, "str": self.str_, "tensor": self.tensor,
            "list": self.list_, "dict": self.dict_, "tuple": self.tuple_, "optional": self.optional,
            "class": self.object, "record": self.record_value, "enum": self.enum_value,
        }  # fmt: skip
        if depth <= 0 and type in (FLOAT, BOOL):
            numbers = [v for v in scope.variables if v.type == INT]
            if numbers and self.chance(0.7):
                form = self.choose(["* 0.5", "/ 4", "- 0.25"] if type == FLOAT else ["> 2", "< 1", "% 2 == 0", "!= 3"])
                return Expr(type, [f"({self.choose(numbers).name} {form})"])
        found = makers[type.kind](scope, type, depth)
        return found if found is not None else self.literal(type, scope)

    def subscript(self, scope: Scope, type: Type, depth: int = 1) -> Expr:
        """An expression to stand in the brackets of a tensor."""
        self.pure += 1
        found = self.expression(scope, type, depth)
        self.pure -= 1
        return found

    def literal(self, type: Type, scope: Scope) -> Expr:
        choose = self.choose
        match type.kind:
            case "int":
                number = choose([0, 1, 2, 3, 5, 7, -1, -3, 10, 100])
                if self.chance(0.03):
                    number = choose([2**31, 2**62, -(2**63) + 1, 2**63 - 1])
                return Expr(type, [f"({number})" if number < 0 else str(number)])
            case "float":
                return Expr(type, [choose(["0.0", "0.5", "1.5", "(-2.25)", "3.0", "100.0", "0.1", "1e-3"])])
            case "bool":
                return Expr(type, [choose(["True", "False"])])
            case "str":
                return Expr(type, [repr(choose(WORDS))])
            case "tensor":
                return self.new_tensor(type, scope)
            case "list":
                return Expr(type, [f"torch.jit.annotate({type.text}, [])"])
            case "dict":
                return Expr(type, [f"torch.jit.annotate({type.text}, {{}})"])
            case "optional":
                return Expr(type, [f"torch.jit.annotate({type.text}, None)"])
            case "tuple":
                return expr(type, "(" + ", ".join("$" for _ in type.parts) + ")", *(self.literal(p, scope) for p in type.parts))
            case "enum":
                return Expr(type, [f"{type.name}.{choose(['P', 'Q', 'S'])}"])
            case _:
                fields = self.definition(type).fields
                arguments = ", ".join("$" for _ in fields)
                return expr(type, f"{type.name}({arguments})", *(self.literal(t, scope) for _, t in fields))

    def parts_of(self, scope: Scope, type: Type, depth: int) -> list[tuple[float, Callable[[], Expr]]]:
        """A value of the type out of what holds such values: elements, fields, results of calls."""
        options: list[tuple[float, Callable[[], Expr]]] = []
        for v in scope.variables:
            options += self.parts_of_variable(scope, v, type, depth)
        calls = [f for f in self.functions if f.returns == type and scope.loops < 3 and not self.pure]
        if calls and depth > 0:
            options.append((2.0, lambda: self.call(scope, self.choose(calls), "", depth)))
        return options

    def parts_of_variable(
        self, scope: Scope, v: Variable, type: Type, depth: int
    ) -> list[tuple[float, Callable[[], Expr]]]:
        options: list[tuple[float, Callable[[], Expr]]] = []
        name, kind, parts = v.name, v.type.kind, v.type.parts
        if kind == "list" and fits(parts[0], type) and depth > 0:
            options.append((1.0, lambda: self.element(scope, name, type, depth)))
        if kind == "dict" and fits(parts[1], type) and depth > 0:
            options.append((1.0, lambda: self.looked_up(scope, v, type, depth)))
        if kind == "tuple":
            options += [(1.0, lambda i=i: Expr(type, [f"{name}[{i}]"])) for i, p in enumerate(parts) if fits(p, type)]
        if kind in ("record", "class"):
            fields = self.definition(v.type).fields
            options += [(1.0, lambda n=n: Expr(type, [f"{name}.{n}"])) for n, t in fields if fits(t, type)]
        if kind == "class" and depth > 0 and scope.loops < 3 and not self.pure:
            methods = [m for m in self.definition(v.type).methods if m.returns == type]
            options += [(1.0, lambda m=m: self.call(scope, m, f"{name}.", depth)) for m in methods]
        if kind == "optional" and fits(parts[0], type) and depth > 0 and "." not in name:
            other = self.expression
            options.append((1.5, lambda: expr(type, f"({name} if {name} is not None else $)", other(scope, type, depth - 1))))
        return options

    def call(self, scope: Scope, function: Function, receiver: str, depth: int) -> Expr:
        arguments = [self.argument(scope, t, depth - 1) for _, t in function.parameters]
        holes = ", ".join("$" for _ in arguments)
        assert function.returns is not None
        return expr(function.returns, f"{receiver}{function.name}({holes})", *arguments)

    def argument(self, scope: Scope, type: Type, depth: int) -> Expr:
        known = self.variables(scope, type)
        return self.choose(known) if known and self.chance(0.6) else self.expression(scope, type, depth)

    def element(self, scope: Scope, name: str, type: Type, depth: int) -> Expr:
        index = self.choose(["0", "-1", f"$ % len({name})", "len(" + name + ") // 2", f"-1 - ($ % len({name}))"])
        operands = [self.expression(scope, INT, depth - 1)] if "$" in index else []
        other = self.expression(scope, type, depth - 1)
        return expr(type, f"({name}[{index}] if len({name}) > 0 else $)", *operands, other)

    def looked_up(self, scope: Scope, v: Variable, type: Type, depth: int) -> Expr:
        key = self.key(scope, v.type.parts[0])
        other = self.expression(scope, type, depth - 1)
        if self.chance(0.4) and type.kind in ("int", "float", "bool", "str"):
            return expr(type, f"{v.name}.get($, $)", key, other)
        return expr(type, f"({v.name}[$] if $ in {v.name} else $)", key, key, other)

    def key(self, scope: Scope, type: Type) -> Expr:
        if type == STR and self.chance(0.6):
            return Expr(STR, [repr(self.choose(WORDS[:4]))])
        if type == INT and self.chance(0.6):
            return expr(INT, "($ % 4)", self.expression(scope, INT, 1))
        return self.expression(scope, type, 0)

    def int_(self, scope: Scope, type: Type, depth: int) -> Expr:
        if depth <= 0:
            return self.literal(INT, scope)
        e = lambda t=INT: self.expression(scope, t, depth - 1)
        options: list[tuple[float, Callable[[], Expr]]] = [
            (1.0, lambda: self.literal(INT, scope)),
            (4.0, lambda: expr(INT, f"($ {self.choose('+-*')} $)", e(), e())),
            (1.0, lambda: expr(INT, f"($ {self.choose(['//', '%'])} {self.choose([2, 3, 7, '(-3)', '(-2)', 10])})", e())),
            (0.7, lambda: expr(INT, f"($ {self.choose(['//', '%'])} ($ % 5 + 6))", e(), e())),
            (0.7, lambda: expr(INT, f"($ {self.choose('&|^')} $)", e(), e())),
            (0.5, lambda: expr(INT, f"($ {self.choose(['<<', '>>'])} ($ & 7))", e(), e())),
            (0.5, lambda: expr(INT, f"{self.choose(['min', 'max'])}($, $)", e(), e())),
            (0.4, lambda: expr(INT, "(-$)", e())),
            (0.4, lambda: expr(INT, "abs($)", e())),
            (0.5, lambda: expr(INT, "int($)", e(BOOL))),
            (0.5, lambda: expr(INT, "to_int($)", e(FLOAT))),
            (0.2, lambda: expr(INT, "math.gcd($, 12)", expr(INT, "($ % 100)", e()))),
            *self.parts_of(scope, INT, depth),
        ]
        for v in scope.variables:
            options += self.int_of(scope, v, depth)
        if self.has("strings"):
            options += [
                (0.5, lambda: expr(INT, "len($)", e(STR))),
                (0.3, lambda: expr(INT, f"$.{self.choose(['find', 'rfind'])}($)", e(STR), e(STR))),
                (0.2, lambda: expr(INT, "ord(($ + 'q')[0])", e(STR))),
                (0.2, lambda: expr(INT, "int(str($))", e(INT))),
                (0.2, lambda: expr(INT, "$.count('a')", e(STR))),
            ]
        return self.weighted(options)()

    def int_of(self, scope: Scope, v: Variable, depth: int) -> list[tuple[float, Callable[[], Expr]]]:
        name = v.name
        match v.type.kind:
            case "list":
                inner = v.type.parts[0]
                options: list[tuple[float, Callable[[], Expr]]] = [(0.7, lambda: Expr(INT, [f"len({name})"]))]
                if inner == INT:
                    options.append((0.5, lambda: Expr(INT, [f"sum({name})"])))
                    form = self.choose(["min", "max"])
                    options.append((0.5, lambda: Expr(INT, [f"({form}({name}) if len({name}) > 0 else 4)"])))
                if inner in (INT, STR):
                    options.append((0.3, lambda: expr(INT, f"{name}.count($)", self.expression(scope, inner, depth - 1))))
                return options
            case "dict":
                return [(0.7, lambda: Expr(INT, [f"len({name})"]))]
            case "tensor" if v.type.dims:
                d = self.random.randrange(len(v.type.dims))
                options = [(0.5, lambda: Expr(INT, [self.choose([f"{name}.size({d})", f"{name}.numel()", f"{name}.dim()"])]))]
                if v.type.name == "int64":
                    options.append((0.7, lambda: Expr(INT, [f"int({name}.sum())"])))
                if v.type.name == "bool":
                    options.append((0.7, lambda: Expr(INT, [f"int({name}.sum())"])))
                return options
            case "tensor" if v.type.name == "int64":
                return [(0.7, lambda: Expr(INT, [f"int({name})"]))]
            case _:
                return []

    def float_(self, scope: Scope, type: Type, depth: int) -> Expr:
        if depth <= 0:
            return self.literal(FLOAT, scope)
        e = lambda t=FLOAT: self.expression(scope, t, depth - 1)
        options: list[tuple[float, Callable[[], Expr]]] = [
            (1.0, lambda: self.literal(FLOAT, scope)),
            (4.0, lambda: expr(FLOAT, f"($ {self.choose(['+', '-', '*', '/'])} $)", e(), e())),
            (1.0, lambda: expr(FLOAT, f"($ {self.choose('+-*')} $)", e(INT), e())),
            (1.0, lambda: expr(FLOAT, "($ / $)", e(INT), e(INT))),
            (0.6, lambda: expr(FLOAT, f"($ {self.choose(['//', '%'])} {self.choose([2.0, '(-1.5)', 7.25])})", e())),
            (0.5, lambda: expr(FLOAT, f"{self.choose(['min', 'max'])}($, {self.choose([0.5, 8.0])})", e())),
            (0.4, lambda: expr(FLOAT, "(-$)", e())),
            (0.4, lambda: expr(FLOAT, "abs($)", e())),
            (0.4, lambda: expr(FLOAT, "math.sqrt(abs($))", e())),
            (0.5, lambda: expr(FLOAT, "float($)", e(self.choose([INT, BOOL])))),
            (0.3, lambda: expr(FLOAT, "round($)", e())),
            (0.3, lambda: expr(FLOAT, "float(math.floor(float(to_int($))))", e())),
            (0.3, lambda: expr(FLOAT, "math.fmod($, 2.5)", e())),
            (0.3, lambda: expr(FLOAT, "math.copysign($, $)", e(), e())),
            (0.3, lambda: expr(FLOAT, "($ ** 2)", e(self.choose([INT, FLOAT])))),
            *self.parts_of(scope, FLOAT, depth),
        ]
        for v in scope.variables:
            if v.type == list_of(FLOAT):
                options.append((0.5, lambda v=v: Expr(FLOAT, [f"sum({v.name})"])))
            if v.type == tensor_of("float32") and v.type.exact:
                options.append((0.7, lambda v=v: Expr(FLOAT, [f"float({v.name})"])))
        return self.weighted(options)()

    def bool_(self, scope: Scope, type: Type, depth: int) -> Expr:
        if depth <= 0:
            return self.literal(BOOL, scope)
        e = lambda t=BOOL: self.expression(scope, t, depth - 1)
        order = lambda: self.choose(["<", "<=", ">", ">=", "==", "!="])
        options: list[tuple[float, Callable[[], Expr]]] = [
            (0.3, lambda: self.literal(BOOL, scope)),
            (4.0, lambda: expr(BOOL, f"($ {order()} $)", e(INT), e(INT))),
            (1.0, lambda: expr(BOOL, f"($ {order()} $)", e(FLOAT), e(FLOAT))),
            (0.5, lambda: expr(BOOL, f"($ {order()} $)", e(INT), e(FLOAT))),
            (0.5, lambda: expr(BOOL, f"($ {order()} $ {order()} $)", e(INT), e(INT), e(INT))),
            (1.5, lambda: expr(BOOL, f"($ {self.choose(['and', 'or'])} $)", e(), e())),
            (0.7, lambda: expr(BOOL, "(not $)", e())),
            (0.3, lambda: expr(BOOL, "bool($)", e(INT))),
            *self.parts_of(scope, BOOL, depth),
        ]
        if self.has("strings"):
            options += [
                (0.7, lambda: expr(BOOL, f"($ {order()} $)", e(STR), e(STR))),
                (0.5, lambda: expr(BOOL, "($ in $)", e(STR), e(STR))),
                (0.3, lambda: expr(BOOL, f"$.{self.choose(['startswith', 'endswith'])}($)", e(STR), e(STR))),
                (0.3, lambda: expr(BOOL, f"$.{self.choose(['isdigit', 'isalpha', 'isupper', 'islower', 'isspace'])}()", e(STR))),
            ]
        for v in scope.variables:
            match v.type.kind:
                case "list" if v.type.parts[0] in (INT, STR):
                    inner = v.type.parts[0]
                    options.append((0.5, lambda v=v, t=inner: expr(BOOL, f"($ in {v.name})", e(t))))
                    options.append((0.3, lambda v=v: expr(BOOL, f"({v.name} == $)", e(v.type))))
                case "dict":
                    key = v.type.parts[0]
                    options.append((0.6, lambda v=v, t=key: expr(BOOL, f"($ in {v.name})", self.key(scope, t))))
                case "optional":
                    options.append((0.6, lambda v=v: Expr(BOOL, [f"({v.name} is {self.choose(['', 'not '])}None)"])))
                case "enum":
                    options.append((0.8, lambda v=v: expr(BOOL, f"({v.name} == $)", e(v.type))))
                case "tensor" if not v.type.dims and v.type.exact:
                    right = {"bool": "", "int64": " > 2", "float32": " <= 0.5"}[v.type.name]
                    options.append((0.5, lambda v=v, r=right: Expr(BOOL, [f"bool({v.name}{r})"])))
                case "tensor" if v.type.name == "bool":
                    options.append((0.5, lambda v=v: Expr(BOOL, [f"bool({v.name}.{self.choose(['any', 'all'])}())"])))
        return self.weighted(options)()

    def str_(self, scope: Scope, type: Type, depth: int) -> Expr:
        if depth <= 0 or not self.has("strings"):
            return self.literal(STR, scope)
        e = lambda t=STR: self.expression(scope, t, depth - 1)
        shown = lambda: e(self.choose([INT, INT, FLOAT, BOOL, STR]))
        methods = ["upper()", "lower()", "strip()", "capitalize()", "title()", "swapcase()", "lstrip()", "rstrip()"]
        bounds = ["1:", ":2", "-2:", ":-1", "::-1", "::2", "1:3"]
        options: list[tuple[float, Callable[[], Expr]]] = [
            (1.0, lambda: self.literal(STR, scope)),
            (1.5, lambda: expr(STR, "($ + $)[:24]", e(), e())),
            (1.0, lambda: expr(STR, f"$.{self.choose(methods)}", e())),
            (1.0, lambda: expr(STR, f"$[{self.choose(bounds)}]", e())),
            (0.7, lambda: expr(STR, "$[$:$]", e(), e(INT), e(INT))),
            (0.5, lambda: expr(STR, f"$.{self.choose(['partition', 'rpartition'])}($)[{self.choose([0, 2])}]", e(), Expr(STR, [repr(self.choose(WORDS[1:4]))]))),
            (0.3, lambda: expr(STR, f"$.{self.choose(['strip', 'lstrip', 'rstrip'])}($)", e(), e())),
            (0.3, lambda: expr(STR, f"{self.choose(['hex', 'bin', 'oct'])}($)", e(INT))),
            (1.0, lambda: expr(STR, "str($)", shown())),
            (0.7, lambda: expr(STR, "f'{$}:{$}'", self.unquoted(scope), self.unquoted(scope))),
            (0.7, lambda: expr(STR, "'{}-{}'.format($, $)", shown(), shown())),
            (0.4, lambda: expr(STR, "('%d %s' % ($, $))", e(INT), e())),
            (0.5, lambda: expr(STR, "$.replace($, $)[:24]", e(), Expr(STR, [repr(self.choose(WORDS[1:4]))]), self.literal(STR, scope))),
            (0.3, lambda: expr(STR, f"$.{self.choose(['ljust', 'rjust', 'center', 'zfill'])}(5)", e())),
            (0.3, lambda: expr(STR, "chr(97 + $ % 26)", e(INT))),
            *self.parts_of(scope, STR, depth),
        ]
        for v in scope.variables:
            if v.type == list_of(STR):
                options.append((1.0, lambda v=v: Expr(STR, [f"{self.choose(WORDS)!r}.join({v.name})[:24]"])))
            if v.type.kind == "enum":
                options.append((0.6, lambda v=v: Expr(STR, [f"{v.name}.name"])))
        return self.weighted(options)()

    def unquoted(self, scope: Scope) -> Expr:
        """Something to stand in an f-string."""
        known = [v for v in scope.variables if v.type.kind in ("int", "bool", "str")]
        if known:
            v = self.choose(known)
            return Expr(v.type, [v.name])
        return Expr(INT, ["7"])

    def list_(self, scope: Scope, type: Type, depth: int) -> Expr:
        inner = type.parts[0]
        if depth <= 0:
            return self.literal(type, scope)
        e = lambda t=inner: self.expression(scope, t, depth - 1)
        bounds = ["1:", ":2", "-2:", ":-1", "::2", "1:3", "::-1", ":"]
        count = self.random.randrange(1, 4)
        same = [v for v in scope.variables if v.type == type]
        options: list[tuple[float, Callable[[], Expr]]] = [
            (3.0, lambda: self.display(scope, type, depth)),
            # PyTorch infers the type of elements from the first
            (1.0 if inner.kind != "optional" else 0.0, lambda: self.comprehension(scope, type, depth)),
            *self.parts_of(scope, type, depth),
        ]
        if same:
            some = lambda: self.expression(scope, INT, 1)
            options += [
                (0.6, lambda: expr(type, f"{self.choose(same).name}[$:$]", some(), some())),
                (0.3, lambda: expr(type, f"{self.choose(same).name}[{self.choose(['$:', ':$', '$::2', ':$:-1'])}]", some())),
                (1.0, lambda: expr(type, f"{self.choose(same).name}[{self.choose(bounds)}]")),
                (0.7, lambda: expr(type, f"({self.choose(same).name} + $)[:10]", e(type))),
                (0.4, lambda: expr(type, f"{self.choose(same).name}.copy()")),
                (0.3, lambda: expr(type, f"list({self.choose(same).name})")),
            ]
            if inner in (INT, STR, BOOL):
                options.append((0.5, lambda: expr(type, f"sorted({self.choose(same).name})")))
            if inner.kind in ("int", "float", "bool", "str"):
                options.append((0.4, lambda: expr(type, f"[$] * {count}", e())))
        if inner == INT:
            options.append((0.7, lambda: expr(type, "list(range($ % 5))", self.expression(scope, INT, depth - 1))))
            options += [
                (0.5, lambda v=v: Expr(type, [f"{v.name}.{self.choose(['size()', 'shape'])}"])) for v in self.of_kind(scope, "tensor")
            ]
        if inner == STR:
            options.append((0.7, lambda: expr(type, f"$.split({self.choose(['', repr(','), repr('a')])})", self.expression(scope, STR, depth - 1))))
            options.append((0.4, lambda: expr(type, "list($)", self.expression(scope, STR, depth - 1))))
        for v in self.of_kind(scope, "dict"):
            if v.type.parts[0] == inner:
                options.append((0.8, lambda v=v: Expr(type, [f"{self.choose(['list($)', '$.keys()']).replace('$', v.name)}"])))
            if v.type.parts[1] == inner:
                options.append((0.6, lambda v=v: Expr(type, [f"{v.name}.values()"])))
        return self.weighted(options)()

    def display(self, scope: Scope, type: Type, depth: int) -> Expr:
        elements = [self.expression(scope, type.parts[0], depth - 1) for _ in range(self.random.randrange(1, 4))]
        inner = ", ".join("$" for _ in elements)
        if type.parts[0].kind == "optional":
            return expr(type, f"torch.jit.annotate({type.text}, [{inner}])", *elements)
        return expr(type, f"[{inner}]", *elements)

    def comprehension(self, scope: Scope, type: Type, depth: int) -> Expr:
        name = self.fresh("e")
        lists = [v for v in scope.variables if v.type.kind == "list"]
        if lists and self.chance(0.6):
            over = self.choose(lists)
            inner = scope.inner(Variable(name, over.type.parts[0], is_assignable=False))
            return expr(type, f"[$ for {name} in {over.name}]", self.expression(inner, type.parts[0], depth - 1))
        inner = scope.inner(Variable(name, INT, is_assignable=False))
        limit = self.expression(scope, INT, 0)  # see `iteration`
        return expr(type, f"[$ for {name} in range($ % 4)]", self.expression(inner, type.parts[0], depth - 1), limit)

    def dict_(self, scope: Scope, type: Type, depth: int) -> Expr:
        if depth <= 0:
            return self.literal(type, scope)
        key, value = type.parts
        same = [v for v in scope.variables if v.type == type]
        options: list[tuple[float, Callable[[], Expr]]] = [(2.0, lambda: self.entries(scope, type, depth)), *self.parts_of(scope, type, depth)]
        if same:
            options.append((0.7, lambda: Expr(type, [f"{self.choose(same).name}.copy()"])))
        for v in self.of_kind(scope, "list"):
            if v.type.parts[0] == key and value.kind != "optional":
                name = self.fresh("e")
                inner = scope.inner(Variable(name, key, is_assignable=False))
                options.append(
                    (0.6, lambda v=v, name=name, inner=inner: expr(type, f"{{{name}: $ for {name} in {v.name}}}", self.expression(inner, value, depth - 1)))
                )
        return self.weighted(options)()

    def entries(self, scope: Scope, type: Type, depth: int) -> Expr:
        key, value = type.parts
        found = [(self.key(scope, key), self.expression(scope, value, depth - 1)) for _ in range(self.random.randrange(1, 4))]
        display = "{" + ", ".join("$: $" for _ in found) + "}"
        operands = [e for pair in found for e in pair]
        return expr(type, f"torch.jit.annotate({type.text}, {display})" if value.kind == "optional" else display, *operands)

    def tuple_(self, scope: Scope, type: Type, depth: int) -> Expr:
        if depth <= 0:
            return self.literal(type, scope)
        parts = [self.expression(scope, p, depth - 1) for p in type.parts]
        made = lambda: expr(type, "(" + ", ".join("$" for _ in parts) + ")", *parts)
        return self.weighted([(3.0, made), *self.parts_of(scope, type, depth)])()

    def optional(self, scope: Scope, type: Type, depth: int) -> Expr:
        if depth <= 0:
            return self.literal(type, scope)
        inner = type.parts[0]
        options: list[tuple[float, Callable[[], Expr]]] = [
            (1.0, lambda: self.literal(type, scope)),
            (2.0, lambda: expr(type, f"torch.jit.annotate({type.text}, $)", self.expression(scope, inner, depth - 1))),
            (1.0, lambda: self.maybe(scope, type, depth)),
            *self.parts_of(scope, type, depth),
        ]
        for v in self.of_kind(scope, "dict"):
            if v.type.parts[1] == inner and inner.kind != "optional":
                options.append((1.5, lambda v=v: expr(type, f"{v.name}.get($)", self.key(scope, v.type.parts[0]))))
        return self.weighted(options)()

    def maybe(self, scope: Scope, type: Type, depth: int) -> Expr:
        value, condition = self.expression(scope, type.parts[0], depth - 1), self.expression(scope, BOOL, depth - 1)
        return expr(type, f"torch.jit.annotate({type.text}, $ if $ else None)", value, condition)

    def object(self, scope: Scope, type: Type, depth: int) -> Expr:
        made = lambda: self.constructed(scope, type, depth)
        return self.weighted([(2.0, made), *self.parts_of(scope, type, depth)])()

    def constructed(self, scope: Scope, type: Type, depth: int) -> Expr:
        fields = [self.expression(scope, t, depth - 1) for _, t in self.definition(type).fields]
        return expr(type, f"{type.name}(" + ", ".join("$" for _ in fields) + ")", *fields)

    def record_value(self, scope: Scope, type: Type, depth: int) -> Expr:
        return self.object(scope, type, depth)

    def enum_value(self, scope: Scope, type: Type, depth: int) -> Expr:
        made = lambda: self.literal(type, scope)
        if depth <= 0:
            return made()
        chosen = lambda: expr(type, "($ if $ else $)", made(), self.expression(scope, BOOL, depth - 1), made())
        return self.weighted([(1.0, made), (1.5, chosen), *self.parts_of(scope, type, depth)])()

    # tensors

    def new_tensor(self, type: Type, scope: Scope) -> Expr:
        sizes = ", ".join(scope.sizes[d] if d != "?" else str(self.random.randrange(0, 3)) for d in type.dims)
        dtype = f"dtype=torch.{type.name}"
        if not type.dims:
            value = {"float32": "1.5", "int64": "3", "bool": "True"}[type.name]
            return Expr(type, [f"torch.tensor({value}, {dtype})"])
        if len(type.dims) == 1 and type.name == "int64" and self.chance(0.5):
            return Expr(type, [f"torch.arange({sizes})"])
        if type.name == "bool":
            return Expr(type, [f"torch.{self.choose(['zeros', 'ones'])}([{sizes}], {dtype})"])
        return Expr(type, [f"torch.full([{sizes}], {self.choose([0, 1, -2, 3])}, {dtype})"])

    def tensor(self, scope: Scope, type: Type, depth: int) -> Expr:
        known = self.variables(scope, type)
        if depth <= 0:
            return self.choose(known) if known else self.new_tensor(type, scope)
        options: list[tuple[float, Callable[[], Expr]]] = [(0.5, lambda: self.new_tensor(type, scope)), *self.parts_of(scope, type, depth)]
        options += self.views_of(scope, type)
        if "?" in type.dims:
            options += self.of_open_extent(scope, type, known, depth)
        else:
            options += self.elementwise(scope, type, depth)
            options += self.reductions(scope, type)
        return self.weighted(options)()

    def elementwise(self, scope: Scope, type: Type, depth: int) -> list[tuple[float, Callable[[], Expr]]]:
        e = lambda t=type: self.expression(scope, t, depth - 1)
        same = lambda dtype: tensor_of(dtype, *type.dims)
        options: list[tuple[float, Callable[[], Expr]]] = [
            (0.7, lambda: expr(type, "torch.where($, $, $)", e(same("bool")), e(), e())),
        ]
        if len(type.dims) > 1:
            row = tensor_of(type.name, *type.dims[1:], exact=type.exact)
            if type.name != "bool":
                options.append((1.0, lambda: expr(type, f"($ {self.choose('+-')} $)", e(), self.expression(scope, row, depth - 1))))
        if type.name == "bool":
            order = self.choose(["<", "<=", ">", ">=", "==", "!="])
            return [
                *options,
                (1.5, lambda: expr(type, f"($ {order} $)", e(same("int64")), e(same("int64")))),
                (1.5, lambda: expr(type, f"($ {order} {self.choose([0, 1, -1])})", e(same(self.choose(["int64", "float32"]))))),
                (0.7, lambda: expr(type, f"($ {self.choose('&|^')} $)", e(), e())),
                (0.7, lambda: expr(type, "(~$)", e())),
            ]
        number = self.choose([2, 3, -1, 5] if type.name == "int64" else [2, -1, 0.5, 0.25])
        options += [
            (2.0, lambda: expr(type, f"($ {self.choose('+-')} $)", e(), e())),
            (1.0, lambda: expr(type, "torch.clamp($ * $, -64, 64)", e(), e())),
            (1.0, lambda: expr(type, f"($ {self.choose('+-*')} {number})", e())),
            (0.5, lambda: expr(type, f"({number} - $)", e())),
            (0.5, lambda: expr(type, f"torch.{self.choose(['minimum', 'maximum'])}($, $)", e(), e())),
            (0.5, lambda: expr(type, f"{self.choose(['torch.abs', 'torch.neg', 'torch.relu', 'torch.sign'])}($)", e())),
            (0.4, lambda: expr(type, f"torch.clamp($, {self.choose([-4, 0])}, {self.choose([3, 8])})", e())),
        ]
        if type.name == "int64":
            options += [
                (0.5, lambda: expr(type, f"($ {self.choose(['//', '%'])} {self.choose([3, '(-2)', 4])})", e())),
                (0.5, lambda: expr(type, "($ + ($ % 100))", e(), self.expression(scope, INT, depth - 1))),
                (0.4, lambda: expr(type, "$.to(torch.int64)", e(same("bool")))),
                (0.3, lambda: expr(type, "torch.clamp($, -99, 99).to(torch.int64)", e(same("float32")))),
            ]
        else:
            options += [
                (0.4, lambda: expr(type, "torch.clamp($, -64, 64).to(torch.float32)", e(same("int64")))),
                (0.3, lambda: expr(type, f"torch.{self.choose(['floor', 'ceil', 'trunc'])}($)", e(same("float32")))),
            ]
            if not type.exact:
                exact = tensor_of("float32", *type.dims)
                options += [
                    (2.0, lambda: expr(type, f"torch.{self.choose(['tanh', 'sigmoid', 'exp', 'cos'])}(torch.clamp($, -4, 4))", e(exact))),
                    (0.5, lambda: expr(type, "($ * 0.5)", e())),
                ]
                if type.dims:
                    options.append((1.0, lambda: expr(type, "torch.softmax(torch.clamp($, -8, 8), -1)", e(exact))))
        return options

    def reductions(self, scope: Scope, type: Type) -> list[tuple[float, Callable[[], Expr]]]:
        options: list[tuple[float, Callable[[], Expr]]] = []
        for v in self.of_kind(scope, "tensor"):
            if v.type.name not in (type.name, "bool") or not v.type.exact or type.name == "bool":
                continue
            term = {"float32": f"torch.round(torch.clamp({v.name}, -64, 64))", "int64": v.name, "bool": v.name}[v.type.name]
            if v.type.name == "bool" and type.name == "float32":
                continue
            for i in range(len(v.type.dims)):
                if (*v.type.dims[:i], *v.type.dims[i + 1 :]) == type.dims:
                    options.append((1.0, lambda t=term, i=i: Expr(type, [f"{t}.sum({i})"])))
                    if v.type.dims[i] != "?" and v.type.name != "bool":
                        options.append((0.5, lambda v=v, i=i: Expr(type, [f"{v.name}.{self.choose(['amax', 'amin'])}({i})"])))
                    if v.type.dims[i] != "?" and not type.exact:
                        options.append((1.0, lambda v=v, i=i: Expr(type, [f"torch.clamp({v.name}, -64, 64).mean({i})"])))
            if not type.dims and v.type.dims:
                options.append((1.0, lambda t=term: Expr(type, [f"{t}.sum()"])))
        return options

    def views_of(self, scope: Scope, type: Type) -> list[tuple[float, Callable[[], Expr]]]:
        """Views of variables: what shares their memory."""
        options: list[tuple[float, Callable[[], Expr]]] = []
        for v in self.of_kind(scope, "tensor"):
            dims = v.type.dims
            if v.type.name != type.name or (type.exact and not v.type.exact) or not dims:
                continue
            for i, d in enumerate(dims):
                if len(dims) == len(type.dims) and type.dims == (*dims[:i], "?", *dims[i + 1 :]) and self.chance(0.5):
                    start, end = self.subscript(scope, INT), self.subscript(scope, INT)
                    at = ", ".join([":"] * i + [self.choose(["$ % 3:$ % 4", "$ % 3:$ % 4:2"])])
                    options.append((0.7, lambda v=v, at=at, s=start, e=end: expr(type, f"{v.name}[{at}]", s, e)))
                if (*dims[:i], *dims[i + 1 :]) == type.dims and d != "?":
                    index = self.subscript(scope, INT)
                    at = self.choose([f"$ % {scope.sizes[d]}", "0", "-1"])
                    used = [index] if "$" in at else []
                    form = f"{v.name}[{', '.join([':'] * i + [at])}]" if self.chance(0.7) else f"{v.name}.select({i}, {at})"
                    options.append((1.0, lambda f=form, u=used: expr(type, f, *u)))
                    if self.chance(0.3) and d not in "23":
                        options.append((0.6, lambda v=v, i=i: Expr(type, [f"{v.name}.narrow({i}, 0, 1).squeeze({i})"])))
            if len(dims) == 2 and dims[::-1] == type.dims:
                options.append((1.0, lambda v=v: Expr(type, [self.choose([f"{v.name}.t()", f"{v.name}.transpose(0, 1)"])])))
            if len(dims) > 1 and type.dims == ("?",):
                options.append((0.7, lambda v=v: Expr(type, [self.choose([f"{v.name}.reshape(-1)", f"{v.name}.flatten()"])])))
            if type.dims and type.dims[0] == "?" and dims[1:] == type.dims[1:]:
                bounds = self.choose(["1:", ":2", "-2:", ":-1", "::2", ":", "1:3"])
                options.append((1.0, lambda v=v, b=bounds: Expr(type, [f"{v.name}[{b}]"])))
        return options

    def of_open_extent(
        self, scope: Scope, type: Type, known: Sequence[Expr], depth: int
    ) -> list[tuple[float, Callable[[], Expr]]]:
        options: list[tuple[float, Callable[[], Expr]]] = []
        full = [v for v in scope.variables if v.type.kind == "tensor" and v.type.name == type.name and v.type.dims[1:] == type.dims[1:]
                and v.type.dims and (v.type.exact or not type.exact)]  # fmt: skip
        if full:
            options.append((1.0, lambda: self.catenated(type, full)))
            for v in full:
                if v.type.dims[0] == "?":
                    continue
                mask = tensor_of("bool", v.type.dims[0])
                options.append((1.0, lambda v=v, m=mask: expr(type, f"{v.name}[$]", self.subscript(scope, m, depth - 1))))
                picked = tensor_of("int64", self.choose(["m", "2"]))
                at = lambda v=v, p=picked: expr(INT, f"$ % {scope.sizes[v.type.dims[0]]}", self.subscript(scope, p, depth - 1))
                options.append((0.7, lambda v=v, at=at: expr(type, f"{v.name}[$]", at())))
        if known and type.name != "bool":
            a = self.choose(known)
            options.append((1.5, lambda: expr(type, self.choose(["($ * 2)", "($ + 1)", "(-$)", "torch.clamp($, -8, 8)"]), a)))
            options.append((0.7, lambda: expr(type, "($ + $)", a, a)))
        if known and type.name == "bool":
            options.append((1.0, lambda: expr(type, "(~$)", self.choose(known))))
        if type.name == "int64" and type.dims == ("?",):
            options.append((1.0, lambda: expr(type, "torch.arange($ % 5)", self.expression(scope, INT, depth - 1))))
        return options

    def catenated(self, type: Type, known: Sequence[Variable]) -> Expr:
        a, b = self.choose(known), self.choose(known)
        return Expr(type, [f"torch.cat([{a.name}, {b.name}])[:8]"])

    # statements

    def block(self, scope: Scope, length: int = 3) -> Block:
        statements: list[Statement] = []
        for _ in range(self.random.randrange(1, length + 1)):
            statements += self.statement(scope)
        return Block(statements)

    def declaration(self, scope: Scope, type: Type) -> Statement:
        name = self.fresh("v")
        value = self.expression(scope, type, 2)
        scope.variables.append(Variable(name, type))
        return Statement([line(f"{name}: {type.text} = $", value)])

    def statement(self, scope: Scope) -> list[Statement]:
        nested = scope.depth < MAX_DEPTH
        loops = nested and scope.loops < 2
        options: list[tuple[float, Callable[[], list[Statement]]]] = [
            (2.0, lambda: [self.declaration(scope, self.variable_type())]),
            (4.0, lambda: self.assignment(scope)),
            (2.0, lambda: self.augmented(scope)),
            (3.0 if nested else 0.0, lambda: [self.if_(scope)]),
            (1.0 if nested else 0.0, lambda: [self.branch_definition(scope)]),
            (4.0 if loops else 0.0, lambda: [self.for_(scope)]),
            (1.5 if loops else 0.0, lambda: [self.while_(scope)]),
            (0.7, lambda: self.exit(scope)),
            (0.5, lambda: self.pinned(scope)),
        ]
        if self.has("lists"):
            options.append((4.0, lambda: self.on_list(scope)))
        if self.has("dicts"):
            options.append((3.0, lambda: self.on_dict(scope)))
        if self.classes:
            options.append((3.0, lambda: self.on_object(scope)))
        if self.has("tensors", "views"):
            options.append((4.0, lambda: self.on_tensor(scope)))
        if self.has("optionals") and nested:
            options.append((2.5, lambda: self.refined(scope)))
        if self.has("raises"):
            options.append((0.8, lambda: self.failing(scope)))
        if self.has("prints"):
            options.append((0.8, lambda: self.printed(scope)))
        if self.functions and scope.loops < 3:
            options.append((0.7, lambda: self.called(scope)))
        return self.weighted(options)() or [self.declaration(scope, INT)]

    def assignable(self, scope: Scope, *kinds: str) -> list[Variable]:
        return [v for v in scope.variables if v.is_assignable and (not kinds or v.type.kind in kinds)]

    def assignment(self, scope: Scope) -> list[Statement]:
        known = self.assignable(scope)
        if not known:
            return []
        v = self.choose(known)
        if self.has("tuples") and self.chance(0.1):
            other = self.choose(known)
            if other.name != v.name:
                a, b = self.expression(scope, v.type, 1), self.expression(scope, other.type, 1)
                return [Statement([line(f"{v.name}, {other.name} = $, $", a, b)])]
        return [Statement([line(f"{v.name} = $", self.expression(scope, v.type))])]

    def augmented(self, scope: Scope) -> list[Statement]:
        known = self.assignable(scope, "int", "float", "str", "list")
        if not known:
            return []
        v = self.choose(known)
        value = self.expression(scope, v.type, 1)
        match v.type.kind:
            case "int":
                return [Statement([line(f"{v.name} {self.choose(['+=', '-=', '*=', '+=', '&=', '|=', '^='])} $", value)])]
            case "float":
                return [Statement([line(f"{v.name} {self.choose(['+=', '-=', '*=', '/='])} $", value)])]
            case "str":
                return [self.guarded(f"len({v.name}) < 20", line(f"{v.name} += $", value))]
            case _:
                return [self.guarded(f"len({v.name}) < 8", line(f"{v.name} += ($)[:]", value))]  # PyTorch crashes where a list grows by itself

    def guarded(self, condition: str, *lines: Line) -> Statement:
        return Statement([line("if $:", Expr(BOOL, [condition])), Block([Statement([item]) for item in lines])])

    def if_(self, scope: Scope) -> Statement:
        items: list[Line | Block] = [line("if $:", self.expression(scope, BOOL)), self.block(scope.inner())]
        if self.chance(0.25):
            items += [line("elif $:", self.expression(scope, BOOL)), self.block(scope.inner(), 2)]
        if self.chance(0.5):
            items += [line("else:"), self.block(scope.inner(), 2)]
        return Statement(items)

    def branch_definition(self, scope: Scope) -> Statement:
        """A variable that both branches define."""
        type = self.variable_type()
        name = self.fresh("v")
        condition = self.expression(scope, BOOL)
        sides = [Statement([line(f"{name} = $", self.typed(self.expression(scope, type, 2)))]) for _ in range(2)]
        scope.variables.append(Variable(name, type))
        return Statement([line("if $:", condition), Block([sides[0]]), line("else:"), Block([sides[1]])])

    def typed(self, value: Expr) -> Expr:
        if value.type.kind == "optional":
            return expr(value.type, f"torch.jit.annotate({value.type.text}, $)", value)
        return value

    def for_(self, scope: Scope) -> Statement:
        name = self.fresh("i")
        direct = self.chance(0.5) and not self.functions and not self.classes
        header, variables, loop = self.iteration(scope, name, "" if direct else "[:]")
        inner = scope.inner(*variables, loop=loop)
        inner.iterates = inner.iterates or direct
        return Statement([header, self.block(inner)])

    def iteration(self, scope: Scope, name: str, part: str) -> tuple[Line, list[Variable], str]:
        """Header of a loop, what it defines, and its kind; of lists, `part` is iterated. No calls stand in it: PyTorch evaluates it twice."""
        fixed = lambda n, t: Variable(n, t, is_assignable=False)
        options: list[tuple[float, Callable[[], tuple[Line, list[Variable], str]]]] = [
            (2.0, lambda: (line(f"for {name} in range($ % 5):", self.expression(scope, INT, 0)), [fixed(name, INT)], "loop")),
            (1.0, lambda: (line(f"for {name} in range({self.random.randrange(1, 5)}):"), [fixed(name, INT)], "loop")),
            (0.5, lambda: (line(f"for {name} in range($ % 4 + 2, -2, -2):", self.expression(scope, INT, 0)), [fixed(name, INT)], "loop")),
        ]
        lists = self.of_kind(scope, "list")
        other = self.fresh("j")
        for v in lists:
            t = v.type.parts[0]
            options.append((1.0, lambda v=v, t=t: (line(f"for {name} in {v.name}{part}:"), [fixed(name, t)], "loop")))
            options.append((0.5, lambda v=v, t=t: (line(f"for {other}, {name} in enumerate({v.name}{part}):"), [fixed(other, INT), fixed(name, t)], "loop")))
            w = self.choose(lists)
            s = w.type.parts[0]
            options.append((0.5, lambda v=v, w=w, t=t, s=s: (line(f"for {name}, {other} in zip({v.name}{part}, {w.name}{part}):"), [fixed(name, t), fixed(other, s)], "loop")))
        for v in self.of_kind(scope, "str"):
            options.append((0.7, lambda v=v: (line(f"for {name} in {v.name}:"), [fixed(name, STR)], "loop")))
        for v in self.of_kind(scope, "dict"):
            k, t = v.type.parts
            options.append((0.7, lambda v=v, k=k: (line(f"for {name} in {v.name}:"), [fixed(name, k)], "loop")))
            options.append((1.0, lambda v=v, k=k, t=t: (line(f"for {name}, {other} in {v.name}.items():"), [fixed(name, k), fixed(other, t)], "loop")))
        for v in self.of_kind(scope, "tuple"):
            if len({p.text for p in v.type.parts}) == 1 and len(set(v.type.parts)) == 1:
                t = v.type.parts[0]
                options.append((0.5, lambda v=v, t=t: (line(f"for {name} in {v.name}:"), [fixed(name, t)], "unrolled")))
        for v in self.of_kind(scope, "tensor"):
            if v.type.dims:
                t = tensor_of(v.type.name, *v.type.dims[1:], exact=v.type.exact)
                options.append((0.5, lambda v=v, t=t: (line(f"for {name} in {v.name}:"), [fixed(name, t)], "loop")))
        return self.weighted(options)()

    def while_(self, scope: Scope) -> Statement:
        name = self.fresh("w")
        limit = self.random.randrange(2, 7)
        condition = self.expression(scope, BOOL, 1)
        head = line(f"while {name} < {limit} and $:", condition) if self.chance(0.6) else line(f"while {name} < {limit}:")
        inner = scope.inner(Variable(name, INT, is_assignable=False), loop="loop")
        body = self.block(inner)
        count = Line([f"    {name} += 1"])  # of the header, so that no cut makes the loop endless
        return Statement([line(f"{name} = 0"), head, count, body])

    def exit(self, scope: Scope) -> list[Statement]:
        words = []
        if scope.loop == "loop":
            words += ["break", "continue", "break", "continue"]
        if scope.can_return and scope.depth > 0:
            words.append("return")
        if not words:
            return []
        word = self.choose(words)
        if word != "return":
            leave = line(word)
        elif scope.returns is None:
            leave = Line([])
        else:
            leave = line("return $", self.expression(scope, scope.returns, 1))
        return [Statement([line("if $:", self.expression(scope, BOOL, 1)), Block([Statement([leave])])])]

    def pinned(self, scope: Scope) -> list[Statement]:
        """Something that may raise; its value is used."""
        if not any(v.name == "acc" for v in scope.variables) or not self.has("raises"):
            return []
        options = []
        for v in scope.variables:
            if v.type == list_of(INT):
                options += [f"{v.name}[$]", f"{v.name}.index($)", *([] if scope.iterates else [f"{v.name}.pop()"])]
            if v.type.kind == "dict" and v.type.parts[1] == INT and v.type.parts[0] == INT:
                options += [f"{v.name}[$]"]
        options += ["100 // max($, 0)"] if self.chance(0.2) else []
        if not options:
            return []
        form = self.choose(options)
        return [Statement([line(f"acc = acc * 3 + {form}", *([self.expression(scope, INT, 1)] if "$" in form else []))])]

    def failing(self, scope: Scope) -> list[Statement]:
        condition = self.expression(scope, BOOL, 1)
        error = self.choose(["ValueError", "RuntimeError", "IndexError"])
        if self.chance(0.5):
            return [Statement([line("assert $, 'no'", expr(BOOL, "(not $)", condition))])]
        return [Statement([line("if $:", condition), Block([Statement([line(f"raise {error}('bad')")])])])]

    def printed(self, scope: Scope) -> list[Statement]:
        types = [INT, BOOL, FLOAT, *([STR] if self.has("strings") else [])]
        values = [self.expression(scope, self.choose(types), 1) for _ in range(self.random.randrange(1, 4))]
        return [Statement([line("print(" + ", ".join("$" for _ in values) + ")", *values)])]

    def called(self, scope: Scope) -> list[Statement]:
        function = self.choose(self.functions)
        assert function.returns is not None
        name = self.fresh("v")
        value = self.call(scope, function, "", 2)
        scope.variables.append(Variable(name, function.returns))
        return [Statement([line(f"{name} = $", value)])]

    def on_list(self, scope: Scope) -> list[Statement]:
        known = self.of_kind(scope, "list")
        if not known:
            return [self.declaration(scope, list_of(self.element_type()))]
        v = self.choose(known)
        inner, name = v.type.parts[0], v.name
        e = lambda t=inner: self.expression(scope, t, 1)
        grows = f"len({name}) < 8"
        some = f"len({name}) > 0"
        index = self.choose(["0", "-1", f"$ % len({name})"])
        at = [e(INT)] if "$" in index else []
        options: list[tuple[float, Callable[[], Statement]]] = [
            (4.0, lambda: self.guarded(grows, line(f"{name}.append($)", e()))),
            (1.0, lambda: self.guarded(grows, line(f"{name}.extend(($)[:])", e(v.type)))),
            (1.0, lambda: self.guarded(grows, line(f"{name}.insert($, $)", e(INT), e()))),
            (1.5, lambda: self.guarded(some, line(f"{name}[{index}] = $", *at, e()))),
            (0.5, lambda: Statement([line(f"{name}.reverse()")])),
        ]
        if not scope.iterates:
            options.append((0.7, lambda: self.guarded(some, line(f"del {name}[{index}]", *at))))
            options.append((0.4, lambda: Statement([line(f"{name}.clear()")])))
        if inner in (INT, STR):
            options.append((0.8, lambda: Statement([line(f"{name}.sort({self.choose(['', 'reverse=True'])})")])))
            value = e()
            rate = 0.0 if scope.iterates else 0.5
            options.append((rate, lambda: Statement([line(f"if $ in {name}:", value), Block([Statement([line(f"{name}.remove($)", value)])])])))
        if inner == INT:
            options.append((1.0, lambda: self.guarded(some, line(f"{name}[{index}] += $", *at, e()))))
        targets = [w for w in self.assignable(scope) if w.type == inner]
        if targets and not scope.iterates:
            w = self.choose(targets)
            options.append((1.0, lambda: self.guarded(some, line(f"{w.name} = {name}.pop({self.choose(['', '0'])})"))))
        if inner.kind == "list":
            options.append((2.0, lambda: self.guarded(f"{some} and len({name}[-1]) < 8", line(f"{name}[-1].append($)", e(inner.parts[0])))))
        if inner.kind == "dict":
            options.append((1.0, lambda: self.guarded(some, line(f"{name}[-1][$] = $", self.key(scope, inner.parts[0]), e(inner.parts[1])))))
        if inner.kind == "class":
            options.append((2.0, lambda: self.guarded(some, line(f"{name}[-1].f0 += $", e(INT)))))
        if inner.kind == "tensor" and inner.name == "int64" and self.has("views"):
            options.append((1.0, lambda: self.guarded(some, line(f"{name}[-1].add_(1)"))))
        same = [w for w in self.assignable(scope) if w.type == v.type and w.name != name]
        if same:
            options.append((1.5, lambda: Statement([line(f"{self.choose(same).name} = {name}")])))
        return [self.weighted(options)()]

    def on_dict(self, scope: Scope) -> list[Statement]:
        known = self.of_kind(scope, "dict")
        if not known:
            return [self.declaration(scope, dict_of(self.key_type(), self.element_type()))]
        v = self.choose(known)
        (key, value), name = v.type.parts, v.name
        k = lambda: self.key(scope, key)
        e = lambda t=value: self.expression(scope, t, 1)
        one = k()
        options: list[tuple[float, Callable[[], Statement]]] = [
            (4.0, lambda: Statement([line(f"{name}[$] = $", k(), e())])),
            (1.0, lambda: Statement([line(f"if $ in {name}:", one), Block([Statement([line(f"del {name}[$]", one)])])])),
            (0.5, lambda: Statement([line(f"{name}.update($)", e(v.type))])),
            (0.3, lambda: Statement([line(f"{name}.clear()")])),
        ]
        if value == INT:
            options.append((1.5, lambda: Statement([line(f"{name}[$] = {name}.get($, 0) + $", one, one, e())])))
        if value.kind == "list":
            inner = value.parts[0]
            add = Statement([line(f"{name}[$].append($)", one, e(inner))])
            options.append((2.0, lambda: Statement([line(f"if $ in {name} and len({name}[$]) < 8:", one, one), Block([add])])))
        targets = [w for w in self.assignable(scope) if w.type == value]
        if targets:
            w = self.choose(targets)
            options.append((0.7, lambda: Statement([line(f"{w.name} = {name}.pop($, $)", k(), e())])))
            options.append((0.7, lambda: Statement([line(f"{w.name} = {name}.setdefault($, $)", k(), e())])))
        same = [w for w in self.assignable(scope) if w.type == v.type and w.name != name]
        if same:
            options.append((1.0, lambda: Statement([line(f"{self.choose(same).name} = {name}")])))
        return [self.weighted(options)()]

    def on_object(self, scope: Scope) -> list[Statement]:
        known = self.of_kind(scope, "class")
        if not known:
            return [self.declaration(scope, self.choose(self.classes).type)]
        v = self.choose(known)
        definition = self.definition(v.type)
        name, type = self.choose(definition.fields)
        method = self.choose(definition.methods)
        assert method.returns is not None
        result = self.fresh("v")
        forms: list[tuple[float, Callable[[], Statement]]] = [
            (2.0, lambda: Statement([line(f"{v.name}.{name} = $", self.expression(scope, type, 1))])),
            (1.0, lambda: Statement([line(f"{v.name}.f0 += $", self.expression(scope, INT, 1))])),
        ]
        if scope.loops < 3:
            forms.append((2.0, lambda: Statement([line(f"{result}: {method.returns.text} = $", self.call(scope, method, f"{v.name}.", 2))])))
        same = [w for w in self.assignable(scope) if w.type == v.type and w.name != v.name]
        if same:
            forms.append((1.0, lambda: Statement([line(f"{self.choose(same).name} = {v.name}")])))
        return [self.weighted(forms)()]

    def on_tensor(self, scope: Scope) -> list[Statement]:
        """A write in place: through a name, or through a view made for it."""
        known = [v for v in self.of_kind(scope, "tensor") if v.type.name != "bool"]
        if not known:
            return []
        v = self.choose(known)
        name, dims = v.type.name, v.type.dims
        number = self.choose([1, -1, 2, 3]) if name == "int64" else self.choose([1, 0.5, -2, 0.25])
        e = lambda t: expr(t, "($ + 0)", self.expression(scope, t, 1))
        options: list[tuple[float, Callable[[], Line]]] = [
            (1.0, lambda: line(f"{v.name}.{self.choose([f'add_({number})', 'neg_()', 'clamp_(-8, 8)', 'zero_()', f'fill_({number})', f'mul_({number})'])}")),
            (1.0, lambda: line(f"{v.name} {self.choose(['+=', '-='])} {number}")),
        ]
        if "?" not in dims:
            whole = tensor_of(name, *dims, exact=v.type.exact)
            options.append((1.5, lambda: line(f"{v.name} {self.choose(['+=', '-='])} $", e(whole))))
            options.append((0.7, lambda: line(f"{v.name}.copy_($)", e(whole))))
            if dims:
                mask = tensor_of("bool", *dims)
                options.append((1.0, lambda: line(f"{v.name}[$] = {number}", self.subscript(scope, mask))))
        if dims and dims[0] != "?":
            row = tensor_of(name, *dims[1:], exact=v.type.exact)
            index = expr(INT, f"$ % {scope.sizes[dims[0]]}", self.subscript(scope, INT))
            options.append((1.0, lambda: line(f"{v.name}[$] = {number}", index)))
            if "?" not in dims[1:]:
                options.append((1.5, lambda: line(f"{v.name}[$] {self.choose(['=', '+=', '-='])} $", index, e(row))))
        if len(dims) > 1:
            options.append((1.0, lambda: line(f"{v.name}[:, {self.choose(['0', '-1'])}] {self.choose(['=', '+=', '*='])} {number}")))
        if dims:
            options.append((1.0, lambda: line(f"{v.name}[{self.choose(['1:', ':2', '::2', ':-1', '-1:'])}] {self.choose(['=', '+=', '-='])} {number}")))
        write = Statement([self.weighted(options)()])
        targets = [w for w in self.assignable(scope, "tensor") if w.name != v.name and fits(v.type, w.type) and fits(w.type, v.type)]
        if targets and self.chance(0.4):
            return [Statement([line(f"{self.choose(targets).name} = {v.name}")]), write]
        return [write]

    def refined(self, scope: Scope) -> list[Statement]:
        known = [v for v in self.of_kind(scope, "optional") if "." not in v.name]
        if not known:
            return [self.declaration(scope, self.optional_type())]
        v = self.choose(known)
        inside = Variable(v.name, v.type.parts[0], is_assignable=False)
        if self.chance(0.5):
            items: list[Line | Block] = [line(f"if {v.name} is not None:"), self.block(scope.inner(inside))]
            if v.is_assignable and self.chance(0.5):
                block = items[1]
                assert isinstance(block, Block)
                block.statements.append(Statement([line(f"{v.name} = $", self.expression(scope, v.type, 1))]))
            if self.chance(0.4):
                items += [line("else:"), self.block(scope.inner(), 2)]
            return [Statement(items)]
        # annotated, as the name is no Optional from there on otherwise
        value = expr(v.type, f"torch.jit.annotate({v.type.text}, $)", self.expression(scope, v.type.parts[0], 1))
        other = Statement([line(f"{v.name} = $", value)])
        if v.is_assignable and self.chance(0.6):
            return [Statement([line(f"if {v.name} is None:"), Block([other])])]
        head = line(f"if {v.name} is None:")
        return [Statement([head, self.block(scope.inner(), 2), line("else:"), self.block(scope.inner(inside), 2)])]


def fits(given: Type, wanted: Type) -> bool:
    """Whether a value of one type may stand where the other is wanted; a tensor of known extents has open ones too."""
    if given.kind != "tensor" or wanted.kind != "tensor":
        return given == wanted
    if given.name != wanted.name or len(given.dims) != len(wanted.dims) or (wanted.exact and not given.exact):
        return False
    return all(w in ("?", g) for g, w in zip(given.dims, wanted.dims))


def _holds_tensors(type: Type) -> bool:
    return type.kind == "tensor" or any(_holds_tensors(p) for p in type.parts)


def _holds_objects(type: Type) -> bool:
    return type.kind in ("class", "enum") or any(_holds_objects(p) for p in type.parts)
