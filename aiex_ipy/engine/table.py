"""Which operation answers which request; each is loaded with its first request."""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeVar

from aiex_ipy.errors import UnknownNameError, near_miss
from aiex_ipy.operations.base import Operation, Request

_OPERATIONS = {
    "ask": "aiex_ipy.operations.ask:AskOperation",
    "chat": "aiex_ipy.operations.chat:ChatOperation",
    "analyze": "aiex_ipy.operations.analyze:AnalyzeOperation",
    "complete": "aiex_ipy.operations.complete:CompleteOperation",
    "debug": "aiex_ipy.operations.debug:DebugOperation",
    "doc": "aiex_ipy.operations.doc:DocOperation",
    "eval": "aiex_ipy.operations.evaluate:EvalOperation",
    "explain": "aiex_ipy.operations.explain:ExplainOperation",
    "health": "aiex_ipy.operations.health:HealthOperation",
    "project": "aiex_ipy.operations.project:ProjectOperation",
    "test_suggest": "aiex_ipy.operations.suggest_tests:TestSuggestOperation",
}
Res = TypeVar("Res")
_made: dict[str, Operation[Any, Any]] = {}


def names() -> tuple[str, ...]:
    """Return the operations' names."""
    return tuple(_OPERATIONS)


def operation_for(request: Request[Res]) -> Operation[Any, Res]:
    """Return the operation that answers `request`. Raises UnknownNameError."""
    name = request.operation
    if name not in _made:
        if name not in _OPERATIONS:
            raise UnknownNameError(
                f"There is no operation {name!r}.", hint=near_miss(name, names())
            )
        module, _, cls = _OPERATIONS[name].partition(":")
        _made[name] = getattr(import_module(module), cls)()
    return _made[name]
