"""Statements: declarations, control flow, exits, what raises and what prints."""

from __future__ import annotations

from collections.abc import Callable

from programs import (
    BOOL,
    FLOAT,
    INT,
    STR,
    Block,
    Expr,
    Line,
    Statement,
    Type,
    expr,
    line,
    list_of,
    tensor_of,
)
from scopes import MAX_DEPTH, Choices, Scope, Variable


class Statements(Choices):
    """Writes statements."""

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
        if nested and self.contexts(scope):
            options.append((2.0, lambda: self.with_(scope)))
        if self.has("tensors", "views"):
            options.append((4.0, lambda: self.on_tensor(scope)))
        if self.has("optionals") and nested:
            options.append((2.5, lambda: self.refined(scope)))
        if self.has("unions") and nested:
            options.append((2.5, lambda: self.told_apart(scope)))
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
        while type.kind == "union":  # each branch would have a type of its own
            type = self.variable_type()
        name = self.fresh("v")
        condition = self.expression(scope, BOOL)
        sides = [Statement([line(f"{name} = $", self.typed(self.expression(scope, type, 2)))]) for _ in range(2)]
        scope.variables.append(Variable(name, type))
        return Statement([line("if $:", condition), Block([sides[0]]), line("else:"), Block([sides[1]])])

    def typed(self, value: Expr) -> Expr:
        return self.may_be_none(value.type, value) if value.type.kind == "optional" else value

    def may_be_none(self, type: Type, value: Expr) -> Expr:
        """Of the type itself, which is an Optional: `annotate` alone leaves an int an int."""
        return expr(type, f"torch.jit.annotate({type.text}, $ if bool(int({self.choose(['True', 'True', 'False'])})) else None)", value)

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
            start = self.choose(["", "", ", 1", ", 3"]) if self.has("calls") else ""
            options.append((0.5, lambda v=v, t=t, start=start: (line(f"for {other}, {name} in enumerate({v.name}{part}{start}):"), [fixed(other, INT), fixed(name, t)], "loop")))
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
        return [Statement([line("if $:", self.plain_condition(scope)), Block([Statement([leave])])])]

    def plain_condition(self, scope: Scope) -> Expr:
        """One that does not refine an Optional for what follows, as `if v is None: return` would."""
        condition = self.expression(scope, BOOL, 1)
        return expr(BOOL, "bool(int($))", condition) if "None" in str(condition) else condition

    def told_apart(self, scope: Scope) -> list[Statement]:
        """A branch for a member of a Union, and one for what is left."""
        known = [v for v in scope.variables if v.type.kind == "union" and "." not in v.name]
        if not known:
            return []
        v = self.choose(known)
        chosen = self.random.sample(v.type.parts, self.random.randrange(1, len(v.type.parts)))
        rest = [p for p in v.type.parts if p not in chosen]
        sides = []
        for members in (chosen, rest):
            type = members[0] if len(members) == 1 else Type("union", tuple(members))
            inner = scope.inner(Variable(v.name, type, is_assignable=False))
            inner.can_return = False
            sides.append(self.block(inner, 2))
        names = ", ".join(m.text for m in chosen)
        test = f"isinstance({v.name}, {names if len(chosen) == 1 else f'({names})'})"
        return [Statement([line(f"if {test}:"), sides[0], line("else:"), sides[1]])]

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
        # not known to hold at compile time: what stood before would be unused then, with its errors
        condition = expr(BOOL, "($ and $ != 77)", self.plain_condition(scope), self.expression(scope, INT, 0))
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
