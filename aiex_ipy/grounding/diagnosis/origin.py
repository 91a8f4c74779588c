"""Where a value came from: the statement that gave a name its value, over functions and cells."""

from __future__ import annotations

import ast
import linecache
import os
import re
import types
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.diagnosis.edit import Code, Text
from aiex_ipy.grounding.diagnosis.sight import (
    enclosing_function,
    in_scope,
    mro,
    name_value,
    text_of,
    value_of,
)
from aiex_ipy.grounding.failure.evaluate import UNKNOWN, Found, Scope, evaluate
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.fix import Source
from aiex_ipy.grounding.notebook import read_cell
from aiex_ipy.grounding.owners import is_users, shown_path

How = Literal["assigned", "loop", "argument", "default", "import", "definition", "other"]
FARTHEST = 6
"""Steps from name to name that are followed."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Origin:
    """The place where a name got its value.

    `node` is the expression that made the value (for a loop the expression looped over), None
    where there is none; `frame` the frame in which it ran, None for a cell that has ended;
    `code` the text it stands in.
    """

    __slots__ = ("code", "frame", "how", "line", "name", "node", "place", "statement")

    def __init__(
        self,
        name: str,
        how: How,
        place: str,
        line: int,
        node: ast.expr | None,
        frame: LiveFrame | None,
        statement: ast.AST | None = None,
        code: Code | None = None,
    ) -> None:
        self.name = name
        self.code = code if code is not None else frame
        self.how = how
        self.place = place
        self.line = line
        self.node = node
        self.frame = frame
        self.statement = statement

    @property
    def where(self) -> str:
        return f"{self.place}, line {self.line}"


class Binding:
    """A statement of a scope that gives a name a value."""

    __slots__ = ("how", "line", "node", "statement")

    def __init__(self, how: How, line: int, node: ast.expr | None, statement: ast.AST) -> None:
        self.how = how
        self.line = line
        self.node = node
        self.statement = statement


def bindings(body: Sequence[ast.AST], name: str) -> list[Binding]:
    """Return what binds `name` in a scope, in the order of the text."""
    return sorted(_bindings(body, name), key=lambda each: each.line)


def _bindings(body: Sequence[ast.AST], name: str) -> Iterator[Binding]:  # noqa: C901
    for node in in_scope(body):
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    hit = _bound_value(target, value, name)
                    if hit is not None:
                        yield Binding(hit[0], node.lineno, hit[1], node)
            case ast.AnnAssign(target=ast.Name(id=target), value=value) if value is not None:
                if target == name:
                    yield Binding("assigned", node.lineno, value, node)
            case ast.AugAssign(target=ast.Name(id=target), value=value) if target == name:
                yield Binding("other", node.lineno, value, node)
            case ast.NamedExpr(target=ast.Name(id=target), value=value) if target == name:
                yield Binding("assigned", node.lineno, value, node)
            case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
                if _names(target, name):
                    yield Binding("loop", node.lineno, value, node)
            case ast.withitem(context_expr=value, optional_vars=ast.AST() as target):
                if _names(target, name):
                    yield Binding("other", value.lineno, value, node)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                for alias in names:
                    if (alias.asname or alias.name.partition(".")[0]) == name:
                        yield Binding("import", node.lineno, None, node)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() if node.name == name:
                yield Binding("definition", node.lineno, None, node)
            case ast.ExceptHandler(name=caught) if caught == name:
                yield Binding("other", node.lineno, None, node)


def _names(target: ast.AST, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(target))


def _bound_value(
    target: ast.expr, value: ast.expr, name: str
) -> tuple[How, ast.expr | None] | None:
    if isinstance(target, ast.Name):
        return ("assigned", value) if target.id == name else None
    if isinstance(target, ast.Tuple | ast.List) and _names(target, name):
        if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
            for part, made in zip(target.elts, value.elts, strict=True):
                if isinstance(part, ast.Name) and part.id == name:
                    return "assigned", made
        return "other", None
    return None


def origin(moment: Moment, frame: LiveFrame, name: str) -> Origin | None:
    """Return where `name`, as `frame` sees it, got its value last; None where that is not seen."""
    function = enclosing_function(frame)
    if function is not None and name in (*frame.code.co_varnames, *frame.code.co_cellvars):
        body = function.body if isinstance(function.body, list) else [function.body]
        found = _before(bindings(body, name), frame.line, body)
        if found is not None:
            return Origin(
                name, found.how, frame.place, found.line, found.node, frame, found.statement
            )
        return _argument(moment, frame, function, name)
    if frame.tree is not None and not (function is not None and frame.source and frame.source.cell):
        line = frame.line if function is None else 1 << 30
        found = _before(bindings(frame.tree.body, name), line, frame.tree.body)
        if found is not None:
            at = frame if function is None else None
            return Origin(
                name, found.how, frame.place, found.line, found.node, at, found.statement, frame
            )
    return in_cells(moment, name)


def in_cells(moment: Moment, name: str) -> Origin | None:
    """Return the newest binding of a name in the cells that ran before the failing one."""
    for cell in earlier_cells(moment, having=name):
        if name not in _given_names(cell):
            continue
        found = bindings(cell.tree.body, name)
        if found:
            last = found[-1]
            return Origin(
                name, last.how, cell.place, last.line, last.node, None, last.statement, cell
            )
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.Global) and name in node.names:
                return Origin(name, "other", cell.place, node.lineno, None, None, node, cell)
    return None


@lru_cache(maxsize=512)
def _given_names(cell: Text) -> frozenset[str]:
    """The names a cell may give a value, so that cells that only use one are passed over."""
    found: set[str] = set()
    for node in ast.walk(cell.tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                found.add(name)
            case ast.alias(name=name, asname=other):
                found.add(other or name.partition(".")[0])
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.ClassDef(name=name):
                found.add(name)
            case ast.ExceptHandler(name=str() as name):
                found.add(name)
            case ast.Global(names=names):
                found.update(names)
    return frozenset(found)


def earlier_cells(moment: Moment, *, having: str = "") -> Iterator[Text]:
    """Yield the cells before the failing one, newest first; those alone whose code has a text
    or name."""
    cells = list(moment.cells)
    if cells and not cells[-1].ok:
        cells.pop()
    for cell in reversed(cells[-500:]):
        if not _has(cell.code, having):
            continue
        text = cell_text(cell)
        if text is not None:
            yield text


def _has(code: str, text: str) -> bool:
    """True if the code has the text; a name must stand there as a word of its own."""
    if text not in code:
        return False
    return not text.isidentifier() or re.search(rf"\b{text}\b", code) is not None


@lru_cache(maxsize=512)
def cell_text(cell: RanCell) -> Text | None:
    """Return the parsed text of a cell that ran, None for one that does not parse."""
    ran = read_cell(cell.code).text
    try:
        tree = ast.parse(ran)
    except (SyntaxError, ValueError, RecursionError):
        return None
    source = Source(path=cell.label, text=cell.code, cell=cell.number)
    return Text(source, ran, tree, cell.label)


def _before(found: list[Binding], line: int, body: Sequence[ast.AST]) -> Binding | None:
    """The last binding before a line; inside a loop one after it counts where none is before."""
    earlier = [each for each in found if each.line < line or _opens(each, line)]
    if earlier:
        return earlier[-1]
    loops = (each for each in in_scope(body) if isinstance(each, ast.For | ast.While))
    for loop in loops:
        inside = [b for b in found if loop.lineno <= b.line <= (loop.end_lineno or 0)]
        if loop.lineno <= line <= (loop.end_lineno or 0) and inside:
            return inside[-1]
    return None


def _opens(found: Binding, line: int) -> bool:
    """True for a binding made earlier on the failing line, by `for` or `:=`."""
    return found.line == line and (
        found.how == "loop" or isinstance(found.statement, ast.NamedExpr)
    )


def _argument(
    moment: Moment, frame: LiveFrame, function: Function | ast.Lambda, name: str
) -> Origin | None:
    arguments = function.args
    positional = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    if name not in (*positional, *(each.arg for each in arguments.kwonlyargs)):
        return None
    frames = list(moment.frames)
    at = next((i for i, each in enumerate(frames) if each is frame), 0)
    caller = frames[at - 1] if at else None
    call = caller.node if caller is not None else None
    if caller is not None and isinstance(call, ast.Call) and caller.user:
        for keyword in call.keywords:
            if keyword.arg == name:
                return Origin(name, "argument", caller.place, call.lineno, keyword.value, caller)
        if any(isinstance(each, ast.Starred) for each in call.args):
            return Origin(name, "argument", caller.place, call.lineno, None, caller)
        index = positional.index(name) if name in positional else -1
        if positional[:1] in (["self"], ["cls"]) and _is_method_call(frame, call):
            index -= 1
        if 0 <= index < len(call.args):
            return Origin(name, "argument", caller.place, call.lineno, call.args[index], caller)
    default = _default(arguments, name)
    if default is not None and (caller is None or isinstance(call, ast.Call)):
        return Origin(name, "default", frame.place, default.lineno, default, frame)
    return None


def _is_method_call(frame: LiveFrame, call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) or frame.code.co_name == "__init__"


def _default(arguments: ast.arguments, name: str) -> ast.expr | None:
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = positional[len(positional) - len(arguments.defaults) :]
    for parameter, default in zip(with_default, arguments.defaults, strict=True):
        if parameter.arg == name:
            return default
    for parameter, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if parameter.arg == name:
            return value
    return None


def known(moment: Moment, node: ast.AST | None, frame: LiveFrame | None) -> Found:
    """Return the value of an expression in a frame, or of a cell that has ended (frame None)."""
    if node is None:
        return UNKNOWN
    return value_of(node, frame) if frame is not None else evaluate(node, Scope(moment.names))


def traced(moment: Moment, frame: LiveFrame | None, node: ast.AST | None) -> list[Origin]:
    """Return the steps by which an expression's value came: a name's assignment, and on from
    there while that is again only a name. Nearest first, () for what is no name."""
    steps: list[Origin] = []
    at: LiveFrame | None = frame
    while isinstance(node, ast.Name) and len(steps) < FARTHEST:
        found = origin(moment, at, node.id) if at is not None else in_cells(moment, node.id)
        if found is None or any(
            found.statement is each.statement and found.line == each.line
            for each in steps
            if each.statement is not None
        ):
            break
        steps.append(found)
        if found.how == "loop":
            break
        node, at = found.node, found.frame
    return steps


def maker(moment: Moment, frame: LiveFrame, node: ast.AST | None) -> tuple[ast.AST | None, str]:
    """Return the expression that made the value of `node`, and its place."""
    steps = traced(moment, frame, node)
    if not steps:
        line = getattr(node, "lineno", frame.line)
        return (None if isinstance(node, ast.Name) else node), f"{frame.place}, line {line}"
    last = steps[-1]
    if isinstance(last.node, ast.Name) or last.how in {"loop", "other"}:
        return None, last.where
    return last.node, last.where


def told(steps: Sequence[Origin]) -> list[str]:
    """Return each step as a line of evidence."""
    words = {"argument": "is given", "default": "has the default", "loop": "runs over"}
    return [
        f"{each.where}: {each.name!r} {words.get(each.how, 'is made by')} {text_of(each.node)}"
        for each in steps
        if each.node is not None
    ]


class Defined:
    """A live function's definition and the text it stands in."""

    __slots__ = ("code", "node", "place")

    def __init__(self, node: Function, code: Code, place: str) -> None:
        self.node = node
        self.code = code
        self.place = place


def function_called(moment: Moment, frame: LiveFrame | None, call: ast.Call) -> Defined | None:
    """Return the definition of the user's function that a call calls."""
    value: Any = None
    if isinstance(call.func, ast.Name):
        if frame is not None:
            value = name_value(call.func.id, frame)[1]
        else:
            value = moment.names.get(call.func.id)
    elif isinstance(call.func, ast.Attribute) and frame is not None:
        value = _method(frame, call.func)
    return definition(moment, value)


def _method(frame: LiveFrame, node: ast.Attribute) -> Any:
    found, base = value_of(node.value, frame)
    if not found:
        return None
    if type(base) is types.ModuleType:
        return base.__dict__.get(node.attr)
    for each in mro(base if isinstance(base, type) else type(base)):
        if node.attr in each.__dict__:
            return each.__dict__[node.attr]
    return None


def definition(moment: Moment, value: Any) -> Defined | None:
    """Return where a live Python function of the user's is defined, None for anything else."""
    if type(value) is staticmethod or type(value) is classmethod:
        value = value.__func__
    if type(value) is types.MethodType:
        value = value.__func__
    if type(value) is not types.FunctionType or not is_users(value.__code__.co_filename):
        return None
    code = value.__code__
    frame = next((each for each in moment.frames if each.file == code.co_filename), None)
    text: Text | LiveFrame | None = frame if frame is not None and frame.tree is not None else None
    text = text if text is not None else text_of_file(moment, code.co_filename)
    if text is None or text.tree is None:
        return None
    for node in ast.walk(text.tree):
        if isinstance(node, Function) and node.name == code.co_name:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if code.co_firstlineno in {first, node.lineno}:
                return Defined(node, text, text.place)
    return None


def text_of_file(moment: Moment, file: str) -> Text | None:
    """Return the text compiled under a file name: a file of the user's, or a cell that ran."""
    ran = "".join(linecache.getlines(file))
    try:
        tree = ast.parse(ran)
    except (SyntaxError, ValueError, RecursionError):
        return None
    if not ran:
        return None
    cell = _cell_of(moment, ran)
    if cell is not None:
        source = Source(path=cell.label, text=cell.code, cell=cell.number)
        return Text(source, ran, tree, cell.label)
    place = shown_path(file, moment.project_dir)
    if not os.path.isabs(file):
        return Text(None, ran, tree, place)
    return Text(Source(path=place, text=ran, file=file), ran, tree, place)


def _cell_of(moment: Moment, ran: str) -> RanCell | None:
    for cell in reversed(moment.cells):
        if ran.strip() in {cell.code.strip(), read_cell(cell.code).text.strip()}:
            return cell
    return None


def label_of(moment: Moment, file: str) -> str | None:
    """Return the name of the cell compiled under a file name, as the moment's frames and the text
    of the cells tell it; None for a file."""
    for each in moment.frames:
        if each.file == file:
            return each.place if each.source is not None and not each.source.file else None
    ran = "".join(linecache.getlines(file))
    cell = _cell_of(moment, ran) if ran.strip() else None
    return cell.label if cell is not None else None
