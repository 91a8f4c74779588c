"""Live objects as subjects: the source of what has one, else what the object shows of itself."""

from __future__ import annotations

import ast
import inspect
import linecache
from typing import Any

from aiex_ipy.grounding.facts import Subject

MAX_SHOWN_CHARACTERS = 4_000
"""Of an object without source: its own text may be a whole data set."""


def object_subject(value: Any, name: str = "") -> Subject:
    """Return the subject of a live object, called `name` where it has no name of its own.

    A function, class, method or module gives its source, numbered as in its file; anything else
    its type and its own text, cut. Nothing of the object is called but `str`.
    """
    shown = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or name
    try:
        lines, first = inspect.getsourcelines(inspect.unwrap(value))
    except (OSError, TypeError, ValueError):
        lines, first = _class_lines(value)
    if not lines:
        return _shown(value, name)
    return Subject(path=str(shown), text="".join(lines), first_line=max(1, first))


def source_name(value: Any) -> str:
    """Return the file name under which the code of a function or class was compiled, or `""`."""
    value = inspect.unwrap(value) if callable(value) else value
    if inspect.isclass(value):
        methods = (inspect.unwrap(each) for each in vars(value).values() if callable(each))
        value = next((each for each in methods if inspect.isfunction(each)), None)
    code = getattr(value, "__code__", None)
    return code.co_filename if code else ""


def _class_lines(value: Any) -> tuple[list[str], int]:
    """The lines of a class made in a session, which `inspect` looks for in a file of `__main__`;
    they are known by the code of its methods."""
    if not inspect.isclass(value):
        return [], 0
    lines = linecache.getlines(source_name(value))
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:
        return [], 0
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == value.__name__:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            return lines[first - 1 : node.end_lineno], first
    return [], 0


def _shown(value: Any, name: str) -> Subject:
    kind = type(value)
    text = str(value)
    if len(text) > MAX_SHOWN_CHARACTERS:
        text = f"{text[:MAX_SHOWN_CHARACTERS]}\n[… {len(text) - MAX_SHOWN_CHARACTERS} more …]"
    head = f"{name or 'a value'} of type {kind.__module__}.{kind.__qualname__}"
    if isinstance(shape := getattr(value, "shape", None), tuple):
        head += f", shape {shape}"
    return Subject(path=name or f"<{kind.__qualname__}>", text=f"{head}:\n{text}", language="text")


def dotted_name(value: Any) -> str | None:
    """Return the name under which `value` stands in an importable module, or None.

    None for what was made in the session itself (`__main__`) and for values without a name.
    """
    if inspect.ismodule(value):
        return value.__name__
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if not module or module == "__main__" or not name or "<" in name:
        return None
    return f"{module}.{name}"
