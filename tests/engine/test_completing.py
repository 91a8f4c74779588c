"""Completion end to end: tiers in order, a model's text checked, superseded calls ended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import Any

import pandas as pd
import pytest

import aiex
from aiex_ipy.config.settings import (
    CompletionSettings,
    LLMSettings,
    ProviderSettings,
    Settings,
)
from aiex_ipy.engine.completing import LATE, CompletionUpdate, completer_of
from aiex_ipy.engine.engine import Engine, use_engine
from aiex_ipy.operations.complete import Completion
from aiex_ipy.render.results import FORMATS, render
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

NAMES: dict[str, Any] = {"df": pd.DataFrame({"price": [1.0], "qty": [2]}), "password": "hunter2"}
Make = Callable[..., Engine]


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture
def engine_of(server: LoopbackServer) -> Iterator[Make]:
    """Makes engines that ask `server`, or nobody."""
    made: list[Engine] = []

    def make(*replies: Reply, jedi_deadline_ms: int = 0, offline: bool = False) -> Engine:
        server.replies = list(replies) or [Reply()]
        there = ProviderSettings(
            name="there", kind="openai_compatible", base_url=server.openai_url, model="m"
        )
        settings = Settings(
            llm=LLMSettings(
                default_provider="none" if offline else "there", providers={"there": there}
            ),
            completion=CompletionSettings(jedi_deadline_ms=jedi_deadline_ms, max_tokens=33),
        )
        made.append(Engine(settings))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def complete(engine: Engine, fragment: str, **more: Any) -> Completion:
    return engine.run_sync(completer_of(engine).request(fragment, namespace=NAMES, **more))


async def gathered(updates: AsyncGenerator[CompletionUpdate, None]) -> list[CompletionUpdate]:
    async with aclosing(updates) as items:
        return [each async for each in items]


def test_without_a_model_live_names_answer(engine_of: Make) -> None:
    """Offline the names are all, and no loop thread is made for them."""
    engine = engine_of(offline=True)
    result = complete(engine, 'df.groupby("pr')
    assert [(each.text, each.source) for each in result.items] == [('price"', "live")]
    assert result.model is None
    assert "aiex-engine" not in [thread.name for thread in threading.enumerate()]
    assert "no model was asked" in render(result)


def test_the_models_text_comes_first_and_is_checked(engine_of: Make, server: Any) -> None:
    """A suggestion whose names exist stands first; the server was told the columns."""
    engine = engine_of(Reply(text='```python\ndf.groupby("price").sum()\n```'))
    result = complete(engine, "df.gr")
    assert result.suggestion == 'oupby("price").sum()'
    assert result.items[0].source == "model"
    assert result.items[0].text == 'groupby("price").sum()'
    asked = server.asked[0].json
    assert asked["max_tokens"] == 33
    assert "price" in asked["messages"][-1]["content"]


def test_a_made_up_name_is_cut_and_said(engine_of: Make) -> None:
    """What the live objects do not have is not suggested."""
    engine = engine_of(Reply(text="oup_all_rows()"))
    result = complete(engine, "df.gr")
    assert result.suggestion == ""
    assert result.unconfirmed == ("df.group_all_rows",)
    assert "do not exist: df.group_all_rows" in render(result)


def test_secrets_are_not_sent(engine_of: Make, server: Any) -> None:
    """A value under a secret-looking name is not told to the model."""
    complete(engine_of(), "connect(password, ")
    assert b"hunter2" not in server.asked[0].body


def test_cells_that_ran_are_told(engine_of: Make, server: Any) -> None:
    """The last cells stand in the prompt, cut to a bounded length."""
    cells = ["first = 1", "second = 2", "third = 3", "x" * 10_000]
    complete(engine_of(), "df.gr", cells=cells)
    sent = server.asked[0].json["messages"][-1]["content"]
    assert "third = 3" in sent
    assert "first = 1" not in sent
    assert "x" * 1_501 not in sent


@pytest.mark.parametrize(
    "fragment", ["", "   ", "x" * 1_000_000, "x = 1\n" * 150_000, "((((", "\0"]
)
def test_odd_fragments_are_answered(engine_of: Make, fragment: str) -> None:
    """Empty, huge and broken fragments give a result, of bounded size."""
    result = complete(engine_of(), fragment)
    assert len(result.line) <= 200
    for form in FORMATS:
        assert len(render(result, form)) < 20_000


def test_tiers_come_in_order(engine_of: Make) -> None:
    """Live names at once, then jedi, then the model's text as it grows, last the whole."""
    engine = engine_of(Reply(text='oupby("price").sum()', pieces=("oup", 'by("pri', 'ce").sum()')))
    updates = asyncio.run(
        gathered(completer_of(engine).updates("total_price = 1\ndf.gr", namespace=NAMES))
    )
    assert updates[0].stage == "live"
    assert [each.final for each in updates] == [False] * (len(updates) - 1) + [True]
    grown = [each.suggestion for each in updates if each.stage == "model"]
    assert grown == sorted(grown, key=len)
    assert grown[-1] == 'oupby("price").sum()'
    assert updates[-1].result.items[0].source == "model"


@pytest.mark.slow
def test_jedi_adds_what_is_not_live(engine_of: Make) -> None:
    """Names of the fragment itself are inferred; what was late is known at the next key."""
    engine = engine_of(offline=True, jedi_deadline_ms=10_000)
    code = "def area(radius):\n    radius_squared = radius ** 2\n    return rad"
    found = complete(engine, code)
    assert [(each.text, each.source) for each in found.items] == [
        ("radius", "jedi"),
        ("radius_squared", "jedi"),
    ]
    again = complete(engine, code + "ius_")
    assert [each.insert for each in again.items] == ["squared"]


@pytest.mark.slow
def test_a_late_jedi_does_not_hold_up(engine_of: Make) -> None:
    """The deadline passes, the names known so far are given, and that is said."""
    engine = engine_of(offline=True, jedi_deadline_ms=1)
    code = "import pandas\nimport argparse\nargparse.ArgumentParser().add_arg"
    result = complete(engine, code)
    assert LATE in result.notices


def test_a_newer_call_ends_the_older_at_the_server(engine_of: Make, server: Any) -> None:
    """One session has one call: the older ends without more words, and its connection closes."""
    engine = engine_of(Reply(text="a " * 400, pause_s=0.05))

    async def both() -> tuple[list[CompletionUpdate], list[CompletionUpdate]]:
        older = asyncio.create_task(
            gathered(completer_of(engine).updates("value = ", namespace=NAMES, session="s"))
        )
        while not server.asked:
            await asyncio.sleep(0.01)
        server.replies = [Reply(text="df.qty")]
        newer = await gathered(completer_of(engine).updates("v = ", namespace=NAMES, session="s"))
        return await older, newer

    older, newer = asyncio.run(both())
    assert not any(each.final for each in older)
    assert newer[-1].suggestion == "df.qty"
    assert server.wait_until(lambda: bool(server.disconnects))


def test_closing_ends_the_request_at_the_server(engine_of: Make, server: Any) -> None:
    """Who stops listening stops the model too."""
    engine = engine_of(Reply(text="df.qty + " * 400, pause_s=0.05))

    async def start() -> None:
        async with aclosing(completer_of(engine).updates("value = ", namespace=NAMES)) as updates:
            async for update in updates:
                if update.stage == "model":
                    return

    asyncio.run(start())
    assert server.wait_until(lambda: bool(server.disconnects))


def test_other_sessions_go_on(engine_of: Make) -> None:
    """Calls of different sessions do not end each other."""
    engine = engine_of(Reply(text="df.qty", pause_s=0.02))

    async def both() -> list[list[CompletionUpdate]]:
        completer = completer_of(engine)
        calls = [completer.updates("v = ", namespace=NAMES, session=n) for n in range(3)]
        return list(await asyncio.gather(*(gathered(call) for call in calls)))

    assert [each[-1].suggestion for each in asyncio.run(both())] == ["df.qty"] * 3


def test_public_functions_complete(engine_of: Make) -> None:
    """`aiex.complete` and its async twin give the same."""
    engine = engine_of(Reply(text='oupby("qty")'))
    before = use_engine(engine)
    try:
        first = aiex.complete("df.gr", NAMES)
        second = asyncio.run(aiex.complete_async("df.gr", NAMES))
    finally:
        use_engine(before)
    assert first == second
    assert first.suggestion == 'oupby("qty")'


def test_closing_the_engine_ends_jedis_thread(engine_of: Make) -> None:
    """No thread is left behind."""
    engine = engine_of(offline=True, jedi_deadline_ms=1)
    complete(engine, "import os\nos.pat")
    engine.close()
    for thread in threading.enumerate():
        if thread.name == "aiex-inference":
            thread.join(30)
    assert "aiex-inference" not in [thread.name for thread in threading.enumerate()]
