"""Rules on containers a loop copies or shifts to add to them (AX102-AX104, AX111, AX119)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aiex_ipy.grounding.rules.names import bindings, container, kind_of, repeated, root_of
from aiex_ipy.grounding.rules.scopes import Finding, Loop, Scope
from aiex_ipy.grounding.rules.walk import Site, Walk, nodes, on, on_call

# Command lines are short: shifting them costs nothing.
_ARGUMENTS = frozenset({"arg", "args", "argv", "rargs", "largs", "arguments", "options"})


def of_command_line(node: ast.expr) -> bool:
    return (node.attr if isinstance(node, ast.Attribute) else root_of(node)) in _ARGUMENTS


@on_call("insert", "pop", looping=True)
def head_shift(walk: Walk, node: ast.Call) -> None:
    func = node.func
    if type(func) is not ast.Attribute or node.keywords:
        return
    if len(node.args) == (2 if func.attr == "insert" else 1):
        first = node.args[0]
        if type(first) is ast.Constant and first.value == 0 and type(first.value) is int:
            walk.site(_head_shift, node)


def _head_shift(walk: Walk, site: Site) -> Iterator[Finding]:
    call, scope, loop = site.node, site.scope, site.loop
    assert loop is not None
    holder = call.func.value
    if not isinstance(holder, (ast.Name, ast.Attribute)) or of_command_line(holder):
        return
    name = root_of(holder)
    if not name or walk.dotted(holder) == "sys.path" or not repeated(scope, name, loop, call):
        return
    if call.func.attr == "insert" and isinstance(call.args[1], ast.Constant):
        return  # a text widget, or a marker put there once
    if isinstance(holder, ast.Name) and any(
        b.value is not None and not b.part and _not_a_list(b.value)
        for b in bindings(scope, name, loop)
    ):
        return
    verb = "inserts at" if call.func.attr == "insert" else "takes from"
    label = ast.unparse(holder)
    yield Finding(
        "AX102",
        call,
        scope,
        f"the loop {verb} the head of {label!r}, which shifts every other element",
        subject=label,
    )


def _not_a_list(value: ast.expr) -> bool:
    return kind_of(value) in ("dict", "set", "bytes", "str", "tuple") or (
        isinstance(value, ast.Call) and root_of(value.func) in ("deque", "collections", "bytearray")
    )


@on(ast.AugAssign, looping=True)
def augmented(walk: Walk, node: ast.AugAssign) -> None:
    if type(node.op) is ast.Add:
        if type(node.target) is ast.Name:
            walk.site(_augmented_name, node)
        elif type(node.target) is ast.Attribute:
            walk.site(_augmented_attribute, node)


def _augmented_name(walk: Walk, site: Site) -> Iterator[Finding]:
    node, scope, loop = site.node, site.scope, site.loop
    assert loop is not None
    name = node.target.id
    if name in scope.foreign:
        if _textual(node.value):
            yield _copied_text(site, name, "only a local name is extended in place")
        return
    kind = container(scope, name, None)
    if kind in ("bytes", "tuple") and repeated(scope, name, loop, node, growth=True):
        if kind == "bytes":
            yield _copied_text(site, name, "bytes are never extended in place")
        else:
            yield _copied(site, name, "tuple")


def _augmented_attribute(walk: Walk, site: Site) -> Iterator[Finding]:
    node, scope, loop = site.node, site.scope, site.loop
    assert loop is not None
    if not _textual(node.value):
        return
    name, label = root_of(node.target), ast.unparse(node.target)
    if not name or not repeated(scope, name, loop, node):
        return
    if isinstance(node.target.value, (ast.Subscript, ast.Call)) or _reset(loop, label):
        return
    yield _copied_text(site, label, "only a local name is extended in place")


def _reset(loop: Loop, label: str) -> bool:
    """Whether the loop assigns the attribute anew somewhere."""
    return any(
        ast.unparse(target) == label
        for node in nodes(loop.node)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute)
    )


def _textual(value: ast.expr) -> bool:
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        return _textual(value.left) or _textual(value.right)
    return kind_of(value) in ("str", "bytes")


def _copied_text(site: Site, name: str, why: str) -> Finding:
    message = f"each pass copies all of {name!r} to add to it: {why}"
    return Finding("AX103", site.node, site.scope, message, subject=name)


def _copied(site: Site, name: str, kind: str) -> Finding:
    message = f"each pass makes a new {kind} of all that {name!r} holds to add to it"
    return Finding("AX104", site.node, site.scope, message, subject=name)


@on(ast.Assign, looping=True)
def assigned(walk: Walk, node: ast.Assign) -> None:
    if len(node.targets) == 1 and type(node.targets[0]) is ast.Name:
        kind = type(node.value)
        if kind is ast.Call:
            walk.site(_frame, node)
        elif kind in (ast.BinOp, ast.List, ast.Tuple, ast.Dict, ast.Set):
            walk.site(_rebuilt, node)


def _rebuilt(walk: Walk, site: Site) -> Iterator[Finding]:
    node, scope, loop = site.node, site.scope, site.loop
    assert loop is not None
    name, value = node.targets[0].id, node.value
    start = {
        "" if b.part else kind_of(b.value)
        for b in bindings(scope, name, None)
        if b.value is not value and not b.grown
    }
    kind = start.pop() if len(start) == 1 else ""
    if not kind or not repeated(scope, name, loop, node, kept=value, growth=True):
        return
    if kind in ("str", "bytes"):
        # `while` loops that put text before a name spell numbers and paths: a few turns
        before = isinstance(value, ast.BinOp) and _is_name(value.right, name)
        if before and loop.kind == "while":
            return
        if isinstance(value, ast.BinOp) and _rebuilds_text(value, name):
            yield _copied_text(site, name, "only what is added at its end alone goes in place")
    elif _rebuilds(value, name, kind):
        yield _copied(site, name, kind)


def _rebuilds_text(value: ast.BinOp, name: str) -> bool:
    """Whether a sum holds the name other than as `name + rest`, CPython's one cheap form."""
    if not isinstance(value.op, ast.Add):
        return False
    if _is_name(value.left, name):
        return False
    parts: list[ast.expr] = []
    stack: list[ast.expr] = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add):
            stack += (part.left, part.right)
        else:
            parts.append(part)
    return any(_is_name(part, name) for part in parts)


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _rebuilds(value: ast.expr, name: str, kind: str) -> bool:
    if isinstance(value, ast.BinOp):
        fitting = ast.Add if kind in ("list", "tuple") else ast.BitOr
        sides = (value.left, value.right)
        return isinstance(value.op, fitting) and any(_is_name(side, name) for side in sides)
    held: list[ast.expr] = []
    if isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        held = [e.value for e in value.elts if isinstance(e, ast.Starred)]
    elif isinstance(value, ast.Dict):
        held = [v for k, v in zip(value.keys, value.values, strict=True) if k is None]
    return any(_is_name(one, name) for one in held)


_FRAMES = {
    "pandas.concat": "DataFrame",
    "polars.concat": "DataFrame",
    "numpy.append": "array",
    "numpy.concatenate": "array",
    "numpy.vstack": "array",
    "numpy.hstack": "array",
    "numpy.insert": "array",
    "torch.cat": "tensor",
    "torch.hstack": "tensor",
    "torch.vstack": "tensor",
}


def _frame(walk: Walk, site: Site) -> Iterator[Finding]:
    node, scope, loop = site.node, site.scope, site.loop
    assert loop is not None
    name, call = node.targets[0].id, node.value
    called = walk.imported(call.func, scope)
    what = _FRAMES.get(called, "")
    if what:
        if not call.args or not _holds(call.args[0], name):
            return
    elif (
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "append"
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == name
        and any(k.arg == "ignore_index" for k in call.keywords)
    ):
        called, what = "append", "DataFrame"
    else:
        return
    if repeated(scope, name, loop, node, kept=call, growth=True):
        message = f"each pass copies the whole {what} {name!r} through {called!r} to add to it"
        yield Finding("AX119", node, scope, message, subject=name)


def _holds(node: ast.expr, name: str) -> bool:
    if isinstance(node, (ast.List, ast.Tuple)):
        return any(_is_name(one, name) for one in node.elts)
    return _is_name(node, name)


@on_call("sort", looping=True)
def sort(walk: Walk, node: ast.Call) -> None:
    if type(node.func) is ast.Attribute and type(node.func.value) is ast.Name and not node.args:
        walk.site(_sorted_again, node)


def _sorted_again(walk: Walk, site: Site) -> Iterator[Finding]:
    scope, loop = site.scope, site.loop
    assert loop is not None
    name = site.node.func.value.id
    if not repeated(scope, name, loop, site.node) or not _added_to(scope, name, loop):
        return
    message = f"each pass adds to the list {name!r} and sorts all of it again"
    yield Finding("AX111", site.node, scope, message, subject=name)


def _added_to(scope: Scope, name: str, loop: Loop) -> bool:
    return any(
        where is not None
        and where.inside(loop)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in ("append", "insert")
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == name
        for call, where in scope.calls
    )
