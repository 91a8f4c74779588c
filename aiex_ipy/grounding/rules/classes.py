"""Architecture rules that one module's tree decides: god class (AX205), foreign global (AX210)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import combinations

from aiex_ipy.grounding.rules.catalogue import RULES
from aiex_ipy.grounding.rules.names import root_of
from aiex_ipy.grounding.rules.scopes import Finding, Scope
from aiex_ipy.grounding.rules.walk import Walk, at_end, nodes, on


@on(ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.match_case)
def branch(walk: Walk, node: ast.AST) -> None:
    walk.scope.paths += 1


@on(ast.BoolOp)
def condition(walk: Walk, node: ast.BoolOp) -> None:
    walk.scope.paths += len(node.values) - 1


@at_end
def god_classes(walk: Walk) -> Iterator[Finding]:
    """Classes that do much, reach into many others and hang together little."""
    limits = RULES["AX205"].limits
    paths: dict[Scope, int] = {}
    for scope in walk.scopes:
        at: Scope | None = scope
        while at is not None and not isinstance(at.node, ast.ClassDef):
            at = at.outer
        if at is not None and at is not scope:
            paths[at] = paths.get(at, 0) + scope.paths
    for scope, weight in paths.items():
        if weight >= limits["weighted methods"]:
            yield from _god_class(walk, scope, weight, limits)


def _god_class(
    walk: Walk, scope: Scope, weight: int, limits: dict[str, float]
) -> Iterator[Finding]:
    methods = [
        _Method(node, walk)
        for node in scope.node.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    foreign = set().union(*(method.foreign for method in methods))
    pairs = list(combinations([m.own for m in methods if not m.special], 2))
    if len(foreign) <= limits["foreign attributes"] or not pairs:
        return
    cohesion = sum(1 for one, other in pairs if one & other) / len(pairs)
    if cohesion < limits["cohesion"]:
        yield Finding(
            "AX205",
            scope.node,
            scope,
            f"class {scope.qualname!r} has {weight} paths in {len(methods)} methods, reads "
            f"{len(foreign)} attributes of others, and {cohesion:.0%} of the pairs of its methods "
            "share an attribute",
        )


class _Method:
    """The `own` attributes a method touches and the `foreign` ones it reads as data."""

    __slots__ = ("foreign", "own", "special")

    def __init__(self, node: ast.FunctionDef | ast.AsyncFunctionDef, walk: Walk) -> None:
        self.own: set[str] = set()
        self.foreign: set[str] = set()
        self.special = node.name.startswith("__")
        first = node.args.args[0].arg if node.args.args else ""
        called: set[int] = set()
        for child in nodes(node):
            if isinstance(child, ast.Call):
                called.add(id(child.func))
            elif isinstance(child, ast.Attribute):
                if isinstance(child.value, ast.Name) and child.value.id == first:
                    self.own.add(child.attr)
                elif id(child) not in called and root_of(child) not in walk.imports:
                    self.foreign.add(child.attr)


@at_end
def foreign_globals(walk: Walk) -> Iterator[Finding]:
    """Assignments to the globals of another module."""
    for scope in walk.scopes:
        for target, _ in scope.edits:
            if not isinstance(target, ast.Attribute):
                continue
            module = walk.imported(target.value, scope)
            if not module or module not in walk.modules or module in _SETTABLE:
                continue
            if f"{module}.{target.attr}" not in _HOOKS and not _is_own(walk.path, module):
                yield Finding(
                    "AX210",
                    target,
                    scope,
                    f"sets {target.attr!r} of the module {module!r} from outside",
                    subject=f"{module}.{target.attr}",
                )


# Modules and names whose documentation says to set them.
_SETTABLE = frozenset({"sys", "builtins", "__main__", "readline", "warnings"})
_HOOKS = frozenset({"threading.excepthook"})


def _is_own(path: str, module: str) -> bool:
    """Whether a module imports itself by name, as far as its path tells."""
    own = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return own == module or own.endswith(f".{module}")
