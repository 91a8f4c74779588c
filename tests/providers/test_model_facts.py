"""Defaults live, retired names are told apart, and the SDKs agree."""

from __future__ import annotations

import asyncio
import datetime
import re
import typing

import pytest

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.errors import ProviderError
from aiex_ipy.providers.anthropic import AnthropicProvider
from aiex_ipy.providers.faults import Peer
from aiex_ipy.providers.fold import collect
from aiex_ipy.providers.model_facts import check_not_retired, facts, fast_model
from aiex_ipy.providers.openai import OpenAIProvider
from aiex_ipy.routing.choice import Choice
from aiex_ipy.routing.router import Router
from aiex_ipy.testing.conformance import question
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

PEER = Peer(provider="mine", label="the API")


def literals(hint: object) -> set[str]:
    """All strings a type allows by name."""
    return {
        each
        for arg in typing.get_args(hint)
        for each in ({arg} if isinstance(arg, str) else literals(arg))
    }


def openai_names() -> set[str]:
    from openai.types.shared.chat_model import ChatModel

    return literals(ChatModel)


def openai_shutdowns() -> dict[str, datetime.date]:
    """Model to day of shutdown, as the SDK's own documentation of its list says."""
    import inspect

    from openai.types.shared import chat_model

    text = inspect.getsource(chat_model).rpartition('"""Deprecated values:')[2]
    found = {}
    for entry in re.split(r"\n- ", text):
        day = re.search(r"shutdown\s+date:\s+(\d{4}-\d\d-\d\d)", entry)
        for name in re.findall(r'"([^"]+)"', entry):
            if day:
                found[name] = datetime.date.fromisoformat(day[1])
    return found


def anthropic_names() -> set[str]:
    from anthropic.types import Model

    return literals(Model)


def anthropic_shutdowns() -> dict[str, datetime.date]:
    from anthropic._data import DEPRECATED_MODELS

    return {
        name: datetime.datetime.strptime(
            re.sub(r"(\d+)(st|nd|rd|th)", r"\1", day), "%B %d, %Y"
        ).date()
        for name, day in DEPRECATED_MODELS.items()
    }


SDK = {
    "openai": (openai_names, openai_shutdowns),
    "anthropic": (anthropic_names, anthropic_shutdowns),
}
KINDS = pytest.mark.parametrize("kind", SDK)


@KINDS
def test_the_default_is_alive(kind):
    """The models used when none is set, the quick one too, are ones that the vendor offers and has
    not given notice to."""
    names, shutdowns = (ask() for ask in SDK[kind])
    assert len(names) > 10
    used = {facts(kind).default, facts(kind).fast}
    assert len(used) == 2
    assert used <= names
    assert not used & set(shutdowns)
    assert fast_model(kind) == facts(kind).fast


def test_a_server_of_its_own_models_has_no_quick_one():
    """Only where the vendor is known is a model chosen by its name."""
    assert [fast_model(kind) for kind in ("ollama", "openai_compatible", "embedded")] == [None] * 3


@KINDS
def test_code_is_completed_by_the_quick_model(kind):
    """Unless the caller, the instance or `llm.tasks` names another one; a question is not."""

    def model(task: str, *, own: str | None = None, asked: str | None = None, **tasks: str):
        instance = ProviderSettings(name=kind, kind=kind, api_key=Secret("k"), model=own)
        llm = LLMSettings(providers={kind: instance}, tasks=tasks)

        async def ask() -> str | None:
            router = Router(Settings(llm=llm))
            choice = Choice(provider=None, model=asked, task=task)
            try:
                return (await router.targets(choice))[0].model
            finally:
                await router.aclose()

        return asyncio.run(ask())

    assert model("complete") == facts(kind).fast
    assert model("ask") is None
    assert model("complete", own="mine") == "mine"
    assert model("complete", asked="this") == "this"
    assert model("complete", complete=f"{kind}/that") == "that"
    assert model("complete", complete=kind) == facts(kind).fast


@KINDS
def test_every_successor_is_alive(kind):
    """Nobody is sent from one retired model to the next."""
    names, shutdowns = (ask() for ask in SDK[kind])
    for row in facts(kind).retired:
        assert row.use in names
        assert row.use not in shutdowns


@KINDS
def test_the_days_of_shutdown_are_the_sdks(kind):
    """A date in our table is the one the vendor's own list gives."""
    names, shutdowns = (ask() for ask in SDK[kind])
    for row in facts(kind).retired:
        for model in row.models:
            if model in names:
                assert shutdowns[model] == row.on, model
            else:
                assert row.on is None, model


@KINDS
def test_no_shutdown_of_a_text_model_is_missing(kind):
    """A name the vendor has given notice to is in our table, unless it hears or speaks."""
    known = {model for row in facts(kind).retired for model in row.models}
    _, shutdowns = (ask() for ask in SDK[kind])
    missing = {each for each in shutdowns if not re.search("audio|search", each)} - known
    assert missing == set()


def test_a_model_is_refused_from_its_day_on():
    """The day before it still answers."""
    day = datetime.date(2026, 12, 11)
    note = check_not_retired("openai", "gpt-5", PEER, today=day - datetime.timedelta(days=1))
    assert note == "it will be shut down on 2026-12-11, use 'gpt-6.1-sol' then"
    assert check_not_retired("openai", "gpt-6.1-sol", PEER, today=day) == ""
    with pytest.raises(ProviderError) as caught:
        check_not_retired("openai", "gpt-5", PEER, today=day)
    assert caught.value.code == "model_retired"
    assert "'gpt-5' on 2026-12-11" in caught.value.message
    assert "'gpt-6.1-sol'" in caught.value.hint


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4",
        "gpt-4-turbo",
        "gpt-3.5-turbo",
        "claude-3-opus-20240229",
        "claude-3-sonnet-20240229",
        "claude-3-haiku-20240307",
    ],
)
def test_the_guides_models_name_their_successors(model):
    """All six names of the guide are gone; each error says what to set instead."""
    made = AnthropicProvider if model.startswith("claude") else OpenAIProvider
    instance = ProviderSettings(name="mine", kind=made.kind, api_key=Secret("k"), model=model)
    provider = made(instance, Settings())
    with pytest.raises(ProviderError, match="has shut down model") as caught:
        asyncio.run(collect(provider.stream(question())))
    assert caught.value.code == "model_retired"
    assert re.search(r"to '(gpt-6|claude-)", caught.value.hint)


@pytest.mark.parametrize("made", [OpenAIProvider, AnthropicProvider])
def test_elsewhere_every_name_passes(made):
    """A server of one's own may well have a model called gpt-4."""
    with LoopbackServer(Reply(text="here I am")) as server:
        url = server.url if made is AnthropicProvider else server.openai_url
        instance = ProviderSettings(name="mine", kind=made.kind, base_url=url, model="gpt-4")

        async def run() -> str:
            provider = made(instance, Settings())
            try:
                return (await collect(provider.stream(question()))).text
            finally:
                await provider.aclose()

        assert asyncio.run(run()) == "here I am"
        assert server.asked[0].json["model"] == "gpt-4"
