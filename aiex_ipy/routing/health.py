"""Whether each provider can be asked now, and what it offers: `aiex llm health|models`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from msgspec import Struct

from aiex_ipy.errors import AiexError, ProviderError
from aiex_ipy.messages import ModelInfo
from aiex_ipy.routing.breaker import State
from aiex_ipy.routing.router import Router

Row = TypeVar("Row")
PROBE_S = 5.0
"""The longest a probe may take, in seconds."""
AT_ONCE = 10
"""Most probes under way."""
TOTAL_S = 15.0
"""When no further probe begins, and those under way are given up, in seconds."""


class Described(Struct, frozen=True, kw_only=True):
    """A provider as it is set up; no server was asked. `model` None leaves it to the provider.

    `package` is who provides its kind. `key` says whether a key is set, None where none is
    needed. `error` is what is wrong with its settings, `""` where nothing is.
    """

    name: str
    kind: str
    base_url: str | None
    model: str | None
    priority: int
    key: bool | None
    package: str
    error: str = ""


class ProviderState(Struct, frozen=True, kw_only=True):
    """How a provider stands in this process, by its worst model: its circuit, and how long it is
    left alone (in s), be it for its faults, because it asked for it, or because it refused the key.
    `answered` and `failed` count attempts, `last_error` is a code."""

    name: str
    circuit: State = "closed"
    left_alone_s: float = 0.0
    in_flight: int = 0
    answered: int = 0
    failed: int = 0
    last_error: str = ""


class Health(Struct, frozen=True, kw_only=True):
    """The outcome of one live probe; `latency_ms` is None when it failed. `model` is the one that
    would be asked and `priced` whether its calls have a known price, both None where the server
    chooses. `listed` is False where the server's listing lacks that model, None where it was not
    looked for: some servers take names that they do not list."""

    name: str
    kind: str
    ok: bool
    latency_ms: float | None = None
    models: int = 0
    error: str = ""
    hint: str = ""
    code: str = ""
    model: str | None = None
    priced: bool | None = None
    listed: bool | None = None
    state: ProviderState


class Offer(Struct, frozen=True, kw_only=True):
    """The models one provider offers, or why it could not be asked."""

    name: str
    kind: str
    models: tuple[ModelInfo, ...] = ()
    error: str = ""
    hint: str = ""


def describe(router: Router) -> list[Described]:
    """Return every provider that can be named, without asking any of them."""
    from aiex_ipy import plugins

    packages = {each.name: each.package for each in plugins.plugins("aiex.providers")}
    found = []
    for name in router.names():
        instance = router.instance(name)
        needs_key = instance.api_key_env is not None or instance.kind in ("openai", "anthropic")
        found.append(
            Described(
                name=name,
                kind=instance.kind,
                base_url=instance.base_url,
                model=instance.model,
                priority=instance.priority,
                key=bool(instance.api_key) if needs_key or instance.api_key else None,
                package=packages.get(instance.kind, "?"),
                error=str(instance.fault or ""),
            )
        )
    return found


def provider_states(router: Router) -> list[ProviderState]:
    """Return how each provider that was asked before stands; nobody is asked."""
    stands = [provider_state(router, name) for name in router.names()]
    return [each for each in stands if each.answered or each.failed or each.in_flight]


def provider_state(router: Router, name: str) -> ProviderState:
    """Return how one provider stands."""
    found = router.state.standing(router.instance(name))
    circuits = {breaker.state for breaker in found.breakers.copy().values()}
    circuit: State = "half_open" if "half_open" in circuits else "closed"
    return ProviderState(
        name=name,
        circuit="open" if "open" in circuits else circuit,
        left_alone_s=round(found.left_alone_s, 1),
        in_flight=found.in_flight,
        answered=found.answered,
        failed=found.failed,
        last_error=found.last_error.code if found.last_error is not None else "",
    )


async def check_health(
    router: Router,
    names: Sequence[str] = (),
    *,
    within_s: float = PROBE_S,
    total_s: float = TOTAL_S,
) -> list[Health]:
    """Ask the named providers (else all) for their models, some at once, each for so many seconds
    and all for `total_s`.

    No tokens are spent: listing the models proves address, key and wire. An open circuit stays
    open and is told. Raises UnknownNameError for a name that is not known.
    """

    async def probe(name: str, left_s: float) -> Health:
        return await _probe(router, name, min(within_s, left_s))

    return await _some_at_once(router, names, probe, total_s)


async def list_models(
    router: Router,
    names: Sequence[str] = (),
    *,
    within_s: float = PROBE_S,
    total_s: float = TOTAL_S,
) -> list[Offer]:
    """Return what the named providers (else all) offer, in the time of `check_health`. Raises
    UnknownNameError."""

    async def offer(name: str, left_s: float) -> Offer:
        kind = router.instance(name).kind
        try:
            models = await _listed(router, name, min(within_s, left_s))
        except AiexError as error:
            return Offer(name=name, kind=kind, error=error.message, hint=error.hint)
        return Offer(name=name, kind=kind, models=tuple(models))

    return await _some_at_once(router, names, offer, total_s)


async def _some_at_once(
    router: Router,
    names: Sequence[str],
    work: Callable[[str, float], Awaitable[Row]],
    total_s: float,
) -> list[Row]:
    """Return the work's results in the order of the names; it is told how much time is left."""
    import asyncio

    chosen = list(dict.fromkeys(router.known(name) for name in names)) or router.names()
    loop = asyncio.get_running_loop()
    end = loop.time() + total_s
    free = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> Row:
        async with free:
            return await work(name, end - loop.time())

    return list(await asyncio.gather(*(one(name) for name in chosen)))


async def _probe(router: Router, name: str, within_s: float) -> Health:
    import asyncio

    from aiex_ipy.routing.reuse import own_model

    instance = router.instance(name)
    model = instance.model or own_model(instance.kind, router.settings.llm)
    loop = asyncio.get_running_loop()
    started = loop.time()
    latency_ms: float | None = None
    models: Sequence[ModelInfo] = ()
    failed: AiexError | None = None
    try:
        models = await _listed(router, name, within_s)
        latency_ms = round((loop.time() - started) * 1000, 1)
    except AiexError as error:
        failed = error
    priced: bool | None = None
    if model is not None:
        local = router.is_local(name)
        if failed is None:
            await router.state.tariffs.look_up(instance, model, local=local)
        if router.state.tariffs.known(instance, model, local=local):
            priced = router.state.tariffs.priced(instance, model, local=local)
    return Health(
        name=name,
        kind=instance.kind,
        ok=failed is None,
        latency_ms=latency_ms,
        models=len(models),
        error=failed.message if failed else "",
        hint=failed.hint if failed else "",
        code=failed.code if failed else "",
        model=model,
        priced=priced,
        listed=_lists(models, instance.model) if failed is None and instance.model else None,
        state=provider_state(router, name),
    )


def _lists(models: Sequence[ModelInfo], wanted: str) -> bool:
    """Return whether a model is among them; Ollama leaves out `:latest`."""
    return bool({wanted, f"{wanted}:latest"} & {each.name for each in models})


async def _listed(router: Router, name: str, within_s: float) -> Sequence[ModelInfo]:
    """Return a provider's models. Raises AiexError, also when there is no time left to ask."""
    import asyncio

    if within_s <= 0:
        raise ProviderError(
            f"Provider {name!r} was not asked, since others took all the time.",
            code="timeout",
            hint=f"Name it alone: `aiex llm health {name}`.",
            provider=name,
        )
    try:
        async with asyncio.timeout(within_s):
            return await router.provider(name).models()
    except TimeoutError:
        raise ProviderError(
            f"Provider {name!r} did not answer within {within_s:g} s.",
            code="timeout",
            hint="Check its address, or the network.",
            provider=name,
        ) from None
