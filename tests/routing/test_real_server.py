"""The router over the embedded model's real server: killed, with a wrong key, with too long a
prompt."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.config.settings import (
    EmbeddedSettings,
    LLMSettings,
    ProviderSettings,
    Secret,
    Settings,
)
from aiex_ipy.errors import ContextTooLongError, CredentialsError, InterruptedAnswerError
from aiex_ipy.messages import Answer, Chunk, Message, ModelRequest, Opened, TextDelta
from aiex_ipy.prompts.fit import Prompt, Section, fit
from aiex_ipy.providers.embedded import EmbeddedProvider
from aiex_ipy.providers.fold import collect
from aiex_ipy.routing.choice import Choice, Target
from aiex_ipy.routing.router import Router

pytestmark = pytest.mark.slow

HERE = Choice(provider="embedded")
SMALL = EmbeddedSettings(threads=1, context_tokens=512, prompt_budget_tokens=3000)


def settings(*instances: ProviderSettings, **llm: Any) -> Settings:
    providers = {each.name: each for each in instances}
    return Settings(llm=LLMSettings(embedded=SMALL, providers=providers, **llm))


def question(
    text: str = "Say hello.", *, max_tokens: int = 8, **more: object
) -> Callable[[Target], ModelRequest]:
    messages = (Message(role="user", content=text),)

    def build(target: Target) -> ModelRequest:
        return ModelRequest(
            messages=messages,
            model=target.model,
            max_tokens=max_tokens,
            temperature=0.0,
            **more,  # type: ignore[arg-type]
        )

    return build


def use(work: Callable[[Router], Awaitable[object]], made: Settings | None = None) -> None:
    async def run() -> None:
        router = Router(made or settings())
        try:
            await work(router)
        finally:
            await router.aclose()

    asyncio.run(run())


async def ask(
    router: Router, build: Callable[[Target], ModelRequest], choice: Choice = HERE
) -> Answer:
    return await collect(router.stream(build, choice))


async def held(router: Router) -> tuple[int, str]:
    """Return the server's process and its address."""
    provider = router.provider("embedded")
    assert isinstance(provider, EmbeddedProvider)
    ready = (await provider._server(None).connected()).ready
    return ready.pid, ready.address


def test_a_server_killed_in_mid_answer_is_told_and_the_next_question_answered(
    at_home: Path,
) -> None:
    """Half an answer is never taken for a whole one: it comes back as text of a named error."""

    async def work(router: Router) -> None:
        said: list[Chunk] = []
        endless = question("Tell a long story.", max_tokens=400, stop=("\0",))
        with pytest.raises(InterruptedAnswerError) as caught:
            async with aclosing(router.stream(endless, HERE)) as chunks:
                async for chunk in chunks:
                    said.append(chunk)
                    if len(said) == 2:  # the first word
                        killed, _ = await held(router)
                        os.kill(killed, signal.SIGKILL)
        opened, *words = said
        assert isinstance(opened, Opened)
        assert caught.value.partial == "".join(
            word.text for word in words if isinstance(word, TextDelta)
        )
        assert caught.value.partial
        standing = router.state.standing(router.instance("embedded"))
        (breaker,) = standing.breakers.values()
        assert (breaker.faults, breaker.state) == (1, "closed")
        assert (await ask(router, question())).text
        assert (await held(router))[0] != killed
        assert breaker.faults == 0
        assert standing.in_flight == 0

    use(work)


def test_a_server_killed_before_the_first_word_is_no_news_to_the_user(at_home: Path) -> None:
    """The provider asks a new server by itself; nothing is retried, nothing counted."""

    async def work(router: Router) -> None:
        killed, _ = await held(router)
        os.kill(killed, signal.SIGKILL)
        answer = await ask(router, question())
        assert answer.text
        assert answer.finish in ("stop", "length")
        standing = router.state.standing(router.instance("embedded"))
        assert (standing.answered, standing.failed) == (1, 0)

    use(work)


def thief(address: str) -> Settings:
    """One that has found the port and guesses the key, with the embedded model after it."""
    return settings(
        ProviderSettings(
            name="thief",
            kind="openai_compatible",
            base_url=f"{address}/v1",
            api_key=Secret("stolen-key"),
            model="x",
        ),
        fallback_provider="embedded",
    )


def test_a_wrong_key_is_tried_once_and_never_shown(at_home: Path) -> None:
    """The real server's 401 is no fault of it: its circuit stays closed, and the next provider is
    asked at once, though the other server has named no reason to wait."""

    async def work(router: Router) -> None:
        _, address = await held(router)

        async def guess(other: Router) -> None:
            sent = 0
            provider = other.provider("thief")
            real = provider.send  # type: ignore[attr-defined]

            async def counted(*arguments: object, **more: object) -> object:
                nonlocal sent
                sent += 1
                return await real(*arguments, **more)

            provider.send = counted  # type: ignore[attr-defined]
            with pytest.raises(CredentialsError) as caught:
                await ask(other, question(), Choice(provider="thief"))
            assert (caught.value.status, caught.value.attempts, sent) == (401, 1, 1)
            assert "stolen-key" not in str(caught.value)
            standing = other.state.standing(other.instance("thief"))
            assert [each.faults for each in standing.breakers.values()] == [0]
            assert standing.marked_s > 0

            answer = await ask(other, question(), Choice())
            assert (answer.provider, sent) == ("embedded", 1)
            assert "refused the key" in answer.note

        other = Router(thief(address))
        try:
            await guess(other)
        finally:
            await other.aclose()

    use(work)


def long_prompt(system: str, text: str) -> tuple[Callable[[Target], ModelRequest], list[Target]]:
    """A question with a section that gives way, and the list of the targets it was built for."""
    built: list[Target] = []
    section = Section(title="File 'long.py'", text=text)
    prompt = Prompt(system=system, question="What is it?", sections=(section,))

    def build(target: Target) -> ModelRequest:
        built.append(target)
        return ModelRequest(
            messages=fit(prompt, target.prompt_budget_tokens),
            model=target.model,
            max_tokens=8,
            temperature=0.0,
        )

    return build, built


@pytest.mark.parametrize(
    "text",
    ["\n".join(f"x{number} = {number}" for number in range(200)), "\n".join(["𒀀𒀁𒀂𒀃" * 4] * 60)],
    ids=["code", "cuneiform"],
)
def test_a_prompt_that_is_too_long_is_cut_once_to_what_the_server_names(
    at_home: Path, text: str
) -> None:
    """The real server says how long the prompt was and what it holds: one shorter prompt fits."""

    async def work(router: Router) -> None:
        build, built = long_prompt("You know code.", text)
        answer = await ask(router, build)
        assert answer.text
        first, second = (each.prompt_budget_tokens for each in built)
        assert first == 3000
        assert second is not None
        assert second < first
        # It is not cut to next to nothing either.
        assert 200 < (answer.usage.input_tokens or 0) <= 512
        standing = router.state.standing(router.instance("embedded"))
        assert [each.faults for each in standing.breakers.values()] == [0]

    use(work)


def test_a_prompt_that_cannot_be_cut_to_the_limit_is_an_error_that_names_it(at_home: Path) -> None:
    """The question and its instructions are never cut: the user is told, and nothing repeated."""

    async def work(router: Router) -> None:
        build, built = long_prompt("word " * 700, "x = 1\n" * 50)
        with pytest.raises(ContextTooLongError) as caught:
            await ask(router, build)
        assert caught.value.limit_tokens == 512
        assert "512" in caught.value.message
        assert len(built) == 2

        # One that claims to have cut and has not is asked a second time and no third.
        stubborn = [0]

        def same(target: Target) -> ModelRequest:
            stubborn[0] += 1
            return question(f"{stubborn[0]} " + "word " * 700)(target)

        with pytest.raises(ContextTooLongError) as caught:
            await ask(router, same)
        assert caught.value.limit_tokens == 512
        assert stubborn == [2]

    use(work)


def test_a_question_waits_for_one_batch_answer_at_most(at_home: Path) -> None:
    """Six steps of a pipeline wait at the two slots of the server; the user's question goes before
    all that have not begun, whatever their number."""

    async def work(router: Router) -> None:
        sent: list[tuple[str, int]] = []  # what is asked, and how many steps were done then
        done = 0
        begun = asyncio.Event()
        provider = router.provider("embedded")
        real = provider.stream

        def stream(request: ModelRequest) -> AsyncGenerator[Chunk, None]:
            sent.append((request.messages[0].content, done))
            return real(request)

        provider.stream = stream  # type: ignore[method-assign,assignment]

        async def step(number: int) -> None:
            nonlocal done
            # Questions that differ: identical ones would share one answer.
            build = question(f"Count from {number}.", max_tokens=24)
            choice = Choice(provider="embedded", batch=True)
            async with aclosing(router.stream(build, choice)) as chunks:
                async for _ in chunks:
                    begun.set()
            done += 1

        steps = [asyncio.create_task(step(number)) for number in range(6)]
        await begun.wait()
        before, done_before = len(sent), done
        assert (await ask(router, question())).text
        text, done_then = sent[before]
        assert text == "Say hello."
        assert done_then - done_before <= 1
        await asyncio.gather(*steps)
        assert done == 6

    use(work)
