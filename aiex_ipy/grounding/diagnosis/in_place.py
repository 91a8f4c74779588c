"""Calls that change their object in place and return None, and where that None was kept."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from aiex_ipy.grounding.diagnosis.edit import indent_of, rewritten, segment
from aiex_ipy.grounding.diagnosis.origin import Origin
from aiex_ipy.grounding.diagnosis.parts import texts_of_code
from aiex_ipy.grounding.diagnosis.returns import Why, falls_off
from aiex_ipy.grounding.diagnosis.sight import in_scope, text_of
from aiex_ipy.grounding.failure.moment import Moment
from aiex_ipy.grounding.fix import Fix

IN_PLACE: Mapping[str, tuple[str, ...]] = {
    "list": ("append", "clear", "extend", "insert", "remove", "reverse", "sort"),
    "dict": ("clear", "update"),
    "set": ("add", "clear", "discard", "remove", "update"),
    "numpy.ndarray": ("fill", "partition", "resize", "sort"),
    "collections.deque": ("append", "appendleft", "clear", "extend", "extendleft", "reverse"),
}
"""Methods that change their object and return None. Source: the Python and NumPy references."""
RETURNS_NONE = frozenset({"print", "setattr", "delattr", "exec", "random.shuffle", "time.sleep"})
RANDOM = frozenset({"rng", "random", "rand", "generator", "np.random", "numpy.random"})
"""Names people give to what has a `shuffle` in place."""


def kept_nothing(moment: Moment, made: ast.Attribute, label: str) -> Why | None:
    """Return why an attribute is None that was given what a call in place returned."""
    for code, tree, place in texts_of_code(moment, made.attr):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
                continue
            target = next(
                (t for t in node.targets if isinstance(t, ast.Attribute) and t.attr == made.attr),
                None,
            )
            call = node.value
            name = text_of(call.func)
            if target is None or not _in_place(call):
                continue
            at = f"{place}, line {node.lineno}"
            fix = None
            if text_of(target) in {text_of(each) for each in (*call.args, call.func)} | {
                name.rpartition(".")[0]
            }:
                fix = rewritten(code, "in place", (node, segment(code, call)))
            return (
                f"{label} is None: {name}() works in place and returns None, and that None was "
                f"stored in {text_of(target)} ({at}).",
                (f"{at}: {text_of(node)}",),
                f"Call {name}(…) on a line of its own: it changes the object itself.",
                fix,
                "certain",
            )
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                why = _own_function(tree, function, made, label, place)
                if why is not None:
                    return why
    return None


def _in_place(call: ast.Call) -> bool:
    name = text_of(call.func)
    base, _, method = name.rpartition(".")
    if name in RETURNS_NONE or (method == "shuffle" and base in RANDOM):
        return True
    mixed = {"add", "update", "remove", "clear", "resize", "partition"}  # others have these too
    methods = {each for names in IN_PLACE.values() for each in names} - mixed
    return bool(base) and method in methods


def _own_function(
    tree: ast.AST, function: ast.FunctionDef, made: ast.Attribute, label: str, place: str
) -> Why | None:
    """A function of the user's without a return, whose result was stored in the attribute."""
    body = list(in_scope(function.body))
    if any(isinstance(each, ast.Return | ast.Yield | ast.YieldFrom) for each in body):
        return None
    if not falls_off(function.body) or any(
        text_of(each).rpartition(".")[2] == "abstractmethod" for each in function.decorator_list
    ):
        return None
    for node in ast.walk(tree):
        match node:
            case ast.Assign(
                targets=[ast.Attribute(attr=attr) as target], value=ast.Call(func=func)
            ):
                pass
            case _:
                continue
        if attr == made.attr and text_of(func) in {function.name, f"self.{function.name}"}:
            return (
                f"{label} is None: {function.name}() has no return ({place}, line "
                f"{function.lineno}), so it gives None, which was stored in {text_of(target)} "
                f"({place}, line {node.lineno}).",
                (f"{place}, line {node.lineno}: {text_of(node)}",),
                f"End {function.name} with a return.",
                None,
                "certain",
            )
    return None


def inplace_remedy(func: ast.Attribute, kind: str) -> str:
    """Return what to do in place of using what a method in place returns."""
    if kind == "list" and func.attr in {"sort", "reverse"}:
        other = "sorted" if func.attr == "sort" else "reversed"
        return f"Call it on a line of its own, or use {other}(…), which gives a new value."
    return "Call it on a line of its own, and use the object itself."


def inplace_fix(call: ast.Call, func: ast.Attribute, kind: str, last: Origin | None) -> Fix | None:
    """Return the fix that takes the assignment away, or calls `sorted`."""
    statement = last.statement if last is not None else None
    if last is None or last.code is None or not isinstance(statement, ast.Assign):
        return None
    if len(statement.targets) != 1 or statement.value is not call:
        return None
    if text_of(statement.targets[0]) == text_of(func.value):
        return rewritten(last.code, "in place", (statement, segment(last.code, call)))
    if kind == "list" and func.attr == "sort":
        inner = [segment(last.code, func.value), *(segment(last.code, k) for k in call.keywords)]
        return rewritten(last.code, "sorted", (call, f"sorted({', '.join(inner)})"))
    return None


def shuffle_fix(call: ast.Call, last: Origin | None) -> Fix | None:
    """Return the fix that shuffles on a line of its own."""
    statement = last.statement if last is not None else None
    if last is None or last.code is None or not isinstance(statement, ast.Assign):
        return None
    if text_of(call.func) != "random.shuffle" or not call.args:
        return None
    own = segment(last.code, call)
    target = segment(last.code, statement.targets[0])
    indent = indent_of(last.code, statement.lineno)
    other = segment(last.code, call.args[0])
    after = own if other == target else f"{own}\n{indent}{target} = {other}"
    return rewritten(last.code, "in place", (statement, after))


def inplace_keyword(call: ast.Call, label: str, place: str, last: Origin | None) -> Why:
    """Return why a call with `inplace=True` gave None."""
    fix = None
    if last is not None and last.code is not None:
        kept = [segment(last.code, each) for each in call.args]
        kept += [segment(last.code, each) for each in call.keywords if each.arg != "inplace"]
        text = f"{segment(last.code, call.func)}({', '.join(kept)})"
        fix = rewritten(last.code, "without inplace=True", (call, text))
    return (
        f"{label} is None: with inplace=True, {text_of(call.func)}() changes the object and "
        f"returns None ({place}).",
        (),
        "Leave out inplace=True, or do not assign what it returns.",
        fix,
        "certain",
    )
