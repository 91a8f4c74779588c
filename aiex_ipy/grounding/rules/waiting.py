"""Rules on code that waits: blocked event loops, held locks, queued awaits (AX116-AX118)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aiex_ipy.grounding.rules.names import bounded, names_in, root_of
from aiex_ipy.grounding.rules.scopes import Finding, Scope
from aiex_ipy.grounding.rules.walk import Site, Walk, at_end, on, on_call

_BLOCKING = frozenset(
    {
        "time.sleep", "subprocess.run", "subprocess.call", "subprocess.check_call",
        "subprocess.check_output", "os.system", "urllib.request.urlopen",
        "socket.create_connection", "socket.getaddrinfo", "socket.gethostbyname",
    }
    | {
        f"{library}.{method}"
        for library in ("requests", "httpx", "httpx2")
        for method in ("get", "post", "put", "patch", "delete", "head", "options", "request")
    }
)  # fmt: skip


@on_call(*sorted({name.rpartition(".")[2] for name in _BLOCKING}))
def waits(walk: Walk, node: ast.Call) -> None:
    if type(walk.scope.node) is ast.FunctionDef:
        walk.waits.append((walk.scope, node))


@at_end
def blocking_helpers(walk: Walk) -> Iterator[Finding]:
    """Async functions that call a function of their module which blocks."""
    blocking: dict[Scope, str] = {}
    for scope, call in walk.waits:
        called = walk.imported(call.func, scope)
        if called in _BLOCKING:
            blocking.setdefault(scope, called)
    if not blocking:
        return
    functions: dict[tuple[Scope, str], Scope] = {}
    for scope in walk.scopes:
        if scope.outer is not None and type(scope.node) is ast.FunctionDef:
            functions[scope.outer, scope.name] = scope
    for scope in walk.scopes:
        for call, _ in scope.calls if scope.asynchronous else ():
            callee = _callee(functions, scope, call)
            if callee is not None and callee in blocking:
                yield Finding(
                    "AX116",
                    call,
                    scope,
                    f"the event loop stands still in {callee.qualname!r}, "
                    f"which calls '{blocking[callee]}'",
                    subject=callee.qualname,
                )


def _callee(
    functions: dict[tuple[Scope, str], Scope], scope: Scope, call: ast.Call
) -> Scope | None:
    func = call.func
    at: Scope | None = scope
    if isinstance(func, ast.Name):
        while at is not None:
            if not isinstance(at.node, ast.ClassDef) and (at, func.id) in functions:
                return functions[at, func.id]
            at = at.outer
    elif isinstance(func, ast.Attribute) and root_of(func) in ("self", "cls"):
        while at is not None and not isinstance(at.node, ast.ClassDef):
            at = at.outer
        if at is not None and isinstance(func.value, ast.Name):
            return functions.get((at, func.attr))
    return None


@on(ast.With)
def locked(walk: Walk, node: ast.With) -> None:
    if walk.scope.asynchronous and any(_lock(i.context_expr) for i in node.items):
        walk.site(_locked, node)


def _lock(held: ast.expr) -> bool:
    """Whether a context manager is a lock by its name (`lock`, `_lock`, `write_lock`)."""
    name = held.attr if isinstance(held, ast.Attribute) else getattr(held, "id", "")
    return name.lower().rpartition("_")[2] in ("lock", "rlock", "mutex")


def _locked(walk: Walk, site: Site) -> Iterator[Finding]:
    if any(_awaits(s) for s in site.node.body):
        held = next(i.context_expr for i in site.node.items if _lock(i.context_expr))
        yield Finding(
            "AX117",
            site.node,
            site.scope,
            f"the thread lock {ast.unparse(held)!r} stays held while the coroutine waits",
        )


def _awaits(node: ast.AST) -> bool:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        return False
    if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
        return True
    return any(_awaits(child) for child in ast.iter_child_nodes(node))


@on(ast.Await, looping=True)
def awaited(walk: Walk, node: ast.Await) -> None:
    if type(node.value) is ast.Call:
        walk.site(_awaited, node)


def _awaited(walk: Walk, site: Site) -> Iterator[Finding]:
    loop = site.loop
    assert loop is not None
    node = loop.node
    if bounded(loop) or isinstance(node, (ast.While, ast.AsyncFor)):
        return
    if isinstance(node, ast.For):
        targets = names_in(node.target)
        collected = _collects(node.body, site.node)
    else:
        first = node.generators[0]
        targets = names_in(first.target)
        collected = (
            isinstance(node, (ast.ListComp, ast.SetComp))
            and len(node.generators) == 1
            and not first.is_async
            and node.elt is site.node
        )
    if collected and targets & names_in(site.node.value):
        yield Finding(
            "AX118",
            site.node,
            site.scope,
            "each awaits its turn though no result rests on the one before it",
        )


def _collects(body: list[ast.stmt], awaited: ast.Await) -> bool:
    """Whether a loop only awaits and keeps: `a.append(await f(x))`, `d[k] = await f(x)`."""
    if len(body) == 2 and isinstance(body[0], ast.Assign) and body[0].value is awaited:
        kept = body[0].targets[0]
        body = body[1:]
    else:
        kept = awaited
    if len(body) != 1:
        return False
    only = body[0]
    if isinstance(only, ast.Assign):
        value: ast.expr = only.value
        fits = isinstance(only.targets[0], ast.Subscript)
    elif isinstance(only, ast.Expr) and isinstance(only.value, ast.Call) and only.value.args:
        value, func = only.value.args[0], only.value.func
        fits = isinstance(func, ast.Attribute) and func.attr in ("append", "add")
    else:
        return False
    if isinstance(kept, ast.Name):
        return fits and isinstance(value, ast.Name) and value.id == kept.id
    return fits and value is kept
