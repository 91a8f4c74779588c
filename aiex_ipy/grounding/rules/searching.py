"""Rules on looking things up: searches and joins a loop repeats (AX101, AX106, AX108, AX110)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aiex_ipy.grounding.rules.names import (
    bindings,
    bounded,
    container,
    grows,
    measured,
    names_in,
    repeated,
    steady,
    varies,
)
from aiex_ipy.grounding.rules.scopes import Finding
from aiex_ipy.grounding.rules.walk import COMPREHENSIONS, Site, Walk, on, on_call

_MEMBERSHIP = (ast.In, ast.NotIn)
_COPIERS = ("list", "tuple", "sorted")


@on(ast.Compare)
def membership(walk: Walk, node: ast.Compare) -> None:
    for op, right in zip(node.ops, node.comparators, strict=True):
        if type(op) in _MEMBERSHIP:
            if type(right) is ast.Name:
                if walk.loop is not None:
                    walk.site(_quadratic_membership, node)
            elif type(right) is ast.Call:
                walk.site(_membership_copy, node)


def _quadratic_membership(walk: Walk, site: Site) -> Iterator[Finding]:
    scope, loop = site.scope, site.loop
    assert loop is not None
    for op, right in zip(site.node.ops, site.node.comparators, strict=True):
        if type(op) not in _MEMBERSHIP or not isinstance(right, ast.Name):
            continue
        name = right.id
        if container(scope, name, loop) != "list" or not repeated(scope, name, loop, site.node):
            continue
        grown = grows(scope, name)
        if not grown and all(
            measured(b.value) for b in bindings(scope, name, loop) if b.annotation is None
        ):
            continue
        if not any(varies(scope, site.node.left, one) for one in loop.chain()):
            continue
        what = "which loops fill" if grown else "which is built from data"
        yield Finding(
            "AX101",
            site.node,
            scope,
            f"each pass of the loop searches the list {name!r}, {what}, from its start",
            subject=name,
        )


def _membership_copy(walk: Walk, site: Site) -> Iterator[Finding]:
    for op, right in zip(site.node.ops, site.node.comparators, strict=True):
        if type(op) not in _MEMBERSHIP or not isinstance(right, ast.Call):
            continue
        func = right.func
        if not isinstance(func, ast.Name) or func.id not in _COPIERS:
            continue
        if len(right.args) != 1 or right.keywords or measured(right.args[0]):
            continue
        if func.id in site.scope.bindings or func.id in walk.module.bindings:
            continue
        held = right.args[0]
        named = held.attr if isinstance(held, ast.Attribute) else getattr(held, "id", "")
        if named[:1].isupper() and not named.isupper():
            continue  # an Enum: `in` on the class itself raises TypeError before Python 3.12
        yield Finding(
            "AX106",
            right,
            site.scope,
            f"'{func.id}(…)' copies every element only to be searched by 'in'",
        )


@on_call("index", "count", looping=True)
def search_of_iterated(walk: Walk, node: ast.Call) -> None:
    func = node.func
    if (
        isinstance(func, ast.Attribute)
        and isinstance(func.value, ast.Name)
        and len(node.args) == 1
        and isinstance(node.args[0], ast.Name)
    ):
        walk.site(_search_of_iterated, node)


def _search_of_iterated(walk: Walk, site: Site) -> Iterator[Finding]:
    assert site.loop is not None
    whole, sought = site.node.func.value.id, site.node.args[0].id
    for loop in site.loop.chain():
        if bounded(loop):
            continue
        for target, source in _iterations(loop.node):
            if isinstance(source, ast.Call) and isinstance(source.func, ast.Name):
                if source.func.id not in ("set", "list", "sorted", "reversed") or not source.args:
                    continue
                source = source.args[0]
            if (
                isinstance(target, ast.Name)
                and target.id == sought
                and isinstance(source, ast.Name)
                and source.id == whole
            ):
                remedy = "enumerate" if site.node.func.attr == "index" else "collections.Counter"
                yield Finding(
                    "AX108",
                    site.node,
                    site.scope,
                    f"{whole!r} is searched for {sought!r} on each pass of the loop over "
                    f"{whole!r} itself, where {remedy} knows the answer",
                    subject=whole,
                )
                return


def _iterations(node: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    if isinstance(node, (ast.For, ast.AsyncFor)):
        return [(node.target, node.iter)]
    if isinstance(node, COMPREHENSIONS):
        return [(g.target, g.iter) for g in node.generators]
    return []


@on(ast.For, looping=True)
def nested_join(walk: Walk, node: ast.For) -> None:
    assert walk.loop is not None
    if (
        walk.loop.outer is not None
        and len(node.body) == 1
        and type(node.body[0]) is ast.If
        and not node.body[0].orelse
        and isinstance(node.iter, ast.Name)
    ):
        walk.site(_nested_join, node)


def _nested_join(walk: Walk, site: Site) -> Iterator[Finding]:
    node: ast.For = site.node
    inner = site.loop
    assert inner is not None
    outer = inner.outer
    assert outer is not None and isinstance(node.iter, ast.Name)
    scope, name = site.scope, node.iter.id
    if outer.kind != "for" or bounded(outer) or not steady(scope, name, outer):
        return
    known = bindings(scope, name, outer)
    if known and all(b.annotation is None and b.value and measured(b.value) for b in known):
        return
    only = node.body[0]
    assert isinstance(only, ast.If)
    test = only.test
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        test = test.values[0]
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1):
        return
    if not isinstance(test.ops[0], ast.Eq):
        return
    targets = names_in(node.target)
    of_inner = [bool(names_in(side) & targets) for side in (test.left, test.comparators[0])]
    if of_inner[0] == of_inner[1]:
        return
    key = test.comparators[0] if of_inner[0] else test.left
    if varies(scope, key, outer):
        yield Finding(
            "AX110",
            node,
            scope,
            f"each pass of the outer loop goes through all of {name!r} to find equal keys",
            subject=name,
        )
