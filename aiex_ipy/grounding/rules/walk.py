"""One walk over a parse tree: scopes, loops, bindings, and the sites rules want to look at.

The walk descends once. Rules register probes by node type (`on`) or by the last name of the
called function (`on_call`); a probe is a cheap filter that stores a site, and the sites are
judged when the whole module is known, so no rule depends on the order of statements.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from aiex_ipy.grounding.rules.scopes import Binding, Finding, Loop, Scope

Node = ast.AST
Probe = Callable[["Walk", Any], None]
Judge = Callable[["Walk", "Site"], Iterable[Finding]]
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Site:
    """A place a rule wants judged once the module is known."""

    __slots__ = ("judge", "loop", "node", "scope")

    def __init__(self, judge: Judge, node: Any, loop: Loop | None, scope: Scope) -> None:
        self.judge = judge
        self.node = node
        self.loop = loop
        self.scope = scope


_PROBES: dict[type[Node], tuple[Probe, ...]] = {}
_LOOP_PROBES: dict[type[Node], tuple[Probe, ...]] = {}
_CALLS: dict[str, tuple[Probe, ...]] = {}
_LOOP_CALLS: dict[str, tuple[Probe, ...]] = {}
_FINALS: list[Callable[[Walk], Iterable[Finding]]] = []


def on(*kinds: type[Node], looping: bool = False) -> Callable[[Probe], Probe]:
    """Run the probe on every node of these types; with `looping`, only inside a loop."""

    def register(probe: Probe) -> Probe:
        for kind in kinds:
            for table in (_LOOP_PROBES,) if looping else (_PROBES, _LOOP_PROBES):
                table[kind] = (*table.get(kind, ()), probe)
        return probe

    return register


def on_call(*names: str, looping: bool = False) -> Callable[[Probe], Probe]:
    """Run the probe on every call whose function's last name is one of `names`."""

    def register(probe: Probe) -> Probe:
        for name in names:
            for table in (_LOOP_CALLS,) if looping else (_CALLS, _LOOP_CALLS):
                table[name] = (*table.get(name, ()), probe)
        return probe

    return register


def at_end(final: Callable[[Walk], Iterable[Finding]]) -> Callable[[Walk], Iterable[Finding]]:
    """Run once a module, when all its scopes are known."""
    _FINALS.append(final)
    return final


def _children() -> dict[type[Node], Callable[[Any], tuple[Any, ...]]]:
    """Map each node type to a getter of its child nodes and lists of nodes; leaves are absent."""
    plain = {
        "ctx", "op", "ops", "id", "attr", "name", "arg", "module", "level", "kind", "type_comment",
        "asname", "type_ignores", "conversion", "is_async", "simple", "rest", "tag", "cls_names",
    }  # fmt: skip
    leaves = {ast.Constant, ast.Name, ast.Global, ast.Nonlocal, ast.Import, ast.ImportFrom,
              ast.alias, ast.Pass, ast.Break, ast.Continue}  # fmt: skip
    table: dict[type[Node], Callable[[Any], tuple[Any, ...]]] = {}
    for kind in vars(ast).values():
        if not (isinstance(kind, type) and issubclass(kind, ast.AST)) or kind in leaves:
            continue
        # ExceptHandler.name, MatchAs.name and the like are strings; TypeAlias.name is a node
        names = [
            f for f in kind._fields if f not in plain or (f, kind.__name__) == ("name", "TypeAlias")
        ]
        if len(names) == 1:
            table[kind] = _single(names[0])
        elif names:
            table[kind] = attrgetter(*names)
    return table


def _single(name: str) -> Callable[[Any], tuple[Any, ...]]:
    get = attrgetter(name)
    return lambda node: (get(node),)


_CHILDREN = _children()


class Walk:
    """The walk over one module. After `run`, `sites` are judged in the order of the source."""

    def __init__(self, tree: ast.Module) -> None:
        self.module = Scope(tree, "", None)
        self.scope = self.module
        self.loop: Loop | None = None
        self.scopes: list[Scope] = [self.module]
        self.sites: list[Site] = []
        self.imports: dict[str, str] = {}
        self.modules: set[str] = set()
        self.blocking: dict[Scope, str] = {}

    def run(self) -> Iterator[Finding]:
        self._descend(self.module.node.body)
        said: set[tuple[str, int, str]] = set()
        for finding in self._judged():
            if finding.subject:
                key = (finding.rule, id(finding.scope), finding.subject)
                if key in said:
                    continue
                said.add(key)
            yield finding

    def _judged(self) -> Iterator[Finding]:
        for site in self.sites:
            yield from site.judge(self, site)
        for final in _FINALS:
            yield from final(self)

    def site(self, judge: Judge, node: Node) -> None:
        self.sites.append(Site(judge, node, self.loop, self.scope))

    def dotted(self, node: ast.expr) -> str:
        """The dotted name of an expression with imports resolved (`np.append` →
        `numpy.append`), or `""` where it is not a plain chain of names."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        parts.append(self.imports.get(node.id, node.id))
        return ".".join(reversed(parts))

    def imported(self, node: ast.expr, scope: Scope) -> str:
        """`dotted` of an expression whose first name an import binds, else `""`."""
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name) or root.id not in self.imports:
            return ""
        at: Scope | None = scope
        while at is not None:
            if any(
                b.value is not None or b.annotation is not None
                for b in at.bindings.get(root.id, ())
            ):
                return ""
            at = at.outer
        return self.dotted(node)

    # the descent

    # one loop, because a function call for each node would double the time of the walk
    def _descend(self, roots: Sequence[Node]) -> None:  # noqa: C901
        stack: list[Node] = list(roots[::-1])
        pop, push = stack.pop, stack.append
        children, special = _CHILDREN, _SPECIAL
        probes = _PROBES if self.loop is None else _LOOP_PROBES
        while stack:
            node = pop()
            kind = type(node)
            enter = special.get(kind)
            if enter is not None and enter(self, node):
                continue
            found = probes.get(kind)
            if found is not None:
                for probe in found:
                    probe(self, node)
            get = children.get(kind)
            if get is not None:
                for child in reversed(get(node)):
                    if child:
                        if type(child) is list:
                            for one in reversed(child):
                                if one is not None:
                                    push(one)
                        else:
                            push(child)

    def _probe(self, node: Node) -> None:
        table = _PROBES if self.loop is None else _LOOP_PROBES
        for probe in table.get(type(node), ()):
            probe(self, node)

    def _enter_call(self, node: ast.Call) -> bool:
        func = node.func
        if type(func) is ast.Attribute:
            name = func.attr
        elif type(func) is ast.Name:
            name = func.id
        else:
            return False
        scope, loop = self.scope, self.loop
        if loop is not None:
            scope.calls.append((node, loop))
            found = _LOOP_CALLS.get(name)
        else:
            if scope.asynchronous:
                scope.calls.append((node, None))
            found = _CALLS.get(name)
        if found is not None:
            for probe in found:
                probe(self, node)
        if name == scope.name:
            scope.recursions.append(node)
        return False

    def _enter_function(self, node: Any) -> bool:
        arguments: ast.arguments = node.args
        outside = [*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)]
        if type(node) is ast.Lambda:
            name, body = "<lambda>", [node.body]
        else:
            name, body = node.name, node.body
            self._bind_name(name, Binding(None, self.loop))
            outside += node.decorator_list
        self._probe(node)
        self._descend(outside)
        scope = self._open(node, name)
        for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            scope.bindings[arg.arg] = [Binding(None, None, annotation=arg.annotation)]
        for star in (arguments.vararg, arguments.kwarg):
            if star is not None:
                scope.bindings[star.arg] = [Binding(None, None)]
        self._within(scope, body)
        return True

    def _enter_class(self, node: ast.ClassDef) -> bool:
        self._bind_name(node.name, Binding(None, self.loop))
        self._probe(node)
        self._descend([*node.decorator_list, *node.bases, *(k.value for k in node.keywords)])
        self._within(self._open(node, node.name), node.body)
        return True

    def _open(self, node: Node, name: str) -> Scope:
        outer = self.scope
        scope = Scope(node, f"{outer.qualname}.{name}" if outer.qualname else name, outer)
        self.scopes.append(scope)
        return scope

    def _within(self, scope: Scope, body: Sequence[Node]) -> None:
        outer, loop = self.scope, self.loop
        self.scope, self.loop = scope, None
        self._descend(body)
        self.scope, self.loop = outer, loop

    def _enter_for(self, node: Any) -> bool:
        self._descend([node.iter])
        outer = self.loop
        self.loop = Loop(node, "for", outer)
        self._bind(node.target, None)
        self._probe(node)
        self._descend([node.target, *node.body])
        self.loop = outer
        if node.orelse:
            self._descend(node.orelse)
        return True

    def _enter_while(self, node: ast.While) -> bool:
        outer = self.loop
        self.loop = Loop(node, "while", outer)
        self._probe(node)
        self._descend([node.test, *node.body])
        self.loop = outer
        if node.orelse:
            self._descend(node.orelse)
        return True

    def _enter_comprehension(self, node: Any) -> bool:
        # the first iterable is evaluated once, outside the comprehension
        first, *rest = node.generators
        self._descend([first.iter])
        outer = self.loop
        loop = self.loop = Loop(node, "comprehension", outer)
        for generator in node.generators:
            loop.targets.update(n.id for n in ast.walk(generator.target) if isinstance(n, ast.Name))
        self._probe(node)
        parts = [node.key, node.value] if type(node) is ast.DictComp else [node.elt]
        inner: list[Node] = [*first.ifs]
        for generator in rest:
            inner += [generator.iter, *generator.ifs]
        self._descend([*inner, *parts])
        self.loop = outer
        return True

    # names

    def _bind_name(self, name: str, binding: Binding) -> None:
        known = self.scope.bindings
        if name in known:
            known[name].append(binding)
        else:
            known[name] = [binding]

    def _bind(self, target: ast.expr, value: ast.expr | None) -> None:
        kind = type(target)
        if kind is ast.Name:
            self._bind_name(target.id, Binding(value, self.loop))  # type: ignore[attr-defined]
        elif kind is ast.Tuple or kind is ast.List:
            elements: list[ast.expr] = target.elts  # type: ignore[attr-defined]
            if type(value) is ast.Tuple and len(value.elts) == len(elements):
                for one, its in zip(elements, value.elts, strict=True):
                    self._bind(one, its)
            else:
                for one in elements:
                    if type(one) is ast.Name:
                        self._bind_name(one.id, Binding(value, self.loop, part=True))
                    else:
                        self._bind(one, None)
        elif kind is ast.Starred:
            self._bind(target.value, None)  # type: ignore[attr-defined]
        else:
            self.scope.edits.append((target, self.loop))

    def _enter_assign(self, node: ast.Assign) -> bool:
        for target in node.targets:
            self._bind(target, node.value)
        return False

    def _enter_annotated(self, node: ast.AnnAssign) -> bool:
        if type(node.target) is ast.Name:
            self._bind_name(
                node.target.id, Binding(node.value, self.loop, annotation=node.annotation)
            )
        else:
            self.scope.edits.append((node.target, self.loop))
        return False

    def _enter_augmented(self, node: ast.AugAssign) -> bool:
        if type(node.target) is ast.Name:
            self._bind_name(node.target.id, Binding(node.value, self.loop, grown=True))
        else:
            self.scope.edits.append((node.target, self.loop))
        return False

    def _enter_walrus(self, node: ast.NamedExpr) -> bool:
        self._bind(node.target, node.value)
        return False

    def _enter_delete(self, node: ast.Delete) -> bool:
        for target in node.targets:
            self._bind(target, None)
        return False

    def _enter_with_item(self, node: ast.withitem) -> bool:
        if node.optional_vars is not None:
            self._bind(node.optional_vars, node.context_expr)
        return False

    def _enter_handler(self, node: ast.ExceptHandler) -> bool:
        if node.name:
            self._bind_name(node.name, Binding(None, self.loop))
        return False

    def _enter_capture(self, node: Any) -> bool:
        name = node.rest if type(node) is ast.MatchMapping else node.name
        if name:
            self._bind_name(name, Binding(None, self.loop))
        return False

    def _enter_foreign(self, node: Any) -> bool:
        self.scope.foreign.update(node.names)
        return True

    def _enter_import(self, node: ast.Import) -> bool:
        for alias in node.names:
            head = alias.name.partition(".")[0]
            name, target = (alias.asname, alias.name) if alias.asname else (head, head)
            self.imports.setdefault(name, target)
            self.modules.add(alias.name)
            self._bind_name(name, Binding(None, self.loop))
        return True

    def _enter_import_from(self, node: ast.ImportFrom) -> bool:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            name = alias.asname or alias.name
            self.imports.setdefault(name, f"{module}.{alias.name}")
            self._bind_name(name, Binding(None, self.loop))
        return True


# A special handler returns True when it has seen to the children itself.
_SPECIAL: dict[type[Node], Callable[[Walk, Any], bool]] = {
    ast.Call: Walk._enter_call,
    ast.FunctionDef: Walk._enter_function,
    ast.AsyncFunctionDef: Walk._enter_function,
    ast.Lambda: Walk._enter_function,
    ast.ClassDef: Walk._enter_class,
    ast.For: Walk._enter_for,
    ast.AsyncFor: Walk._enter_for,
    ast.While: Walk._enter_while,
    **dict.fromkeys(COMPREHENSIONS, Walk._enter_comprehension),
    ast.Assign: Walk._enter_assign,
    ast.AnnAssign: Walk._enter_annotated,
    ast.AugAssign: Walk._enter_augmented,
    ast.NamedExpr: Walk._enter_walrus,
    ast.Delete: Walk._enter_delete,
    ast.withitem: Walk._enter_with_item,
    ast.ExceptHandler: Walk._enter_handler,
    ast.MatchAs: Walk._enter_capture,
    ast.MatchStar: Walk._enter_capture,
    ast.MatchMapping: Walk._enter_capture,
    ast.Global: Walk._enter_foreign,
    ast.Nonlocal: Walk._enter_foreign,
    ast.Import: Walk._enter_import,
    ast.ImportFrom: Walk._enter_import_from,
}
