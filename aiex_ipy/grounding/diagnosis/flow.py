"""How the program ran: names of a scope not yet bound, loops over what changes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import indent_of, inserted, rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import Function, bindings, told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    enclosing_function,
    in_scope,
    matches,
    message,
    nodes_at_fault,
    parents,
    shown,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.fix import Fix


def unbound_local(moment: Moment) -> Iterator[Diagnosis]:
    """A name of a function used before it has a value there."""
    frame = moment.frame
    local = matches(moment, NameError, r"local variable '(\w+)'")
    free = matches(moment, NameError, r"free variable '(\w+)'")
    found = local or free
    if frame is None or found is None or type(moment.error) not in {UnboundLocalError, NameError}:
        return
    name, function = found[1], enclosing_function(frame)
    if not isinstance(function, Function):
        return
    made = bindings(function.body, name)
    if not made:
        deleted = [n for n in in_scope(function.body) if isinstance(n, ast.Delete)]
        if deleted and free is None:
            yield Diagnosis(
                rule="deleted-name",
                certainty="certain",
                cause=f"{name!r} was deleted in line {deleted[0].lineno}.",
                evidence=(f"{where(frame)}: {name!r} is used",),
                remedy="Leave out the `del`.",
            )
        return
    later = [each for each in made if each.line >= frame.line]
    outer = name in frame.globals
    if outer and len(later) == len(made):
        line = later[0].line
        changed = isinstance(later[0].statement, ast.AugAssign) or (
            later[0].node is not None
            and any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(later[0].node))
        )
        yield Diagnosis(
            rule="unbound-local",
            certainty="certain",
            cause=f"{name!r} is a local variable of {function.name}(), because line {line} assigns "
            f"it there; the global {name!r} ({shown(frame.globals[name], name)}) is not used.",
            evidence=(
                f"{where(frame, line)}: {text_of(later[0].statement, 60)}",
                f"{where(frame)}: {name!r} is used before",
            ),
            remedy=f"Add `global {name}` to {function.name}(), or hand it over and return it."
            if changed
            else f"Give the local variable in line {line} another name.",
            fix=_global(frame, function, name) if changed else None,
        )
        return
    if len(later) == len(made):
        yield Diagnosis(
            rule="unbound-local",
            certainty="certain",
            cause=f"{name!r} gets its value in line {later[0].line}, after it is used.",
            evidence=(f"{where(frame)}: {name!r} is used",),
            remedy=f"Give {name!r} a value before line {frame.line}.",
        )
        return
    block = _condition(function, made[0].statement)
    if block is not None:
        yield Diagnosis(
            rule="unbound-local",
            certainty="certain",
            cause=f"{name!r} gets a value only in the `{block[0]}` of line {block[1]}, which did "
            "not run this time.",
            evidence=(
                f"{where(frame, made[0].line)}: {text_of(made[0].statement, 60)}",
                *_why_not(frame, block),
            ),
            remedy=f"Give {name!r} a value before the `{block[0]}`, or in its other branch.",
        )


def _global(frame: LiveFrame, function: Any, name: str) -> Fix | None:
    body = function.body
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(body) > 1:
        first = body[1]
    if first.lineno == function.lineno:
        return None
    text = f"{indent_of(frame, first.lineno)}global {name}"
    return inserted(frame, first.lineno, text, f"global {name}")


def _condition(function: ast.AST, statement: ast.AST) -> tuple[str, int, ast.AST] | None:
    above, node = parents(function), statement
    while node in above:
        node = above[node]
        if isinstance(node, ast.If | ast.For | ast.While | ast.Try | ast.Match | ast.ExceptHandler):
            word = {"ExceptHandler": "except"}.get(type(node).__name__, type(node).__name__.lower())
            return word, node.lineno, node
    return None


def _why_not(frame: LiveFrame, block: tuple[str, int, ast.AST]) -> tuple[str, ...]:
    node = block[2]
    if isinstance(node, ast.For):
        known, value = value_of(node.iter, frame)
        return (f"{text_of(node.iter)} is {shown(value)}",) if known else ()
    if isinstance(node, ast.If | ast.While):
        names = {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}
        return tuple(
            f"{n} = {shown(frame.locals[n], n)}" for n in sorted(names) if n in frame.locals
        )
    return ()


def changed_while_looped(moment: Moment) -> Iterator[Diagnosis]:
    """A dict, set or deque that changes while a loop runs over it."""
    frame = moment.frame
    pattern = (
        r"(dictionary|Set|set|deque|OrderedDict).*(changed size|mutated|changed) during iteration"
    )
    if frame is None or frame.tree is None or not matches(moment, RuntimeError, pattern):
        return
    for loop in ast.walk(frame.tree):
        if not isinstance(loop, ast.For) or not loop.lineno <= frame.line <= (loop.end_lineno or 0):
            continue
        base = loop.iter
        if isinstance(base, ast.Call) and isinstance(base.func, ast.Attribute):
            base = base.func.value
        change = _change(loop, text_of(base))
        text = segment(frame, loop.iter)
        yield Diagnosis(
            rule="changed-while-looped",
            certainty="certain",
            cause=f"{text_of(base)} changes while the loop in line {loop.lineno} runs over it"
            + (f": {text_of(change)} (line {change.lineno})." if change is not None else "."),
            evidence=(
                f"{where(frame, loop.lineno)}: for {text_of(loop.target)} in {text_of(loop.iter)}",
            ),
            remedy=f"Loop over a copy: list({text_of(loop.iter)}).",
            fix=rewritten(frame, "list", (loop.iter, f"list({text})")),
        )
        return


def _change(loop: ast.For, label: str) -> Any:
    methods = {
        "pop",
        "popitem",
        "clear",
        "update",
        "setdefault",
        "add",
        "remove",
        "discard",
        "append",
        "appendleft",
        "popleft",
    }
    for node in in_scope(loop.body):
        match node:
            case (
                ast.Delete(targets=[ast.Subscript(value=base)])
                | ast.Assign(targets=[ast.Subscript(value=base)])
            ) if text_of(base) == label:
                return node
            case ast.Call(func=ast.Attribute(value=base, attr=attr)) if (
                text_of(base) == label and attr in methods
            ):
                return node
    return None


def spent_iterator(moment: Moment) -> Iterator[Diagnosis]:
    """`next` of an iterator that has nothing (more) to give."""
    frame = moment.frame
    stopped = type(moment.error) is StopIteration or matches(
        moment, RuntimeError, r"generator raised StopIteration"
    )
    if frame is None or not stopped:
        return
    for call in [*nodes_at_fault(frame, ast.Call), *_calls_of_line(frame)]:
        if text_of(call.func) != "next" or len(call.args) != 1:
            continue
        steps = traced(moment, frame, call.args[0])
        yield Diagnosis(
            rule="spent-iterator",
            certainty="certain",
            cause=f"{text_of(call.args[0])} has nothing more to give, and next() has no default.",
            evidence=(*told(steps), f"{where(frame)}: {text_of(call)}"),
            remedy="Give next() a default: next(…, None), or make the iterator anew.",
            fix=rewritten(frame, "default", (call, segment(frame, call)[:-1] + ", None)")),
        )
        return


def _calls_of_line(frame: LiveFrame) -> list[ast.Call]:
    if frame.tree is None:
        return []
    return [n for n in ast.walk(frame.tree) if isinstance(n, ast.Call) and n.lineno == frame.line]


def wrong_pattern(moment: Moment) -> Iterator[Diagnosis]:
    """A regular expression, or pickled data, that cannot be read."""
    error, frame = moment.error, moment.frame
    if frame is None or error is None:
        return
    if type(error).__name__ in {"error", "PatternError"} and type(error).__module__ == "re":
        pattern, at = getattr(error, "pattern", None), getattr(error, "pos", None)
        if type(pattern) is str and type(at) is int:
            yield Diagnosis(
                rule="wrong-pattern",
                certainty="certain",
                cause=f"The regular expression {shown(pattern)} is wrong at position {at} "
                f"({pattern[at : at + 5]!r}): {message(error).partition(' at position')[0]}.",
                evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
                remedy="Escape it with a backslash, or use re.escape for text meant as it stands.",
            )
    elif type(error).__name__ in {"UnpicklingError", "PicklingError"} or (
        type(error) in {AttributeError, TypeError, EOFError}
        and re.search(
            r"[Cc]an't (?:get local|pickle)|cannot pickle|Ran out of input", message(error)
        )
    ):
        said = message(error)
        if "Ran out of input" in said:
            cause, remedy = "The pickle file is empty or was cut", "Check how it was written."
        elif "invalid load key" in said:
            cause, remedy = "The file is no pickle", "Check which format it has."
        else:
            what = re.search(r"'([^']+)'(?: object)?\s*$", said)
            cause = (
                f"{what[1] if what else 'A value'} cannot be pickled (lambdas, local "
                "functions, open files, locks and connections cannot)"
            )
            remedy = "Use a function at the top of a module, or leave the value out."
        yield Diagnosis(
            rule="no-pickle",
            certainty="certain",
            cause=f"{cause}.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy=remedy,
        )
