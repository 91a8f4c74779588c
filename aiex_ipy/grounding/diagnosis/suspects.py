"""Values that are wrong because of how they were kept: shared, spent, stale, bound too late."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import Code, indent_of, rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import (
    bindings,
    definition,
    earlier_cells,
    in_cells,
    known,
    origin,
)
from aiex_ipy.grounding.diagnosis.parts import Part, doubted, parts_of, texts_of_code
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.replay import steps_of
from aiex_ipy.grounding.diagnosis.sight import (
    is_a,
    namespace,
    shown,
    text_of,
)
from aiex_ipy.grounding.failure.evaluate import Scope, own_storage
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.fix import Fix


def grown_default(moment: Moment) -> Iterator[Diagnosis]:
    """A default value that one call changed for all others."""
    for part in parts_of(moment):
        for node in ast.walk(part.node):
            if not isinstance(node, ast.Call):
                continue
            function = known(moment, node.func, part.frame)[1]
            if type(function) is type and "__init__" in function.__dict__:
                function = function.__dict__["__init__"]
            found = _grown(moment, function)
            if found is not None:
                yield found
                return


def _grown(moment: Moment, function: Any) -> Diagnosis | None:
    made = definition(moment, function)
    if made is None:
        return None
    function = getattr(function, "__func__", function)
    arguments = made.node.args
    names = [*arguments.posonlyargs, *arguments.args][-len(arguments.defaults) or 1 << 30 :]
    values = function.__defaults__ or ()
    for name, node, value in zip(names, arguments.defaults, values, strict=False):
        empty = isinstance(node, ast.List | ast.Dict | ast.Set | ast.Call)
        if type(value) not in {list, dict, set} or not empty:
            continue
        size = len(getattr(node, "elts", getattr(node, "keys", ())))
        if len(value) == size:
            continue
        return Diagnosis(
            rule="mutable-default",
            certainty="certain",
            cause=f"The default of {name.arg!r} in {made.node.name}() ({made.place}, line "
            f"{made.node.lineno}) is one object for all calls, and calls have changed it: it was "
            f"{text_of(node)}, and is now {shown(value)}.",
            evidence=(f"{made.place}, line {made.node.lineno}: {name.arg}={text_of(node)}",),
            remedy=f"Write {name.arg}=None, and make the {type(value).__name__} in the function.",
            fix=_fresh_default(made.code, made.node, name.arg, node),
        )
    return None


def _fresh_default(code: Code, function: Any, name: str, node: ast.expr) -> Fix | None:
    body = function.body
    first = (
        body[1]
        if isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and len(body) > 1
        else body[0]
    )
    if first.lineno == function.lineno:
        return None
    indent = indent_of(code, first.lineno)
    text = segment(code, first)
    new = f"if {name} is None:\n{indent}    {name} = {segment(code, node)}\n{indent}{text}"
    return rewritten(code, f"{name}=None", (node, "None"), (first, new))


def spent_values(moment: Moment) -> Iterator[Diagnosis]:
    """An iterator that was used up before, or a coroutine nobody awaited."""
    for part in parts_of(moment):
        for node in ast.walk(part.node):
            if not isinstance(node, ast.Name):
                continue
            value = known(moment, node, part.frame)[1]
            made = origin(moment, part.frame, node.id) if part.frame else in_cells(moment, node.id)
            place = f" ({made.where})" if made is not None else ""
            items = value[:50] if type(value) in {list, tuple} else [value]
            if items and all(type(each) is types.CoroutineType for each in items):
                yield Diagnosis(
                    rule="not-awaited",
                    certainty="certain",
                    cause=f"{node.id} is a coroutine that was never awaited{place}.",
                    evidence=(f"{part.place}: {text_of(part.node, 60)}",),
                    remedy="Write `await` before the call that made it.",
                )
                return
            spent = type(value) is types.GeneratorType and value.gi_frame is None
            if spent:
                yield Diagnosis(
                    rule="spent-iterator",
                    certainty="certain",
                    cause=f"{node.id} is {shown(value)} that was used up before{place}: an "
                    "iterator gives its values once.",
                    evidence=(f"{part.place}: {text_of(part.node, 60)}",),
                    remedy=f"Keep the values in a list: {node.id} = list(…), or make it anew.",
                    fix=_listed(made.code, made.node) if made is not None else None,
                )
                return


def _listed(code: Code | None, node: ast.expr | None) -> Fix | None:
    if code is None or node is None:
        return None
    if isinstance(node, ast.GeneratorExp):
        text = segment(code, node)
        return rewritten(code, "list", (node, f"[{text[1:-1]}]"))
    if isinstance(node, ast.Call) and text_of(node.func) in {"map", "filter", "zip", "enumerate"}:
        return rewritten(code, "list", (node, f"list({segment(code, node)})"))
    return None


def shared_object(moment: Moment) -> Iterator[Diagnosis]:
    """One object under several names or in several places, changed by one of them."""
    for part in parts_of(moment):
        for node in ast.walk(part.node):
            if not isinstance(node, ast.Name):
                continue
            value = known(moment, node, part.frame)[1]
            found = _repeated(node.id, value, part) or _aliased(moment, node.id, value, part)
            if found is not None:
                yield found
                return


def _repeated(name: str, value: Any, part: Part) -> Diagnosis | None:
    items = (
        list(value.values())[:100]
        if type(value) is dict
        else (value[:100] if type(value) is list else [])
    )
    if len(items) < 2 or type(items[0]) not in {list, dict, set}:
        return None
    if any(each is not items[0] for each in items) or not items[0]:
        return None
    return Diagnosis(
        rule="one-object-repeated",
        certainty="certain",
        cause=f"All {len(items)} items of {name} are one and the same {type(items[0]).__name__}: "
        "a change of one shows in all (made by `[…] * n`, `dict.fromkeys`, or by appending one "
        "object again and again).",
        evidence=(
            f"{part.place}: {name}[0] is {name}[1]"
            if type(value) is list
            else f"{part.place}: the values of {name} are one object",
        ),
        remedy="Make each one anew: [[0] * n for _ in range(m)].",
    )


_CHANGES = frozenset(
    {
        "append",
        "extend",
        "insert",
        "remove",
        "pop",
        "clear",
        "sort",
        "reverse",
        "update",
        "add",
        "discard",
        "setdefault",
        "popitem",
        "fill",
        "drop",
    }
)


def _aliased(moment: Moment, name: str, value: Any, part: Part) -> Diagnosis | None:
    if (
        type(value) not in {list, dict, set}
        and not is_a(value, "numpy.ndarray")
        and not (is_a(value, "pandas.DataFrame"))
    ):
        return None
    for code, tree, place in texts_of_code(moment, name):
        for node in ast.walk(tree):
            match node:
                case ast.Assign(targets=[ast.Name(id=other)], value=ast.Name(id=source)):
                    pass
                case _:
                    continue
            if name not in (other, source) or other == source:
                continue
            second = other if name == source else source
            frame = code if isinstance(code, LiveFrame) else None
            if known(moment, ast.Name(id=second), frame)[1] is not value:
                continue
            change = _changed(moment, second)
            if change is None:
                continue
            kind = type(value)
            copy = f"{source}.copy()"
            return Diagnosis(
                rule="alias",
                certainty="certain",
                cause=f"{name} and {second} are one {kind.__name__} ({place}, line {node.lineno}: "
                f"{text_of(node)}), and it was changed by the name {second} ({change}).",
                evidence=(f"{place}, line {node.lineno}: {text_of(node)}", change),
                remedy=f"Make a copy: {other} = {copy}.",
                fix=rewritten(code, "copy", (node.value, f"{segment(code, node.value)}.copy()")),
            )
    return None


def _changed(moment: Moment, name: str) -> str | None:
    for _, tree, place in texts_of_code(moment, name):
        for node in ast.walk(tree):
            hit: ast.expr | ast.stmt | None = None
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=of), attr=attr)) if (
                    of == name and attr in _CHANGES
                ):
                    hit = node
                case (
                    ast.Assign(targets=[ast.Subscript(value=ast.Name(id=of))])
                    | ast.AugAssign(target=ast.Subscript(value=ast.Name(id=of)) | ast.Name(id=of))
                    | ast.Delete(targets=[ast.Subscript(value=ast.Name(id=of))])
                ) if of == name:
                    hit = node
                case ast.Call(args=args) if any(text_of(each) == name for each in args):
                    hit = node if _changes_argument(moment, node, name) else None
            if hit is not None:
                return f"{place}, line {hit.lineno}: {text_of(hit)}"
    return None


def _changes_argument(moment: Moment, call: ast.Call, name: str) -> bool:
    """True for a call of a user's function that changes the argument it is given."""
    made = definition(moment, known(moment, call.func, moment.frame)[1])
    if made is None:
        return False
    at = next(i for i, each in enumerate(call.args) if text_of(each) == name)
    parameters = made.node.args.args
    if at >= len(parameters):
        return False
    return any(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr in _CHANGES
        and text_of(each.func.value) == parameters[at].arg
        for each in ast.walk(made.node)
    )


def class_attribute(moment: Moment) -> Iterator[Diagnosis]:
    """A list or dict that belongs to the class and not to one of its objects."""
    for part in parts_of(moment):
        for node in ast.walk(part.node):
            if not isinstance(node, ast.Attribute):
                continue
            owner = known(moment, node.value, part.frame)[1]
            kind = type(owner)
            held = namespace(kind).get(node.attr)
            own = own_storage(owner)
            if type(held) not in {list, dict, set} or not held or (own and node.attr in own):
                continue
            yield Diagnosis(
                rule="class-attribute",
                cause=f"{node.attr!r} belongs to the class {kind.__qualname__}: all its objects "
                f"share one {type(held).__name__}, which is now {shown(held)}.",
                certainty="certain",
                evidence=(f"{part.place}: {text_of(node)} is {kind.__qualname__}.{node.attr}",),
                remedy=f"Make it in __init__: self.{node.attr} = {type(held)()!r}.",
            )
            return


def threads_without_lock(moment: Moment) -> Iterator[Diagnosis]:
    """A number or container several threads change without a lock: a race is possible."""
    names = {
        each.id
        for part in parts_of(moment)
        for each in ast.walk(part.node)
        if isinstance(each, ast.Name)
    }
    for _, tree, place in texts_of_code(moment, "global "):
        targets = set()
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and text_of(call.func).rpartition(".")[2] in {
                "Thread",
                "submit",
                "map",
            }:
                targets |= {text_of(each.value) for each in call.keywords if each.arg == "target"}
                targets |= {text_of(each) for each in call.args[:1]}
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef) or function.name not in targets:
                continue
            locked = any(
                "lock" in text_of(item.context_expr).lower()
                for w in ast.walk(function)
                if isinstance(w, ast.With)
                for item in w.items
            )
            shared = {n for g in ast.walk(function) if isinstance(g, ast.Global) for n in g.names}
            changed = [
                each
                for each in ast.walk(function)
                if isinstance(each, ast.AugAssign | ast.Assign)
                and {
                    text_of(t)
                    for t in (each.targets if isinstance(each, ast.Assign) else [each.target])
                }
                & shared
            ]
            hit = next((each for each in changed if shared & names), None)
            if hit is not None and not locked:
                yield Diagnosis(
                    rule="shared-by-threads",
                    cause=f"Threads that run {function.name}() change {sorted(shared & names)[0]!r}"
                    f" without a lock ({place}, line {hit.lineno}): updates may be lost (a race).",
                    certainty="possible",
                    evidence=(f"{place}, line {hit.lineno}: {text_of(hit)}",),
                    remedy="Guard the change with a threading.Lock.",
                )
                return


def late_binding(moment: Moment) -> Iterator[Diagnosis]:
    """Functions made in a loop that all see the loop variable's last value."""
    for part in steps_of(moment):
        for node in ast.walk(part.node):
            if not isinstance(node, ast.Name):
                continue
            value = part.value(node)[1]
            items = (
                list(value.values())
                if type(value) is dict
                else (value if type(value) in {list, tuple} else [])
            )
            functions = [each for each in items[:50] if type(each) is types.FunctionType]
            if len(functions) < 2 or functions[0].__code__ is not functions[1].__code__:
                continue
            cells = [each.__closure__ or () for each in functions[:2]]
            names = [
                name
                for name, a, b in zip(functions[0].__code__.co_freevars, *cells, strict=False)
                if a is b
            ]
            names += [n for n in functions[0].__code__.co_names if _loop_name(moment, n)]
            if names:
                yield Diagnosis(
                    rule="late-binding",
                    certainty="certain",
                    cause=f"The functions in {node.id} were made in a loop and look up "
                    f"{names[0]!r} only when they are called (late binding): all see its last value"
                    f"{_last(functions[0], names[0])}.",
                    evidence=(
                        f"{part.place}: {node.id} has {len(functions)} functions of one code",
                    ),
                    remedy=f"Keep the value with each: lambda …, {names[0]}={names[0]}: ….",
                )
                return


def _last(function: types.FunctionType, name: str) -> str:
    """The value a function finds for a name now, in words."""
    known, value = Scope(function.__globals__).name(name)
    for free, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        if free == name:
            known, value = True, cell.cell_contents
    return f", {shown(value, name)}" if known else ""


def _loop_name(moment: Moment, name: str) -> bool:
    return any(
        each.how == "loop"
        for _, tree, _ in texts_of_code(moment, "for ")
        for each in bindings(tree.body, name)
    )


def stale_value(moment: Moment) -> Iterator[Diagnosis]:
    """A name made from another that has been given a new value since."""
    if doubted(moment) is None or len(moment.cells) < 2:
        return
    names = {
        each.id: None
        for part in parts_of(moment)
        for each in ast.walk(part.node)
        if isinstance(each, ast.Name)
    }
    for name in names:
        found = _stale(moment, name)
        if found is not None:
            yield found
            return


def _stale(moment: Moment, name: str) -> Diagnosis | None:
    made = in_cells(moment, name)
    if made is None or made.node is None:
        return None
    sources = {each.id for each in ast.walk(made.node) if isinstance(each, ast.Name)} - {name}
    labels = [each.label for each in moment.cells]
    first = max((i for i, label in enumerate(labels) if label == made.place), default=len(labels))
    after = set(labels[first + 1 :])
    for source in sorted(sources):
        for later in earlier_cells(moment, having=source):
            if later.place not in after:
                continue
            again = [b for b in bindings(later.tree.body, source) if b.how == "assigned"]
            if again:
                return Diagnosis(
                    rule="stale-value",
                    cause=f"{name!r} was made from {source!r} in {made.where}; {source!r} was "
                    f"given a new value in {later.place}, line {again[0].line}, later.",
                    evidence=(
                        f"{made.where}: {name} = {text_of(made.node, 60)}",
                        f"{later.place}, line {again[0].line}: {text_of(again[0].statement, 60)}",
                    ),
                    remedy=f"Run {made.place} again.",
                )
    return None
