"""Rules on work a loop repeats though nothing it rests on changes (AX107, AX115, AX123)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aiex_ipy.grounding.rules.names import bounded, steady, varies
from aiex_ipy.grounding.rules.scopes import Finding
from aiex_ipy.grounding.rules.walk import Site, Walk, on, on_call

_REDUCERS = ("max", "min", "sum")
_COPIERS = frozenset({"sorted", "set", "frozenset", "list", "tuple", "dict"})


@on_call(*_REDUCERS, looping=True)
def reduced(walk: Walk, node: ast.Call) -> None:
    if type(node.func) is ast.Name and len(node.args) == 1 and type(node.args[0]) is ast.Name:
        walk.site(_unchanged, node)


@on(ast.For, ast.AsyncFor, looping=True)
def iterated_copy(walk: Walk, node: ast.For) -> None:
    assert walk.loop is not None
    if walk.loop.outer is not None and _copies(node.iter):
        walk.sites.append(Site(_unchanged, node.iter, walk.loop.outer, walk.scope))


@on(ast.Compare, looping=True)
def compared_copy(walk: Walk, node: ast.Compare) -> None:
    for right in node.comparators:
        if _copies(right):
            walk.site(_unchanged, right)


def _copies(node: ast.expr) -> bool:
    return (
        type(node) is ast.Call
        and type(node.func) is ast.Name
        and node.func.id in _COPIERS
        and len(node.args) == 1
        and type(node.args[0]) is ast.Name
    )


def _unchanged(walk: Walk, site: Site) -> Iterator[Finding]:
    call, scope, loop = site.node, site.scope, site.loop
    assert loop is not None
    made, name = call.func.id, call.args[0].id
    if made in scope.bindings or made in walk.module.bindings or bounded(loop):
        return
    if any(varies(scope, k.value, loop) for k in call.keywords):
        return
    if name not in scope.bindings or not steady(scope, name, loop):
        return
    yield Finding(
        "AX107",
        call,
        scope,
        f"'{made}({name})' is computed again on each pass though the loop leaves {name!r} as it is",
        subject=f"{made} {name}",
    )


@on_call("compile", looping=True)
def pattern(walk: Walk, node: ast.Call) -> None:
    if node.args:
        walk.site(_pattern, node)


def _pattern(walk: Walk, site: Site) -> Iterator[Finding]:
    scope, loop = site.scope, site.loop
    assert loop is not None
    if walk.dotted(site.node.func) not in ("re.compile", "regex.compile") or bounded(loop):
        return
    if not any(varies(scope, a, loop) for a in site.node.args):
        yield Finding(
            "AX123", site.node, scope, "the same regular expression is compiled on each pass"
        )


@on_call("open", "read_text", "read_bytes", looping=True)
def reopened(walk: Walk, node: ast.Call) -> None:
    func = node.func
    if (type(func) is ast.Name and node.args) or (type(func) is ast.Attribute and not node.args):
        walk.site(_reopened, node)


def _reopened(walk: Walk, site: Site) -> Iterator[Finding]:
    call, scope, loop = site.node, site.scope, site.loop
    assert loop is not None
    if isinstance(call.func, ast.Name):
        path = call.args[0]
        if not _reads(call):
            return
    else:
        path = call.func.value
        if call.func.attr == "open":
            return
    root = path
    while isinstance(root, ast.Attribute):
        root = root.value
    if loop.kind == "while" or bounded(loop) or not isinstance(root, (ast.Name, ast.Constant)):
        return
    if isinstance(root, ast.Name) and not steady(scope, root.id, loop):
        return
    label = ast.unparse(path)
    yield Finding(
        "AX115", call, scope, f"each pass reads the same file {label!r} again", subject=label
    )


def _reads(call: ast.Call) -> bool:
    mode = call.args[1] if len(call.args) > 1 else None
    for keyword in call.keywords:
        if keyword.arg == "mode":
            mode = keyword.value
    if mode is None:
        return True
    return (
        isinstance(mode, ast.Constant)
        and isinstance(mode.value, str)
        and not set(mode.value) & set("wax+")
    )
