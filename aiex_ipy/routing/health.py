"""Whether each provider can be asked now, and what it offers: `aiex llm health|models`."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from aiex_ipy.errors import AiexError, ProviderError
from aiex_ipy.messages import ModelInfo
from aiex_ipy.routing.router import Router

PROBE_S = 5.0
"""The longest a probe may take, in seconds; all run at once."""


class Described(Struct, frozen=True, kw_only=True):
    """A provider as it is set up; no server was asked. `model` None leaves it to the provider.

    `package` is who provides its kind. `key` says whether a key is set, None where none is
    needed.
    """

    name: str
    kind: str
    base_url: str | None
    model: str | None
    priority: int
    key: bool | None
    package: str


class Health(Struct, frozen=True, kw_only=True):
    """The outcome of one live probe; `latency_ms` is None when it failed."""

    name: str
    kind: str
    ok: bool
    latency_ms: float | None = None
    models: int = 0
    error: str = ""
    hint: str = ""
    code: str = ""


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
            )
        )
    return found


async def check_health(
    router: Router, names: Sequence[str] = (), *, within_s: float = PROBE_S
) -> list[Health]:
    """Ask the named providers (else all) for their models, at once, each for so many seconds.

    No tokens are spent: listing the models proves address, key and wire. Raises
    UnknownNameError for a name that is not known.
    """
    import asyncio

    chosen = [router.known(name) for name in names] or router.names()
    return list(await asyncio.gather(*(_probe(router, name, within_s) for name in chosen)))


async def list_models(
    router: Router, names: Sequence[str] = (), *, within_s: float = PROBE_S
) -> list[Offer]:
    """Return what the named providers (else all) offer. Raises UnknownNameError."""
    import asyncio

    async def offer(name: str) -> Offer:
        kind = router.instance(name).kind
        try:
            models = await _listed(router, name, within_s)
        except AiexError as error:
            return Offer(name=name, kind=kind, error=error.message, hint=error.hint)
        return Offer(name=name, kind=kind, models=tuple(models))

    chosen = [router.known(name) for name in names] or router.names()
    return list(await asyncio.gather(*(offer(name) for name in chosen)))


async def _probe(router: Router, name: str, within_s: float) -> Health:
    import asyncio

    kind = router.instance(name).kind
    loop = asyncio.get_running_loop()
    started = loop.time()
    try:
        models = await _listed(router, name, within_s)
    except AiexError as error:
        return Health(
            name=name,
            kind=kind,
            ok=False,
            error=error.message,
            hint=error.hint,
            code=error.code,
        )
    return Health(
        name=name,
        kind=kind,
        ok=True,
        latency_ms=round((loop.time() - started) * 1000, 1),
        models=len(models),
    )


async def _listed(router: Router, name: str, within_s: float) -> Sequence[ModelInfo]:
    import asyncio

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
