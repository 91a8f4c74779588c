"""Many providers as one: who is asked, in which order, until one gives its first token."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping

import msgspec

from aiex_ipy.config.providers import KINDS, NO_PROVIDER, canonical_provider
from aiex_ipy.config.settings import ProviderSettings, Settings
from aiex_ipy.errors import (
    AiexError,
    InvalidAnswerError,
    UnavailableError,
    UnknownNameError,
    near_miss,
)
from aiex_ipy.messages import Chunk, ModelRequest, Opened
from aiex_ipy.providers import Provider
from aiex_ipy.routing.choice import Choice, Target

_LOCAL_SERVERS = ("ollama", "lm_studio")
_BY_NAME_ONLY = ("scripted",)


class Router:
    """The `Models` of one engine, made from its settings; lives on the engine's loop.

    `providers` are instances made by the caller; they come before those the settings describe
    under the same name.
    """

    def __init__(
        self, settings: Settings, *, providers: Mapping[str, Provider] | None = None
    ) -> None:
        self._settings = settings
        self._made: dict[str, Provider] = dict(providers or {})
        self._probed_at = float("-inf")
        self._answering: list[str] = []

    def certainly_none(self, choice: Choice) -> bool:
        named = choice.provider or self._settings.llm.default_provider
        if not named:
            return False
        return self.known(named) == NO_PROVIDER

    async def targets(self, choice: Choice) -> list[Target]:
        return [target for _, target in await self._plan(choice)]

    async def stream(
        self, build: Callable[[Target], ModelRequest], choice: Choice
    ) -> AsyncGenerator[Chunk, None]:
        from contextlib import aclosing

        plan = await self._plan(choice)
        if not plan:
            raise _no_provider(choice, self._settings)
        from aiex_ipy.telemetry.logs import logger

        log = logger(self._settings.log)
        failed: list[AiexError] = []
        for provider, target in plan:
            request = build(target)
            log.debug("asking %s, at most %d tokens", target.provider, request.max_tokens)
            opened: Opened | None = None
            begun = False
            try:
                async with aclosing(provider.stream(request)) as chunks:
                    async for chunk in chunks:
                        if not begun:
                            if type(chunk) is Opened:
                                opened = chunk
                                continue
                            begun = True
                            if opened is not None:
                                log.info("%s answers with %s", opened.provider, opened.model)
                                yield _with_note(opened, target, failed)
                        yield chunk
                return
            except AiexError as error:
                log.info("%s failed: %s", target.provider, error.code)
                if begun or isinstance(error, InvalidAnswerError):
                    raise  # a malformed answer is the caller's to have mended
                failed.append(error)
                self._probed_at = float("-inf")  # who answered the probe may be gone
        raise _told_together(failed)

    async def aclose(self) -> None:
        made, self._made = self._made, {}
        for provider in made.values():
            await provider.aclose()

    def names(self) -> list[str]:
        """Return the providers that can be named: the configured, then our kinds that need none.

        A scripted one without answers is left out: it is there for tests.
        """
        names = [*self._made, *self._settings.llm.providers]
        names += [kind for kind, known in KINDS.items() if not known.needs_url]
        return [
            name
            for name in dict.fromkeys(names)
            if name in self._made
            or self.instance(name).kind != "scripted"
            or self.instance(name).answers
        ]

    def provider(self, name: str) -> Provider:
        """Return the instance `name`, made on first use. Raises UnknownNameError, PluginError."""
        name = self.known(name)
        if name not in self._made:
            from aiex_ipy import plugins

            instance = self.instance(name)
            self._made[name] = plugins.load("aiex.providers", instance.kind)(
                instance, self._settings
            )
        return self._made[name]

    async def _plan(self, choice: Choice) -> list[tuple[Provider, Target]]:
        names = await self._order(choice)
        plan = []
        for position, (name, note) in enumerate(names):
            provider = self.provider(name)
            instance = self.instance(name)
            model = choice.model if position == 0 and choice.model else instance.model
            plan.append(
                (
                    provider,
                    Target(
                        provider=provider.name,
                        kind=provider.kind,
                        model=model,
                        max_tokens=instance.max_tokens,
                        prompt_budget_tokens=provider.prompt_budget_tokens,
                        note=note,
                    ),
                )
            )
        return plan

    async def _order(self, choice: Choice) -> list[tuple[str, str]]:
        """Return names in the order they are asked, each with why."""
        if choice.provider:
            name = self.known(choice.provider)
            return [] if name == NO_PROVIDER else [(name, "")]
        llm = self._settings.llm
        order: list[tuple[str, str]] = []
        if llm.default_provider:
            name = self.known(llm.default_provider)
            if name == NO_PROVIDER:
                return []
            order.append((name, "the default provider"))
            if not self._is_local(name):
                order += [(other, "after the default provider") for other in self._keyed()]
        else:
            order += [(name, "the first provider with a key") for name in self._keyed()]
            if not order:
                order += [(name, "a local server that answers") for name in await self._local()]
                if not choice.by_name_only and await self._embedded():
                    order.append(("embedded", "no key is set and no local server answers"))
        if llm.fallback_provider:
            name = self.known(llm.fallback_provider)
            if name != NO_PROVIDER:
                order.append((name, "the fallback provider"))
        first: dict[str, str] = {}
        for name, note in order:
            first.setdefault(name, note)
        return list(first.items())

    def _keyed(self) -> list[str]:
        """Instances that need no probing, by priority: a key, or an own address."""
        usable = [
            instance
            for instance in self._settings.llm.providers.values()
            if instance.kind not in (*_BY_NAME_ONLY, "embedded")
            and (
                instance.api_key or instance.base_url
                if instance.kind not in _LOCAL_SERVERS
                else instance.base_url and instance.priority < 100
            )
        ]
        return [instance.name for instance in sorted(usable, key=lambda each: each.priority)]

    async def _local(self) -> list[str]:
        """Local servers that answer, by priority; asked in parallel, the answer kept a while."""
        import asyncio

        llm = self._settings.llm
        now = asyncio.get_running_loop().time()
        if now - self._probed_at < llm.probe_keep_ms / 1000:
            return self._answering
        names = [name for name, each in llm.providers.items() if each.kind in _LOCAL_SERVERS]
        names += [kind for kind in _LOCAL_SERVERS if kind not in names]
        providers = [self.provider(name) for name in names]
        found = await asyncio.gather(
            *(provider.available(llm.probe_timeout_ms / 1000) for provider in providers)
        )
        answering = [name for name, answers in zip(names, found, strict=True) if answers]
        self._answering = sorted(answering, key=lambda name: self.instance(name).priority)
        self._probed_at = now
        return self._answering

    async def _embedded(self) -> bool:
        return await self.provider("embedded").available(self._settings.llm.probe_timeout_ms / 1000)

    def _is_local(self, name: str) -> bool:
        from aiex_ipy.providers.wire import is_loopback

        instance = self.instance(name)
        if instance.base_url:
            return is_loopback(instance.base_url)
        return instance.kind in (*_LOCAL_SERVERS, *_BY_NAME_ONLY, "embedded")

    def instance(self, name: str) -> ProviderSettings:
        """Return the settings of `name`; one of our kinds has them without being configured."""
        configured = self._settings.llm.providers.get(name)
        return configured or ProviderSettings(name=name, kind=name)

    def known(self, named: str) -> str:
        """Return the canonical name. Raises UnknownNameError."""
        name = canonical_provider(named)
        known = [*self._made, *self._settings.llm.providers, *KINDS, NO_PROVIDER]
        if name in known:
            return name
        from aiex_ipy import plugins

        known += [plugin.name for plugin in plugins.plugins("aiex.providers")]
        if name in known:
            return name
        raise UnknownNameError(
            f"No provider {named!r}.", hint=near_miss(name, list(dict.fromkeys(known)))
        )


def _with_note(opened: Opened, target: Target, failed: list[AiexError]) -> Opened:
    """Return `opened` telling how provider and model were chosen, and who failed before."""
    notes = [note for note in (target.note, opened.note) if note]
    notes += [f"tried before: {error.message.rstrip('.')}" for error in failed]
    return msgspec.structs.replace(opened, note="; ".join(notes))


def _no_provider(choice: Choice, settings: Settings) -> UnavailableError:
    if NO_PROVIDER in (choice.provider, settings.llm.default_provider):
        return UnavailableError(
            "No model is asked, because the provider is 'none'.",
            code="no_provider",
            hint="Name another one with --provider or AIEX_DEFAULT_PROVIDER.",
        )
    model = settings.llm.embedded.model
    return UnavailableError(
        "No model can be asked: no key is set, no local server answers, and no local model is"
        " installed.",
        code="no_provider",
        hint="Set OPENAI_API_KEY or ANTHROPIC_API_KEY, start Ollama or LM Studio, or run"
        f" `aiex models pull {model}`.",
    )


def _told_together(failed: list[AiexError]) -> AiexError:
    """Return the last error with the earlier ones in its message."""
    last = failed[-1]
    if len(failed) > 1:
        earlier = " ".join(f"Before it: {error.message}" for error in failed[:-1])
        last.message = f"{last.message} {earlier}"
        last.args = (last.message,)
    return last
