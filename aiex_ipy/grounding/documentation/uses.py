"""Where a name is used in a project, told from imports and parse trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.lint import is_test

MOST_USES = 12
MOST_PARSED = 150
"""Files with the word that are looked through: a tenth of a second for ten of them."""
MOST_EACH = 3
"""Uses shown of one file."""


class Use(Struct, frozen=True, kw_only=True):
    """One line that uses a name. `certain` is False for an attribute of a value whose class the
    file does not show; `test` tells a test from other code; `function` is where it stands."""

    path: str
    line: int
    text: str
    function: str = ""
    test: bool = False
    certain: bool = True


def uses_of(
    names: Sequence[str], subjects: Iterable[Subject], *, owners: Sequence[str] = ()
) -> tuple[tuple[Use, ...], int]:
    """Return where one of `names` (full dotted names of the same thing) is used, certain uses
    first, and how many more there are. `owners` are the full names of its class, for a member."""
    if not names:
        return (), 0
    last = names[0].rpartition(".")[2]
    word = re.compile(rf"\b{re.escape(last)}\b")
    found: list[Use] = []
    more = parsed = 0
    for subject in subjects:
        if not word.search(subject.text):
            continue
        parsed += 1
        if parsed > MOST_PARSED:
            break
        try:
            tree = ast.parse(subject.text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        of_file = list(_uses_in(tree, subject, last, set(names), set(owners)))
        of_file.sort(key=lambda use: (not use.certain, use.line))
        found += of_file[:MOST_EACH]
        more += max(0, len(of_file) - MOST_EACH)
    found.sort(key=lambda use: (not use.certain, use.test, use.path, use.line))
    return tuple(found[:MOST_USES]), more + max(0, len(found) - MOST_USES)


def _uses_in(
    tree: ast.Module, subject: Subject, last: str, names: set[str], owners: set[str]
) -> Iterator[Use]:
    module = _module_of(subject.path)
    imports = _imports(tree, module)
    typed = _typed(tree, imports, owners)
    lines = subject.text.splitlines()
    test = is_test(subject.path)
    seen: set[int] = set()
    for node, function in _named(tree, last):
        certain = _is_meant(node, imports, module, names, typed)
        if certain is None or node.lineno in seen:
            continue
        if not certain and not (owners and _knows(imports, owners)):
            continue
        seen.add(node.lineno)
        text = lines[node.lineno - 1].strip()[:200]
        yield Use(
            path=subject.path,
            line=node.lineno + subject.first_line - 1,
            text=text,
            function=function,
            test=test,
            certain=certain,
        )


def _named(tree: ast.Module, last: str) -> Iterator[tuple[ast.Name | ast.Attribute, str]]:
    """Yield the names and attributes called `last`, each with the function it stands in."""
    todo: list[tuple[ast.AST, str]] = [(tree, "")]
    while todo:
        node, function = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            function = f"{function}.{node.name}".lstrip(".")
        if _last(node) == last and isinstance(node, ast.Name | ast.Attribute):
            yield node, function
        todo += [(child, function) for child in ast.iter_child_nodes(node)]


def _last(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else ""


def _is_meant(
    node: ast.Name | ast.Attribute,
    imports: dict[str, str],
    module: str,
    names: set[str],
    typed: set[str],
) -> bool | None:
    """True for a use, False for one that may be, None for one of something else."""
    dotted = _dotted(node)
    if dotted is not None:
        first, _, rest = dotted.partition(".")
        origin = imports.get(first, f"{module}.{first}" if module else first)
        if (f"{origin}.{rest}" if rest else origin) in names:
            return True
        holder = dotted.rpartition(".")[0]
        if holder in typed:
            return True
        if first in imports:
            return None
    return False if isinstance(node, ast.Attribute) else None


def _imports(tree: ast.Module, module: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    found[alias.asname] = alias.name
                else:
                    first = alias.name.partition(".")[0]
                    found[first] = first
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                found[alias.asname or alias.name] = f"{origin}.{alias.name}"
    return found


def _typed(tree: ast.Module, imports: dict[str, str], owners: set[str]) -> set[str]:
    """Return the variables and attributes that the file shows to be of one of the classes."""
    found: set[str] = set()
    for node in ast.walk(tree) if owners else ():
        for target, shown in _bindings(node):
            if _is_owner(shown, imports, owners):
                found.add(target)
    return found


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield each name a statement binds with the expression that shows its class."""
    pairs: list[tuple[ast.expr | None, ast.expr | None]] = []
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call | ast.Await):
        pairs = [(target, node.value) for target in node.targets]
    elif isinstance(node, ast.AnnAssign):
        pairs = [(node.target, node.annotation)]
    elif isinstance(node, ast.withitem):
        pairs = [(node.optional_vars, node.context_expr)]
    elif isinstance(node, ast.arg) and node.annotation is not None:
        yield node.arg, node.annotation
    for target, shown in pairs:
        name = _dotted(target) if target is not None else None
        if name is not None and shown is not None:
            yield name, shown


def _is_owner(node: ast.expr, imports: dict[str, str], owners: set[str]) -> bool:
    """True for a class, a call of it, or its name in quotes."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return any(owner.rpartition(".")[2] == node.value for owner in owners)
    if isinstance(node, ast.Await):
        node = node.value
    dotted = _dotted(node.func if isinstance(node, ast.Call) else node)
    if dotted is None:
        return False
    first, _, rest = dotted.partition(".")
    origin = imports.get(first, first)
    full = f"{origin}.{rest}" if rest else origin
    return full in owners or any(owner.endswith(f".{full}") for owner in owners)


def _knows(imports: dict[str, str], owners: set[str]) -> bool:
    """True when a file imports the package that one of the classes is from."""
    tops = {owner.partition(".")[0] for owner in owners}
    return any(origin.lstrip(".").partition(".")[0] in tops for origin in imports.values())


def _dotted(node: ast.expr) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def _module_of(path: str) -> str:
    """Return the dotted name of a file by its path in the project, `""` for a cell."""
    if not path.endswith(".py"):
        return ""
    parts = path.removesuffix(".py").removeprefix("./").removeprefix("src/").split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
