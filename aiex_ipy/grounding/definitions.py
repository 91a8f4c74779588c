"""How functions and classes are defined: heads, parameters, attributes, members."""

from __future__ import annotations

import ast

from msgspec import Struct

from aiex_ipy.grounding.flow import cut
from aiex_ipy.grounding.names import Function
from aiex_ipy.grounding.parsed import Scope
from aiex_ipy.grounding.tree import nodes_in


class Parameter(Struct, frozen=True, kw_only=True):
    """A parameter. `kind` is one of `positional only`, `positional`, `rest of positional`,
    `keyword only`, `rest of keywords`; `default` is source text, None when required."""

    name: str
    kind: str
    annotation: str = ""
    default: str | None = None


class Attribute(Struct, frozen=True, kw_only=True):
    """An attribute of a class: `where` is `class` or the method that first sets it."""

    name: str
    line: int
    where: str
    annotation: str = ""
    value: str = ""


class Member(Struct, frozen=True, kw_only=True):
    """A function, method or class in an overview. `kind` may be `function`, `method`,
    `property`, `class method`, `static method`, `abstract method`, `class`, with `asynchronous `
    before it."""

    name: str
    kind: str
    line: int
    signature: str
    purpose: str
    cognitive: int = 0


def first_sentence(docstring: str) -> str:
    """Return the first sentence of a docstring on one line."""
    paragraph = " ".join(docstring.strip().split("\n\n")[0].split())
    end = paragraph.find(". ")
    return paragraph[: end + 1] if end > 0 else paragraph


def signature(node: Function | ast.ClassDef) -> str:
    """Return the head of a definition on one line, without its colon."""
    if isinstance(node, ast.ClassDef):
        bases = [cut(base) for base in (*node.bases, *node.keywords)]
        return f"class {node.name}" + (f"({', '.join(bases)})" if bases else "")
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    result = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    return " ".join(f"{word} {node.name}({ast.unparse(node.args)}){result}".split())


def constructor(inner: list[Scope]) -> list[Parameter]:
    """Return the parameters of `__init__` without the object itself."""
    for scope in inner:
        if isinstance(scope.node, Function) and scope.node.name == "__init__":
            return parameters(scope.node)[1:]
    return []


def parameters(node: Function) -> list[Parameter]:
    """Return the parameters in order, a method's own object included."""
    args = node.args
    positional = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(args.defaults))
    defaults += args.defaults
    found = []
    for number, (arg, default) in enumerate(zip(positional, defaults, strict=True)):
        kind = "positional only" if number < len(args.posonlyargs) else "positional"
        found.append(_parameter(arg, kind, default))
    if args.vararg is not None:
        found.append(_parameter(args.vararg, "rest of positional", None))
    for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        found.append(_parameter(arg, "keyword only", default))
    if args.kwarg is not None:
        found.append(_parameter(args.kwarg, "rest of keywords", None))
    return found


def _parameter(arg: ast.arg, kind: str, default: ast.expr | None) -> Parameter:
    return Parameter(
        name=arg.arg,
        kind=kind,
        annotation="" if arg.annotation is None else cut(arg.annotation),
        default=None if default is None else cut(default),
    )


def kind_of(scope: Scope) -> str:
    """Return what a scope is in the words of `Member.kind`."""
    node = scope.node
    if isinstance(node, ast.ClassDef) or node is None:
        return "class"
    marks = [
        cut(decorator).partition("(")[0].rpartition(".")[2] for decorator in node.decorator_list
    ]
    word = "method" if scope.in_class else "function"
    for mark, kind in (
        ("property", "property"),
        ("cached_property", "property"),
        ("setter", "property setter"),
        ("classmethod", "class method"),
        ("staticmethod", "static method"),
        ("abstractmethod", "abstract method"),
    ):
        if mark in marks:
            word = kind
            break
    return f"asynchronous {word}" if isinstance(node, ast.AsyncFunctionDef) else word


def member(scope: Scope, complexity: dict[int, int]) -> Member:
    """Return the overview line of a scope; `complexity` as `metrics.cognitive` gives it."""
    assert scope.node is not None
    return Member(
        name=scope.name,
        kind=kind_of(scope),
        line=scope.line,
        signature=signature(scope.node),
        purpose=first_sentence(ast.get_docstring(scope.node) or ""),
        cognitive=complexity.get(scope.start, 0),
    )


def attributes(node: ast.ClassDef, inner: list[Scope]) -> list[Attribute]:
    """Return the attributes of a class by line: of its body, and those its methods set."""
    found: dict[str, Attribute] = {}
    for statement in node.body:
        for target, annotation, value in assignments(statement):
            if isinstance(target, ast.Name):
                found.setdefault(
                    target.id, attribute(target.id, statement, "class", annotation, value)
                )
    for method in inner:
        if not isinstance(method.node, Function) or not method.node.args.args:
            continue
        owner = method.node.args.args[0].arg
        for at in nodes_in(method.node, nested=False):
            for target, annotation, value in assignments(at):
                if isinstance(target, ast.Attribute) and cut(target.value) == owner:
                    made = attribute(target.attr, at, method.node.name, annotation, value)
                    found.setdefault(target.attr, made)
    return sorted(found.values(), key=lambda attribute: (attribute.line, attribute.name))


def attribute(
    name: str, node: ast.AST, where: str, annotation: ast.expr | None, value: ast.expr | None
) -> Attribute:
    """Return the record of an assigned attribute or constant."""
    return Attribute(
        name=name,
        line=getattr(node, "lineno", 1),
        where=where,
        annotation="" if annotation is None else cut(annotation),
        value="" if value is None else cut(value),
    )


def assignments(node: ast.AST) -> list[tuple[ast.expr, ast.expr | None, ast.expr | None]]:
    """Return (target, annotation, value) of an assignment; tuples are taken apart."""
    if isinstance(node, ast.Assign):
        found: list[tuple[ast.expr, ast.expr | None, ast.expr | None]] = []
        for target in node.targets:
            if isinstance(target, ast.Tuple | ast.List):
                found += [(item, None, None) for item in target.elts]
            else:
                found.append((target, None, node.value))
        return found
    if isinstance(node, ast.AnnAssign):
        return [(node.target, node.annotation, node.value)]
    return []
