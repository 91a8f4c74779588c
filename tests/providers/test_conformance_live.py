"""The conformance suite against a real model, by both of the wires its server speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from aiex_ipy.config.settings import (
    EmbeddedSettings,
    LLMSettings,
    ProviderSettings,
    Secret,
    Settings,
)
from aiex_ipy.errors import InvalidAnswerError
from aiex_ipy.providers.anthropic import AnthropicProvider
from aiex_ipy.providers.embedded import EmbeddedProvider
from aiex_ipy.providers.fold import collect
from aiex_ipy.providers.openai import OpenAIProvider
from aiex_ipy.providers.openai_compatible import OpenAICompatibleProvider
from aiex_ipy.providers.schema import problems
from aiex_ipy.testing.conformance import SCHEMA, check, question
from aiex_ipy.testing.replies import Reply

pytestmark = pytest.mark.slow

SETTINGS = Settings(
    llm=LLMSettings(
        timeout_ms=60_000,
        embedded=EmbeddedSettings(threads=1, context_tokens=1024, linger_ms=3_000),
    )
)
Provided = EmbeddedProvider | OpenAIProvider | OpenAICompatibleProvider | AnthropicProvider


class Live:
    """A real server says what it likes."""

    exact = False

    def __init__(self, provider: Provided, pid: int) -> None:
        self.provider = provider
        self._pid = pid

    def say(self, *replies: Reply) -> None:
        """Nobody tells a model what to say."""

    async def saw_disconnect(self) -> bool:
        """True once the server's process has stopped working; its story would take it longer."""
        for _ in range(20):
            before = self._cpu_ticks()
            await asyncio.sleep(0.15)
            if self._cpu_ticks() - before <= 1:
                return True
        return False

    def _cpu_ticks(self) -> int:
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])


def live(kind: str, work: Callable[[Live], Awaitable[object]]) -> None:
    async def run() -> None:
        embedded = EmbeddedProvider(ProviderSettings(name="embedded", kind="embedded"), SETTINGS)
        server = embedded._server(None)
        url, key = await server.endpoint()
        made: dict[str, Provided] = {"embedded": embedded}
        for provider in (OpenAIProvider, OpenAICompatibleProvider, AnthropicProvider):
            instance = ProviderSettings(
                name=provider.kind,
                kind=provider.kind,
                base_url=url.removesuffix("/v1") if provider is AnthropicProvider else url,
                api_key=Secret(key),
                model="smollm2",
            )
            made[provider.kind] = provider(instance, SETTINGS)
        try:
            await work(Live(made[kind], (await server.connected()).ready.pid))
        finally:
            for each in made.values():
                await each.aclose()

    asyncio.run(run())


CASES = ("text", "stream", "length", "cancel")


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        ("embedded", "json"),
        ("embedded", "cancel"),
        *(("openai", case) for case in (*CASES, "json")),
    ],
)
def test_chat_completions_of_the_real_server(kind, case, at_home):
    """The real server's chat completions conform, through the SDK and without it."""
    live(kind, lambda subject: check(case, subject))


@pytest.mark.parametrize("case", CASES)
def test_messages_of_the_real_server(case, at_home):
    """The real server's Anthropic wire conforms, through Anthropic's SDK."""
    live("anthropic", lambda subject: check(case, subject))


def test_a_server_that_ignores_the_schema_gives_no_malformed_answer(at_home):
    """llama.cpp ignores `output_config`: what comes back satisfies the schema or is an error."""

    async def work(subject: Live) -> None:
        request = question("Describe a file.", response_schema=SCHEMA, temperature=0.0)
        try:
            answer = await collect(subject.provider.stream(request))
        except InvalidAnswerError as error:
            assert error.partial
        else:
            assert not list(problems(msgspec.json.decode(answer.text), SCHEMA))

    live("anthropic", work)


def test_a_wrong_key_is_refused_without_being_shown(at_home):
    """The real 401 names the remedy and not the key."""

    async def work(subject: Live) -> None:
        for kind in (OpenAIProvider, AnthropicProvider):
            instance = msgspec.structs.replace(
                subject.provider.instance, api_key=Secret("wrong-key-123"), kind=kind.kind
            )
            base = instance.base_url.removesuffix("/v1")
            if kind is OpenAIProvider:
                base += "/v1"
            provider = kind(msgspec.structs.replace(instance, base_url=base), SETTINGS)
            with pytest.raises(Exception, match="refused the key") as caught:
                await collect(provider.stream(question()))
            assert "wrong-key-123" not in str(caught.value)
            own = instance.name == kind.kind  # the vendor's variable is about this instance alone
            where = kind.key_variable if own else f"llm.providers.{instance.name}.api_key"
            assert where in caught.value.hint
            await provider.aclose()

    live("openai", work)


def test_a_prompt_that_is_too_long_names_the_limit(at_home):
    """The real server's answer to a prompt that does not fit says how many tokens would."""

    async def work(subject: Live) -> None:
        with pytest.raises(Exception, match="does not fit the context of 1024 tokens") as caught:
            await collect(subject.provider.stream(question("word " * 2000)))
        assert caught.value.limit_tokens == 1024

    live("openai", work)
    live("anthropic", work)
