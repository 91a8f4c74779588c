"""A provider that is taken away, or set wrongly, while it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.config import load
from aiex_ipy.config.settings import Settings
from aiex_ipy.engine.engine import Engine, use_engine
from aiex_ipy.errors import ConfigError, UnknownNameError
from aiex_ipy.frontends.ipython.session import Session
from aiex_ipy.frontends.ipython.traits import change
from aiex_ipy.messages import Answer
from aiex_ipy.operations.ask import AskRequest
from aiex_ipy.operations.base import Text
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

PIECES = tuple(f"word{number} " for number in range(30))
SLOW = Reply(pieces=PIECES, pause_s=0.02)
Make = Callable[..., Settings]


@pytest.fixture
def house() -> Iterator[LoopbackServer]:
    """The server of the provider that is taken away."""
    with LoopbackServer(SLOW) as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Loads settings from a text as from a user's file."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "AIEX_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("AIEX_PROJECT_DIR", str(tmp_path))
    monkeypatch.setenv("AIEX_DEFAULT_PROVIDER", "none")
    (tmp_path / "aiex").mkdir()

    def make(toml: str = "") -> Settings:
        (tmp_path / "aiex" / "config.toml").write_text(toml)
        return load()

    return make


def table(server: LoopbackServer) -> dict[str, object]:
    """The table of a provider that answers with what `server` says."""
    return {"kind": "openai_compatible", "base_url": server.openai_url, "model": "m"}


def until_it_speaks(updates: Iterator[Any]) -> str:
    """Its first words."""
    return next(each.text for each in updates if isinstance(each, Text))


def rest(updates: Iterator[Any]) -> tuple[str, Answer]:
    """The other words, and the answer."""
    found = [*updates]
    assert isinstance(found[-1], Answer)
    return "".join(each.text for each in found if isinstance(each, Text)), found[-1]


def test_an_answer_under_way_ends_with_its_own_provider(
    house: LoopbackServer, settings: Make
) -> None:
    """What it began it ends, word for word; the next request does not know it; set again, it
    answers again; and its connections are closed when nobody needs them."""
    toml = "[llm.providers.house]\n" + "".join(f"{k} = '{v}'\n" for k, v in table(house).items())
    there = settings(toml)
    gone = settings()
    engine = Engine(there)
    try:
        updates = engine.updates(AskRequest(query="q", provider="house"))
        first = until_it_speaks(updates)
        engine.configure(gone)
        with pytest.raises(UnknownNameError, match="No provider 'house'"):
            engine.run_sync(AskRequest(query="q", provider="house"))
        words, answer = rest(updates)
        assert first + words == answer.text == "".join(PIECES)
        assert (answer.provider, answer.finish) == ("house", "stop")
        assert house.wait_until(lambda: house.open_connections == 0)
        house.reply = lambda _: Reply(text="again")
        engine.configure(there)
        assert engine.run_sync(AskRequest(query="q", provider="house")).text == "again"
        assert len(house.asked) == 2
    finally:
        engine.close()


def test_a_session_takes_its_provider_away(house: LoopbackServer, settings: Make) -> None:
    """`%config Aiex.llm_providers = {}` while a cell's answer comes; as long as the default
    provider names it, the change is refused and nothing changes."""
    engine = Engine(settings())
    session = Session(None)
    before = use_engine(engine)
    try:
        change(session, {"llm_providers": {"house": table(house)}, "llm_default_provider": "house"})
        updates = engine.updates(AskRequest(query="q"))
        first = until_it_speaks(updates)
        with pytest.raises(ConfigError, match="is 'house', which is no provider"):
            change(session, {"llm_providers": {}})
        assert "house" in engine.settings.llm.providers
        change(session, {"llm_providers": {}, "llm_default_provider": "ollama"})
        with pytest.raises(UnknownNameError):
            engine.run_sync(AskRequest(query="q", provider="house"))
        words, answer = rest(updates)
        assert first + words == answer.text == "".join(PIECES)
        assert answer.provider == "house"
    finally:
        use_engine(before)
        engine.close()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"fallbacks": ["spare"]}, "leads back to 'spare'"),
        ({"fallbacks": ["huose"]}, "Did you mean 'house'"),
        ({"priority": "high"}, "must be a whole number"),
        ({"base_url": "http://"}, "must be an address with a host"),
        ({"api_key": "sk-secret\nx"}, "'llm.providers.spare.api_key' must be printable"),
        ({"model": "a\x07"}, "must be a name without control characters"),
    ],
)
def test_a_wrong_provider_leaves_the_others_as_they_are(
    house: LoopbackServer, settings: Make, wrong: dict[str, object], told: str
) -> None:
    """`%config` with one bad instance is refused; who was there before answers on."""
    house.reply = lambda _: Reply(text="here")
    engine = Engine(settings())
    session = Session(None)
    before = use_engine(engine)
    try:
        change(session, {"llm_providers": {"house": table(house)}})
        spare = {**table(house), **wrong}
        with pytest.raises(ConfigError) as caught:
            change(session, {"llm_providers": {"house": table(house), "spare": spare}})
        assert told in str(caught.value)
        assert "secret" not in str(caught.value)
        assert engine.run_sync(AskRequest(query="q", provider="house")).text == "here"
    finally:
        use_engine(before)
        engine.close()
