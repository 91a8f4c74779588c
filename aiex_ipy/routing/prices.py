"""What an answer costs: the user's own prices, else the price table of `genai-prices`.

The table takes 0.2 s of processor time to import, so it is looked into once per address and model,
in a thread, and only what a call needs is kept: a few numbers.
Source: genai-prices 0.2, whose data come with the package; nothing is fetched.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aiex_ipy.config.settings import ProviderSettings
from aiex_ipy.messages import Usage

if TYPE_CHECKING:
    from concurrent.futures import Future
    from datetime import datetime

_GATEWAYS = ("openai", "anthropic", "openai_compatible")
"""Kinds whose server on this machine may be a gateway to a vendor, and so not free."""

_UNSEEN = ("output_reasoning_mtok", "output_citation_mtok")
"""Prices of tokens that a server bills besides those it reports."""

_MTOK = 1e6

MOST_TARIFFS = 1000
"""Models whose price is kept. The oldest is forgotten, and looked up again when it is needed."""


class _Step(Struct, frozen=True):
    """USD per million tokens from `above` input tokens on, for all of them; `cached_usd` is for
    input that the server still had."""

    above: int
    input_usd: float
    output_usd: float
    cached_usd: float


class _Rates(Struct, frozen=True):
    """Prices of one model. `steps` begin with the highest; `request_usd` is added to each call."""

    steps: tuple[_Step, ...]
    request_usd: float = 0.0

    def cost(self, usage: Usage) -> float | None:
        tokens, written = usage.input_tokens, usage.output_tokens
        if tokens is None or written is None:
            return None
        for step in self.steps:
            if tokens > step.above or not step.above:
                kept = min(usage.cached_tokens, tokens)
                return (
                    (tokens - kept) * step.input_usd
                    + kept * step.cached_usd
                    + written * step.output_usd
                ) / _MTOK + self.request_usd
        return None


class _Tariff(Struct, frozen=True):
    """The rates of one model and since when, or in which hours, each holds; the first that is in
    force counts. `rates` are set where one holds always."""

    rates: _Rates | None
    conditional: tuple[tuple[Callable[[datetime], bool] | None, _Rates | None], ...] = ()

    def now(self) -> _Rates | None:
        if not self.conditional:
            return self.rates
        from datetime import UTC, datetime

        moment = datetime.now(tz=UTC)
        for active, rates in self.conditional:
            if active is None or active(moment):
                return rates
        return self.conditional[-1][1]


_UNKNOWN = _Tariff(None)
_Key = tuple[str, str | None, str]


class Tariffs:
    """Prices by provider and model; any thread may ask. What was looked up is kept, also that a
    price is unknown."""

    def __init__(self) -> None:
        self._kept: dict[_Key, _Tariff] = {}
        self._coming: dict[_Key, Future[None]] = {}
        self._lock = threading.Lock()

    def known(self, provider: ProviderSettings, model: str, *, local: bool) -> bool:
        """True when `cost` needs no look-up any more. It may still be unknown."""
        if (provider.kind, provider.base_url, model) in self._kept:
            return True
        return self._needs_no_table(provider, model, local)

    def priced(self, provider: ProviderSettings, model: str, *, local: bool) -> bool:
        """True when calls are known to have a price, be it 0. False before the look-up."""
        if _own(provider) or _is_free(provider, model, local):
            return True
        tariff = self._kept.get((provider.kind, provider.base_url, model))
        return tariff is not None and tariff.now() is not None

    def cost(
        self, provider: ProviderSettings, model: str, usage: Usage, *, local: bool
    ) -> float | None:
        """Return USD; None is unknown, 0.0 only where tokens cost nothing.

        The user's prices come first, then what the provider said itself. Nothing is imported.
        """
        own = provider.input_usd_per_mtok, provider.output_usd_per_mtok
        if own[0] is not None and own[1] is not None:
            if usage.input_tokens is None or usage.output_tokens is None:
                return None
            return (usage.input_tokens * own[0] + usage.output_tokens * own[1]) / _MTOK
        if usage.cost_usd is not None:
            return usage.cost_usd
        if _is_free(provider, model, local):
            return 0.0
        tariff = self._kept.get((provider.kind, provider.base_url, model))
        rates = tariff.now() if tariff is not None else None
        return rates.cost(usage) if rates is not None else None

    async def look_up(self, provider: ProviderSettings, model: str, *, local: bool = False) -> None:
        """Have the price of a model known, or known to be unknown; in a thread.

        Those who ask for one model at once wait for one look-up, which ends though they leave.
        """
        coming = self.begin(provider, model, local=local)
        if coming is None:
            return
        import asyncio

        await asyncio.shield(asyncio.wrap_future(coming))

    def begin(self, provider: ProviderSettings, model: str, *, local: bool) -> Future[None] | None:
        """Start the look-up unless it is done or under way; return what to wait for, None when
        nothing."""
        if self.known(provider, model, local=local):
            return None
        from concurrent.futures import Future

        key = (provider.kind, provider.base_url, model)
        with self._lock:
            if key in self._kept:
                return None
            coming = self._coming.get(key)
            if coming is None:
                coming = self._coming[key] = Future()
                # A daemon: the end of the process does not wait for an import.
                threading.Thread(
                    target=self._find, args=(key, coming), name="aiex-prices", daemon=True
                ).start()
            return coming

    def _find(self, key: _Key, coming: Future[None]) -> None:
        tariff = _UNKNOWN
        try:
            tariff = _looked_up(*key)
        except Exception:  # the package's data are not ours: a fault in them is no price
            import logging

            from aiex_ipy.telemetry.logs import NAME

            logging.getLogger(NAME).debug("a price could not be read", exc_info=True)
        finally:
            with self._lock:
                self._keep(key, tariff)
                self._coming.pop(key, None)
            coming.set_result(None)

    def _needs_no_table(self, provider: ProviderSettings, model: str, local: bool) -> bool:
        if _own(provider) or _is_free(provider, model, local):
            return True
        if provider.base_url is None:
            return False
        from aiex_ipy.providers.wire import is_loopback

        if not is_loopback(provider.base_url):
            return False
        with self._lock:
            self._keep((provider.kind, provider.base_url, model), _UNKNOWN)
        return True

    def _keep(self, key: _Key, tariff: _Tariff) -> None:
        """Keep a tariff, and forget the oldest of too many; under the lock."""
        self._kept[key] = tariff
        if len(self._kept) > MOST_TARIFFS:
            del self._kept[next(iter(self._kept))]


def _own(provider: ProviderSettings) -> bool:
    return provider.input_usd_per_mtok is not None and provider.output_usd_per_mtok is not None


def _is_free(provider: ProviderSettings, model: str, local: bool) -> bool:
    if not local or provider.kind in _GATEWAYS:
        return False
    if provider.kind != "ollama":
        return True
    from aiex_ipy.providers.model_facts import is_in_ollamas_cloud

    return not is_in_ollamas_cloud(model or provider.model or "")


def _looked_up(kind: str, base_url: str | None, model: str) -> _Tariff:
    """Return what the table says of a model at a vendor's own address, or at another by its own
    patterns of addresses. That a model has a price is no proof that it can still be asked."""
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    if base_url is None and kind not in (each.id for each in snapshot.providers):
        return _UNKNOWN  # the table's own search for a name is a loose one
    try:
        _, found = snapshot.find_provider_model(
            model, None, kind if base_url is None else None, base_url
        )
    except LookupError:
        return _UNKNOWN
    prices: Any = found.prices
    if not isinstance(prices, list):
        return _Tariff(_rates(prices))
    if not prices:
        return _UNKNOWN
    # Later ones come before earlier ones; when none is in force, the first holds.
    conditional = [
        (each.constraint.active if each.constraint else None, _rates(each.prices))
        for each in reversed(prices)
    ]
    if conditional[0][0] is None:
        return _Tariff(conditional[0][1])
    return _Tariff(None, tuple(conditional))


def _rates(prices: Any) -> _Rates | None:
    """Return the rates for plain text, None where the table lacks one of them."""
    read, written = prices.input_mtok, prices.output_mtok
    if read is None or written is None or any(getattr(prices, name) for name in _UNSEEN):
        return None
    cached = prices.cache_read_mtok if prices.cache_read_mtok is not None else read
    starts = {tier.start for price in (read, written, cached) for tier in _tiers(price)}
    steps = tuple(
        _Step(
            above,
            _at(read, above),
            _at(written, above),
            _at(cached, above),
        )
        for above in sorted({0, *starts}, reverse=True)
    )
    return _Rates(steps, float(prices.requests_kcount or 0) / 1000)


def _tiers(price: Any) -> Any:
    return getattr(price, "tiers", ())


def _at(price: Any, above: int) -> float:
    """Return the price of a million tokens for a prompt of more than `above` tokens."""
    found = getattr(price, "base", price)
    for tier in _tiers(price):
        if above >= tier.start:
            found = tier.price
    return float(found)
