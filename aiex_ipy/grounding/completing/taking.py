"""Which texts in calls must be columns that exist: arguments of tables' methods and of plots.

Tab offers columns in more places than these; here stand those where a text that is no column is an
error for certain. Source: the documentation of pandas, polars, seaborn and plotly.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_SAME = """
copy drop_duplicates drop_nulls dropna fillna filter group_by groupby head lazy limit nlargest
nsmallest query sample slice sort sort_index sort_values tail unique
"""
SAME_COLUMNS = frozenset(_SAME.split())
"""Methods whose result has the very columns of what they are called on, or is grouped by some."""


class Text(NamedTuple):
    """A text in the code and the node it stands in."""

    node: ast.Constant
    value: str


class _Taken(NamedTuple):
    """Where a method takes columns: from position `first` up to before `last`, and by keyword."""

    first: int
    last: int
    keywords: tuple[str, ...] = ()


_NONE, _ALL = 0, 99
_PANDAS = {
    "drop_duplicates": _Taken(0, 1, ("subset",)),
    "dropna": _Taken(0, _NONE, ("subset",)),
    "duplicated": _Taken(0, 1, ("subset",)),
    "explode": _Taken(0, 1, ("column",)),
    "groupby": _Taken(0, 1, ("by",)),
    "join": _Taken(0, _NONE, ("on",)),
    "melt": _Taken(0, 2, ("id_vars", "value_vars")),
    "merge": _Taken(0, _NONE, ("on", "left_on")),
    "nlargest": _Taken(1, 2, ("columns",)),
    "nsmallest": _Taken(1, 2, ("columns",)),
    "pivot": _Taken(0, _NONE, ("columns", "index", "values")),
    "pivot_table": _Taken(0, 3, ("values", "index", "columns")),
    "pop": _Taken(0, 1, ("item",)),
    "set_index": _Taken(0, 1, ("keys",)),
    "sort_values": _Taken(0, 1, ("by",)),
    "value_counts": _Taken(0, 1, ("subset",)),
}
_POLARS = {
    "drop": _Taken(0, _ALL),
    "drop_nulls": _Taken(0, 1, ("subset",)),
    "explode": _Taken(0, _ALL),
    "get_column": _Taken(0, 1, ("name",)),
    "group_by": _Taken(0, _ALL),
    "join": _Taken(1, 2, ("on", "left_on")),
    "partition_by": _Taken(0, _ALL, ("by",)),
    "pivot": _Taken(0, 1, ("on", "index", "values")),
    "select": _Taken(0, _ALL),
    "set_sorted": _Taken(0, 1, ("column",)),
    "sort": _Taken(0, _ALL, ("by",)),
    "top_k": _Taken(0, _NONE, ("by",)),
    "unique": _Taken(0, 1, ("subset",)),
    "unpivot": _Taken(0, 1, ("on", "index")),
    "with_columns": _Taken(0, _ALL),
}
METHODS = {"pandas": _PANDAS, "polars": _POLARS}
IN_EXPRESSIONS = frozenset(
    ("agg", "filter", "group_by", "remove", "select", "sort", "with_columns", "top_k", "bottom_k")
)
"""Methods of polars whose arguments are expressions over the columns of the table."""
_EXACT_PLOTS = frozenset(("col", "facet_col", "facet_row", "hue", "row", "x", "y"))
PLOTTING = ("seaborn", "plotly")
"""Libraries whose functions take a table and then columns of it by keyword."""
_QUERY_NAMES = frozenset(
    ("index", "columns", "Timestamp", "datetime", "list", "tuple", "inf", "Inf")
)


def column_texts(call: ast.Call, library: str) -> Iterator[Text]:
    """Yield the texts of a method's call that name columns of what it is called on."""
    assert isinstance(call.func, ast.Attribute)
    method = call.func.attr
    given = {each.arg: each.value for each in call.keywords}
    if method in ("agg", "aggregate") and library == "pandas":
        yield from _aggregated(call)
    elif method == "astype" and call.args:
        yield from _keys(call.args[0])
    elif method == "drop" and library == "pandas":
        if "errors" not in given:
            yield from _texts(given.get("columns"))
            axis = given.get("axis")
            if isinstance(axis, ast.Constant) and axis.value in (1, "columns"):
                yield from _texts(call.args[0] if call.args else given.get("labels"))
    elif method == "rename" and library == "polars" and call.args:
        yield from _keys(call.args[0])
    taken = METHODS[library].get(method)
    if taken is None or {"strict", "axis"} & set(given):
        return
    for each in [*call.args[taken.first : taken.last], *map(given.get, taken.keywords)]:
        yield from _texts(each)


def plotted_texts(call: ast.Call) -> Iterator[Text]:
    """Yield the texts that name columns of the table in a plotting call."""
    for each in call.keywords:
        if each.arg in _EXACT_PLOTS and isinstance(each.value, ast.Constant):
            yield from _texts(each.value)


def table_of_plot(call: ast.Call) -> ast.expr | None:
    """Return the argument of a plotting call that is its table."""
    named = [each.value for each in call.keywords if each.arg in ("data", "data_frame")]
    return next(iter([*named, *call.args]), None)


def names_in_query(call: ast.Call) -> tuple[ast.Constant, list[str]] | None:
    """Return the text of `df.query("…")` and the names in it that must be columns."""
    text = call.args[0] if call.args else None
    if not isinstance(text, ast.Constant) or type(text.value) is not str or "`" in text.value:
        return None
    given = {each.arg for each in call.keywords}
    if given & {"resolvers", "local_dict", "global_dict", "engine", "parser"}:
        return None
    try:
        tree = ast.parse(re.sub(r"@\w+(?:\.\w+)*", "1", text.value).strip())
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    called = [each.func for each in ast.walk(tree) if isinstance(each, ast.Call)]
    names = [each for each in ast.walk(tree) if isinstance(each, ast.Name) and each not in called]
    made = {each.id for each in names if not isinstance(each.ctx, ast.Load)} | _QUERY_NAMES
    wanted = [each.id for each in names if each.id not in made]
    return text, [each for each in wanted if not re.match(r"[ic]level_\d", each)]


def expression_columns(call: ast.Call) -> Iterator[ast.Call]:
    """Yield the calls of the form `pl.col(…)` in the arguments of a method of a polars table,
    those left out that another table's method is given."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in IN_EXPRESSIONS:
        return
    waiting: list[ast.AST] = [*call.args, *(each.value for each in call.keywords)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "col" and isinstance(node.func.value, ast.Name):
                yield node
                continue
            if node.func.attr in IN_EXPRESSIONS and not _of_expression(node.func.value):
                continue
        waiting += ast.iter_child_nodes(node)


def is_pattern(text: str) -> bool:
    """True for what polars takes for a pattern of columns, or for all of them."""
    return re.fullmatch(r"\^.*\$|\*", text) is not None


def constants(nodes: Sequence[ast.expr]) -> Iterator[Text]:
    """Yield the texts among arguments, and those in lists of them."""
    for node in nodes:
        yield from _texts(node)


def _of_expression(node: ast.expr) -> bool:
    """True for what begins with a call such as `pl.col("a")`."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr == "col":
            return True
        node = node.func if isinstance(node, ast.Call) else node.value
    return False


def _aggregated(call: ast.Call) -> Iterator[Text]:
    """`agg({"a": "sum"})` and `agg(total=("a", "sum"))`."""
    if call.args:
        yield from _keys(call.args[0])
    for each in call.keywords:
        if each.arg and isinstance(each.value, ast.Tuple) and len(each.value.elts) == 2:
            yield from _texts(each.value.elts[0])


def _keys(node: ast.expr) -> Iterator[Text]:
    if isinstance(node, ast.Dict):
        yield from constants([each for each in node.keys if each is not None])


def _texts(node: ast.expr | None) -> Iterator[Text]:
    elements = node.elts if isinstance(node, ast.List) else [node]
    for each in elements:
        if isinstance(each, ast.Constant) and type(each.value) is str:
            yield Text(each, each.value)
