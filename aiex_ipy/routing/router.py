"""Many providers as one: each is asked until one gives its first word, then only that one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING

from aiex_ipy.config.providers import NO_PROVIDER
from aiex_ipy.config.settings import ProviderSettings, Settings
from aiex_ipy.errors import (
    AiexError,
    UnavailableError,
)
from aiex_ipy.messages import Chunk, Finish, ModelRequest, Opened
from aiex_ipy.providers import Provider
from aiex_ipy.routing.attempts import Asked
from aiex_ipy.routing.choice import Choice, Target
from aiex_ipy.routing.planning import candidates, preferred
from aiex_ipy.routing.registry import Registry
from aiex_ipy.routing.sharing import Sharing
from aiex_ipy.routing.state import RoutingState
from aiex_ipy.routing.turns import Turns, in_standing

if TYPE_CHECKING:
    pass


class Router:
    """The `Models` of one engine, made from its settings; lives on the engine's loop.

    `providers` are instances made by the caller; they come before those the settings describe
    under the same name. `state` outlives the router: breakers, limits and totals are kept when
    the settings change.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        providers: Mapping[str, Provider] | None = None,
        state: RoutingState | None = None,
    ) -> None:
        self.settings = settings
        self._registry = Registry(settings, providers=providers)
        self.state = state if state is not None else RoutingState()

    def certainly_none(self, choice: Choice) -> bool:
        named = choice.provider
        if not named:
            named = preferred(self._registry, choice)[0] or self.settings.llm.default_provider
        return bool(named) and self.known(named or "") == NO_PROVIDER

    async def targets(self, choice: Choice) -> list[Target]:
        plan = await self._plan(choice)
        fit, _ = in_standing(plan)
        return [asked.target for asked in (*fit, *(each for each in plan if each not in fit))]

    async def stream(
        self, build: Callable[[Target], ModelRequest], choice: Choice
    ) -> AsyncGenerator[Chunk, None]:
        from contextlib import aclosing

        plan = await self._plan(choice)
        if not plan:
            raise _no_provider(choice, self.settings, self._registry.unavailable())
        with (
            Turns(plan, build) as turns,
            Sharing(self.settings, self.state, choice) as sharing,
        ):
            had = await sharing.had_already(turns.first())
            answer = self._asked(turns) if had is None else _said(had)
            async with aclosing(answer) as chunks:
                async for chunk in chunks:
                    if sharing.keeps:
                        chunk = await sharing.keep(chunk)
                    yield chunk

    async def _asked(self, turns: Turns) -> AsyncGenerator[Chunk, None]:
        from asyncio import CancelledError
        from contextlib import aclosing

        while (asked := await turns.next()) is not None:
            try:
                await asked.enter()
                async with aclosing(asked.stream()) as chunks:
                    async for chunk in chunks:
                        if type(chunk) is Opened:
                            asked.opened(chunk, turns.failed)
                            continue
                        before = asked.said(chunk)
                        if before is not None:
                            yield before
                        yield chunk if type(chunk) is not Finish else await asked.answered(chunk)
                return
            except CancelledError as cancelled:
                asked.heard(getattr(cancelled, "heard_chars", 0))
                raise
            except Exception as error:
                self._registry.probe_again()  # who answered the probe may be gone
                ours = _mapped(error, asked)
                if not asked.can_go_on(ours):
                    raise ours from (error.__cause__ if ours is error else error)
            finally:
                asked.leave()
        raise turns.failure()

    async def aclose(self) -> None:
        await self._registry.aclose()

    def names(self) -> list[str]:
        """Return the providers that can be named; see `Registry.names`."""
        return self._registry.names()

    def provider(self, name: str) -> Provider:
        """Return the instance `name`, made on first use. Raises UnknownNameError, PluginError."""
        return self._registry.provider(name)

    def instance(self, name: str) -> ProviderSettings:
        """Return the settings of `name`."""
        return self._registry.instance(name)

    def known(self, named: str) -> str:
        """Return the canonical name. Raises UnknownNameError."""
        return self._registry.known(named)

    def is_local(self, name: str) -> bool:
        """True when what it is asked does not leave this machine."""
        return self._registry.is_local(name)

    async def _plan(self, choice: Choice) -> list[Asked]:
        from aiex_ipy.telemetry.logs import logger

        log = logger(self.settings.log)
        plan = []
        for each in await candidates(self._registry, self.state, choice):
            provider, instance = self.provider(each.name), self.instance(each.name)
            target = Target(
                provider=provider.name,
                kind=provider.kind,
                model=each.model or _model_for(provider, instance, choice.task),
                max_tokens=instance.max_tokens,
                prompt_budget_tokens=provider.prompt_budget_tokens,
                note=each.note,
            )
            plan.append(
                Asked(
                    provider,
                    target,
                    instance,
                    choice=choice,
                    llm=self.settings.llm,
                    state=self.state,
                    here=self.is_local(each.name),
                    log=log,
                )
            )
        return plan


def _mapped(error: Exception, asked: Asked) -> AiexError:
    """Return ours, also for what a provider of another package lets through."""
    if isinstance(error, AiexError):
        return error
    from aiex_ipy.providers.faults import Peer, from_exception

    name = asked.instance.name
    return from_exception(error, Peer(provider=name, label=f"provider {name!r}"))


async def _said(chunks: list[Chunk]) -> AsyncGenerator[Chunk, None]:
    for chunk in chunks:
        yield chunk


def _model_for(provider: Provider, instance: ProviderSettings, task: str) -> str | None:
    """Return the instance's model, else what the provider has for such a task, if anything."""
    if instance.model or not task:
        return instance.model
    own: Callable[[str], str | None] | None = getattr(provider, "model_for", None)
    return own(task) if own is not None else None


def _no_provider(
    choice: Choice, settings: Settings, unavailable: Mapping[str, str]
) -> UnavailableError:
    """Return the error for nobody to ask; `unavailable` says why configured servers are not."""
    named = (choice.provider, settings.llm.tasks.get(choice.task), settings.llm.default_provider)
    if NO_PROVIDER in named:
        return UnavailableError(
            "No model is asked, because the provider is 'none'.",
            code="no_provider",
            hint="Name another one with --provider or AIEX_DEFAULT_PROVIDER.",
        )
    model = settings.llm.embedded.model
    if unavailable:
        told = " ".join(unavailable.values())
        return UnavailableError(
            f"No model can be asked: what is configured does not answer. {told}",
            code="no_provider",
            hint=f"Mend {', '.join(map(repr, unavailable))}, set OPENAI_API_KEY or"
            " ANTHROPIC_API_KEY, start Ollama or LM Studio, or run"
            f" `aiex models pull {model}`.",
        )
    return UnavailableError(
        "No model can be asked: no key is set, no local server answers, and no local model is"
        " installed.",
        code="no_provider",
        hint="Set OPENAI_API_KEY or ANTHROPIC_API_KEY, start Ollama or LM Studio, or run"
        f" `aiex models pull {model}`.",
    )
