"""An overview of a namespace: the names the user is likely to mean, each described."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from aiex_ipy.grounding.live.describe import describe
from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.static import derives, is_class, module_of

LIMIT = 30
DEADLINE_S = 0.15
_IPYTHON = frozenset(("In", "Out", "get_ipython", "exit", "quit", "open", "display"))
_LOOKED_AT = 20_000
"""So many of the names bound last are looked at: 5 ms."""


def namespace(
    names: dict[str, Any], limit: int = LIMIT, *, deadline_s: float = DEADLINE_S
) -> list[Description]:
    """Return descriptions of the `limit` most useful names, data before code before modules and
    those bound last first; names with an underscore and IPython's own are left out.

    After `deadline_s` the names left are told by their types alone.
    """
    until = time.monotonic() + deadline_s
    return [
        describe(value, name, brief=time.monotonic() >= until)
        for name, value in useful(names, limit)
    ]


def useful(names: dict[str, Any], limit: int) -> Iterator[tuple[str, Any]]:
    """Yield the `limit` most useful names with their values, the most useful first."""
    ranked: tuple[list[tuple[str, Any]], ...] = ([], [], [])
    for name, value in _latest(names):
        if name.startswith("_") or name in _IPYTHON or _is_ours(value):
            continue
        rank = ranked[_rank(value)]
        if len(rank) < limit:
            rank.append((name, value))
        if len(ranked[0]) >= limit:
            break
    yield from [*ranked[0], *ranked[1], *ranked[2]][:limit]


def _latest(names: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names from the last bound: a dictionary keeps the order in which they first were."""
    for _ in range(5):
        try:
            entries = list(islice(reversed(names.items()), _LOOKED_AT))
        except RuntimeError:  # another thread binds names meanwhile
            continue
        yield from (entry for entry in entries if type(entry[0]) is str)
        return


def _is_ours(value: Any) -> bool:
    """True for the helpers that aiex puts into a namespace."""
    kind = type(value)
    module = value.__module__ if kind is FunctionType else module_of(kind)
    return type(module) is str and module.partition(".")[0] == "aiex_ipy"


def _rank(value: Any) -> int:
    kind = type(value)
    if derives(kind, ModuleType):
        return 2
    return int(kind is FunctionType or kind is BuiltinFunctionType or is_class(value))
