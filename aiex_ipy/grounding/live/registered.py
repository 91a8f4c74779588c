"""Descriptions that users write themselves: `_repr_llm_` methods and registered describers.

The only code of the user's that is run to describe a value. It runs on a thread of its own, for at
most 100 ms; what took longer, raised, or gave no text is not asked again in this session.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

from aiex_ipy.errors import UsageError
from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.static import (
    class_attribute,
    derives,
    full_name,
    is_class,
    module_of,
    mro,
    qualname,
    text_of,
)

Describer = Callable[[Any], Any]

DEADLINE_S = 0.1
TOLD = 2_000
"""Characters of a description by the user's own describer, at most."""
_STUCK = 4
"""With so many describers still running, none is asked: each holds a thread."""

_registered: list[tuple[type | str, Describer]] = []
_skipped: dict[int, tuple[Describer, str]] = {}
"""By identity, with the describer itself so that its identity is not given to another."""
_threads: list[threading.Thread] = []


def register_describer(target: type | str, function: Describer) -> None:
    """Let `function(value)` describe values of a type: a class, or its full name
    (`"module.Name"`), so that its library need not be imported; subclasses included.

    `function` returns a text (cut at 2,000 characters) or a `Description`, within 100 ms. One
    registered later goes before. Raises UsageError for a target that is neither.
    """
    named = type(target) is str and "." in target
    if not (named or is_class(target)):
        shown = repr(target) if type(target) is str else full_name(type(target))
        raise UsageError(
            f"A describer cannot be registered for {shown}.",
            hint="Give a class, or its full name as in 'module.Name'.",
        )
    if not callable(function):
        raise UsageError(
            f"A describer of type {full_name(type(function))!r} cannot be called.",
            hint="Give a function that takes the value and returns a text.",
        )
    _registered.insert(0, (target, function))
    _skipped.pop(id(function), None)


def forget() -> None:
    """Take away all registered describers, and ask again those that were skipped."""
    _registered.clear()
    _skipped.clear()


def told(value: Any) -> tuple[str | Description | None, str]:
    """Return what the user's own describer says of a value, None where there is none or it
    failed; and, if it did, why it is not asked."""
    found = _describer(value)
    if found is None:
        return None, ""
    function, label = found
    if id(function) in _skipped:
        return None, f"{label} is not asked: {_skipped[id(function)][1]}"
    _threads[:] = [each for each in _threads if each.is_alive()]
    if len(_threads) >= _STUCK:
        return None, f"{label} is not asked: others have not ended yet"
    result, failure = _run(function, value)
    if failure:
        _skipped[id(function)] = (function, failure)
        return None, f"{label} is not asked any more: {failure}"
    return result, ""


def _describer(value: Any) -> tuple[Describer, str] | None:
    """The describer for a value and what to call it: registered, else the type's `_repr_llm_`."""
    if is_class(value):
        return None
    kind = type(value)
    if _registered:
        for each in mro(kind):
            names = f"{module_of(each)}.{qualname(each)}"
            for target, function in _registered:
                if target is each or (type(target) is str and target == names):
                    return function, f"the describer of {names}"
    method = class_attribute(kind, "_repr_llm_")
    if type(method) is FunctionType:
        return method, "_repr_llm_"
    return None


def _run(function: Describer, value: Any) -> tuple[str | Description | None, str]:
    """Call on a thread; return the result, or None and what went wrong."""
    results: list[Any] = []
    failures: list[str] = []

    def work() -> None:
        try:
            results.append(_taken(function(value)))
        except BaseException as error:  # whatever it is, it is the describer's
            failures.append(f"it raised {qualname(type(error))}")

    thread = threading.Thread(target=work, name="aiex-describer", daemon=True)
    _threads.append(thread)
    thread.start()
    thread.join(DEADLINE_S)
    if failures:
        return None, failures[0]
    if not results:
        return None, f"it took longer than {DEADLINE_S * 1e3:.0f} ms"
    result = results[0]
    if result is None:
        return None, "it gave neither a text nor a Description"
    return result, ""


def _taken(result: Any) -> str | Description | None:
    if type(result) is Description:
        return result
    text = text_of(result) if derives(type(result), str) else None
    return None if text is None else text if len(text) <= TOLD else f"{text[: TOLD - 1]}…"
