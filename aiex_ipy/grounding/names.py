"""What names mean inside one module: imports, own functions and classes, calls between them."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from aiex_ipy.grounding.parsed import Import, ParsedModule, Scope
from aiex_ipy.grounding.tree import NESTED, is_main_guard, nodes_in

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Call:
    """A call in a function (`caller`, `""` at module level). `callee` is the qualified name of
    a function or class of this module when `local`, else the dotted name as far as imports tell
    (`os.path.join`, `print`, `result.append`)."""

    __slots__ = ("callee", "caller", "line", "local", "node")

    def __init__(self, node: ast.Call, caller: str, callee: str, local: bool) -> None:
        self.node = node
        self.caller = caller
        self.callee = callee
        self.local = local
        self.line = node.lineno


class Names:
    """The names of a module that was parsed and not released.

    Raises:
        ValueError: the module has no tree.
    """

    def __init__(self, parsed: ParsedModule) -> None:
        if parsed.tree is None:
            raise ValueError("the module has no tree")
        self.parsed = parsed
        self.tree = parsed.tree
        self.scopes: dict[str, Scope] = {}
        for scope in reversed(parsed.scopes):
            if scope.name not in self.scopes or not _is_overload(scope):
                self.scopes[scope.name] = scope  # the getter of a property, not its setter
        self.imported: dict[str, str] = {}
        for item in parsed.imports:
            self.imported.update(_bound(item))
        self.assigned = _assigned(self.tree.body)
        self._locals: dict[Scope, set[str]] = {}
        self._calls: list[Call] | None = None
        self._indexes: dict[str, dict[str, list[Call]]] = {}

    @property
    def calls(self) -> list[Call]:
        """All calls of the module in source order."""
        if self._calls is None:
            self._calls = list(self._find_calls())
            self._calls.sort(key=lambda call: (call.line, call.node.col_offset))
        return self._calls

    def calls_of(self, name: str) -> list[Call]:
        """Return the calls made in the function or class `name`, nested functions included."""
        return self._by("caller").get(name, [])

    def calls_to(self, name: str) -> list[Call]:
        """Return the calls of this module's own function or class `name`."""
        return self._by("callee").get(name, [])

    def calls_on_import(self) -> list[Call]:
        """Return the calls made when the module is imported: not those of functions, nor under
        `if __name__ == "__main__":`."""
        guards = [node for node in self.tree.body if is_main_guard(node)]
        spans = [(node.lineno, node.end_lineno or node.lineno) for node in guards]
        return [
            call
            for call in self.calls
            if not call.caller and not any(a <= call.line <= b for a, b in spans)
        ]

    def reached(self, start: str) -> list[str]:
        """Return the functions and classes of this module that `start` calls, directly or not,
        nearest first, without `start`."""
        order = {start: None}
        todo = [start]
        for name in todo:
            for call in self.calls_of(name):
                if call.local and call.callee not in order:
                    order[call.callee] = None
                    todo.append(call.callee)
        return list(order)[1:]

    def _by(self, side: str) -> dict[str, list[Call]]:
        """Index the calls by callee, or by caller and everything the caller stands in."""
        if not self._indexes:
            by_caller: dict[str, list[Call]] = {}
            by_callee: dict[str, list[Call]] = {}
            for call in self.calls:
                caller = call.caller
                while caller:
                    by_caller.setdefault(caller, []).append(call)
                    caller = caller.rpartition(".")[0]
                if call.local:
                    by_callee.setdefault(call.callee, []).append(call)
            self._indexes = {"caller": by_caller, "callee": by_callee}
        return self._indexes[side]

    def locals_of(self, scope: Scope | None) -> set[str]:
        """Return the names a function binds itself: parameters and assigned names."""
        if scope is None or not isinstance(scope.node, Function):
            return set()
        known = self._locals.get(scope)
        if known is None:
            args = scope.node.args
            named = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
            known = {arg.arg for arg in named if arg is not None}
            known |= _assigned(scope.node.body)
            known -= _declared(scope.node, ast.Global)
            self._locals[scope] = known
        return known

    def dotted(self, node: ast.expr, scope: Scope | None) -> tuple[str, bool]:
        """Return the dotted name an expression stands for, and whether it is this module's own.

        A chain on a value without a name starts with `?`, one on a call's result has `()`;
        `("", False)` is anything else.
        """
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Call):
            inner, _ = self.dotted(node.func, scope)
            return (".".join([f"{inner}()", *reversed(parts)]), False) if inner else ("", False)
        if not isinstance(node, ast.Name):
            return (".".join(["?", *reversed(parts)]), False) if parts else ("", False)
        parts.append(node.id)
        parts.reverse()
        return self._meaning(parts, scope)

    def _meaning(self, parts: list[str], scope: Scope | None) -> tuple[str, bool]:
        root = parts[0]
        owner = _class_of(scope)
        if owner is not None and root in ("self", "cls") and len(parts) > 1:
            found = self.member(owner, parts[1])
            if found is not None:
                return ".".join([found, *parts[2:]]), len(parts) == 2
            return ".".join(parts), False
        at = scope
        while at is not None:
            if f"{at.name}.{root}" in self.scopes and at.kind == "function":
                return ".".join([f"{at.name}.{root}", *parts[1:]]), len(parts) == 1
            if root in self.locals_of(at):
                if at.kind == "function" and root not in self.imported:
                    return ".".join(parts), False
                break
            at = at.parent
        if root in self.scopes:
            full = ".".join(parts)
            return full, full in self.scopes
        if root in self.imported:
            return ".".join([self.imported[root], *parts[1:]]), False
        return ".".join(parts), False

    def member(self, owner: Scope, name: str) -> str | None:
        """Return the qualified name of a method of a class or of its bases in this module."""
        todo, seen = [owner], set()
        while todo:
            scope = todo.pop(0)
            if scope.name in seen:
                continue
            seen.add(scope.name)
            if f"{scope.name}.{name}" in self.scopes:
                return f"{scope.name}.{name}"
            if isinstance(scope.node, ast.ClassDef):
                bases = [self.dotted(base, scope.parent) for base in scope.node.bases]
                todo += [self.scopes[base] for base, local in bases if local]
        return None

    def _find_calls(self) -> Iterator[Call]:
        for node in self.parsed.of(ast.Call):
            scope = self.parsed.scope_at(node.lineno)
            callee, local = self.dotted(node.func, scope)
            if callee:
                yield Call(node, scope.name if scope is not None else "", callee, local)


def is_builtin(name: str) -> bool:
    """True for a name Python always knows."""
    return hasattr(builtins, name)


def _bound(item: Import) -> dict[str, str]:
    if item.bound:
        return {item.bound: item.module if item.aliased else item.bound}
    return {
        local: f"{item.module}{'' if item.module.endswith('.') else '.'}{name}"
        for name, local in zip(item.names, item.locals, strict=True)
    }


def _class_of(scope: Scope | None) -> Scope | None:
    while scope is not None and scope.kind != "class":
        scope = scope.parent
    return scope


def _is_overload(scope: Scope) -> bool:
    """True for a head under `@overload`, which says nothing of what the function does."""
    return isinstance(scope.node, Function) and any(
        (isinstance(each, ast.Name) and each.id == "overload")
        or (isinstance(each, ast.Attribute) and each.attr == "overload")
        for each in scope.node.decorator_list
    )


def _assigned(body: list[ast.stmt]) -> set[str]:
    """Names bound by statements, not those of functions and classes."""
    found: set[str] = set()
    for statement in body:
        if isinstance(statement, NESTED):
            continue
        for node in nodes_in(statement, nested=False):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
                found.add(node.name)
    return found


def _declared(node: ast.AST, kind: type[ast.Global] | type[ast.Nonlocal]) -> set[str]:
    return {n for at in nodes_in(node, nested=False) if isinstance(at, kind) for n in at.names}
