"""Expressions of every type but tensors: literals, operators, and parts of what holds such values."""

from __future__ import annotations

from collections.abc import Callable

from programs import (
    BOOL,
    FLOAT,
    INT,
    STR,
    Expr,
    Function,
    Type,
    expr,
    list_of,
    tensor_of,
)
from scopes import WORDS, Choices, Scope, Variable, fits


class Expressions(Choices):
    """Writes expressions."""

    def variables(self, scope: Scope, type: Type) -> list[Expr]:
        return [Expr(type, [v.name]) for v in scope.variables if fits(v.type, type)]

    def of_kind(self, scope: Scope, *kinds: str) -> list[Variable]:
        return [v for v in scope.variables if v.type.kind in kinds]

    def expression(self, scope: Scope, type: Type, depth: int = 2) -> Expr:
        known = self.variables(scope, type)
        if known and (depth <= 0 or self.chance(0.4)):
            return self.choose(known)
        if depth > 0 and type.kind != "union" and self.chance(0.08):
            a, b = self.expression(scope, type, depth - 1), self.expression(scope, type, depth - 1)
            return expr(type, "($ if $ else $)", a, self.expression(scope, BOOL, depth - 1), b)
        makers = {
            "int": self.int_, "float": self.float_, "bool": self.bool_, "str": self.str_, "tensor": self.tensor,
            "list": self.list_, "dict": self.dict_, "tuple": self.tuple_, "optional": self.optional,
            "class": self.object, "record": self.record_value, "enum": self.enum_value,
            "union": self.member,
        }  # fmt: skip
        if depth <= 0 and type in (FLOAT, BOOL):
            numbers = [v for v in scope.variables if v.type == INT]
            if numbers and self.chance(0.7):
                form = self.choose(["* 0.5", "/ 4", "- 0.25"] if type == FLOAT else ["> 2", "< 1", "% 2 == 0", "!= 3"])
                return Expr(type, [f"({self.choose(numbers).name} {form})"])
        found = makers[type.kind](scope, type, depth)
        return found if found is not None else self.literal(type, scope)

    def member(self, scope: Scope, type: Type, depth: int) -> Expr:
        """A value of one of the types of a Union."""
        return Expr(type, [self.expression(scope, self.choose(type.parts), depth - 1)])

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
            case "union":
                return Expr(type, [self.literal(choose(type.parts), scope)])
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
            methods = [m for m in self.definition(v.type).methods if m.returns == type and not m.kind]
            options += [(1.0, lambda m=m: self.call(scope, m, f"{name}.", depth)) for m in methods]
            options += self.by_protocol(scope, v, type, depth)
        if kind == "union" and type in parts and depth > 0 and "." not in name:
            other = self.expression
            options.append((1.5, lambda: expr(type, f"({name} if isinstance({name}, {type.text}) else $)", other(scope, type, depth - 1))))
        if kind == "optional" and fits(parts[0], type) and depth > 0 and "." not in name:
            other = self.expression
            options.append((1.5, lambda: expr(type, f"({name} if {name} is not None else $)", other(scope, type, depth - 1))))
        return options

    def call(self, scope: Scope, function: Function, receiver: str, depth: int) -> Expr:
        arguments = [self.argument(scope, t, depth - 1) for _, t in function.parameters]
        return self.written_call(scope, function, receiver, arguments)

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
                if self.has("layouts"):
                    options.append((0.5, lambda: Expr(INT, [f"{name}.{self.choose([f'stride({d})', 'storage_offset()'])}"])))
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
            # never the sign of a zero: PyTorch takes the constants 0.0 and -0.0 for one
            (0.3, lambda: expr(FLOAT, "math.copysign($, float(to_int($)) - 0.5)", e(), e())),
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
                case "class" if self.definition(v.type).is_dataclass and scope.loops < 3 and not self.pure:
                    options.append((0.8, lambda v=v: expr(BOOL, f"({v.name} == $)", e(v.type))))
                case "union" if "." not in v.name:
                    options.append((0.6, lambda v=v: Expr(BOOL, [f"isinstance({v.name}, {self.choose(v.type.parts).text})"])))
                case "tensor" if v.type.dims and self.has("layouts") and self.chance(0.5):
                    options.append((0.5, lambda v=v: Expr(BOOL, [f"{v.name}.is_contiguous()"])))
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
