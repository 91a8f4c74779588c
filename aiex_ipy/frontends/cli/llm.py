"""`aiex llm health|models|providers|usage|cache`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import click
from msgspec.structs import asdict

from aiex_ipy.frontends.cli.options import JSON
from aiex_ipy.frontends.cli.run import engine_for
from aiex_ipy.messages import ModelInfo
from aiex_ipy.render.results import to_json
from aiex_ipy.render.safe import plain
from aiex_ipy.routing.health import Described, Health, Offer, check_health, describe, list_models

Row = TypeVar("Row")


@click.command()
@click.argument("names", nargs=-1)
@JSON
def health(names: tuple[str, ...], output: str) -> int:
    """Ask each provider, or those named, whether it answers; exit 3 when none does.

    Ten are asked at once, each for 5 s and all for 15 s. Told too: how long one is left alone, and
    whether the price of its model is known.
    """
    with engine_for(notice=False) as engine:
        rows = engine.call(check_health(engine.models, names))
    _print(rows, output, _health_line)
    return 0 if any(row.ok for row in rows) else 3


@click.command()
@click.argument("names", nargs=-1)
@JSON
def models(names: tuple[str, ...], output: str) -> int:
    """List the models each provider offers; exit 3 when none answers."""
    with engine_for(notice=False) as engine:
        rows = engine.call(list_models(engine.models, names))
    _print(rows, output, _offer_lines)
    return 0 if any(not row.error for row in rows) else 3


@click.command()
@JSON
def providers(output: str) -> None:
    """List the providers that can be named; none is asked."""
    with engine_for(notice=False) as engine:
        rows = describe(engine.models)
    _print(rows, output, _provider_line)


@click.command()
@click.option("--clear", is_flag=True, help="Forget all answers.")
@JSON
def cache(clear: bool, output: str) -> None:
    """Show what the response cache holds; with --clear, empty it."""
    from aiex_ipy.routing.response_cache import ResponseCache

    with engine_for() as engine:
        settings = engine.settings.llm.cache
    kept = ResponseCache(settings.max_mb)
    cleared = kept.clear() if clear else 0
    held = kept.size()
    if output == "json":
        print(to_json({"enabled": settings.enabled, "cleared": cleared, **asdict(held)}), end="")
        return
    if clear:
        print(f"forgotten: {_answers(cleared)}")
    size = f"{held.bytes / 1e6:.1f} MB of {settings.max_mb} MB"
    print(f"{_answers(held.answers)}, {size}, in {held.path}")
    if not settings.enabled:
        print("The cache is off: llm.cache.enabled is false.")


def _answers(number: int) -> str:
    return f"{number} answer{'' if number == 1 else 's'}"


@click.command()
@JSON
def usage(output: str) -> None:
    """Show the calls of this process: tokens, cost, median times, by provider and model.

    A command is a process of its own; in a notebook, `%aiex llm usage` tells of the kernel. Totals
    of a day need the event log, which is not built yet. Models asked least are counted together
    once there are more than a hundred.
    """
    from aiex_ipy.engine.makers import MAKERS
    from aiex_ipy.render.usage import text

    with engine_for() as engine:
        totals = engine.models.state.ledger.totals()
    print(to_json(totals) if output == "json" else text(totals, session=bool(MAKERS)), end="")


def _print(rows: Sequence[Row], output: str, line: Callable[[Row], str]) -> None:
    if output == "json":
        print(to_json(rows), end="")
        return
    for row in rows:
        print(line(row))


def _health_line(row: Health) -> str:
    from aiex_ipy.render.usage import of_state

    if row.ok:
        models = f"{row.models} model{'' if row.models == 1 else 's'}"
        parts = [f"{row.name:18} ok    {row.latency_ms:.0f} ms", models, of_state(row.state)]
        if row.listed is False:
            parts.append(f"does not list its model {row.model!r}")
        if row.priced is False:
            parts.append(f"price of {row.model} unknown")
        return plain(", ".join(part for part in parts if part))
    state = f" ({of_state(row.state)})" if of_state(row.state) else ""
    return plain(f"{row.name:18} fail  {row.error} {row.hint}".rstrip() + state)


def _offer_lines(row: Offer) -> str:
    if row.error:
        return plain(f"{row.name}: {row.error} {row.hint}").rstrip()
    names = [f"  {plain(model.name)}{_size(model)}" for model in row.models]
    return "\n".join([f"{row.name}:", *(names or ["  (none)"])])


def _size(model: ModelInfo) -> str:
    parts = []
    if model.context_tokens:
        parts.append(f"{model.context_tokens} tokens")
    if model.elsewhere:
        parts.append("in the cloud")
    elif model.size_bytes:
        parts.append(f"{model.size_bytes / 1e6:.0f} MB")
    return f"  ({', '.join(parts)})" if parts else ""


def _provider_line(row: Described) -> str:
    key = {None: "needs no key", True: "key set", False: "no key"}[row.key]
    where = row.base_url or "its default address"
    if row.error:
        return f"{row.name:18} {row.kind:18} cannot be asked. {row.error}"
    return f"{row.name:18} {row.kind:18} {row.model or 'its default model'}, {where}, {key}"
