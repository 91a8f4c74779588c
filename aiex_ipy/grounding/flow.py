"""What happens on each way through a function: branches and results."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from msgspec import Struct

from aiex_ipy.grounding.names import Function
from aiex_ipy.grounding.tree import nodes_in

TEXT_AT_MOST = 100
"""Source texts in facts are cut to this many characters."""


class Branch(Struct, frozen=True, kw_only=True):
    """One way through part of a function. `condition` is what must hold (`if x > 0`, `else of
    if x > 0`, `for line in file`, `except KeyError`, `case [a, b]`), `""` for the straight way.

    `reads` are the names its own statements use, `assigns` those they bind or change, `calls` what
    they call; `returns` and `raises` are source texts. Inner branches are entries of their own
    with a larger `depth`.
    """

    condition: str
    line: int
    depth: int
    reads: tuple[str, ...] = ()
    assigns: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    returns: tuple[str, ...] = ()
    raises: tuple[str, ...] = ()


class Return(Struct, frozen=True, kw_only=True):
    """One way to give a result: `kind` is a type as far as the expression shows it (`list`,
    `bool`, `None`, `Path`, `the argument x`, `unknown`), `text` the expression, `yields` True
    in generators."""

    kind: str
    text: str
    line: int
    yields: bool = False


def branches(node: Function) -> list[Branch]:
    """Return the ways through a function in source order, the straight one first."""
    return list(_branches(node.body, "", node.lineno, 0))


def returns(node: Function) -> list[Return]:
    """Return the results of a function, in source order, each kind and text once.

    The end of a function that can be reached without `return` is the last entry, kind `None`.
    """
    annotated = {
        arg.arg: ast.unparse(arg.annotation) if arg.annotation else f"the argument {arg.arg}"
        for arg in _arguments(node)
    }
    found: list[Return] = []
    generates = False
    for at in nodes_in(node, nested=False):
        if isinstance(at, ast.Return):
            kind = "None" if at.value is None else _kind(at.value, annotated)
            text = "None" if at.value is None else cut(at.value)
            found.append(Return(kind=kind, text=text, line=at.lineno))
        elif isinstance(at, ast.Yield | ast.YieldFrom):
            generates = True
            value = at.value
            kind = "None" if value is None else _kind(value, annotated)
            if isinstance(at, ast.YieldFrom):
                kind = "unknown"
            text = "None" if value is None else cut(value)
            found.append(Return(kind=kind, text=text, line=at.lineno, yields=True))
    if not generates and falls_through(node.body):
        found.append(Return(kind="None", text="", line=node.end_lineno or node.lineno))
    return list({(r.kind, r.text, r.yields): r for r in reversed(found)}.values())[::-1]


def falls_through(body: list[ast.stmt]) -> bool:
    """True when control can leave the statements at their end."""
    return all(_passes(statement) for statement in body)


def cut(node: ast.AST) -> str:
    """Return source text of a node on one line, cut to `TEXT_AT_MOST`."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= TEXT_AT_MOST else text[: TEXT_AT_MOST - 1] + "…"


def handled(handler: ast.ExceptHandler) -> tuple[str, ...]:
    """Return the exceptions a handler takes; `BaseException` for a bare one."""
    if handler.type is None:
        return ("BaseException",)
    if isinstance(handler.type, ast.Tuple):
        return tuple(cut(item) for item in handler.type.elts)
    return (cut(handler.type),)


def _passes(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Return | ast.Raise | ast.Continue | ast.Break):
        return False
    if isinstance(statement, ast.If):
        return falls_through(statement.body) or falls_through(statement.orelse)
    if isinstance(statement, ast.While):
        endless = isinstance(statement.test, ast.Constant) and bool(statement.test.value)
        return not endless or any(isinstance(at, ast.Break) for at in nodes_in(statement))
    if isinstance(statement, ast.With | ast.AsyncWith):
        return falls_through(statement.body)
    if isinstance(statement, ast.Try | ast.TryStar):
        tried = falls_through(statement.body) and falls_through(statement.orelse)
        handled_well = any(falls_through(handler.body) for handler in statement.handlers)
        return (tried or handled_well) and falls_through(statement.finalbody)
    if isinstance(statement, ast.Match):
        last = statement.cases[-1]
        total = last.guard is None and isinstance(last.pattern, ast.MatchAs)
        return not total or any(falls_through(case.body) for case in statement.cases)
    return True


def _branches(body: list[ast.stmt], condition: str, line: int, depth: int) -> Iterator[Branch]:
    """Yield the branch made of the simple statements of `body`, then its inner branches."""
    own: list[ast.AST] = []
    inner: list[tuple[str, int, list[ast.stmt]]] = []
    for statement in body:
        heads, parts = _parts(statement)
        own += heads
        inner += parts
    yield _branch(own, condition, line, depth)
    for text, at, statements in inner:
        yield from _branches(statements, text, at, depth + 1)


def _parts(statement: ast.stmt) -> _Parts:
    """Split a statement into what runs in its own branch and its inner branches."""
    if isinstance(statement, Function | ast.ClassDef):
        return [], []
    split = _SPLIT.get(type(statement))
    return ([statement], []) if split is None else split(statement)


def _parts_of_if(statement: ast.If) -> _Parts:
    text = cut(statement.test)
    parts = [(f"if {text}", statement.lineno, statement.body)]
    if len(statement.orelse) == 1 and isinstance(statement.orelse[0], ast.If):
        heads, more = _parts_of_if(statement.orelse[0])
        return [statement.test, *heads], parts + more
    return [statement.test], parts + _or_else(statement.orelse, f"if {text}")


def _parts_of_for(statement: ast.For | ast.AsyncFor) -> _Parts:
    text = f"for {cut(statement.target)} in {cut(statement.iter)}"
    parts = [(text, statement.lineno, statement.body)]
    return [statement.iter, statement.target], parts + _or_else(statement.orelse, text)


def _parts_of_while(statement: ast.While) -> _Parts:
    text = f"while {cut(statement.test)}"
    parts = [(text, statement.lineno, statement.body)]
    return [statement.test], parts + _or_else(statement.orelse, text)


def _parts_of_with(statement: ast.With | ast.AsyncWith) -> _Parts:
    text = "with " + ", ".join(cut(item) for item in statement.items)
    return list(statement.items), [(text, statement.lineno, statement.body)]


def _parts_of_try(statement: ast.Try | ast.TryStar) -> _Parts:
    parts = [("try", statement.lineno, statement.body)]
    parts += [(f"except {', '.join(handled(h))}", h.lineno, h.body) for h in statement.handlers]
    parts += _or_else(statement.orelse, "try")
    if statement.finalbody:
        parts.append(("finally", statement.finalbody[0].lineno, statement.finalbody))
    return [], parts


def _parts_of_match(statement: ast.Match) -> _Parts:
    parts = []
    for case in statement.cases:
        guard = f" if {cut(case.guard)}" if case.guard else ""
        parts.append((f"case {cut(case.pattern)}{guard}", case.pattern.lineno, case.body))
    return [statement.subject], parts


_Parts = tuple[list[ast.AST], list[tuple[str, int, list[ast.stmt]]]]
_SPLIT: dict[type[ast.stmt], Callable[..., _Parts]] = {
    ast.If: _parts_of_if,
    ast.For: _parts_of_for,
    ast.AsyncFor: _parts_of_for,
    ast.While: _parts_of_while,
    ast.With: _parts_of_with,
    ast.AsyncWith: _parts_of_with,
    ast.Try: _parts_of_try,
    ast.TryStar: _parts_of_try,
    ast.Match: _parts_of_match,
}


def _or_else(body: list[ast.stmt], text: str) -> list[tuple[str, int, list[ast.stmt]]]:
    return [(f"else of {text}", body[0].lineno, body)] if body else []


def _branch(own: list[ast.AST], condition: str, line: int, depth: int) -> Branch:
    seen: dict[str, dict[str, None]] = {
        key: {} for key in ("reads", "assigns", "calls", "returns", "raises")
    }
    for top in own:
        for node in (top, *nodes_in(top, nested=False)):
            key, text = _flow_of(node)
            if key:
                seen[key][text] = None
    return Branch(
        condition=condition,
        line=line,
        depth=depth,
        **{key: tuple(texts) for key, texts in seen.items()},
    )


def _flow_of(node: ast.AST) -> tuple[str, str]:
    """Return which list of a branch a node belongs to and as what, or two empty strings."""
    if isinstance(node, ast.Name):
        return ("reads" if isinstance(node.ctx, ast.Load) else "assigns"), node.id
    if isinstance(node, ast.Attribute | ast.Subscript):
        return ("", "") if isinstance(node.ctx, ast.Load) else ("assigns", cut(node))
    if isinstance(node, ast.Call):
        return "calls", cut(node.func)
    if isinstance(node, ast.Return):
        return "returns", "None" if node.value is None else cut(node.value)
    if isinstance(node, ast.Raise):
        return "raises", "the same again" if node.exc is None else cut(node.exc)
    return "", ""


_LITERALS: dict[type[ast.expr], str] = {
    ast.List: "list",
    ast.ListComp: "list",
    ast.Dict: "dict",
    ast.DictComp: "dict",
    ast.Set: "set",
    ast.SetComp: "set",
    ast.Tuple: "tuple",
    ast.GeneratorExp: "generator",
    ast.JoinedStr: "str",
    ast.Lambda: "function",
    ast.Compare: "bool",
}
_CALLABLE_TYPES = frozenset(
    {"str", "int", "float", "bool", "complex", "bytes", "bytearray", "object", "type"}
    | {"list", "dict", "set", "frozenset", "tuple"}
)
_KNOWN_RESULTS = {"len": "int", "sorted": "list", "isinstance": "bool", "repr": "str"} | {
    "any": "bool",
    "all": "bool",
    "issubclass": "bool",
    "hasattr": "bool",
    "callable": "bool",
    "hash": "int",
    "id": "int",
    "ord": "int",
    "chr": "str",
    "ascii": "str",
    "hex": "str",
    "open": "file",
}


def _kind(node: ast.expr, annotated: dict[str, str]) -> str:
    """Return the type an expression shows by itself, `unknown` when it shows none."""
    known = _LITERALS.get(type(node))
    if known is not None:
        return known
    if isinstance(node, ast.Constant):
        return "None" if node.value is None else type(node.value).__name__
    if isinstance(node, ast.UnaryOp):
        return "bool" if isinstance(node.op, ast.Not) else _kind(node.operand, annotated)
    if isinstance(node, ast.Name):
        return "the object itself" if node.id == "self" else annotated.get(node.id, "unknown")
    if isinstance(node, ast.IfExp):
        kinds = (_kind(node.body, annotated), _kind(node.orelse, annotated))
        return " | ".join(dict.fromkeys(kinds))
    if isinstance(node, ast.BinOp):
        left, right = _kind(node.left, annotated), _kind(node.right, annotated)
        return left if left in ("str", right) else "unknown"
    return _kind_of_call(node) if isinstance(node, ast.Call) else "unknown"


def _kind_of_call(node: ast.Call) -> str:
    name = ast.unparse(node.func)
    if name in _CALLABLE_TYPES or name.rpartition(".")[2].lstrip("_")[:1].isupper():
        return name
    return _KNOWN_RESULTS.get(name, "unknown")


def _arguments(node: Function) -> list[ast.arg]:
    args = node.args
    named = [*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs, args.kwarg]
    return [arg for arg in named if arg is not None]
