"""Live objects as subjects: the source of what has one, else what the object shows of itself."""

from __future__ import annotations

import inspect
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
        return _shown(value, name)
    return Subject(path=str(shown), text="".join(lines), first_line=max(1, first))


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
