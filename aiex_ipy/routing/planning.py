"""Who is asked, in which order: names, priorities, equals, fallbacks, tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from aiex_ipy.config.providers import NO_PROVIDER
from aiex_ipy.config.settings import ProviderSettings
from aiex_ipy.routing.choice import Choice
from aiex_ipy.routing.registry import Registry
from aiex_ipy.routing.state import RoutingState

DEFAULT_PRIORITY = ProviderSettings(name="", kind="").priority


class Candidate(Struct, frozen=True, kw_only=True):
    """A provider to try and why; `model` None leaves it to the provider."""

    name: str
    note: str = ""
    model: str | None = None


def preferred(registry: Registry, choice: Choice) -> tuple[str | None, str | None]:
    """Return provider and model that `llm.tasks` names for the task; None where it names none, or
    the caller named one. Raises UnknownNameError."""
    wish = registry.settings.llm.tasks.get(choice.task, "") if choice.task else ""
    if not wish or choice.provider:
        return None, None
    name, _, model = wish.partition("/")
    return registry.known(name) if name else None, choice.model or model or None


async def candidates(registry: Registry, state: RoutingState, choice: Choice) -> list[Candidate]:
    """Return who is tried, in order; empty when `none` was named or nobody can be asked.

    Raises UnknownNameError for a name that is not known.
    """
    if choice.provider:
        name = registry.known(choice.provider)
        named = [] if name == NO_PROVIDER else list(_with_fallbacks(registry, [(name, "")]))
        return [
            Candidate(name=name, note=note, model=None if position else choice.model)
            for position, (name, note) in enumerate(named)
        ]
    for_task, model = preferred(registry, choice)
    if for_task == NO_PROVIDER:
        return []
    order: list[tuple[str, str]] = []
    llm = registry.settings.llm
    if for_task:
        order.append((for_task, f"the provider for {choice.task!r}"))
    default = registry.known(llm.default_provider) if llm.default_provider else None
    if default == NO_PROVIDER and not for_task:
        return []
    if default and default != NO_PROVIDER:
        order.append((default, "after it" if for_task else "the default provider"))
    # Who chose a model on this machine did not choose to send code away.
    local = next((place for place, (name, _) in enumerate(order) if registry.is_local(name)), None)
    if local is None:
        order += await _by_priority(registry, state, choice, after=order[0][0] if order else "")
    else:
        order = order[: local + 1]
    if llm.fallback_provider:
        name = registry.known(llm.fallback_provider)
        if name != NO_PROVIDER:
            order.append((name, "the fallback provider"))
    first: dict[str, str] = {}
    for name, note in _with_fallbacks(registry, order):
        first.setdefault(name, note)
    model = model or choice.model
    return [
        Candidate(name=name, note=note, model=None if position else model)
        for position, (name, note) in enumerate(first.items())
    ]


async def _by_priority(
    registry: Registry, state: RoutingState, choice: Choice, *, after: str
) -> list[tuple[str, str]]:
    """Return the providers nobody named: with a key, else those of this machine."""
    keyed = list(_balanced(registry, state, registry.keyed()))
    if after:
        return [(name, f"after {_called(registry, after)}") for name in keyed]
    local: list[tuple[str, str]] = []
    first = registry.settings.llm.prefer_local
    if first or not keyed:
        local = [(name, "a local server that answers") for name in await registry.answering()]
        if not choice.by_name_only and await registry.embedded():
            why = "local is preferred" if first else "no key is set"
            local.append(("embedded", f"{why} and no local server answers"))
    here = [name for name in keyed if first and registry.is_local(name)]
    away = [name for name in keyed if name not in here]
    return [
        *((name, "a provider on this machine") for name in here),
        *local,
        *((name, _by_key(registry, name, first=not place)) for place, name in enumerate(away)),
    ]


def _by_key(registry: Registry, name: str, *, first: bool) -> str:
    if not first:
        return "the next provider by priority"
    has_key = registry.instance(name).api_key or registry.instance(name).base_url is None
    return "the first provider with a key" if has_key else "the first provider with an address"


def _called(registry: Registry, name: str) -> str:
    named = registry.settings.llm.default_provider
    return "the default provider" if named and registry.known(named) == name else repr(name)


def _balanced(registry: Registry, state: RoutingState, names: Sequence[str]) -> Iterator[str]:
    """Yield the names so that among equals the least busy comes first, then whoever was asked
    longest ago.

    Equals have one priority. With the default one, which nobody chose, they have also one kind and
    one model: who has keys of two vendors does not want them to take turns.
    """
    groups: dict[tuple[object, ...], list[str]] = {}
    for name in names:
        instance = registry.instance(name)
        same: tuple[object, ...] = (instance.priority,)
        if instance.priority == DEFAULT_PRIORITY:
            same = (instance.priority, instance.kind, instance.model)
        groups.setdefault(same, []).append(name)
    for group in groups.values():
        if len(group) > 1:
            standings = {name: state.standing(registry.instance(name)) for name in group}
            group.sort(key=lambda name: (standings[name].in_flight, standings[name].turn))
        yield from group


def _with_fallbacks(
    registry: Registry, order: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Yield each provider and, right after it, its own fallbacks; a name met before is skipped."""
    seen: set[str] = set()

    def each(name: str, note: str) -> Iterator[tuple[str, str]]:
        if name in seen:
            return
        seen.add(name)
        yield name, note
        for other in registry.instance(name).fallbacks:
            fallback = registry.known(other)
            if fallback != NO_PROVIDER:
                yield from each(fallback, f"the fallback of {name!r}")

    for name, note in order:
        yield from each(name, note)
