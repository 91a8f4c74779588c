"""Tokens, cost and times as text: of one answer, of a conversation, of the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiex_ipy.messages import Usage
from aiex_ipy.render.safe import plain
from aiex_ipy.routing.budgets import calls, dollars
from aiex_ipy.routing.ledger import ModelSpent, Spent, Totals

if TYPE_CHECKING:
    from aiex_ipy.routing.health import ProviderState


def of_answer(usage: Usage) -> list[str]:
    """Return the tokens of an answer, `about` where they are estimated, and its cost."""
    if usage.input_tokens is None or usage.output_tokens is None:
        return [] if usage.cost_usd is None else [_cost(usage.cost_usd)]
    about = "about " if usage.estimated else ""
    tokens = f"{about}{usage.input_tokens} + {usage.output_tokens} tokens"
    if usage.cost_usd is None:
        return [tokens, "cost unknown"]
    return [tokens, about * bool(usage.cost_usd) + _cost(usage.cost_usd)]


def of_calls(spent: Spent) -> str:
    """Return what several calls used, in one line; `free` is said of tokens alone."""
    parts = [calls(spent.calls)]
    for number, word in (
        (spent.failed, "failed"),
        (spent.interrupted, "interrupted"),
        (spent.cached, "answered by the cache or an identical call"),
    ):
        if number:
            parts.append(f"{number} {word}")
    if not spent.tokens and not spent.cost_usd:
        return ", ".join([*parts, "nothing used"])
    guessed = f" ({spent.estimated_tokens} estimated)" if spent.estimated_tokens else ""
    parts.append(f"{spent.input_tokens} + {spent.output_tokens} tokens{guessed}")
    if spent.cost_usd is None:
        parts.append("cost unknown")
    elif spent.unpriced:
        parts.append(f"{dollars(spent.cost_usd)} and {calls(spent.unpriced)} of unknown cost")
    else:
        parts.append(_cost(spent.cost_usd))
    return ", ".join(parts)


def text(totals: Totals, *, session: bool = True) -> str:
    """Return a line for each provider and model, then the sum; ends in a newline. `session`: the
    process goes on after this command."""
    if not totals.models and not session:
        return (
            "This process asked no model: each command is a process of its own. `%aiex llm usage`"
            " in a notebook tells\nwhat its kernel used, `/usage` in `aiex ai chat` what the"
            " conversation used. Totals of a day are not kept yet.\n"
        )
    if not totals.models:
        return "This process has asked no model yet.\n"
    lines = [_row(f"{each.provider} {each.model}", each) for each in totals.models]
    if len(lines) > 1:
        lines.append(_row("all", totals.all))
    return "".join(f"{plain(line)}\n" for line in lines)


def of_state(state: ProviderState) -> str:
    """Return why a provider is left alone, `""` when it is not."""
    circuit = {"open": "circuit open", "half_open": "circuit half open", "closed": ""}
    words = circuit[state.circuit]
    if state.left_alone_s:
        words = f"{words or 'left alone'} for {state.left_alone_s:.0f} s"
    if words and state.last_error:
        words += f" after {state.last_error}"
    return words


def _row(name: str, spent: Spent) -> str:
    times = ""
    if isinstance(spent, ModelSpent) and spent.latency_ms is not None:
        times = f", median {spent.latency_ms:.0f} ms"
        if spent.first_token_ms is not None:
            times += f", first word after {spent.first_token_ms:.0f} ms"
    return f"{name:32} {of_calls(spent)}{times}"


def _cost(cost_usd: float) -> str:
    return dollars(cost_usd) if cost_usd else "free"
