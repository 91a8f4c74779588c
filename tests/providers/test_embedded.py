"""The embedded model itself, answering."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path

import pytest

from aiex_ipy.config.settings import (
    EmbeddedSettings,
    LLMSettings,
    ProviderSettings,
    Secret,
    Settings,
)
from aiex_ipy.errors import (
    AiexError,
    ContextTooLongError,
    CredentialsError,
    InterruptedAnswerError,
    UnavailableError,
    UnknownNameError,
)
from aiex_ipy.messages import Chunk, Finish, Message, ModelRequest, Opened, TextDelta
from aiex_ipy.providers import embedded, local_connection
from aiex_ipy.providers.embedded import LEAST_BUDGET_TOKENS, EmbeddedProvider
from aiex_ipy.providers.local_server import Ready, Speed
from aiex_ipy.providers.openai_compatible import OpenAICompatibleProvider

INSTANCE = ProviderSettings(name="embedded", kind="embedded")

slow = pytest.mark.slow


def settings(**changes: object) -> Settings:
    fields: dict[str, object] = {"threads": 1, "context_tokens": 512}
    return Settings(llm=LLMSettings(embedded=EmbeddedSettings(**(fields | changes))))  # type: ignore[arg-type]


def question(text: str = "Say hello.", *, max_tokens: int = 8, **more: object) -> ModelRequest:
    """A short question whose answer is the same each time."""
    messages = (Message(role="user", content=text),)
    return ModelRequest(messages=messages, max_tokens=max_tokens, temperature=0.0, **more)  # type: ignore[arg-type]


def use(
    work: Callable[[EmbeddedProvider], Awaitable[object]], made: Settings | None = None
) -> None:
    """Run `work` with a provider on a loop, as the engine does."""

    async def run() -> None:
        provider = EmbeddedProvider(INSTANCE, made or settings())
        try:
            await work(provider)
        finally:
            await provider.aclose()

    asyncio.run(run())


async def answer(
    provider: EmbeddedProvider | OpenAICompatibleProvider, request: ModelRequest
) -> list[Chunk]:
    async with aclosing(provider.stream(request)) as chunks:
        return [chunk async for chunk in chunks]


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta))


def server_pid(provider: EmbeddedProvider) -> int:
    (server,) = provider._servers.values()
    assert server._connection is not None
    return server._connection.ready.pid


def cpu_ticks(pid: int) -> int:
    """Processor time of a process, in hundredths of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def still(pid: int) -> None:
    """Wait until the server works no more; an AssertionError when it goes on for long."""
    give_up = time.monotonic() + 20
    while True:
        before = cpu_ticks(pid)
        await asyncio.sleep(0.3)
        if cpu_ticks(pid) - before <= 1:
            return
        assert time.monotonic() < give_up


@slow
def test_it_streams_real_text_under_its_own_name(at_home: Path) -> None:
    """An answer comes in pieces, names the 135M model that gave it, and costs nothing."""

    async def work(provider: EmbeddedProvider) -> None:
        chunks = await answer(provider, question(max_tokens=12))
        first, *deltas, last = chunks
        assert first == Opened(provider="embedded", model="SmolLM2-135M-Instruct")
        assert len(deltas) > 2
        assert text_of(chunks).strip()
        assert isinstance(last, Finish)
        assert last.model == "SmolLM2-135M-Instruct"
        assert last.usage.cost_usd == 0.0
        assert (last.usage.output_tokens or 0) > 2
        assert [m.loaded for m in await provider.models()] == [True]

    use(work)


@slow
def test_it_answers_in_one_piece_and_counts_tokens_exactly(at_home: Path) -> None:
    """Without streaming the whole text is one delta; the count is what the server then counts."""

    async def work(provider: EmbeddedProvider) -> None:
        asked = question("How long is a piece of string?", stream=False)
        counted = await provider.count_tokens(asked.messages)
        _opened, delta, finish = await answer(provider, asked)
        assert isinstance(delta, TextDelta)
        assert isinstance(finish, Finish)
        assert finish.usage.input_tokens == counted

    use(work)


@slow
def test_it_keeps_to_a_json_schema(at_home: Path) -> None:
    """Even a very small model gives JSON of the asked form, because the server enforces it."""
    schema = {
        "type": "object",
        "properties": {"verdict": {"enum": ["good", "bad"]}},
        "required": ["verdict"],
        "additionalProperties": False,
    }

    async def work(provider: EmbeddedProvider) -> None:
        asked = question("Is this code good?", max_tokens=24, response_schema=schema)
        chunks = await answer(provider, asked)
        assert json.loads(text_of(chunks))["verdict"] in ("good", "bad")

    use(work)


@slow
def test_a_wrong_key_is_refused(at_home: Path) -> None:
    """Another user of the machine who finds the port gets nothing; no key is shown."""

    async def work(provider: EmbeddedProvider) -> None:
        address = (await provider._server(None).connected()).ready.address
        thief = OpenAICompatibleProvider(
            ProviderSettings(
                name="thief",
                kind="openai_compatible",
                base_url=f"{address}/v1",
                api_key=Secret("stolen-key"),
                model="x",
            ),
            settings(),
        )
        with pytest.raises(CredentialsError) as caught:
            await answer(thief, question())
        await thief.aclose()
        assert caught.value.status == 401
        assert "stolen-key" not in str(caught.value)

    use(work)


@slow
def test_a_prompt_that_does_not_fit_names_the_limit(at_home: Path) -> None:
    """The context is per answer, whatever the number of slots, and the error tells it."""

    async def work(provider: EmbeddedProvider) -> None:
        with pytest.raises(ContextTooLongError) as caught:
            await answer(provider, question("word " * 600))
        assert caught.value.limit_tokens == 512

    use(work)


@slow
def test_closing_the_stream_frees_the_model(at_home: Path) -> None:
    """Ctrl-C ends the work at the server too: its processor time stands still afterwards."""

    async def work(provider: EmbeddedProvider) -> None:
        endless = question("Count to ten thousand.", max_tokens=4000, stop=("\0",))
        async with aclosing(provider.stream(endless)) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, TextDelta):
                    break
        await still(server_pid(provider))

    use(work, settings(context_tokens=4096))


@slow
def test_a_long_prompt_is_not_read_to_its_end_for_nobody(at_home: Path) -> None:
    """Ctrl-C before the first word: the processor time is less than half of the whole prompt's."""

    async def work(provider: EmbeddedProvider) -> None:
        await provider.count_tokens(question().messages)
        pid = server_pid(provider)
        start = cpu_ticks(pid)
        short = " ".join(str(number) for number in range(30))
        chunks = await answer(provider, question(short, max_tokens=1))
        finish = chunks[-1]
        assert isinstance(finish, Finish)
        per_token = (cpu_ticks(pid) - start) / (finish.usage.input_tokens or 0)

        long = question(" ".join(str(number) for number in range(400, 0, -1)))
        tokens = await provider.count_tokens(long.messages)
        start = cpu_ticks(pid)
        task = asyncio.create_task(answer(provider, long))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await still(pid)
        assert tokens > 1000
        assert cpu_ticks(pid) - start < tokens * per_token / 2

    use(work, settings(context_tokens=4096))


@slow
def test_no_idle_connection_waits_to_be_closed_under_the_next_question(at_home: Path) -> None:
    """The server drops idle connections after 5 s; a question sent just then would be lost."""

    def established(port: int) -> int:
        rows = [row.split() for row in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
        return sum(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)

    async def work(provider: EmbeddedProvider) -> None:
        await answer(provider, question())
        await provider.count_tokens(question().messages)
        ready = (await provider._server(None).connected()).ready
        assert established(int(ready.address.rpartition(":")[2])) == 0

    use(work)


@slow
def test_two_questions_at_once_are_both_answered(at_home: Path) -> None:
    """Two cells, or two kernels, do not wait for each other."""

    async def work(provider: EmbeddedProvider) -> None:
        first, second = await asyncio.gather(
            answer(provider, question("Say yes.")), answer(provider, question("Say no."))
        )
        assert text_of(first)
        assert text_of(second)

    use(work)


@slow
def test_a_server_killed_in_mid_answer_keeps_the_text_and_comes_back(at_home: Path) -> None:
    """A cut answer is an error with what was said so far; the next question just works."""

    async def work(provider: EmbeddedProvider) -> None:
        said = ""
        with pytest.raises(InterruptedAnswerError) as caught:
            async with aclosing(
                provider.stream(question("Tell a story.", max_tokens=400))
            ) as chunks:
                async for chunk in chunks:
                    if isinstance(chunk, TextDelta):
                        said += chunk.text
                        if len(said) == len(chunk.text):
                            killed = server_pid(provider)
                            os.kill(killed, signal.SIGKILL)
        assert said
        assert caught.value.partial == said
        assert text_of(await answer(provider, question()))
        assert server_pid(provider) != killed

    use(work)


@slow
def test_a_server_killed_while_the_prompt_is_read_is_asked_again(at_home: Path) -> None:
    """Nothing was said yet, so the question goes to a new server and the user sees no error."""

    async def work(provider: EmbeddedProvider) -> None:
        await provider._server(None).connected()
        killed = server_pid(provider)

        async def kill() -> None:
            await asyncio.sleep(0.2)
            os.kill(killed, signal.SIGKILL)

        numbers = " ".join(str(number) for number in range(60))
        asked = question(f"Which number comes next? {numbers}")
        chunks, _ = await asyncio.gather(answer(provider, asked), kill())
        assert text_of(chunks)
        assert server_pid(provider) != killed

    use(work)


@slow
@pytest.mark.parametrize("meanwhile", ["nothing", "the file is removed"])
def test_an_idle_model_gives_its_memory_back_and_wakes(
    at_home: Path, smollm2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """A kernel left open over lunch does not hold 345 MB; the next question just takes longer."""
    monkeypatch.setattr(embedded, "SLEEP_S", 1)
    own = tmp_path / "Mine.gguf"
    shutil.copyfile(smollm2, own)

    def resident_mb(pid: int) -> float:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6

    async def work(provider: EmbeddedProvider) -> None:
        asked = question(model=str(own))
        assert text_of(await answer(provider, asked))
        pid = server_pid(provider)
        awake, give_up = resident_mb(pid), time.monotonic() + 20
        while resident_mb(pid) > awake / 2:
            assert time.monotonic() < give_up
            await asyncio.sleep(0.1)
        if meanwhile == "nothing":
            assert text_of(await answer(provider, asked))
            assert server_pid(provider) == pid
        else:
            own.unlink()
            with pytest.raises(UnavailableError, match="cannot be read: No such file"):
                await answer(provider, asked)

    use(work)


@slow
def test_an_own_gguf_is_used_by_its_path(at_home: Path, smollm2: Path, tmp_path: Path) -> None:
    """`--model PATH` asks that file, and the answer carries the file's name."""
    own = tmp_path / "Mine-135M.gguf"
    own.symlink_to(smollm2)

    async def work(provider: EmbeddedProvider) -> None:
        opened, *_ = await answer(provider, question(model=str(own)))
        assert opened == Opened(provider="embedded", model="Mine-135M")

    use(work)


@slow
def test_a_damaged_model_is_told_before_anything_is_started(
    smollm2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One wrong bit in 98 MB would give nonsense; it is found, and the remedy named."""
    (tmp_path / "models").mkdir()
    damaged = tmp_path / "models" / smollm2.name
    shutil.copyfile(smollm2, damaged)
    with damaged.open("r+b") as file:
        file.seek(50_000_000)
        byte = file.read(1)
        file.seek(50_000_000)
        file.write(bytes([byte[0] ^ 1]))
    monkeypatch.setenv("AIEX_DATA_DIR", str(tmp_path))

    async def work(provider: EmbeddedProvider) -> None:
        with pytest.raises(UnavailableError, match="SHA-256") as caught:
            await answer(provider, question())
        assert "aiex models pull smollm2" in caught.value.hint

    use(work)


def refusal(made: Settings) -> AiexError:
    """What a question is refused with; `unavailable` says the same without asking."""
    caught: list[AiexError] = []

    async def work(provider: EmbeddedProvider) -> None:
        with pytest.raises(AiexError) as info:
            await answer(provider, question())
        caught.append(info.value)
        foretold = provider.unavailable()
        assert str(foretold) == str(info.value)
        assert not await provider.available(0.2)

    use(work, made)
    return caught[0]


def test_a_model_that_is_not_there_names_the_command_that_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first-time user is told what to run, how large it is and under which licence."""
    monkeypatch.setenv("AIEX_DATA_DIR", str(tmp_path))
    error = refusal(settings())
    assert isinstance(error, UnavailableError)
    assert "`aiex models pull smollm2` (93 MB to download, Apache-2.0)" in error.hint
    assert not list(tmp_path.iterdir())


def test_without_the_local_extra_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The package that runs models is optional; its absence is one line."""
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    error = refusal(settings())
    assert error.code == "local_extra_missing"
    assert "pip install 'aiex[local]'" in error.hint


def test_a_model_of_another_name_is_a_usage_error(at_home: Path) -> None:
    """A typing mistake in the model's name is answered with the right one."""
    error = refusal(settings(model="smolm2"))
    assert isinstance(error, UnknownNameError)
    assert "'smollm2'" in error.hint


def test_it_is_available_without_being_started(at_home: Path) -> None:
    """The choice of a provider costs no model load, and does not import the runtime."""
    import sys

    async def work(provider: EmbeddedProvider) -> None:
        assert await provider.available(0.2)
        (model,) = await provider.models()
        assert (model.name, model.size_bytes, model.loaded) == ("smollm2", 98362432, False)

    use(work, settings(context_tokens=777))
    assert "xllamacpp" not in sys.modules


@pytest.mark.parametrize(
    ("asked", "tokens_per_s", "budget"),
    [
        (700, None, 700),  # never measured
        (700, 1000.0, 700),  # a fast machine: 700 is the most
        (700, 100.0, 450),  # as much as is read in 4.5 s
        (700, 2.0, LEAST_BUDGET_TOKENS),
        (1500, 100.0, 1500),  # set by the user: kept
        (50, 1000.0, 50),
    ],
)
def test_the_prompt_budget_comes_from_the_measured_speed(
    at_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: int,
    tokens_per_s: float | None,
    budget: int,
) -> None:
    """A slow machine gets shorter prompts, so that the first word does not take a minute."""
    speed = tokens_per_s and Speed(prompt_tokens_per_s=tokens_per_s, output_tokens_per_s=1.0)
    monkeypatch.setattr(local_connection, "last_speed", lambda spec: speed)
    provider = EmbeddedProvider(INSTANCE, settings(prompt_budget_tokens=asked))
    assert provider.prompt_budget_tokens == budget


def test_the_first_word_has_a_deadline_of_its_own(at_home: Path) -> None:
    """A CPU reads slowly: the deadline of remote vendors does not hold, an explicit one does."""
    assert EmbeddedProvider(INSTANCE, settings())._server(None).first_byte_s == 60.0
    own = ProviderSettings(name="embedded", kind="embedded", timeout_ms=90_000)
    assert EmbeddedProvider(own, settings())._server(None).first_byte_s == 90.0


@slow
@pytest.mark.parametrize(("asked", "sent"), [(None, 0.2), (0.0, 0.0), (0.9, 0.9)])
def test_a_small_model_is_asked_with_the_temperature_its_makers_advise(
    at_home: Path, monkeypatch: pytest.MonkeyPatch, asked: float | None, sent: float
) -> None:
    """At the server's own 0.8 it names functions that are not in the code; the caller's counts."""
    bodies: list[dict[str, object]] = []

    async def work(provider: EmbeddedProvider) -> None:
        server = provider._server(None)
        made = server.body

        def body(request: ModelRequest, model: str) -> dict[str, object]:
            bodies.append(made(request, model))
            return bodies[-1]

        monkeypatch.setattr(server, "body", body)
        messages = (Message(role="user", content="Say hello."),)
        await answer(provider, ModelRequest(messages=messages, max_tokens=4, temperature=asked))

    use(work)
    assert [each["temperature"] for each in bodies] == [sent]


def test_two_loops_that_want_the_server_at_once_hold_it_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A kernel and its subshell each ask on a loop of their own: neither fails or waits forever."""
    both = threading.Barrier(2)
    pairs = [socket.socketpair() for _ in range(2)]
    unused = [*pairs]
    speed = Speed(prompt_tokens_per_s=1.0, output_tokens_per_s=1.0)
    ready = Ready(pid=1, address="http://127.0.0.1:1", api_key="k", model="m", speed=speed)
    made: list[local_connection.Connection] = []

    async def connect(spec: object, *, check: object) -> local_connection.Connection:
        await asyncio.to_thread(both.wait, 30)  # each loop has begun to connect
        connection = local_connection.Connection(unused.pop()[0], ready)
        made.append(connection)
        return connection

    monkeypatch.setattr(local_connection, "connect", connect)
    server = embedded._Server(INSTANCE, settings(), None, None)  # type: ignore[arg-type]

    async def twice() -> list[local_connection.Connection]:
        return await asyncio.gather(server.connected(), server.connected())

    with ThreadPoolExecutor(2) as threads:
        found = [each.result() for each in [threads.submit(asyncio.run, twice()) for _ in "ab"]]
    assert {id(each) for four in found for each in four} == {id(server._connection)}
    assert [each.alive() for each in made].count(True) == 1
    for pair in pairs:
        for end in pair:
            end.close()
