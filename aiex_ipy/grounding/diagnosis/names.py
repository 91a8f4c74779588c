"""Names that are not defined: misspelled, not imported, made elsewhere, deleted, overwritten."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import inserted, rewritten
from aiex_ipy.grounding.diagnosis.origin import bindings, earlier_cells, origin
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    MOST_KEYS,
    close_to,
    columns_of,
    enclosing_function,
    is_table,
    message,
    module_name,
    nodes_at_fault,
    public_attributes,
    shown,
    text_of,
    type_name,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.fix import Fix
from aiex_ipy.grounding.notebook import read_cell

IMPORTS: Mapping[str, str] = {
    "np": "import numpy as np",
    "pd": "import pandas as pd",
    "pl": "import polars as pl",
    "plt": "import matplotlib.pyplot as plt",
    "mpl": "import matplotlib as mpl",
    "sns": "import seaborn as sns",
    "sp": "import scipy as sp",
    "tf": "import tensorflow as tf",
    "xr": "import xarray as xr",
    "nx": "import networkx as nx",
    "sm": "import statsmodels.api as sm",
    "px": "import plotly.express as px",
    "nn": "from torch import nn",
    "F": "import torch.nn.functional as F",
    "dt": "import datetime as dt",
    "Path": "from pathlib import Path",
    "defaultdict": "from collections import defaultdict",
    "Counter": "from collections import Counter",
    "OrderedDict": "from collections import OrderedDict",
    "deque": "from collections import deque",
    "namedtuple": "from collections import namedtuple",
    "dataclass": "from dataclasses import dataclass",
    "field": "from dataclasses import field",
    "partial": "from functools import partial",
    "reduce": "from functools import reduce",
    "lru_cache": "from functools import lru_cache",
    "wraps": "from functools import wraps",
    "contextmanager": "from contextlib import contextmanager",
    "timedelta": "from datetime import timedelta",
    "Decimal": "from decimal import Decimal",
    "Fraction": "from fractions import Fraction",
    "Enum": "from enum import Enum",
    "ABC": "from abc import ABC",
    "abstractmethod": "from abc import abstractmethod",
    "sqrt": "from math import sqrt",
    "pi": "from math import pi",
    "randint": "from random import randint",
    "sleep": "from time import sleep",
    "Optional": "from typing import Optional",
    "List": "from typing import List",
    "Dict": "from typing import Dict",
    "Any": "from typing import Any",
    "Union": "from typing import Union",
    "Callable": "from collections.abc import Callable",
    "product": "from itertools import product",
    "chain": "from itertools import chain",
    "combinations": "from itertools import combinations",
    "pprint": "from pprint import pprint",
    "deepcopy": "from copy import deepcopy",
    "StringIO": "from io import StringIO",
    "BytesIO": "from io import BytesIO",
    "ThreadPoolExecutor": "from concurrent.futures import ThreadPoolExecutor",
}
"""What people mean by a name nobody defined. Source: the import conventions in the documentation
of each library, and Python's own."""
PYTHON_2: Mapping[str, str] = {
    "xrange": "range",
    "raw_input": "input",
    "unicode": "str",
    "basestring": "str",
    "unichr": "chr",
    "long": "int",
}
"""Builtins of Python 2 and what they became. Source: What's New In Python 3.0."""
WORDS: Mapping[str, str] = {
    "true": "True",
    "false": "False",
    "null": "None",
    "none": "None",
    "nil": "None",
    "undefined": "None",
    "NULL": "None",
    "TRUE": "True",
    "FALSE": "False",
}
"""How JSON, SQL and other languages write Python's constants."""


def undefined_name(moment: Moment) -> Iterator[Diagnosis]:
    """A name that is not defined: the explanations that fit, the surest alone where one is."""
    error, frame = moment.error, moment.frame
    if type(error) is not NameError or frame is None or not error.name:
        return
    name = error.name
    for rule in (_deleted, _attribute_of_self, _elsewhere, _wanted_text, _not_imported, _foreign):
        found = rule(moment, frame, name)
        if found is not None:
            yield found
            if found.certainty != "possible":
                return
    near = _near(frame, name)
    if near is not None:
        yield near
    elif found is None:
        yield from _nowhere(moment, frame, name)


def _nowhere(moment: Moment, frame: LiveFrame, name: str) -> Iterator[Diagnosis]:
    """A name that no code that ran gives a value, and none like it."""
    texts = [each.tree for each in earlier_cells(moment, having=name)]
    if frame.tree is None or any(_gives(tree, name) for tree in (*texts, frame.tree)):
        return
    in_cells = frame.source is not None and frame.source.cell is not None
    who = "no cell that ran defines it" if in_cells else f"nothing in {frame.place} defines it"
    yield Diagnosis(
        rule="unknown-name",
        cause=f"{name!r} is not defined: {who}, and no name that is known is like it.",
        certainty="likely",
        evidence=(f"{where(frame)}: {name!r} is used",),
        remedy=f"Run the cell that makes {name!r} first, or make it."
        if in_cells
        else f"Give {name!r} a value before it is used, or import it.",
    )


def _gives(tree: ast.AST, name: str) -> bool:
    """True if code gives a name a value anywhere, in a function too."""
    return any(
        (isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store))
        or (isinstance(n, ast.Global) and name in n.names)
        or (isinstance(n, ast.alias) and (n.asname or n.name) == name)
        for n in ast.walk(tree)
    )


def _near(frame: LiveFrame, name: str) -> Diagnosis | None:
    known = {*frame.locals, *frame.globals, *dir(builtins)}
    close = close_to(name, [each for each in known if each.isidentifier()][:MOST_KEYS])
    if not close:
        return None
    first = close[0]
    found, value = value_of(ast.Name(id=first), frame)
    said = f" ({shown(value, first)})" if found else ""
    return Diagnosis(
        rule="near-miss-name",
        cause=f"{name!r} is not defined; {first!r}{said} is, and is spelled almost the same.",
        evidence=(f"{where(frame)}: {name!r} is used",),
        remedy=f"Write {first!r}.",
        fix=renamed(frame, name, first),
    )


def renamed(frame: LiveFrame, wrong: str, right: str) -> Fix | None:
    """Return the fix that writes another name at the failing place."""
    nodes = [each for each in nodes_at_fault(frame, ast.Name) if each.id == wrong]
    line = [each for each in nodes if each.lineno == frame.line] or nodes
    return rewritten(frame, f"{wrong} → {right}", *((each, right) for each in line))


def _deleted(moment: Moment, frame: LiveFrame, name: str) -> Diagnosis | None:
    function = enclosing_function(frame)
    scopes: list[tuple[str, list[ast.stmt], int]] = []
    if frame.tree is not None and function is None:
        scopes.append((frame.place, frame.tree.body, frame.line))
    scopes += [(cell.place, cell.tree.body, 1 << 30) for cell in earlier_cells(moment, having=name)]
    for place, body, before in scopes:
        for node in reversed(list(ast.walk(ast.Module(body=body, type_ignores=[])))):
            if isinstance(node, ast.Delete) and node.lineno < before:
                for target in node.targets:
                    if isinstance(target, ast.Name) and target.id == name:
                        return Diagnosis(
                            rule="deleted-name",
                            cause=f"{name!r} was deleted by `del` ({place}, line {node.lineno}).",
                            certainty="certain",
                            evidence=(f"{where(frame)}: {name!r} is used after that",),
                            remedy="Leave out the `del`, or make the name again.",
                        )
            if (
                isinstance(node, ast.ExceptHandler)
                and node.name == name
                and ((node.end_lineno or 0) < before)
            ):
                return Diagnosis(
                    rule="deleted-name",
                    cause=f"{name!r} is gone: Python deletes the name of `except … as {name}` when "
                    f"the block ends ({place}, line {node.lineno}).",
                    certainty="certain",
                    evidence=(f"{where(frame)}: {name!r} is used after the block",),
                    remedy="Keep it under another name inside the block.",
                )
        if before == 1 << 30 and bindings(body, name):
            return None  # made again later, or by a cell that failed
    return None


def _attribute_of_self(moment: Moment, frame: LiveFrame, name: str) -> Diagnosis | None:
    function = enclosing_function(frame)
    if isinstance(function, ast.Lambda | None) or not function.args.args:
        return None
    first = function.args.args[0].arg
    if first not in {"self", "cls"} or first not in frame.locals:
        return None
    if name not in public_attributes(frame.locals[first]):
        return None
    return Diagnosis(
        rule="missing-self",
        cause=f"{name!r} is no variable here but an attribute of {first}.",
        evidence=(f"{where(frame)}: {type_name(frame.locals[first])} has {name!r}",),
        remedy=f"Write {first}.{name}.",
        fix=renamed(frame, name, f"{first}.{name}"),
    )


def _elsewhere(moment: Moment, frame: LiveFrame, name: str) -> Diagnosis | None:
    """Made later in the text, by a cell that failed before it came to it, or in a function."""
    cells = list(moment.cells)[:-1] if moment.cells and not moment.cells[-1].ok else moment.cells
    for cell in reversed(cells):
        if cell.ok:
            continue
        try:
            tree = ast.parse(read_cell(cell.code).text)
        except (SyntaxError, ValueError):
            continue
        found = bindings(tree.body, name)
        if found:
            return Diagnosis(
                rule="cell-failed",
                cause=f"{name!r} is made in {cell.label}, line {found[-1].line}, but that cell "
                "failed before it came to it.",
                evidence=(f"{cell.label} raised an exception",),
                remedy=f"Mend {cell.label} and run it again.",
            )
    if frame.tree is None:
        return None
    if enclosing_function(frame) is None or frame.source is None or frame.source.cell is None:
        later = [each for each in bindings(frame.tree.body, name) if each.line > frame.line]
        if later:
            return Diagnosis(
                rule="used-before-made",
                cause=f"{name!r} is made on line {later[0].line}, after it is used on line "
                f"{frame.line}.",
                certainty="certain",
                evidence=(f"{frame.place}, line {later[0].line}: {name!r} is made",),
                remedy=f"Move line {later[0].line} up, or the use down.",
            )
    return _inside_function(moment, frame, name)


def _inside_function(moment: Moment, frame: LiveFrame, name: str) -> Diagnosis | None:
    current = enclosing_function(frame)
    texts: list[tuple[str, ast.AST]] = [] if frame.tree is None else [(frame.place, frame.tree)]
    texts += [(cell.place, cell.tree) for cell in earlier_cells(moment, having=name)]
    for place, tree in texts:
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node is current:
                continue
            found = [each for each in bindings(node.body, name) if each.how != "import"]
            if found and not any(
                isinstance(each, ast.Global) and name in each.names for each in ast.walk(node)
            ):
                return Diagnosis(
                    rule="local-elsewhere",
                    cause=f"{name!r} is a local variable of {node.name}() ({place}, line "
                    f"{found[0].line}) and not known outside it.",
                    evidence=(f"{where(frame)}: {name!r} is used outside {node.name}()",),
                    remedy=f"Return it from {node.name}(), or hand it over as an argument.",
                )
    return None


def _wanted_text(moment: Moment, frame: LiveFrame, name: str) -> Diagnosis | None:
    """`df[name]` for `df["name"]`."""
    for node in nodes_at_fault(frame, ast.AST) + _around(frame):
        if not isinstance(node, ast.Subscript) or text_of(node.slice) != name:
            continue
        found, base = value_of(node.value, frame)
        keys = columns_of(base) if found and is_table(base) else base if type(base) is dict else ()
        if found and name in keys:
            label = text_of(node.value)
            return Diagnosis(
                rule="missing-quotes",
                cause=f"{name!r} is no variable but a {'column' if is_table(base) else 'key'} of "
                f"{label}: its quotes are missing.",
                evidence=(f"{label} has {name!r}",),
                remedy=f"Write {label}[{name!r}].",
                fix=rewritten(frame, "quotes", (node.slice, f'"{name}"')),
            )
    return None


def _around(frame: LiveFrame) -> list[ast.AST]:
    if frame.tree is None:
        return []
    return [n for n in ast.walk(frame.tree) if getattr(n, "lineno", 0) == frame.line]


def _not_imported(moment: Moment, frame: LiveFrame, name: str) -> Diagnosis | None:
    line = IMPORTS.get(name)
    if line is None and name in sys.stdlib_module_names and not name.startswith("_"):
        line = f"import {name}"
    if line is None and name in sys.modules and "." not in name and not name.startswith("_"):
        line = f"import {name}"
    if line is None:
        return None
    close = close_to(name, [n for n in (*frame.locals, *frame.globals) if len(n) > 1], 0.8, 1)
    if close and len(name) <= 2:
        close = []
    package = line.split()[1].partition(".")[0]
    installed = package in sys.modules or _installed(package)
    more = () if installed else (f"{package} is not installed in this environment",)
    return Diagnosis(
        rule="missing-import",
        cause=f"{name!r} is used but never imported: `{line}` is missing.",
        certainty="possible" if close else "likely",
        evidence=(f"{where(frame)}: {name!r} is used", *more),
        remedy=f"Add `{line}` at the top.",
        fix=import_added(frame, line) if installed else None,
    )


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def import_added(frame: LiveFrame, statement: str) -> Fix | None:
    """Return the fix that adds an import where the first statement after the docstring is."""
    if frame.tree is None:
        return None
    for node in frame.tree.body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        magic = docstring and node.value.value == 0  # type: ignore[attr-defined]
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if (not docstring or magic) and not future:
            text = statement.replace("import ", "import ")
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            return inserted(frame, first, text, statement)
    return None


def _foreign(moment: Moment, frame: LiveFrame, name: str) -> Diagnosis | None:
    right = PYTHON_2.get(name) or WORDS.get(name)
    if right is None:
        return None
    what = "a builtin of Python 2" if name in PYTHON_2 else "how other languages write it"
    return Diagnosis(
        rule="foreign-name",
        cause=f"{name!r} is {what}; in Python 3 it is {right}.",
        certainty="certain" if name in PYTHON_2 else "likely",
        evidence=(f"{where(frame)}: {name!r} is used",),
        remedy=f"Write {right}.",
        fix=renamed(frame, name, right),
    )


def overwritten_name(moment: Moment) -> Iterator[Diagnosis]:
    """A builtin or module whose name was given another value: `list = [1]`, then `list(x)`."""
    frame = moment.frame
    if frame is None or type(moment.error) not in {TypeError, AttributeError}:
        return
    for node in _used_names(moment, frame):
        found, value = value_of(node, frame)
        if not found or node.id not in {*frame.locals, *frame.globals}:
            continue
        original = _original(node.id, value)
        if original is None or not _fits(moment, original, value):
            continue
        made = origin(moment, frame, node.id)
        place = f" ({made.where})" if made is not None else ""
        evidence = [f"{where(frame)}: {text_of(node)} is {shown(value, node.id)}"]
        if made is not None and made.node is not None:
            evidence.append(f"{made.where}: {node.id} = {text_of(made.node)}")
        is_cell = any(each.number is not None for each in moment.cells)
        yield Diagnosis(
            rule="overwritten-name",
            cause=f"{node.id!r} is no longer {original} but {shown(value, node.id)}: its name was "
            f"given to a value of yours{place}.",
            certainty="certain",
            evidence=tuple(evidence),
            remedy=f"Give the value another name{f', and run `del {node.id}`' if is_cell else ''}.",
        )
        return


def _used_names(moment: Moment, frame: LiveFrame) -> list[ast.Name]:
    """The names called, or whose attribute was asked for, at the failing place."""
    found: list[ast.Name] = []
    for node in nodes_at_fault(frame, ast.AST):
        match node:
            case ast.Call(func=ast.Name() as name) if "not callable" in message(moment.error):
                found.append(name)
            case ast.Attribute(value=ast.Name() as name) if (
                isinstance(moment.error, AttributeError) and moment.error.name == node.attr
            ):
                found.append(name)
    return found


def _original(name: str, value: Any) -> str | None:
    builtin = vars(builtins).get(name)
    if builtin is not None and builtin is not value:
        return "the builtin"
    if type(value) is types.ModuleType and module_name(value) == name:
        return None
    if name in sys.stdlib_module_names:
        return f"the module {name}"
    line = IMPORTS.get(name, "")
    return f"what `{line}` gave" if line.startswith("import") and line.endswith(name) else None


def _fits(moment: Moment, original: str, value: Any) -> bool:
    """For an attribute, the original must have had it."""
    error = moment.error
    if type(error) is not AttributeError:
        return True
    if error.obj is not value:
        return False
    name = original.rpartition(" ")[2] if original.startswith("the module") else ""
    module = sys.modules.get(name)
    if original == "the builtin" or module is None:
        return original.startswith("what")
    return error.name in vars(module)
