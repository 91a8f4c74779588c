"""Prices: true to the table, kept, never 0 for what is not known, never in the way."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.config.settings import ProviderSettings
from aiex_ipy.messages import Usage
from aiex_ipy.routing.prices import MOST_TARIFFS, Tariffs

OPENAI = ProviderSettings(name="openai", kind="openai")
USAGE = Usage(input_tokens=1_000_000, output_tokens=1_000_000)


def looked_up(provider: ProviderSettings, model: str, *, local: bool = False) -> Tariffs:
    tariffs = Tariffs()
    asyncio.run(tariffs.look_up(provider, model, local=local))
    return tariffs


def cost(provider: ProviderSettings, model: str, usage: Usage = USAGE) -> float | None:
    return looked_up(provider, model).cost(provider, model, usage, local=False)


def at(url: str, kind: str = "openai_compatible") -> ProviderSettings:
    return ProviderSettings(name="mine", kind=kind, base_url=url)


@pytest.mark.parametrize("named", [True, False], ids=["asked", "set"])
def test_what_a_local_ollama_passes_on_to_its_cloud_is_not_free(named: bool) -> None:
    """The server is on this machine and the model is not: its price is unknown."""
    model = "gpt-oss:120b-cloud"
    ollama = ProviderSettings(name="o", kind="ollama", model=None if named else model)
    tariffs = looked_up(ollama, model if named else "", local=True)
    asked = model if named else ""
    assert tariffs.cost(ollama, asked, USAGE, local=True) is None
    assert tariffs.known(ollama, asked, local=True)
    assert not tariffs.priced(ollama, asked, local=True)
    here = ProviderSettings(name="o", kind="ollama")
    assert Tariffs().cost(here, "qwen3:4b", USAGE, local=True) == 0.0


@cache
def snapshot() -> Any:
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


@cache
def text_models() -> tuple[tuple[Any, Any], ...]:
    """The models of two vendors and of two other hosts, with their providers; those that the
    library finds by their own names, which a few entries for whole families are not."""
    wanted = ("openai", "anthropic", "deepseek", "groq")

    def is_found(provider: Any, model: Any) -> bool:
        try:
            snapshot().find_provider_model(model.id, None, provider.id, None)
        except LookupError:
            return False
        return True

    return tuple(
        (provider, model)
        for provider in snapshot().providers
        if provider.id in wanted
        for model in provider.models
        if is_found(provider, model)
    )


def test_a_call_costs_what_the_table_says() -> None:
    """A million tokens in and out at the vendors' own addresses cost the tabled prices."""
    haiku = ProviderSettings(name="work", kind="anthropic")
    short = Usage(input_tokens=1000, output_tokens=1000)
    assert cost(OPENAI, "gpt-6.1-sol", short) == pytest.approx(0.012)
    assert cost(OPENAI, "gpt-6-luna", short) == pytest.approx(0.0006)
    assert cost(haiku, "claude-haiku-5-5", short) == pytest.approx(0.0006)


@given(st.data())
def test_costs_agree_with_the_librarys_own(data: st.DataObject) -> None:
    """For every model of the table, every size of prompt and cache, the kept tariff gives what
    the library calculates, or owns that it does not know."""
    import genai_prices

    provider, model = data.draw(st.sampled_from(text_models()))
    read = data.draw(st.integers(1, 2_000_000))
    kept = data.draw(st.integers(0, read))
    written = data.draw(st.integers(0, 200_000))
    settings = ProviderSettings(name="x", kind=provider.id)
    ours = cost(
        settings,
        model.id,
        Usage(input_tokens=read, output_tokens=written, cached_tokens=kept),
    )
    _, found = snapshot().find_provider_model(model.id, None, provider.id, None)
    prices = found.get_prices(datetime.now(tz=UTC))
    if ours is None:
        assert prices.input_mtok is None or prices.output_mtok is None
        return
    theirs = genai_prices.calc_price(
        genai_prices.Usage(input_tokens=read, output_tokens=written, cache_read_tokens=kept),
        model.id,
        provider_id=provider.id,
    )
    assert ours == pytest.approx(float(theirs.total_price))


def test_a_long_prompt_costs_its_higher_step() -> None:
    """Above the long-context step every token costs more, as the vendors bill it."""
    model = next(
        model
        for provider, model in text_models()
        if provider.id == "openai"
        and getattr(model.prices, "input_mtok", None).__class__.__name__ == "TieredPrices"
    )
    step = model.prices.input_mtok.tiers[0].start
    below = cost(OPENAI, model.id, Usage(input_tokens=step, output_tokens=0))
    above = cost(OPENAI, model.id, Usage(input_tokens=step + 1, output_tokens=0))
    assert below is not None
    assert above is not None
    assert above > below * 1.5


def test_hours_with_a_price_of_their_own_are_minded() -> None:
    """A model that is cheaper by night has both prices kept, and the one in force counts."""
    tariffs = looked_up(at("https://api.deepseek.com/v1"), "deepseek-chat")
    (tariff,) = tariffs._kept.values()
    assert len(tariff.conditional) == 2


@pytest.mark.parametrize("model", ["gpt-6.2-sol", "gpt-6.2-astra", "no-such-model", ""])
def test_an_unknown_price_is_unknown_and_not_zero(model: str) -> None:
    """A model newer than the table has no price; 0 would be a lie."""
    tariffs = looked_up(OPENAI, model)
    assert tariffs.cost(OPENAI, model, USAGE, local=False) is None
    assert tariffs.known(OPENAI, model, local=False)
    assert not tariffs.priced(OPENAI, model, local=False)


def test_a_price_is_no_proof_of_life() -> None:
    """Retired models are still priced, so nothing may take a price for a sign of life."""
    assert cost(OPENAI, "gpt-4") == pytest.approx(90.0)
    retired = ProviderSettings(name="a", kind="anthropic")
    assert cost(retired, "claude-3-opus-20240229") == pytest.approx(90.0)


def test_another_host_is_known_by_its_address() -> None:
    """A compatible server of a vendor in the table is priced by that vendor, an own one not, and
    the openai wire at a stranger's host is not priced as OpenAI."""
    assert cost(at("https://api.groq.com/openai/v1"), "llama-3.3-70b-versatile") == pytest.approx(
        1.38
    )
    assert cost(at("https://models.example.org/v1"), "gpt-6.1-sol") is None
    assert cost(at("https://models.example.org/v1", "openai"), "gpt-6.1-sol") is None
    assert cost(at("https://api.openai.com/v1", "openai"), "gpt-4") == pytest.approx(90.0)


def test_a_plugins_kind_is_not_guessed_at() -> None:
    """A kind the table does not name exactly has no price, however alike its name is."""
    assert cost(ProviderSettings(name="x", kind="my_openai_thing"), "gpt-4") is None


def test_own_prices_win() -> None:
    """Prices in the settings go before the table, before what the provider says and before
    local: a server on this machine may pass on to one that bills."""
    own = ProviderSettings(name="x", kind="openai", input_usd_per_mtok=2.5, output_usd_per_mtok=0.5)
    tariffs = Tariffs()
    for local in (True, False):
        assert tariffs.known(own, "gpt-4", local=local)
        assert tariffs.priced(own, "gpt-4", local=local)
        said = Usage(input_tokens=1_000_000, output_tokens=1_000_000, cost_usd=0.0)
        assert tariffs.cost(own, "gpt-4", said, local=local) == pytest.approx(3.0)
    assert tariffs.cost(own, "gpt-4", Usage(), local=False) is None


@pytest.mark.parametrize("kind", ["embedded", "ollama", "lm_studio", "scripted"])
def test_local_models_are_free(kind: str) -> None:
    """A model on this machine costs 0 and needs no table."""
    local = ProviderSettings(name=kind, kind=kind)
    tariffs = Tariffs()
    assert tariffs.known(local, "m", local=True)
    assert tariffs.cost(local, "m", USAGE, local=True) == 0.0


def test_a_gateway_on_this_machine_is_not_free() -> None:
    """A vendor's wire on loopback may be a gateway that bills: its cost is unknown, and that is
    known without the table."""
    gateway = at("http://127.0.0.1:4000/v1")
    tariffs = Tariffs()
    assert tariffs.known(gateway, "gpt-4", local=True)
    assert tariffs.cost(gateway, "gpt-4", USAGE, local=True) is None
    assert not tariffs.priced(gateway, "gpt-4", local=True)


def test_what_the_provider_says_itself_counts() -> None:
    """A cost that came with the answer is believed over the table."""
    said = Usage(input_tokens=10, output_tokens=10, cost_usd=0.25)
    assert cost(OPENAI, "gpt-4", said) == 0.25


def test_one_look_up_serves_all_who_wait() -> None:
    """Two hundred answers of a new model look its price up once; one who leaves harms nobody."""
    tariffs = Tariffs()
    asked: list[object] = []
    find = tariffs._find

    def counted(*args: Any) -> None:
        asked.append(args)
        find(*args)

    tariffs._find = counted  # type: ignore[method-assign]

    async def all_at_once() -> None:
        first = asyncio.ensure_future(tariffs.look_up(OPENAI, "gpt-4"))
        rest = [asyncio.ensure_future(tariffs.look_up(OPENAI, "gpt-4")) for _ in range(200)]
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(*rest)

    asyncio.run(all_at_once())
    assert len(asked) == 1
    assert tariffs.priced(OPENAI, "gpt-4", local=False)


def test_broken_data_are_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """A price table that cannot be read makes a price unknown; the answer goes on."""
    monkeypatch.setitem(sys.modules, "genai_prices.data_snapshot", None)
    assert cost(OPENAI, "gpt-4") is None


@pytest.mark.slow
def test_a_kept_price_needs_no_import() -> None:
    """Free, own and loopback prices are told without importing the table."""
    code = (
        "import sys\n"
        "from aiex_ipy.config.settings import ProviderSettings\n"
        "from aiex_ipy.messages import Usage\n"
        "from aiex_ipy.routing.ledger import Ledger\n"
        "from aiex_ipy.routing.prices import Tariffs\n"
        "tariffs = Tariffs()\n"
        "at = ProviderSettings(name='x', kind='openai', base_url='http://localhost:1/v1')\n"
        "assert tariffs.known(at, 'gpt-4', local=False)\n"
        "tariffs.cost(at, 'gpt-4', Usage(), local=False)\n"
        "Ledger(tariffs).totals()\n"
        "late = ('genai_prices', 'pydantic', 'logging')\n"
        "assert not [name for name in late if name in sys.modules]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not done.returncode, done.stderr


def test_prices_of_made_up_models_do_not_fill_the_memory() -> None:
    """The newest thousand are kept; one that was forgotten is looked up again."""
    tariffs = Tariffs()
    gateway = ProviderSettings(
        name="gateway", kind="openai_compatible", base_url="http://127.0.0.1:9/v1"
    )
    for number in range(MOST_TARIFFS + 500):
        assert tariffs.known(gateway, f"m{number}", local=True)
    assert len(tariffs._kept) == MOST_TARIFFS
    assert tariffs.known(gateway, "m0", local=True)
