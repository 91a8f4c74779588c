"""What a scope tells of a name: its container type, and whether a loop changes it."""

from __future__ import annotations

import ast
from typing import Literal

from aiex_ipy.grounding.rules.scopes import Binding, Loop, Scope
from aiex_ipy.grounding.rules.walk import nodes

Kind = Literal["list", "str", "bytes", "tuple", "dict", "set", ""]

_DISPLAYS: dict[type[ast.expr], Kind] = {
    ast.List: "list",
    ast.ListComp: "list",
    ast.JoinedStr: "str",
    ast.Tuple: "tuple",
    ast.Dict: "dict",
    ast.DictComp: "dict",
    ast.Set: "set",
    ast.SetComp: "set",
}
_MAKERS: dict[str, Kind] = {
    "list": "list",
    "sorted": "list",
    "str": "str",
    "repr": "str",
    "bytes": "bytes",
    "tuple": "tuple",
    "dict": "dict",
    "defaultdict": "dict",
    "OrderedDict": "dict",
    "Counter": "dict",
    "set": "set",
    "frozenset": "set",
}
_METHODS: dict[str, Kind] = {
    "split": "list",
    "rsplit": "list",
    "splitlines": "list",
    "readlines": "list",
    "findall": "list",
    "listdir": "list",
    "encode": "bytes",
    "decode": "str",
    "read_text": "str",
    "read_bytes": "bytes",
    "join": "str",
    "strip": "str",
    "lower": "str",
    "upper": "str",
    "format": "str",
}
_ANNOTATIONS: dict[str, Kind] = {
    "list": "list",
    "List": "list",
    "str": "str",
    "bytes": "bytes",
    "tuple": "tuple",
    "Tuple": "tuple",
    "dict": "dict",
    "Dict": "dict",
    "set": "set",
    "Set": "set",
    "frozenset": "set",
}
_GROWERS = frozenset({"append", "extend", "insert", "appendleft", "add", "update"})
# Methods that leave their receiver as it was (of containers, texts and paths).
_READERS = frozenset(
    {"get", "keys", "values", "items", "index", "count", "copy", "startswith", "endswith"}
    | {"split", "rsplit", "splitlines", "join", "format", "strip", "lstrip", "rstrip", "lower"}
    | {"upper", "encode", "decode", "find", "rfind", "replace", "isdisjoint", "issubset"}
    | {"issuperset", "union", "intersection", "difference", "read_text", "read_bytes"}
)
# Functions and methods that leave their arguments as they were, iterators aside.
_SPARING = frozenset(
    {"len", "sorted", "enumerate", "zip", "range", "isinstance", "print", "str", "repr", "min"}
    | {"max", "sum", "any", "all", "set", "frozenset", "list", "tuple", "dict", "reversed"}
    | {"bool", "int", "float", "type", "id", "hash", "abs", "round", "map", "filter", "open"}
    | {"join", "exists", "isfile", "isdir", "basename", "dirname", "append", "add"}
)


def kind_of(value: ast.expr | None) -> Kind:
    """The container type an expression makes, `""` where its form does not say."""
    if value is None:
        return ""
    if type(value) in _DISPLAYS:
        return _DISPLAYS[type(value)]
    if isinstance(value, ast.Constant):
        if isinstance(value.value, str):
            return "str"
        return "bytes" if isinstance(value.value, bytes) else ""
    if isinstance(value, ast.Call):
        func = value.func
        if isinstance(func, ast.Name):
            return _MAKERS.get(func.id, "")
        if isinstance(func, ast.Attribute):
            return _METHODS.get(func.attr, "")
    if isinstance(value, ast.BinOp) and isinstance(value.op, (ast.Add, ast.Mult, ast.Mod)):
        left = kind_of(value.left)
        if isinstance(value.op, ast.Add):
            return left or kind_of(value.right)
        return left if isinstance(value.op, ast.Mult) or left in ("str", "bytes") else ""
    return ""


def _annotated(annotation: ast.expr | None) -> Kind:
    if isinstance(annotation, ast.Subscript):
        annotation = annotation.value
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return _ANNOTATIONS.get(annotation.value.partition("[")[0], "")
    if isinstance(annotation, ast.Attribute):
        return _ANNOTATIONS.get(annotation.attr, "")
    return _ANNOTATIONS.get(annotation.id, "") if isinstance(annotation, ast.Name) else ""


def bindings(scope: Scope, name: str, loop: Loop | None) -> list[Binding]:
    """The bindings of a name the scope itself makes; none for a name of another scope or one
    that a comprehension around the place binds."""
    if name in scope.foreign:
        return []
    if loop is not None and any(name in one.targets for one in loop.chain()):
        return []
    return scope.bindings.get(name, [])


def container(scope: Scope, name: str, loop: Loop | None) -> Kind:
    """The one container type all bindings of a local name agree on, else `""`."""
    kinds: set[Kind] = set()
    for one in bindings(scope, name, loop):
        if one.grown:
            continue
        kinds.add("" if one.part else _annotated(one.annotation) or kind_of(one.value))
    return kinds.pop() if len(kinds) == 1 else ""


def _touches(scope: Scope) -> dict[str, list[tuple[Loop | None, str]]]:
    """How names are touched inside loops: name → (loop, `.method`, `(function)` or `=`)."""
    if scope.touched is not None:
        return scope.touched
    touched: dict[str, list[tuple[Loop | None, str]]] = {}
    for call, loop in scope.calls:
        func = call.func
        given = func.id if isinstance(func, ast.Name) else ""
        if isinstance(func, ast.Attribute):
            given = func.attr
            direct = isinstance(func.value, ast.Name)
            name = root_of(func.value)
            if name:
                touched.setdefault(name, []).append((loop, "." + given if direct else "="))
        for arg in (*call.args, *(k.value for k in call.keywords)):
            inner = arg.value if isinstance(arg, ast.Starred) else arg
            if isinstance(inner, ast.Name):
                touched.setdefault(inner.id, []).append((loop, f"({given})"))
    for target, loop in scope.edits:
        touched.setdefault(root_of(target), []).append((loop, "="))
    scope.touched = touched
    return touched


def root_of(node: ast.expr) -> str:
    """The name a chain of attributes and subscripts starts from, `""` if there is none."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def bounded(loop: Loop) -> bool:
    """Whether the source text itself says how often the loop runs: over a literal or a range of
    constants, or until something has a constant length."""
    node = loop.node
    if isinstance(node, (ast.For, ast.AsyncFor)):
        return _literal(node.iter)
    if isinstance(node, ast.While):
        test = node.test
        return (
            isinstance(test, ast.Compare)
            and isinstance(test.left, ast.Call)
            and isinstance(test.left.func, ast.Name)
            and test.left.func.id == "len"
            and isinstance(test.ops[0], (ast.Lt, ast.LtE, ast.NotEq))
            and isinstance(test.comparators[0], ast.Constant)
        )
    return all(_literal(g.iter) for g in node.generators)


def _literal(source: ast.expr) -> bool:
    if isinstance(source, (ast.List, ast.Tuple, ast.Set)):
        return not any(isinstance(e, ast.Starred) for e in source.elts)
    if isinstance(source, ast.Dict):
        return None not in source.keys
    if isinstance(source, ast.Call):
        func = source.func
        if isinstance(func, ast.Attribute):
            return func.attr in ("items", "keys", "values", "split") and _literal(func.value)
        return (
            isinstance(func, ast.Name)
            and func.id in ("range", "enumerate", "zip", "sorted", "reversed", "list", "set")
            and bool(source.args)
            and all(_literal(a) for a in source.args)
        )
    return isinstance(source, ast.Constant)


def measured(value: ast.expr | None) -> bool:
    """Whether an expression makes a container whose length its source text fixes."""
    if isinstance(value, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
        return all(_literal(g.iter) for g in value.generators)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return all(_literal(a) for a in value.args)
    return value is None or _literal(value)


def grows(scope: Scope, name: str) -> bool:
    """Whether some loop of the scope adds elements to the name's container."""
    if any(b.grown and _open_ended(b.loop) for b in scope.bindings.get(name, ())):
        return True
    return any(
        how[0] == "." and how[1:] in _GROWERS and _open_ended(loop)
        for loop, how in _touches(scope).get(name, ())
    )


def _open_ended(loop: Loop | None) -> bool:
    return loop is not None and not all(bounded(one) for one in loop.chain())


def rebound_in(scope: Scope, name: str, loop: Loop) -> bool:
    """Whether the name gets a value inside the loop (its own loop variables included)."""
    return any(b.loop is not None and b.loop.inside(loop) for b in bindings(scope, name, loop))


def steady(scope: Scope, name: str, loop: Loop) -> bool:
    """Whether nothing in the loop binds, edits, or hands the name to code that could change
    what it holds."""
    if name in scope.foreign or name in loop.targets or rebound_in(scope, name, loop):
        return False
    for where, how in _touches(scope).get(name, ()):
        if where is None or not where.inside(loop):
            continue
        if how[0] == "." and how[1:] in _READERS:
            continue
        if how[0] == "(" and how[1:-1] in _SPARING:
            continue
        return False
    return True


def names_in(node: ast.AST) -> set[str]:
    return {n.id for n in nodes(node) if isinstance(n, ast.Name)}


def varies(scope: Scope, node: ast.AST, loop: Loop) -> bool:
    """Whether an expression names something the loop gives a new value on each pass."""
    for name in names_in(node):
        for one in loop.chain():
            if name in one.targets:
                return True
            if one is loop:
                break
        if any(b.loop is not None and b.loop.inside(loop) for b in scope.bindings.get(name, ())):
            return True
    return False


def repeated(
    scope: Scope,
    name: str,
    loop: Loop,
    place: ast.AST,
    *,
    kept: ast.expr | None = None,
    growth: bool = False,
) -> bool:
    """Whether a place is run an open number of times while the name keeps its binding.

    With `growth`, `name += …` and the binding to `kept` itself do not count as a new binding.
    """
    left_by = exit_of(loop, place)
    if isinstance(left_by, (ast.Return, ast.Raise)):
        return False
    for one in loop.chain():
        if name in one.targets:
            return False
        for b in scope.bindings.get(name, ()):
            if b.loop is None or not b.loop.inside(one):
                continue
            if not (growth and (b.grown or b.value is kept)):
                return False
        if not bounded(one) and not (one is loop and isinstance(left_by, ast.Break)):
            return True
    return False


def exit_of(loop: Loop, place: ast.AST) -> ast.stmt | None:
    """The last statement of the innermost block of a loop statement a place stands in."""
    block: list[ast.stmt] = getattr(loop.node, "body", None) or []
    last = None
    while block:
        last = block[-1]
        holder = next((s for s in block if _holds(s, place)), None)
        block = _block(holder, place) if holder is not None else []
    return last


def _holds(node: ast.AST, place: ast.AST) -> bool:
    return any(inner is place for inner in nodes(node))


def _block(holder: ast.stmt, place: ast.AST) -> list[ast.stmt]:
    """The block of a compound statement that holds a place; empty where its header does."""
    parts: list[ast.AST] = [holder, *getattr(holder, "handlers", ()), *getattr(holder, "cases", ())]
    for part in parts:
        for field in ("body", "orelse", "finalbody"):
            block = getattr(part, field, None)
            if isinstance(block, list) and any(_holds(s, place) for s in block):
                return block
    return []
