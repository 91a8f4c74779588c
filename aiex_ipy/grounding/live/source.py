"""Live objects as subjects: the source of what has one, else a description.

Source is found by code objects and by what Python has read of files; nothing of the object is
called, and what decorators say of it (`__wrapped__`) is read statically.
"""

from __future__ import annotations

import ast
import inspect
import linecache
from functools import cached_property, partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.live.code import source_of_class
from aiex_ipy.grounding.live.describe import describe
from aiex_ipy.grounding.live.static import (
    MISSING,
    attribute,
    entry,
    instance_dict,
    is_class,
    module_of,
    qualname,
    text_of,
)
from aiex_ipy.grounding.live.text import lines

ITEMS = 50
CHARACTERS = 2_000
"""How much is shown of an object without source that is itself the subject."""
_WRAPPERS = 100


def object_subject(value: Any, name: str = "") -> Subject:
    """Return the subject of a live object, called `name` where it has no name of its own.

    A function, class, method or module gives its source, numbered as in its file; anything else
    its description.
    """
    inner = definition(value)
    found, first = _lines(inner)
    if found:
        path = name_of(value) or name_of(inner) or name
        return Subject(path=path, text="".join(found), first_line=max(1, first))
    shown = lines(describe(value, name, items=ITEMS, characters=CHARACTERS))
    return Subject(path=name or f"<{qualname(type(value))}>", text=shown, language="text")


def definition(value: Any) -> Any:
    """Return the function, class or module a value stands for, behind decorators, methods,
    properties and partials; the value itself where it is none."""
    for _ in range(_WRAPPERS):
        inner = _within(value)
        if inner is MISSING or inner is value:
            break
        value = inner
    return value


def _within(value: Any) -> Any:
    kind = type(value)
    wrapped = attribute(value, "__wrapped__") if not is_class(value) else MISSING
    if wrapped is not MISSING:
        return wrapped
    if kind is MethodType or kind is staticmethod or kind is classmethod:
        return value.__func__
    if kind is property:
        return MISSING if value.fget is None else value.fget
    if kind is partial:
        return value.func
    if kind is cached_property:
        return attribute(value, "func")
    return MISSING


def name_of(value: Any) -> str:
    """Return the qualified name of a function, class or module, or `""`."""
    kind = type(value)
    if is_class(value):
        return qualname(value)
    if kind is FunctionType:
        return text_of(value.__qualname__) or ""
    if kind is MethodType:
        return name_of(value.__func__)
    if kind is ModuleType:
        return text_of(entry(instance_dict(value), "__name__")) or ""
    if kind is BuiltinFunctionType:
        return str(value.__name__)
    own = attribute(value, "__qualname__")  # as `functools.wraps` and `functools.cache` put it
    return "" if own is MISSING else text_of(own) or ""


def source_name(value: Any) -> str:
    """Return the file name under which the code of a function or class was compiled, or `""`."""
    value = definition(value)
    if is_class(value):
        return source_of_class(value)
    return value.__code__.co_filename if type(value) is FunctionType else ""


def _lines(value: Any) -> tuple[list[str], int]:
    """The source lines and the number of the first; none where they are gone."""
    if is_class(value):
        return _class_lines(value)
    if type(value) is FunctionType:
        return _block(value.__code__)
    if type(value) is ModuleType:
        file = text_of(entry(instance_dict(value), "__file__")) or ""
        return (_read(file), 1) if file.endswith(".py") else ([], 0)
    return [], 0


def _block(code: CodeType) -> tuple[list[str], int]:
    first = code.co_firstlineno
    rest = _read(code.co_filename)[first - 1 :]
    try:
        return inspect.getblock(rest), first
    except (SyntaxError, IndentationError):  # the file is another one now
        return [], 0


def _read(file: str) -> list[str]:
    linecache.checkcache(file)
    return linecache.getlines(file)


def _class_lines(value: type) -> tuple[list[str], int]:
    """The lines of a class, found in its file by its qualified name."""
    found = _read(source_of_class(value))
    try:
        tree = ast.parse("".join(found))
    except (SyntaxError, ValueError, RecursionError):
        return [], 0
    body: list[ast.stmt] = tree.body
    node: ast.stmt | None = None
    for part in qualname(value).replace("<locals>.", "").split("."):
        node = next((each for each in _definitions(body) if each.name == part), None)
        if node is None:
            return [], 0
        body = node.body
    if not isinstance(node, ast.ClassDef):
        return [], 0
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    return found[first - 1 : node.end_lineno], first


def _definitions(
    body: list[ast.stmt],
) -> list[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """The definitions in a body, also those under `if`, `try` and `with`; the last first."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found: list[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef] = []
    for each in body:
        if isinstance(each, kinds):
            found.insert(0, each)
        else:
            inner = [node for node in ast.iter_child_nodes(each) if isinstance(node, ast.stmt)]
            found[:0] = _definitions(inner)
    return found


def dotted_name(value: Any) -> str | None:
    """Return the name under which `value` stands in an importable module, or None.

    None for what was made in the session itself (`__main__`) and for values without a name.
    """
    kind = type(value)
    name = name_of(value)
    if kind is ModuleType:
        return name or None
    if is_class(value):
        module: str | None = module_of(value)
    elif kind is MethodType:
        return dotted_name(value.__func__)
    elif kind is FunctionType or kind is BuiltinFunctionType:
        module = text_of(value.__module__)
    else:
        own = attribute(value, "__module__")
        module = None if own is MISSING else text_of(own)
    if not module or module == "__main__" or not name or "<" in name:
        return None
    return f"{module}.{name}"
