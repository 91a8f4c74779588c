"""Rules on containers a loop takes apart by copying or searching the rest (AX105, AX109)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aiex_ipy.grounding.rules.growing import of_command_line
from aiex_ipy.grounding.rules.names import (
    bindings,
    bounded,
    container,
    exit_of,
    grows,
    measured,
    names_in,
    root_of,
)
from aiex_ipy.grounding.rules.scopes import Finding, Scope
from aiex_ipy.grounding.rules.walk import Site, Walk, nodes, on, on_call


@on(ast.Assign, looping=True)
def cut(walk: Walk, node: ast.Assign) -> None:
    assert walk.loop is not None
    value = node.value
    if type(value) is not ast.Subscript or type(value.slice) is not ast.Slice:
        return
    if walk.loop.kind == "while" and len(node.targets) == 1:
        walk.site(_cut, node)


def _cut(walk: Walk, site: Site) -> Iterator[Finding]:
    node, scope, loop = site.node, site.scope, site.loop
    assert loop is not None
    target, value = node.targets[0], node.value
    part: ast.Slice = value.slice
    if part.lower is None or part.upper is not None or part.step is not None:
        return
    if not _same(target, value.value) or of_command_line(target):
        return
    test = loop.node.test
    if isinstance(exit_of(loop, node), _EXITS) or _strips(test, target):
        return
    if not isinstance(test, ast.Constant) and not _tests(test, target, scope):
        return
    if isinstance(target, ast.Name) and not _only_shrinks(scope, target.id, site):
        return
    label = ast.unparse(target)
    yield Finding(
        "AX105",
        node,
        scope,
        f"each pass copies what is left of {label!r} to drop its head",
        subject=label,
    )


_EXITS = (ast.Break, ast.Return, ast.Raise)


def _strips(test: ast.expr, target: ast.expr) -> bool:
    """Whether the loop only takes off equal leading elements: `while text[:1] == "<"`."""
    return any(
        isinstance(part, ast.Compare)
        and isinstance(part.left, ast.Subscript)
        and _same(part.left.value, target)
        and isinstance(part.ops[0], ast.Eq)
        for part in nodes(test)
    )


def _same(one: ast.expr, other: ast.expr) -> bool:
    """Whether two expressions are the same name or dotted name (`self.buffer`)."""
    while isinstance(one, ast.Attribute) and isinstance(other, ast.Attribute):
        if one.attr != other.attr:
            return False
        one, other = one.value, other.value
    return isinstance(one, ast.Name) and isinstance(other, ast.Name) and one.id == other.id


def _tests(test: ast.expr, target: ast.expr, scope: Scope) -> bool:
    """Whether the loop goes on for as long as there is some of the target left."""
    root = root_of(target)
    for node in nodes(test):
        if isinstance(node, (ast.Name, ast.Attribute)) and _same(node, target):
            return True
        if isinstance(node, ast.Name) and any(
            b.value is not None and root in names_in(b.value)
            for b in scope.bindings.get(node.id, ())
        ):
            return True  # `while data_len:` with `data_len = len(data)`
    return False


def _only_shrinks(scope: Scope, name: str, site: Site) -> bool:
    """Whether every value the loop gives the name comes from the name itself."""
    if name in scope.foreign or container(scope, name, None) == "tuple":
        return False
    assert site.loop is not None
    for b in scope.bindings.get(name, ()):
        if isinstance(b.value, ast.Call) and root_of(b.value.func) == "memoryview":
            return False  # a slice of a memoryview copies nothing
        inside = b.loop is not None and b.loop.inside(site.loop)
        if inside and not (b.value is not None and _rests_on(b.value, name)):
            return False
    return True


def _rests_on(value: ast.expr, name: str) -> bool:
    """Whether a value comes from the name, or is empty, which ends the loop."""
    return (isinstance(value, ast.Constant) and not value.value) or name in names_in(value)


@on_call("remove", looping=True)
def remove(walk: Walk, node: ast.Call) -> None:
    if (
        type(node.func) is ast.Attribute
        and type(node.func.value) is ast.Name
        and len(node.args) == 1
        and type(node.args[0]) is ast.Name
    ):
        walk.site(_removed, node)


def _removed(walk: Walk, site: Site) -> Iterator[Finding]:
    scope = site.scope
    assert site.loop is not None
    name, gone = site.node.func.value.id, site.node.args[0].id
    for loop in site.loop.chain():
        node = loop.node
        if not isinstance(node, ast.For) or not isinstance(node.target, ast.Name):
            continue
        if node.target.id != gone or bounded(loop) or of_command_line(site.node.func.value):
            continue
        fixed = [measured(b.value) for b in bindings(scope, name, None) if b.value is not None]
        if fixed and all(fixed) and not grows(scope, name):
            continue
        if isinstance(exit_of(loop, site.node), _EXITS):
            continue
        if _walks_list(scope, node.iter, name):
            yield Finding(
                "AX109",
                site.node,
                scope,
                f"the loop over {name!r} removes from it one by one; "
                "each removal searches and shifts the list",
                subject=name,
            )
        return


def _walks_list(scope: Scope, source: ast.expr, name: str) -> bool:
    """Whether a loop goes over the list of that name, or over a copy of it."""
    if isinstance(source, ast.Subscript):
        return (
            isinstance(source.slice, ast.Slice)
            and isinstance(source.value, ast.Name)
            and source.value.id == name
        )
    if isinstance(source, ast.Call):
        func = source.func
        if isinstance(func, ast.Name) and func.id in ("list", "sorted", "reversed", "tuple"):
            source = source.args[0] if source.args else source
        elif isinstance(func, ast.Attribute) and func.attr == "copy":
            source = func.value
    if not (isinstance(source, ast.Name) and source.id == name):
        return False
    return container(scope, name, None) == "list"
