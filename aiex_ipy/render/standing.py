"""The status as text: what is configured and ready."""

from __future__ import annotations

from aiex_ipy.engine.status import Status
from aiex_ipy.render.safe import plain
from aiex_ipy.render.usage import of_calls, of_state


def text(found: Status, *, symbols: bool = True) -> str:
    """Return one line a fact; ends in a newline. It has no symbols anyway."""
    rows = [
        ("project", found.project_dir or "none"),
        ("provider", f"{found.provider or 'none'}" + (f" ({found.why})" if found.why else "")),
        ("model", found.model or "the provider chooses"),
        ("providers", ", ".join(found.providers) or "none"),
        ("local model", found.local_model),
        ("analyzers", ", ".join(f"{name} {at}" for name, at in found.analyzers.items())),
        ("usage", of_calls(found.usage) if found.usage.calls else "no model was asked"),
        *((state.name, of_state(state)) for state in found.states if of_state(state)),
        *(("note", notice) for notice in found.notices),
    ]
    lines = [f"aiex {found.version}", *(f"{name:12} {value}" for name, value in rows)]
    return "".join(f"{plain(line)}\n" for line in lines)


def markdown(found: Status) -> str:
    """Return the same as Markdown."""
    return f"```text\n{text(found)}```\n"
