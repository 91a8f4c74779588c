"""Design patterns and idioms of Python, each with the line that shows it.

Source: E. Gamma et al., "Design Patterns", 1994, for the names; what counts as one in Python is
our judgement: only structure that can be seen in the tree, never a name alone (but for mixins).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from msgspec import Struct

from aiex_ipy.grounding.flow import cut
from aiex_ipy.grounding.names import Function, Names
from aiex_ipy.grounding.parsed import Scope
from aiex_ipy.grounding.tree import nodes_in


class Pattern(Struct, frozen=True, kw_only=True):
    """A pattern found. `symbol` is the function or class it was found in, `detail` its parts."""

    name: str
    symbol: str
    line: int
    evidence: str
    detail: str = ""


_Found = Iterator[tuple[str, ast.AST, str]]
_Methods = dict[str, Function]


def patterns(names: Names, within: str = "") -> list[Pattern]:
    """Return the patterns of a module, or of one function or class and what stands in it."""
    found: list[Pattern] = []
    for scope in names.parsed.scopes:
        if within and scope.name != within and not scope.name.startswith(within + "."):
            continue
        if isinstance(scope.node, ast.ClassDef):
            results = _of_class(names, scope, scope.node)
        elif isinstance(scope.node, Function):
            results = _of_function(names, scope, scope.node)
        else:
            continue
        for name, node, detail in results:
            line = getattr(node, "lineno", scope.line)
            found.append(
                Pattern(
                    name=name,
                    symbol=scope.name,
                    line=line,
                    evidence=names.parsed.line_text(line)[:200],
                    detail=detail,
                )
            )
    unique = {(p.name, p.symbol): p for p in reversed(found)}
    return sorted(unique.values(), key=lambda p: (p.line, p.name, p.symbol))


# What a class can be used as, by the special methods it has.
# Source: The Python Language Reference, 3.3 Special method names; `collections.abc`.
PROTOCOLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("context manager", ("__enter__", "__exit__")),
    ("asynchronous context manager", ("__aenter__", "__aexit__")),
    ("iterator", ("__iter__", "__next__")),
    ("iterable", ("__iter__",)),
    ("asynchronous iterator", ("__aiter__", "__anext__")),
    ("awaitable", ("__await__",)),
    ("container", ("__contains__",)),
    ("sized", ("__len__",)),
    ("subscriptable", ("__getitem__",)),
    ("mutable by subscript", ("__setitem__",)),
    ("callable", ("__call__",)),
    ("hashable", ("__hash__",)),
    ("comparable for equality", ("__eq__",)),
    ("ordered", ("__lt__",)),
    ("descriptor", ("__get__",)),
    ("picklable its own way", ("__reduce__",)),
    ("picklable its own way", ("__getstate__",)),
    ("formattable", ("__format__",)),
    ("path-like", ("__fspath__",)),
    ("buffer", ("__buffer__",)),
)


def protocols(methods: set[str]) -> tuple[str, ...]:
    """Return what a class with these methods can be used as."""
    found = [name for name, needed in PROTOCOLS if methods.issuperset(needed)]
    if "iterator" in found:
        found.remove("iterable")
    return tuple(dict.fromkeys(found))


_PROTOCOL_BASES = frozenset({"typing.Protocol", "typing_extensions.Protocol"})


def _of_class(names: Names, scope: Scope, node: ast.ClassDef) -> _Found:
    methods: _Methods = {m.name: m for m in node.body if isinstance(m, Function)}
    bases = [names.dotted(_unsubscripted(base), scope.parent)[0] for base in node.bases]
    decorators = [names.dotted(_called(d), scope.parent)[0] for d in node.decorator_list]
    yield from _records(node, bases, decorators)
    if {"__enter__", "__exit__"} <= methods.keys() or {"__aenter__", "__aexit__"} <= methods.keys():
        yield "context manager", methods.get("__enter__") or methods["__aenter__"], ""
    if "__iter__" in methods or "__aiter__" in methods:
        at = methods.get("__iter__") or methods["__aiter__"]
        own = "__next__" in methods or "__anext__" in methods
        yield "iterator" if own else "iterable", at, ""
    if "__get__" in methods:
        yield "descriptor", methods["__get__"], ""
    if node.name.endswith("Mixin"):
        yield "mixin", node, ""
    for check in _CLASS_CHECKS:
        yield from check(node, methods)
    abstract = [m for m in methods.values() if _decorated(m, "abstractmethod")]
    if not _PROTOCOL_BASES.isdisjoint(bases):
        yield "protocol", node, ", ".join(methods)
    elif abstract or "abc.ABC" in bases:
        yield "abstract base class", node, ", ".join(m.name for m in abstract)


def _records(node: ast.ClassDef, bases: list[str], decorators: list[str]) -> _Found:
    last = [name.rpartition(".")[2] for name in (*bases, *decorators)]
    fields = [s.target.id for s in node.body if _is_field(s)]  # type: ignore[attr-defined]
    for known in ("dataclass", "NamedTuple", "TypedDict", "BaseModel", "Struct", "define", "attrs"):
        if known in last and fields:
            yield "record", node, ", ".join(fields[:12])
            break
    if any(name in ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag") for name in last):
        yield "enumeration", node, ""


def _is_field(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)


def _visitor(node: ast.ClassDef, methods: _Methods) -> _Found:
    visits = [name for name in methods if name.startswith(("visit_", "handle_", "do_"))]
    dispatches = [
        m
        for m in methods.values()
        for at in nodes_in(m)
        if isinstance(at, ast.Call) and cut(at.func) == "getattr" and len(at.args) > 1
        if isinstance(at.args[1], ast.JoinedStr | ast.BinOp | ast.Name)
    ]
    if len(visits) >= 2 and (dispatches or any("Visitor" in cut(b) for b in node.bases)):
        yield "visitor", methods[visits[0]], ", ".join(visits[:8])


def _singleton(node: ast.ClassDef, methods: _Methods) -> _Found:
    made = methods.get("__new__")
    if made is None:
        return
    for at in nodes_in(made):
        if (
            isinstance(at, ast.Attribute)
            and isinstance(at.ctx, ast.Store)
            and cut(at.value) in ("cls", node.name)
            and "instance" in at.attr.lower()
        ):
            yield "singleton", at, at.attr


def _delegation(node: ast.ClassDef, methods: _Methods) -> _Found:
    method = methods.get("__getattr__")
    for at in nodes_in(method) if method is not None else ():
        if not isinstance(at, ast.Call) or cut(at.func) != "getattr" or not at.args:
            continue
        if cut(at.args[0]).startswith("self."):
            yield "proxy", at, f"to {cut(at.args[0])}"


def _observer(node: ast.ClassDef, methods: _Methods) -> _Found:
    """A list that one method appends to and another calls the items of."""
    grown = {
        cut(at.func.value): at
        for m in methods.values()
        for at in nodes_in(m)
        if isinstance(at, ast.Call) and isinstance(at.func, ast.Attribute)
        if at.func.attr in ("append", "add") and cut(at.func.value).startswith("self.")
    }
    for method in methods.values():
        for loop in nodes_in(method):
            if not isinstance(loop, ast.For) or not isinstance(loop.target, ast.Name):
                continue
            source = cut(loop.iter).removeprefix("list(").removesuffix(")")
            if source not in grown:
                continue
            for at in nodes_in(loop):
                if not isinstance(at, ast.Expr) or not isinstance(at.value, ast.Call):
                    continue
                if cut(at.value.func) == loop.target.id:
                    yield "observer", at, f"{source} is called by {method.name}"


def _template_method(node: ast.ClassDef, methods: _Methods) -> _Found:
    left_open = {
        name
        for name, m in methods.items()
        if _decorated(m, "abstractmethod")
        or any(isinstance(s, ast.Raise) and "NotImplementedError" in cut(s) for s in m.body)
    }
    for method in methods.values():
        if method.name in left_open:
            continue
        for at in nodes_in(method):
            if not isinstance(at, ast.Call) or not isinstance(at.func, ast.Attribute):
                continue
            if cut(at.func.value) == "self" and at.func.attr in left_open:
                yield "template method", at, f"{method.name} uses {at.func.attr}"
                return


def _fluent(node: ast.ClassDef, methods: _Methods) -> _Found:
    returning = [
        m
        for m in methods.values()
        if not m.name.startswith("__") and isinstance(m.body[-1], ast.Return)
        if m.body[-1].value is not None and cut(m.body[-1].value) == "self"
    ]
    if len(returning) >= 3:
        yield "fluent interface", returning[0], ", ".join(m.name for m in returning[:8])


def _lazy(node: ast.ClassDef, methods: _Methods) -> _Found:
    """`if self._x is None: self._x = …` in a method that gives it back."""
    for method in methods.values():
        for at in nodes_in(method):
            if not isinstance(at, ast.If) or not isinstance(at.test, ast.Compare):
                continue
            held = cut(at.test.left)
            if not held.startswith("self.") or cut(at.test).removeprefix(held) != " is None":
                continue
            stored = any(held == cut(t) for s in at.body for t in _targets(s))
            if stored and any(
                isinstance(r, ast.Return) and r.value is not None and held in cut(r.value)
                for r in nodes_in(method)
            ):
                yield "lazy initialisation", at, held


_CLASS_CHECKS: tuple[Callable[[ast.ClassDef, _Methods], _Found], ...] = (
    _visitor,
    _singleton,
    _delegation,
    _observer,
    _template_method,
    _fluent,
    _lazy,
)


def _of_function(names: Names, scope: Scope, node: Function) -> _Found:
    decorators = [names.dotted(_called(d), scope.parent)[0] for d in node.decorator_list]
    for decorator, shown in zip(decorators, node.decorator_list, strict=True):
        last = decorator.rpartition(".")[2]
        if last in ("contextmanager", "asynccontextmanager"):
            yield "context manager", shown, ""
        elif last in ("lru_cache", "cache", "cached_property"):
            yield "memoisation", shown, decorator
        elif last == "singledispatch":
            yield "generic function", shown, ""
    inside = list(nodes_in(node, nested=False))
    produced = [at for at in inside if isinstance(at, ast.Yield | ast.YieldFrom)]
    if produced and not any("contextmanager" in decorator for decorator in decorators):
        yield "generator", produced[0], ""
    yield from _decorator(scope, node)
    yield from _factory(names, scope, node)
    yield from _registry(names, scope, inside)
    yield from _dispatch(inside)


def _decorator(scope: Scope, node: Function) -> _Found:
    """A function that takes a function and gives back an inner one which calls it."""
    taken = {arg.arg for arg in (*node.args.posonlyargs, *node.args.args)}
    for inner in node.body:
        if not isinstance(inner, Function):
            continue
        called = {cut(at.func) for at in nodes_in(inner) if isinstance(at, ast.Call)}
        given_back = any(
            isinstance(at, ast.Return) and at.value is not None and cut(at.value) == inner.name
            for at in nodes_in(node, nested=False)
        )
        if given_back and taken & called:
            yield "decorator", inner, f"{inner.name} wraps {', '.join(sorted(taken & called))}"
        elif given_back:
            yield "closure", inner, inner.name


def _factory(names: Names, scope: Scope, node: Function) -> _Found:
    made: dict[str, ast.AST] = {}
    for at in nodes_in(node, nested=False):
        if isinstance(at, ast.Return) and isinstance(at.value, ast.Call):
            callee, local = names.dotted(at.value.func, scope)
            if callee == "cls" and _decorated(node, "classmethod"):
                yield "alternative constructor", at, f"of {scope.name.rpartition('.')[0]}"
            elif local and names.scopes[callee].kind == "class":
                made[callee] = at
    if len(made) >= 2:
        yield "factory", next(iter(made.values())), ", ".join(made)


def _registry(names: Names, scope: Scope, inside: list[ast.AST]) -> _Found:
    """A function that enters its argument into a table of the module or class."""
    if not isinstance(scope.node, Function):
        return
    taken = {arg.arg for arg in (*scope.node.args.posonlyargs, *scope.node.args.args)}
    for at in inside:
        if not isinstance(at, ast.Assign) or not isinstance(at.targets[0], ast.Subscript):
            continue
        table = cut(at.targets[0].value)
        of_module = table in names.assigned and table not in names.locals_of(scope)
        if not isinstance(at.value, ast.Name) or at.value.id not in taken:
            continue
        if of_module or table.startswith("cls."):
            yield "registry", at, table


def _dispatch(inside: list[ast.AST]) -> _Found:
    """`table[key](…)`: behaviour chosen by looking it up."""
    for at in inside:
        if isinstance(at, ast.Call) and isinstance(at.func, ast.Subscript):
            yield "dispatch table", at, cut(at.func.value)


def _targets(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.Assign):
        return statement.targets
    return [statement.target] if isinstance(statement, ast.AnnAssign) else []


def _unsubscripted(base: ast.expr) -> ast.expr:
    return base.value if isinstance(base, ast.Subscript) else base


def _called(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _decorated(node: Function, name: str) -> bool:
    return any(cut(_called(d)).rpartition(".")[2] == name for d in node.decorator_list)
