"""An answer as text and Markdown, with the name of who spoke."""

from __future__ import annotations

from aiex_ipy.messages import Answer
from aiex_ipy.render.safe import escape, plain, safe_markdown
from aiex_ipy.render.usage import of_answer


def text(result: Answer, *, symbols: bool = True) -> str:
    """Return the words, then who spoke and what is to be known of the answer."""
    return f"{plain(result.text).rstrip()}\n\n{tail(result, symbols=symbols)}"


def tail(result: Answer, *, symbols: bool = True) -> str:
    """Return the footer."""
    mark = "— " if symbols else "-- "
    return "\n".join(mark + line for line in footer(result)) + "\n"


def markdown(result: Answer) -> str:
    """Return the words made safe, then the footer."""
    tail = "  \n".join(f"*{escape(line)}*" for line in footer(result))
    return f"{safe_markdown(result.text).rstrip()}\n\n{tail}\n"


def footer(result: Answer) -> list[str]:
    """Return the lines below an answer: model, provider, tokens, cost, notices."""
    parts = [f"{result.model or 'an unnamed model'} ({result.provider})", *of_answer(result.usage)]
    lines = [", ".join(plain(part) for part in parts)]
    if result.note:
        lines.append(plain(result.note))
    if result.unconfirmed:
        names = ", ".join(plain(name) for name in result.unconfirmed[:8])
        lines.append(f"not found in the code it was given: {names}")
    return lines + [plain(notice) for notice in result.notices]
