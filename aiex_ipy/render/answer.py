"""An answer as text and Markdown, with the name of who spoke."""

from __future__ import annotations

from aiex_ipy.messages import Answer
from aiex_ipy.render.safe import escape, plain, safe_markdown


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
    usage = result.usage
    parts = [f"{result.model or 'an unnamed model'} ({result.provider})"]
    if usage.input_tokens is not None and usage.output_tokens is not None:
        parts.append(f"{usage.input_tokens} + {usage.output_tokens} tokens")
    if usage.cost_usd is not None:
        parts.append("free" if usage.cost_usd == 0 else f"${usage.cost_usd:.4f}")
    lines = [", ".join(plain(part) for part in parts)]
    if result.note:
        lines.append(plain(result.note))
    if result.unconfirmed:
        names = ", ".join(plain(name) for name in result.unconfirmed[:8])
        lines.append(f"not found in the code it was given: {names}")
    return lines + [plain(notice) for notice in result.notices]
