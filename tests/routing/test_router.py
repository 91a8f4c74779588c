"""Which provider is asked, in which order, and what is told of it."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.errors import (
    CredentialsError,
    InterruptedAnswerError,
    InvalidAnswerError,
    ProviderError,
    UnavailableError,
    UnknownNameError,
)
from aiex_ipy.messages import Answer, Chunk, Message, ModelRequest, Opened, TextDelta
from aiex_ipy.providers.fold import collect
from aiex_ipy.providers.scripted import ScriptedProvider
from aiex_ipy.routing.choice import Choice, Target
from aiex_ipy.routing.probing import SharedProbe
from aiex_ipy.routing.registry import Registry
from aiex_ipy.routing.router import Router
from aiex_ipy.testing.conformance import SCHEMA
from aiex_ipy.testing.loopback import Listed, LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply


@pytest.fixture
def server():
    with LoopbackServer(models=(Listed(name="local-model", used_at="x"),)) as server:
        yield server


@pytest.fixture(autouse=True)
def no_model_installed(tmp_path, monkeypatch):
    """The embedded model is not pulled, unless a test says so."""
    monkeypatch.setenv("AIEX_DATA_DIR", str(tmp_path))


@pytest.fixture
def nobody():
    """An address where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{one.getsockname()[1]}"


class Scripted(ScriptedProvider):
    """A scripted provider that passes for a kind of its own."""

    def __init__(self, name: str, *script: Any, kind: str = "openai", **more: Any) -> None:
        super().__init__(
            ProviderSettings(name=name, kind="scripted"), Settings(), script=script, **more
        )
        self.kind = kind


def keyed(name: str, **more: Any) -> ProviderSettings:
    kind = more.pop("kind", name.partition("_")[0])
    return ProviderSettings(name=name, kind=kind, api_key=Secret("k"), **more)


def settings(*instances: ProviderSettings, **llm: Any) -> Settings:
    return Settings(llm=LLMSettings(providers={each.name: each for each in instances}, **llm))


def build(target: Target) -> ModelRequest:
    return ModelRequest(
        messages=(Message(role="user", content="hi"),),
        model=target.model,
        max_tokens=target.max_tokens,
    )


def ask(router: Router, choice: Choice = Choice(), **request: Any) -> tuple[Answer, Opened]:
    """Return the answer and who opened it."""
    seen: list[Chunk] = []

    def made(target: Target) -> ModelRequest:
        import msgspec

        return msgspec.structs.replace(build(target), **request)

    async def run() -> Answer:
        async def watched() -> Any:
            async for chunk in router.stream(made, choice):
                seen.append(chunk)
                yield chunk

        try:
            return await collect(watched())
        finally:
            await router.aclose()

    answer = asyncio.run(run())
    assert isinstance(seen[0], Opened)
    assert sum(isinstance(chunk, Opened) for chunk in seen) == 1
    return answer, seen[0]


def order(made: Settings, choice: Choice = Choice(), **providers: Any) -> list[tuple[str, str]]:
    """Return the targets' names and notes."""

    async def run() -> list[tuple[str, str]]:
        router = Router(made, providers=providers)
        try:
            return [(each.provider, each.note) for each in await router.targets(choice)]
        finally:
            await router.aclose()

    return asyncio.run(run())


def names(made: Settings, choice: Choice = Choice(), **providers: Any) -> list[str]:
    return [name for name, _ in order(made, choice, **providers)]


def away(nobody: str) -> tuple[ProviderSettings, ...]:
    """Local servers where nobody listens, so that this machine's own are not asked."""
    return (
        ProviderSettings(name="ollama", kind="ollama", base_url=nobody),
        ProviderSettings(name="lm_studio", kind="lm_studio", base_url=nobody),
    )


# The order.


def test_the_first_with_a_key_is_asked_by_priority():
    """Priority 1 comes first; the note says why it was chosen."""
    made = settings(
        keyed("openai", priority=2), keyed("anthropic", priority=1), keyed("openai_turbo")
    )
    assert names(made) == ["anthropic", "openai", "openai_turbo"]
    assert order(made)[0][1] == "the first provider with a key"


def test_a_vendor_without_a_key_is_passed_over():
    """A provider that has no key is not asked to find that out."""
    made = settings(ProviderSettings(name="openai", kind="openai"), keyed("anthropic"))
    assert names(made) == ["anthropic"]


def test_the_default_comes_before_all_and_the_fallback_after_all():
    """Whatever their priorities."""
    made = settings(
        keyed("openai", priority=1),
        keyed("anthropic", priority=5),
        keyed("openai_spare", priority=0),
        default_provider="anthropic",
        fallback_provider="openai_spare",
    )
    assert order(made) == [
        ("anthropic", "the default provider"),
        ("openai_spare", "after the default provider"),
        ("openai", "after the default provider"),
    ]
    made = settings(keyed("openai"), fallback_provider="scripted")
    assert names(made) == ["openai", "scripted"]


def test_from_a_local_default_nothing_goes_to_a_vendor():
    """Who chose a model on this machine did not choose to send code away."""
    made = settings(keyed("openai"), default_provider="ollama")
    assert names(made) == ["ollama"]
    made = settings(keyed("openai"), default_provider="ollama", fallback_provider="openai")
    assert names(made) == ["ollama", "openai"]


def test_a_provider_named_in_the_call_is_the_only_one():
    """Neither a default nor a fallback answers for it."""
    made = settings(keyed("openai"), keyed("anthropic"), fallback_provider="openai")
    assert order(made, Choice(provider="anthropic")) == [("anthropic", "")]


def test_a_local_server_that_answers_comes_next(server, nobody):
    """Without a key, whoever of Ollama and LM Studio answers is asked, and the answer says so."""
    ollama, lm_studio = away(nobody)
    here = ProviderSettings(name="ollama", kind="ollama", base_url=server.url)
    assert order(settings(here, lm_studio)) == [("ollama", "a local server that answers")]
    here = ProviderSettings(name="lm_studio", kind="lm_studio", base_url=server.openai_url)
    assert names(settings(ollama, here)) == ["lm_studio"]


def test_a_local_server_without_a_model_is_no_choice(server, nobody):
    """One that runs but has nothing to ask does not count."""
    server.models = ()
    ollama = ProviderSettings(name="ollama", kind="ollama", base_url=server.url)
    assert names(settings(ollama, away(nobody)[1])) == []


def test_a_local_server_that_is_slow_is_not_waited_for(nobody):
    """A port that accepts and says nothing counts as nobody."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        ollama = ProviderSettings(name="ollama", kind="ollama", base_url=url)
        assert names(settings(ollama, away(nobody)[1], probe_timeout_ms=50)) == []


def test_probes_are_kept_a_while(server, nobody):
    """Within the time a probe is kept, the servers are not asked again."""
    ollama = ProviderSettings(name="ollama", kind="ollama", base_url=server.url)

    async def run(keep_ms: int) -> int:
        before = len(server.requests)
        router = Router(settings(ollama, away(nobody)[1], probe_keep_ms=keep_ms))
        for _ in range(3):
            assert len(await router.targets(Choice())) == 1
        await router.aclose()
        return len(server.requests) - before

    assert asyncio.run(run(30_000)) == 1
    assert asyncio.run(run(0)) == 3


def test_many_questions_at_once_share_one_probe(server, nobody):
    """Forty questions find no provider known: each local server is asked once, and who is
    cancelled while it waits takes the answer from nobody else."""
    ollama = ProviderSettings(name="ollama", kind="ollama", base_url=server.url)

    async def run() -> list[int]:
        router = Router(settings(ollama, away(nobody)[1], probe_timeout_ms=30_000))
        probes = 0
        held = asyncio.Event()
        provider = router.provider("ollama")
        available = provider.available

        async def slow(within_s: float) -> bool:
            nonlocal probes
            probes += 1
            await held.wait()
            return await available(within_s)

        provider.available = slow
        asked = [asyncio.create_task(router.targets(Choice())) for _ in range(40)]
        while not probes:
            await asyncio.sleep(0)
        asked[0].cancel()
        await asyncio.wait({asked[0]})
        held.set()
        plans = await asyncio.gather(*asked[1:])
        assert probes == 1
        await router.aclose()
        return [len(plan) for plan in plans]

    assert asyncio.run(run()) == [1] * 39
    assert len(server.requests) == 1


def test_a_probe_nobody_waits_for_ends():
    """When all who wait are cancelled, so is the probe; the next question makes another."""

    async def run() -> None:
        shared: SharedProbe[int] = SharedProbe()
        ended = []

        async def probe() -> int:
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append(True)
            return 1

        async def quick() -> int:
            return 2

        asked = [asyncio.create_task(shared.found_by(probe)) for _ in range(3)]
        await asyncio.sleep(0)
        for each in asked:
            each.cancel()
        await asyncio.wait(asked)
        assert await shared.found_by(quick) == 2
        assert ended == [True]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_a_server_that_fails_during_a_probe_is_probed_again(server, nobody):
    """What a probe found before a failure is not kept after it."""
    ollama = ProviderSettings(name="ollama", kind="ollama", base_url=server.url)

    async def run() -> None:
        registry = Registry(settings(ollama, away(nobody)[1]))
        provider = registry.provider("ollama")
        available = provider.available

        async def failing_meanwhile(within_s: float) -> bool:
            registry.probe_again()
            return await available(within_s)

        provider.available = failing_meanwhile
        assert await registry.answering() == ["ollama"]
        provider.available = available
        assert await registry.answering() == ["ollama"]
        assert await registry.answering() == ["ollama"]
        await registry.aclose()

    asyncio.run(run())
    assert len(server.requests) == 2


def test_no_server_is_asked_when_a_key_is_set(server):
    """A probe costs time, so it is made only when a model is needed and none is known."""
    ollama = ProviderSettings(name="ollama", kind="ollama", base_url=server.url)
    assert names(settings(keyed("openai"), ollama)) == ["openai"]
    assert server.requests == []


def test_a_configured_local_server_keeps_its_priority(server):
    """The guide's three providers in a row: OpenAI, Anthropic, Ollama."""
    made = settings(
        keyed("openai", priority=1),
        keyed("anthropic", priority=2),
        ProviderSettings(name="ollama", kind="ollama", base_url=server.url, priority=3),
    )
    assert names(made) == ["openai", "anthropic", "ollama"]


class Installed(Scripted):
    """The embedded model, pulled."""

    def __init__(self) -> None:
        super().__init__("embedded", "small words", kind="embedded")


def test_the_embedded_model_is_the_last_choice(nobody, server):
    """Pulled, it answers when there is no key and no local server, and after a local server."""
    made = settings(*away(nobody))
    assert names(made, embedded=Installed()) == ["embedded"]
    assert names(made) == []
    here = ProviderSettings(name="ollama", kind="ollama", base_url=server.url)
    assert names(settings(here, away(nobody)[1]), embedded=Installed()) == ["ollama", "embedded"]
    assert names(settings(keyed("openai")), embedded=Installed()) == ["openai"]


def test_the_embedded_model_is_not_used_where_it_must_be_named(nobody):
    """Analyses and gates use it only when asked for by name, in the call or as the default."""
    only = Choice(by_name_only=True)
    assert names(settings(*away(nobody)), only, embedded=Installed()) == []
    named = Choice(by_name_only=True, provider="embedded")
    assert names(settings(), named, embedded=Installed()) == ["embedded"]
    made = settings(default_provider="embedded")
    assert names(made, only, embedded=Installed()) == ["embedded"]


def test_a_scripted_provider_is_never_chosen_by_itself(nobody):
    """Answers from a list are for tests and docs."""
    scripted = ProviderSettings(name="scripted", kind="scripted", answers=("x",), priority=0)
    assert names(settings(scripted, *away(nobody))) == []


@pytest.mark.parametrize("name", ["lm-studio", "LM_Studio", " lm_studio "])
def test_a_name_is_known_however_it_is_written(name):
    """`lm-studio` is `lm_studio`."""
    assert names(settings(), Choice(provider=name)) == ["lm_studio"]


# None.


def test_none_means_no_model():
    """Named in the call or as the default; then nothing has to be asked to know it."""
    assert names(settings(keyed("openai")), Choice(provider="none")) == []
    made = settings(keyed("openai"), default_provider="none", fallback_provider="openai")
    assert names(made) == []
    assert Router(made).certainly_none(Choice())
    assert Router(settings()).certainly_none(Choice(provider="none"))
    assert not Router(made).certainly_none(Choice(provider="openai"))
    assert not Router(settings()).certainly_none(Choice())


@pytest.mark.parametrize("where", ["call", "default", "fallback"])
def test_an_unknown_provider_gets_a_near_miss(where, nobody):
    """A misspelt name is an error with the right one, never a silent default."""
    made = {
        "call": settings(),
        "default": settings(default_provider="opnai"),
        "fallback": settings(keyed("openai"), fallback_provider="opnai"),
    }[where]
    choice = Choice(provider="opnai") if where == "call" else Choice()
    with pytest.raises(UnknownNameError, match=r"'opnai'.*Did you mean 'openai'"):
        names(made, choice)
    if where != "fallback":
        with pytest.raises(UnknownNameError):
            Router(made).certainly_none(choice)


def test_with_nobody_to_ask_the_error_says_what_to_do(nobody):
    """The way out is in the message: a key, a local server, or the small model."""
    with pytest.raises(UnavailableError) as caught:
        ask(Router(settings(*away(nobody))))
    assert caught.value.code == "no_provider"
    assert caught.value.exit_code == 3
    for remedy in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "Ollama", "aiex models pull smollm2"):
        assert remedy in caught.value.hint


def test_a_question_to_none_says_that_none_was_chosen():
    """Who set `none` is not told to set a key."""
    with pytest.raises(UnavailableError, match="because the provider is 'none'") as caught:
        ask(Router(settings(default_provider="none")))
    assert caught.value.code == "no_provider"


# The answer.


def test_the_next_is_asked_until_one_speaks():
    """Before the first token a failure costs only time; the answer tells who failed."""
    down = ProviderError("OpenAI API is down.", code="down")
    first, second = Scripted("openai", down), Scripted("anthropic", "four")
    router = Router(
        settings(keyed("openai"), keyed("anthropic")),
        providers={"openai": first, "anthropic": second},
    )
    answer, opened = ask(router)
    assert (answer.text, answer.provider) == ("four", "anthropic")
    assert "tried before: OpenAI API is down" in opened.note
    assert (len(first.requests), len(second.requests)) == (1, 1)


def test_an_empty_answer_counts_as_none():
    """A model that says nothing has not spoken."""
    empty = Answer(text="", provider="", model="", finish="stop")
    router = Router(
        settings(keyed("openai"), keyed("anthropic")),
        providers={"openai": Scripted("openai", empty), "anthropic": Scripted("anthropic", "4")},
    )
    assert ask(router)[0].text == "4"


def test_after_the_first_token_nobody_else_is_asked(server):
    """What was shown cannot be unsaid: the cut is told, with the text that came."""
    server.replies = [Reply(pieces=("one ", "two"), cut_after=1)]
    spare = Scripted("anthropic", "other words")
    router = Router(
        settings(keyed("openai", base_url=server.openai_url), keyed("anthropic")),
        providers={"anthropic": spare},
    )
    with pytest.raises(InterruptedAnswerError) as caught:
        ask(router)
    assert caught.value.partial == "one "
    assert spare.requests == []


def test_when_all_fail_each_is_told():
    """The last error, with the earlier ones in its message."""
    failing = {
        "openai": Scripted("openai", ProviderError("A is down.", code="a")),
        "anthropic": Scripted("anthropic", CredentialsError("B has no key.", hint="Set B.")),
    }
    router = Router(settings(keyed("openai"), keyed("anthropic")), providers=failing)
    with pytest.raises(CredentialsError, match=r"B has no key\. Before it: A is down\. Set B\."):
        ask(router)


def test_a_malformed_answer_goes_back_to_the_caller():
    """A model that answered in the wrong form is the caller's to ask again, not the next's."""
    spare = Scripted("anthropic", "{}")
    router = Router(
        settings(keyed("openai"), keyed("anthropic")),
        providers={"openai": Scripted("openai", "prose"), "anthropic": spare},
    )
    with pytest.raises(InvalidAnswerError):
        ask(router, response_schema=SCHEMA)
    assert spare.requests == []


def test_each_target_gets_its_own_request():
    """The budget, the model and the limit are the target's, so the request is built for it."""
    first = Scripted("openai", ProviderError("down", code="x"))
    second = Scripted("anthropic", "ok")
    router = Router(
        settings(
            keyed("openai", model="big", max_tokens=100),
            keyed("anthropic", model="small", max_tokens=50),
        ),
        providers={"openai": first, "anthropic": second},
    )
    ask(router)
    assert (first.requests[0].model, first.requests[0].max_tokens) == ("big", 100)
    assert (second.requests[0].model, second.requests[0].max_tokens) == ("small", 50)


def test_a_model_named_in_the_call_is_asked_of_the_first_only():
    """Another provider's models have other names."""
    first = Scripted("openai", ProviderError("down", code="x"))
    second = Scripted("anthropic", "ok")
    router = Router(
        settings(keyed("openai", model="set"), keyed("anthropic", model="small")),
        providers={"openai": first, "anthropic": second},
    )
    ask(router, Choice(model="named"))
    assert (first.requests[0].model, second.requests[0].model) == ("named", "small")


def test_the_answer_says_how_provider_and_model_were_chosen(server, nobody):
    """Nobody takes a model picked by the machine for one picked by hand."""
    ollama = ProviderSettings(name="ollama", kind="ollama", base_url=server.url)
    _, opened = ask(Router(settings(ollama, away(nobody)[1])))
    assert opened.model == "local-model"
    assert opened.note == "a local server that answers; the model Ollama used last"


def test_a_local_server_gone_since_the_probe_is_probed_again(server, nobody):
    """A failure forgets who answered, so the next question finds who is there."""
    ollama = ProviderSettings(name="ollama", kind="ollama", base_url=server.url)
    server.replies = [Raw(status=503, blocks=(b"{}",)), Reply(text="back")]

    async def run() -> str:
        router = Router(settings(ollama, away(nobody)[1], max_retries=0))
        try:
            with pytest.raises(UnavailableError):
                await collect(router.stream(build, Choice()))
            before = [each.path for each in server.requests].count("/api/tags")
            answer = await collect(router.stream(build, Choice()))
            assert [each.path for each in server.requests].count("/api/tags") > before
            return answer.text
        finally:
            await router.aclose()

    assert asyncio.run(run()) == "back"


def test_closing_the_stream_ends_the_request_at_the_server(server):
    """Ctrl-C reaches through the router to the server."""
    server.replies = [Reply(text="word " * 100, pause_s=0.05)]

    async def run() -> None:
        router = Router(settings(keyed("openai", base_url=server.openai_url)))
        stream = router.stream(build, Choice())
        async for chunk in stream:
            if isinstance(chunk, TextDelta):
                break
        await stream.aclose()
        await router.aclose()

    asyncio.run(run())
    assert server.wait_until(lambda: len(server.disconnects) == 1)


def test_many_streams_at_once_do_not_mix(server):
    """Forty questions at once: each gets its own words, in order."""
    server.reply = lambda asked: Reply(
        text=" ".join(f"{asked.json['messages'][0]['content']}.{n}" for n in range(20)),
        pause_s=0.001,
    )

    async def run() -> list[str]:
        router = Router(settings(keyed("openai", base_url=server.openai_url)))

        def question(number: int) -> Any:
            return lambda target: ModelRequest(
                messages=(Message(role="user", content=str(number)),), model="m"
            )

        answers = await asyncio.gather(
            *(collect(router.stream(question(number), Choice())) for number in range(40))
        )
        await router.aclose()
        return [answer.text for answer in answers]

    assert asyncio.run(run()) == [
        " ".join(f"{number}.{n}" for n in range(20)) for number in range(40)
    ]


def test_a_server_that_was_set_up_and_does_not_answer_is_known_with_its_reason() -> None:
    """What is not in the settings is no news; what is, and is not there, is told with its address
    until it answers."""
    instance = ProviderSettings(name="z", kind="ollama", base_url="http://127.0.0.1:9")
    registry = Registry(Settings(llm=LLMSettings(providers={"z": instance})))

    async def probe() -> dict[str, str]:
        try:
            assert "z" not in await registry.answering()
            return registry.unavailable()
        finally:
            await registry.aclose()

    found = asyncio.run(probe())
    assert list(found) == ["z"]
    assert "127.0.0.1:9" in found["z"] and "connection refused" in found["z"]


def test_configured_servers_that_do_not_answer_are_named(nobody):
    """Who configured one is not told that nothing is configured."""
    with pytest.raises(UnavailableError) as caught:
        ask(Router(settings(*away(nobody))))
    assert "'ollama'" in caught.value.hint
    assert nobody.removeprefix("http://") in caught.value.message
