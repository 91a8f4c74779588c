"""What is used when it is over: closed files behind lazy readers, and context managers that never
came to their `yield`."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.origin import (
    Defined,
    Function,
    definition,
    function_called,
    told,
    traced,
)
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    enclosing_function,
    in_scope,
    matches,
    nodes_at_fault,
    parents,
    shown,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

LAZY = frozenset({"map", "filter", "zip", "enumerate", "iter", "reversed", "islice", "chain"})
"""Calls that read nothing before they are looped over; readers are told by their name."""
CLOSED = r"closed (?:file|database|cursor)|of closed file|ZIP archive that was already closed"
With = ast.With | ast.AsyncWith


def closed_file(moment: Moment) -> Iterator[Diagnosis]:
    """A file, reader or connection used after the `with` block that opened it."""
    frame = moment.frame
    found = matches(moment, Exception, CLOSED)
    if frame is None or found is None:
        return
    for block, name, place, returned, owner, steps in _blocks(moment, frame):
        opened = f"`with {text_of(block.items[0].context_expr, 50)}` ({place}, line {block.lineno})"
        if owner and returned:
            cause = (
                f"{owner}() returns {returned} out of its with block, {opened}: the block closes "
                f"{name!r} when {owner} returns, and nothing has been read by then"
            )
            remedy = (
                f"Read everything inside the block (return list(…)), or make {owner} a generator "
                "that yields inside it."
            )
        else:
            cause = (
                f"{returned or name!r} is used after its with block has ended: {opened} closed "
                f"{name!r} on line {block.end_lineno}"
            )
            remedy = "Use it inside the block."
        yield Diagnosis(
            rule="closed-file",
            certainty="certain",
            cause=f"The file is closed already: {cause}.",
            evidence=(*steps, f"{where(frame)}: {text_of(frame.node, 60)}"),
            remedy=remedy,
        )
        return
    yield Diagnosis(
        rule="closed-file",
        certainty="certain",
        cause=f"The {'database' if 'database' in found[0] else 'file'} is closed already"
        + _closer(frame),
        evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
        remedy="Use it before it is closed, or open it again.",
    )


def _closer(frame: LiveFrame) -> str:
    names = {node.id for node in nodes_at_fault(frame, ast.Name)}
    for node in ast.walk(frame.tree) if frame.tree is not None else ():
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="close")):
                if name in names:
                    return f": {name}.close() is called in line {node.lineno}."
    return "."


Block = tuple[With, str, str, str, str, list[str]]


def _blocks(moment: Moment, frame: LiveFrame) -> Iterator[Block]:
    """The `with` blocks that may have closed what the failing place reads: the block, the name
    it gave, its place, what left it, of which function, and the steps between."""
    names = list(dict.fromkeys(each.id for each in nodes_at_fault(frame, ast.Name)))
    around = enclosing_function(frame)
    scope = around if around is not None else frame.tree
    for block in ast.walk(scope) if scope is not None else ():
        if isinstance(block, With) and (block.end_lineno or 0) < frame.line:
            for name in _given(block):
                made = next((n for n in names if n == name or _made_in(block, n, name)), None)
                if made is not None:
                    label = f"{made!r}, which reads from it lazily," if made != name else ""
                    yield block, name, frame.place, label, "", []
    if frame.code.co_name in {"<genexpr>", "<lambda>"} and isinstance(around, Function):
        yield from _left(Defined(around, frame, frame.place), [], line=frame.line)
    at = _outer(moment, frame)
    for name in names:
        node = ast.Name(id=name)
        steps = traced(moment, at, node)
        call = steps[-1].node if steps else None
        own = function_called(moment, steps[-1].frame, call) if isinstance(call, ast.Call) else None
        if own is not None:
            yield from _left(own, told(steps))
    for call in nodes_at_fault(frame, ast.Call):
        own = function_called(moment, frame, call)
        if own is not None:
            yield from _left(own, [])


def _outer(moment: Moment, frame: LiveFrame) -> LiveFrame:
    """The frame whose names a generator expression's iterable was evaluated with."""
    frames = list(moment.frames)
    at = next((i for i, each in enumerate(frames) if each is frame), 0)
    inner = frame.code.co_name in {"<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>"}
    if inner and at and frames[at - 1].file == frame.file:
        return frames[at - 1]
    return frame


def _left(own: Defined, steps: list[str], line: int = 0) -> Iterator[Block]:
    """The blocks of a function that what it returns still reads from."""
    for block in in_scope(own.node.body):
        if not isinstance(block, With):
            continue
        for name in _given(block):
            for node in in_scope(own.node.body):
                if not isinstance(node, ast.Return) or node.value is None:
                    continue
                inside = line and node.lineno <= line <= (node.end_lineno or 0)
                label = _lazy(own.node, node.value, name)
                if label or inside:
                    label = label or "a generator expression"
                    at = f"{own.place}, line {node.lineno}: {text_of(node)}"
                    yield block, name, own.place, label, own.node.name, [*steps, at]
                    return


def _given(block: With) -> list[str]:
    return [
        text_of(each.optional_vars)
        for each in block.items
        if isinstance(each.optional_vars, ast.Name)
    ]


def _made_in(block: With, name: str, file: str) -> bool:
    """True if a name was made lazily of the file in the block."""
    for node in in_scope(block.body):
        if isinstance(node, ast.Assign) and any(text_of(t) == name for t in node.targets):
            return bool(_lazy_value(node.value, {file}))
    return False


def _lazy(function: Any, node: ast.expr, file: str) -> str:
    """In words, what a returned expression reads from the file lazily; "" where it does not."""
    names = {file}
    for each in in_scope(function.body):
        if isinstance(each, ast.Assign) and _lazy_value(each.value, names):
            names |= {text_of(target) for target in each.targets}
    if isinstance(node, ast.Name):
        if node.id == file:
            return f"the open file {file!r}"
        return f"{node.id!r}, a lazy reader," if node.id in names else ""
    return _lazy_value(node, names)


def _lazy_value(node: ast.expr, names: set[str]) -> str:
    if isinstance(node, ast.GeneratorExp):
        used = {n.id for n in ast.walk(node.generators[0].iter) if isinstance(n, ast.Name)}
        return "a generator expression" if used & names else ""
    if not isinstance(node, ast.Call):
        return ""
    last = text_of(node.func).rpartition(".")[2]
    if last in LAZY or "reader" in last.lower() or last == "iterparse":
        used = {n.id for a in node.args for n in ast.walk(a) if isinstance(n, ast.Name)}
        return f"a lazy {text_of(node.func)}" if used & names else ""
    return ""


def context_manager(moment: Moment) -> Iterator[Diagnosis]:
    """A `@contextmanager` whose generator did not come to its `yield`, or came to two."""
    frame = moment.frame
    found = matches(moment, RuntimeError, r"^generator didn't (yield|stop)( after a?throw)?")
    if frame is None or found is None:
        return
    for call in nodes_at_fault(frame, ast.Call):
        value = value_of(call.func, frame)[1]
        wrapped = getattr(value, "__wrapped__", None) if _is_function(value) else None
        own = definition(moment, wrapped) or function_called(moment, frame, call)
        if own is None:
            continue
        yields = [n for n in in_scope(own.node.body) if isinstance(n, ast.Yield)]
        if not yields:
            continue
        name, place = own.node.name, own.place
        if found[1] == "stop":
            lines = ", ".join(str(each.lineno) for each in yields)
            yield Diagnosis(
                rule="context-manager",
                certainty="certain",
                cause=f"{name}() yields more than once ({place}, line {lines}), and a context "
                "manager must yield exactly once.",
                evidence=(f"{where(frame)}: with {text_of(call)}",),
                remedy="Let it yield once: no `yield` in a loop or after an `except` that goes on.",
            )
            return
        ends = [
            n
            for n in in_scope(own.node.body)
            if isinstance(n, ast.Return) and n.lineno < yields[-1].lineno
        ]
        above = parents(own.node)
        told_ = [f"{place}, line {n.lineno}: {text_of(n)}{_under(above, n)}" for n in ends]
        how = f"returned early, before its `yield` (line {yields[0].lineno})"
        if not ends:
            how = f"ended without reaching its `yield` (line {yields[0].lineno}, in a branch)"
            told_ = [f"{place}, line {yields[0].lineno}: yield{_under(above, yields[0])}"]
        given = [
            f"{text_of(a)} = {shown(v, text_of(a))}"
            for a in call.args
            for known, v in [value_of(a, frame)]
            if known and not isinstance(a, ast.Constant)
        ]
        yield Diagnosis(
            rule="context-manager",
            certainty="certain",
            cause=f"{name}() {how}, so the `with` has nothing to enter ({told_[0]}).",
            evidence=(*told_, f"{where(frame)}: with {text_of(call)}", *given),
            remedy="Raise an exception there in place of returning, or yield on every path.",
        )
        return


def _is_function(value: Any) -> bool:
    return type(value) in {types.FunctionType, types.MethodType}


def _under(above: dict[ast.AST, ast.AST], node: ast.AST) -> str:
    while node in above:
        node = above[node]
        if isinstance(node, ast.If | ast.While):
            return f" under `{type(node).__name__.lower()} {text_of(node.test, 50)}`"
        if isinstance(node, ast.For):
            return f" under `for {text_of(node.target)} in {text_of(node.iter, 40)}`"
    return ""
