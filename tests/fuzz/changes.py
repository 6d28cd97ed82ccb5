"""Statements that change what names refer to: lists, dicts, objects, tensors, optionals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from programs import (
    INT,
    STR,
    Block,
    Line,
    Statement,
    dict_of,
    expr,
    line,
    list_of,
    tensor_of,
)
from scopes import Choices, Scope, Variable, fits


class Changes(Choices):
    """Writes changes."""

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
        if inner.kind == "tensor" and inner.name != "bool" and self.has("views"):
            place, each = self.choose(["-1", "0", f"len({name}) // 2"]), self.fresh("e")
            options.append((1.5, lambda: self.guarded(some, line(f"{name}[{place}].{self.choose(['add_(1)', 'neg_()', 'zero_()'])}"))))
            options.append((1.0, lambda: self.guarded(some, line(f"{name}[{place}] += 1"))))
            options.append((1.0, lambda: Statement([line(f"for {each} in {name}:"), Block([Statement([line(f"{each}.add_(2)")])])])))
            if inner.dims:
                options.append((1.5, lambda: self.guarded(some, line(f"{name}[{place}][:1] {self.choose(['=', '+=', '*='])} 2"))))
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
        methods = [m for m in definition.methods if not m.kind]
        result = self.fresh("v")
        forms: list[tuple[float, Callable[[], Statement]]] = [
            (2.0, lambda: Statement([line(f"{v.name}.{name} = $", self.expression(scope, type, 1))])),
            (1.0, lambda: Statement([line(f"{v.name}.f0 += $", self.expression(scope, INT, 1))])),
        ]
        if scope.loops < 3 and methods:
            method = self.choose(methods)
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
            options += [(0.4, lambda w=w: line(f"{v.name}{w} {self.choose(['=', '+=', '*='])} {number}")) for w in self.parts(dims)]
            options.append((0.4, lambda: line(f"{v.name}.{self.choose(['chunk(2)', 'unbind(0)', 'split(1)'])}[0].add_({number})")))
        write = Statement([self.weighted(options)()])
        targets = [w for w in self.assignable(scope, "tensor") if w.name != v.name and fits(v.type, w.type) and fits(w.type, v.type)]
        if targets and self.chance(0.4):
            return [Statement([line(f"{self.choose(targets).name} = {v.name}")]), write]
        return [write]

    def parts(self, dims: Sequence[str]) -> list[str]:
        """Views of a tensor, written behind its name."""
        last = self.choose(["0", "-1"])
        found = [".view(-1)[1:]"] if self.has("layouts") else []
        found += [".reshape(-1)[1:]", ".flatten()[::2]", f".select(-1, {last}).unsqueeze(0)[:]", "[..., :1]", ".unsqueeze(0)[0, :1]", "[1:][:1]"]
        if len(dims) > 1:
            found += [f".transpose(0, 1)[{last}]", ".diagonal()[:1]", f"[1:, {last}]", ".permute(1, 0)[::2]" if len(dims) == 2 else "[:1, :1]"]
        return found

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
        value = self.may_be_none(v.type, self.expression(scope, v.type.parts[0], 1))
        other = Statement([line(f"{v.name} = $", value)])
        if v.is_assignable and self.chance(0.6):
            return [Statement([line(f"if {v.name} is None:"), Block([other])])]
        head = line(f"if {v.name} is None:")
        return [Statement([head, self.block(scope.inner(), 2), line("else:"), self.block(scope.inner(inside), 2)])]
