"""The providers that can be named, made on first use, and which of them are on this machine."""

from __future__ import annotations

from collections.abc import Mapping

from aiex_ipy.config.providers import KINDS, NO_PROVIDER, canonical_provider
from aiex_ipy.config.settings import ProviderSettings, Settings
from aiex_ipy.errors import UnknownNameError, near_miss
from aiex_ipy.providers import Provider
from aiex_ipy.routing.probing import SharedProbe

LOCAL_SERVERS = ("ollama", "lm_studio")
BY_NAME_ONLY = ("scripted",)


class Registry:
    """The instances of one settings value. `providers` are instances made by the caller; they
    come before those the settings describe under the same name."""

    def __init__(
        self, settings: Settings, *, providers: Mapping[str, Provider] | None = None
    ) -> None:
        self.settings = settings
        self._made: dict[str, Provider] = dict(providers or {})
        self._here: dict[str, bool] = {}
        self._probed_at = float("-inf")
        self._forgotten = 0
        self._answering: list[str] = []
        self._local_probe: SharedProbe[list[str]] = SharedProbe()
        self._embedded_probe: SharedProbe[bool] = SharedProbe()

    def names(self) -> list[str]:
        """Return the providers that can be named: the configured, then our kinds that need none.

        A scripted one without answers is left out: it is there for tests.
        """
        names = [*self._made, *self.settings.llm.providers]
        names += [kind for kind, known in KINDS.items() if not known.needs_url]
        return [
            name
            for name in dict.fromkeys(names)
            if name in self._made
            or self.instance(name).kind != "scripted"
            or self.instance(name).answers
        ]

    def known(self, named: str) -> str:
        """Return the canonical name. Raises UnknownNameError."""
        name = canonical_provider(named)
        known = [*self._made, *self.settings.llm.providers, *KINDS, NO_PROVIDER]
        if name in known:
            return name
        from aiex_ipy import plugins

        known += [plugin.name for plugin in plugins.plugins("aiex.providers")]
        if name in known:
            return name
        raise UnknownNameError(
            f"No provider {named!r}.", hint=near_miss(name, list(dict.fromkeys(known)))
        )

    def instance(self, name: str) -> ProviderSettings:
        """Return the settings of `name`; one of our kinds has them without being configured."""
        configured = self.settings.llm.providers.get(name)
        return configured or ProviderSettings(name=name, kind=name)

    def provider(self, name: str) -> Provider:
        """Return the instance `name`, made on first use. Raises UnknownNameError, PluginError."""
        found = self._made.get(name)
        if found is not None:
            return found
        name = self.known(name)
        if name not in self._made:
            from aiex_ipy import plugins
            from aiex_ipy.providers.faulty import FaultyProvider

            instance = self.instance(name)
            if instance.fault is not None:
                self._made[name] = FaultyProvider(name, instance.kind, instance.fault)
                return self._made[name]
            self._made[name] = plugins.load("aiex.providers", instance.kind)(
                instance, self.settings
            )
        return self._made[name]

    def is_local(self, name: str) -> bool:
        """True when its server is on this machine: what it is asked does not leave it."""
        known = self._here.get(name)
        if known is None:
            known = self._here[name] = self._look_where(name)
        return known

    def _look_where(self, name: str) -> bool:
        from aiex_ipy.providers.wire import is_loopback

        instance = self.instance(name)
        if instance.fault is not None:
            return True  # where it would be is not known: nobody further away takes its questions
        if instance.base_url:
            return is_loopback(instance.base_url)
        return instance.kind in (*LOCAL_SERVERS, *BY_NAME_ONLY, "embedded")

    def keyed(self) -> list[str]:
        """Instances that need no probing, by priority: a key, or an own address."""
        usable = [
            instance
            for instance in self.settings.llm.providers.values()
            if instance.kind not in (*BY_NAME_ONLY, "embedded")
            and instance.fault is None
            and (
                instance.api_key or instance.base_url
                if instance.kind not in LOCAL_SERVERS
                else instance.base_url and instance.priority < 100
            )
        ]
        return [instance.name for instance in sorted(usable, key=lambda each: each.priority)]

    async def answering(self) -> list[str]:
        """Local servers that answer, by priority; asked in parallel, the answer kept a while. Those
        who ask at once share one probe."""
        import asyncio

        now = asyncio.get_running_loop().time()
        if now - self._probed_at < self.settings.llm.probe_keep_ms / 1000:
            return self._answering
        return await self._local_probe.found_by(self._probe)

    async def _probe(self) -> list[str]:
        import asyncio

        llm, forgotten = self.settings.llm, self._forgotten
        began = asyncio.get_running_loop().time()
        names = [name for name, each in llm.providers.items() if each.kind in LOCAL_SERVERS]
        names += [kind for kind in LOCAL_SERVERS if kind not in names]
        providers = [self.provider(name) for name in names]
        found = await asyncio.gather(
            *(provider.available(llm.probe_timeout_ms / 1000) for provider in providers)
        )
        answering = [name for name, answers in zip(names, found, strict=True) if answers]
        answering.sort(key=lambda name: self.instance(name).priority)
        if forgotten == self._forgotten:
            self._answering, self._probed_at = answering, began
        return answering

    def unavailable(self) -> dict[str, str]:
        """Return why the servers that the settings name could not be asked when they were probed
        last, and what is wrong with settings, by provider."""
        found = {}
        for name, instance in self.settings.llm.providers.items():
            because = getattr(self._made.get(name), "unavailable_because", "")
            if instance.fault is not None:
                found[name] = str(instance.fault)
            elif because and instance.base_url and name not in self._answering:
                found[name] = because
        return found

    def probe_again(self) -> None:
        """Forget which local servers answered, what is being asked now too: one of them may be
        gone."""
        self._probed_at = float("-inf")
        self._forgotten += 1

    async def embedded(self) -> bool:
        """True when a model is installed and can be run here."""
        embedded = self.provider("embedded")
        within_s = self.settings.llm.probe_timeout_ms / 1000

        async def probe() -> bool:
            return await embedded.available(within_s)

        return await self._embedded_probe.found_by(probe)

    async def aclose(self) -> None:
        """Close all that were made; the next use makes them anew."""
        made, self._made = self._made, {}
        for provider in made.values():
            await provider.aclose()
