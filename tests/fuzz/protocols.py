"""What classes may define for the language to call: properties, special methods, contexts; and other ways to call functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from programs import BOOL, INT, Block, ClassDefinition, Expr, Function, Statement, Type, expr, line
from scopes import Choices, Scope, Variable

ENTER, EXIT = "__enter__", "__exit__"


class Protocols(Choices):
    """Writes such definitions, and what uses them."""

    def protocols(self, definition: ClassDefinition) -> list[Function]:
        """Methods that are called by other means than their names. They call no methods of their own class."""
        own, definition.methods = definition.methods, []
        found = self.of_protocols(definition)
        definition.methods = own
        return found

    def of_protocols(self, definition: ClassDefinition) -> list[Function]:
        found: list[Function] = []
        kinds = ["property", "__len__", "__getitem__", "__contains__", "__add__", "__lt__", "context"]
        for kind in self.random.sample(kinds, self.random.randrange(1, 4)):
            match kind:
                case "property":
                    returns = self.scalar_type()
                    found.append(self.protocol(definition, self.fresh("q"), [], returns, "property"))
                case "__len__":
                    found.append(self.protocol(definition, kind, [], INT, "special"))
                case "__getitem__":
                    found.append(self.protocol(definition, kind, [(self.fresh("p"), INT)], self.scalar_type(), "special"))
                case "__contains__":
                    found.append(self.protocol(definition, kind, [(self.fresh("p"), INT)], BOOL, "special"))
                case "__add__":
                    found.append(self.protocol(definition, kind, [(self.fresh("p"), INT)], definition.type, "special"))
                case "__lt__":
                    found.append(self.protocol(definition, kind, [(self.fresh("p"), definition.type)], BOOL, "special"))
                case _:
                    found += [self.protocol(definition, ENTER, [], INT, "special"), self.leaving(definition)]

        return found

    def protocol(
        self, definition: ClassDefinition, name: str, parameters: list[tuple[str, Type]], returns: Type, kind: str
    ) -> Function:
        own = [(f"self.{n}", t) for n, t in definition.fields]
        scope = self.entry_scope([*own, *parameters], returns)
        return Function(name, parameters, returns, self.body(scope, returns, 2), True, kind)

    def leaving(self, definition: ClassDefinition) -> Function:
        """`__exit__`: what it does is seen in the object, and in what is printed."""
        scope = self.entry_scope([(f"self.{n}", t) for n, t in definition.fields], None)
        scope.can_return = False
        scope.loops += 1
        found = [Statement([line("self.f0 = $", self.expression(scope, INT, 2))])]
        if self.has("prints"):
            found.append(Statement([line("print('left', self.f0)")]))
        parameters = [(n, Type("any")) for n in ("kind", "value", "trace")]
        return Function(EXIT, parameters, None, Block(found), True, "special")

    def by_protocol(self, scope: Scope, v: Variable, type: Type, depth: int) -> list[tuple[float, Callable[[], Expr]]]:
        """Values of the type that an object gives by its special methods and properties."""
        name = v.name
        e = lambda t: self.expression(scope, t, depth - 1)
        forms: dict[str, tuple[Callable[[], Expr], ...]] = {
            "__len__": (lambda: Expr(type, [f"len({name})"]),),
            "__getitem__": (lambda: expr(type, f"{name}[$]", e(INT)),),
            "__contains__": (lambda: expr(type, f"($ in {name})", e(INT)),),
            "__add__": (lambda: expr(type, f"({name} + $)", e(INT)),),
            "__lt__": (lambda: expr(type, f"({name} < $)", e(v.type)),),
        }
        found: list[tuple[float, Callable[[], Expr]]] = []
        for m in self.definition(v.type).methods:
            if m.returns != type:
                continue
            if m.kind == "property":
                found.append((1.0, lambda m=m: Expr(type, [f"{name}.{m.name}"])))
            found += [(1.0, f) for f in forms.get(m.name, ())]
        return found

    def contexts(self, scope: Scope) -> list[Variable]:
        return [v for v in self.of_kind(scope, "class") if any(m.name == EXIT for m in self.definition(v.type).methods)]

    def with_(self, scope: Scope) -> list[Statement]:
        """Nothing leaves the block but errors: PyTorch loses values that others leave it with."""
        known = self.contexts(scope)
        if not known:
            return []
        v = self.choose(known)
        target = self.fresh("k")
        inner = scope.inner(Variable(target, INT, is_assignable=False), loop="")
        inner.can_return = False
        inner.loops = scope.loops
        return [Statement([line(f"with {v.name} as {target}:"), self.block(inner)])]

    # calls

    def written_call(self, scope: Scope, function: Function, receiver: str, arguments: Sequence[Expr]) -> Expr:
        """A call with some arguments by their names, all of them in a tuple, or beside the rest."""
        assert function.returns is not None
        name, holes = f"{receiver}{function.name}", ["$" for _ in arguments]
        if self.has("calls") and not function.is_method:
            types = [t for _, t in function.parameters]
            tuples = [v for v in self.of_kind(scope, "tuple") if list(v.type.parts) == types]
            if tuples and self.chance(0.5):
                return Expr(function.returns, [f"{name}(*{self.choose(tuples).name})"])
            if self.chance(0.2) and all(t.kind != "class" for t in types):
                return expr(function.returns, f"torch.jit.wait(torch.jit.fork({', '.join([name, *holes])}))", *arguments)
        if self.has("calls") and self.chance(0.4):
            first = self.random.randrange(len(holes))
            names = [n for n, _ in function.parameters]
            holes = [h if i < first else f"{names[i]}={h}" for i, h in enumerate(holes)]
        return expr(function.returns, f"{name}({', '.join(holes)})", *arguments)
