"""One walk over a parse tree: scopes, loops, bindings, and the sites rules want to look at.

The walk descends once. Rules register probes by node type (`on`) or by the last name of the
called function (`on_call`); a probe is a cheap filter that stores a site, and the sites are
judged when the whole module is known, so no rule depends on the order of statements.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

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


# Fields that hold no nodes, or only nodes no rule looks at (contexts, operators).
_PLAIN = frozenset(
    {"ctx", "op", "ops", "id", "attr", "name", "arg", "module", "level", "kind", "type_comment"}
    | {"asname", "type_ignores", "conversion", "is_async", "simple", "rest", "names"}
    | {"kwd_attrs", "tag", "str"}
)
_LEAVES = {ast.Constant, ast.Name, ast.alias}


def _children() -> dict[type[Node], tuple[str, ...]]:
    """Map each node type that has child nodes to the fields that hold them."""
    table: dict[type[Node], tuple[str, ...]] = {}
    for kind in vars(ast).values():
        if isinstance(kind, type) and issubclass(kind, ast.AST) and kind not in _LEAVES:
            # ExceptHandler.name, MatchAs.name and the like are strings; TypeAlias.name is a node
            plain = _PLAIN - {"name"} if kind.__name__ == "TypeAlias" else _PLAIN
            fields = tuple(field for field in kind._fields if field not in plain)
            if fields:
                table[kind] = fields
    return table


_CHILDREN = _children()


class _Step(NamedTuple):
    """What the descent does at a node of one type."""

    enter: Callable[[Walk, Any], bool] | None
    probes: tuple[Probe, ...]
    fields: tuple[str, ...]


def _plan(probes: dict[type[Node], tuple[Probe, ...]]) -> dict[type[Node], _Step]:
    """Put together what happens at each type of node; types nothing happens at are absent."""
    return {
        kind: _Step(_SPECIAL.get(kind), probes.get(kind, ()), _CHILDREN.get(kind, ()))
        for kind in {*_SPECIAL, *probes, *_CHILDREN}
    }


_PLANS: dict[bool, dict[type[Node], _Step]] = {}
"""The plans outside and inside loops, made at the first walk: all rules are registered then."""


def nodes(root: Node) -> Iterator[Node]:
    """All nodes under one, itself included, in no particular order; contexts and operators are
    left out. Three times as fast as `ast.walk`."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        for field in _CHILDREN.get(type(node), ()):
            child = getattr(node, field)
            if type(child) is list:
                stack += [one for one in child if one is not None]
            elif child is not None:
                stack.append(child)


class Walk:
    """The walk over one module. After `run`, `sites` are judged in the order of the source.

    `path` is the module's posix path, as far as it is known.
    """

    def __init__(self, tree: ast.Module, path: str = "") -> None:
        self.path = path
        self.module = Scope(tree, "", None)
        self.scope = self.module
        self.loop: Loop | None = None
        self.scopes: list[Scope] = [self.module]
        self.sites: list[Site] = []
        self.imports: dict[str, str] = {}
        self._import_lines: dict[str, int] = {}
        self.modules: set[str] = set()
        self.waits: list[tuple[Scope, ast.Call]] = []

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
        self.sites.sort(key=lambda site: (site.node.lineno, site.node.col_offset))
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

    def _descend(self, roots: Sequence[Node]) -> None:
        looping = self.loop is not None
        plan = _PLANS.get(looping)
        if plan is None:
            plan = _PLANS[looping] = _plan(_LOOP_PROBES if looping else _PROBES)
        stack: list[Any] = list(roots)
        while stack:
            node = stack.pop()
            step = plan.get(type(node))
            if step is None:
                continue  # a leaf, or the None that stands for a missing part
            enter, probes, fields = step
            if enter is not None and enter(self, node):
                continue
            for probe in probes:
                probe(self, node)
            for field in fields:
                child = getattr(node, field)
                if type(child) is list:
                    stack += child
                elif child is not None:
                    stack.append(child)

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
            loop.targets.update(n.id for n in nodes(generator.target) if isinstance(n, ast.Name))
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

    def _import(self, node: ast.stmt, name: str, target: str) -> None:
        """Of several imports under one name the first in the source counts."""
        if node.lineno < self._import_lines.get(name, node.lineno + 1):
            self._import_lines[name] = node.lineno
            self.imports[name] = target

    def _enter_import(self, node: ast.Import) -> bool:
        for alias in node.names:
            head = alias.name.partition(".")[0]
            name, target = (alias.asname, alias.name) if alias.asname else (head, head)
            self._import(node, name, target)
            self.modules.add(alias.name)
            self._bind_name(name, Binding(None, self.loop))
        return True

    def _enter_import_from(self, node: ast.ImportFrom) -> bool:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            name = alias.asname or alias.name
            self._import(node, name, f"{module}.{alias.name}")
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
