"""Expressions that are tensors: new ones, elementwise operators, reductions, views."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from programs import (
    INT,
    Expr,
    Type,
    expr,
    tensor_of,
)
from scopes import Choices, Scope, Variable


class TensorExpressions(Choices):
    """Writes tensors."""

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
        options += [(rate, lambda made=made: self.looked_at(made())) for rate, made in self.views_of(scope, type)]
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

    def looked_at(self, view: Expr) -> Expr:
        """The same view, by a longer way now and then."""
        rank = len(view.type.dims)
        if self.chance(0.7):
            return view
        ways = ["$.unsqueeze(0)[0]", "$.unsqueeze(-1).squeeze(-1)", "$.detach()"]
        if rank:
            ways += ["$[:]", "$.transpose(0, -1).transpose(0, -1)", "$[:][:]", "$[:64]"]
        if rank == 2:
            ways += ["$.t().t()", "$.permute(1, 0).permute(1, 0)", "$.movedim(0, 1).t()"]
        return expr(view.type, self.choose(ways), view)

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
        if type.dims == ("?",):
            options += self.found_in(scope, type)
        if type.name == "int64" and type.dims == ("?",):
            options.append((1.0, lambda: expr(type, "torch.arange($ % 5)", self.expression(scope, INT, depth - 1))))
        return options

    def found_in(self, scope: Scope, type: Type) -> list[tuple[float, Callable[[], Expr]]]:
        """What the elements of a variable decide the number of."""
        options: list[tuple[float, Callable[[], Expr]]] = []
        for v in self.of_kind(scope, "tensor"):
            if not v.type.dims or not v.type.exact:
                continue
            if type.name == "int64":
                column = self.random.randrange(len(v.type.dims))
                options.append((0.5, lambda v=v, c=column: Expr(type, [f"torch.nonzero({v.name})[:, {c}]"])))
            if v.type.name == type.name and type.name != "bool":
                options.append((0.5, lambda v=v: Expr(type, [f"torch.unique({v.name})"])))
                options.append((0.5, lambda v=v: Expr(type, [f"torch.masked_select({v.name}, {v.name} > {self.choose([0, 1, -2])})"])))
                options.append((0.3, lambda v=v: Expr(type, [f"{v.name}.flatten().flip(0)"])))
                options.append((0.3, lambda v=v: Expr(type, [f"torch.sort({v.name}.flatten())[0]"])))
        return options

    def catenated(self, type: Type, known: Sequence[Variable]) -> Expr:
        a, b = self.choose(known), self.choose(known)
        return Expr(type, [f"torch.cat([{a.name}, {b.name}])[:8]"])
