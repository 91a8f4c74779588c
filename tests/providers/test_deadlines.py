"""What an answer may take: to its first word, between two words, and altogether."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import pytest
from asking import WIRES, chunks, provider

from aiex_ipy.errors import AiexError, InterruptedAnswerError, UnavailableError
from aiex_ipy.messages import Finish, TextDelta
from aiex_ipy.testing.conformance import SCHEMA, question
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply, content_type, stream_blocks

SILENT = {
    "openai": b": keep-alive\n\n",
    "anthropic": b'event: ping\ndata: {"type": "ping"}\n\n',
    "openai_compatible": b'data: {"choices": [{"index": 0, "delta": {"content": ""}}]}\n\n',
    "ollama": b'{"message": {"role": "assistant", "content": ""}, "done": false}\n',
}
ALL = pytest.mark.parametrize("kind", SILENT)
BOTH = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])


def begun(kind: str, words: int, then: bytes, times: int) -> Raw:
    """An answer that says so many words and then something that is none, over and over."""
    wire = WIRES.get(kind, kind)
    deltas, _ = stream_blocks(wire, Reply(text="one two three"), "m")  # type: ignore[arg-type]
    return Raw(
        headers={"content-type": content_type(wire)},  # type: ignore[arg-type]
        blocks=(*deltas[:words], *(then,) * times),
        pause_s=0.02,
        end="silence",
    )


@ALL
@pytest.mark.parametrize("noise", [0, 400], ids=["silence", "noise"])
def test_an_answer_that_says_nothing_more_is_cut(kind: str, noise: int) -> None:
    """Silence, comments, pings and empty deltas alike; what was said is kept."""
    with LoopbackServer(begun(kind, 2, SILENT[kind], noise)) as server:
        with pytest.raises(InterruptedAnswerError) as caught:
            chunks(provider(kind, server.url, idle_timeout_ms=300))
        assert server.wait_until(lambda: server.open_connections == 0)
    assert caught.value.reason == "idle"
    assert caught.value.partial == "one two"
    assert "said nothing more for 0.3 s" in caught.value.message


@ALL
def test_words_that_are_held_back_were_said_to_nobody(kind: str) -> None:
    """A structured answer that stops is no interrupted answer: it can be asked again."""
    with (
        LoopbackServer(begun(kind, 2, b"", 0)) as server,
        pytest.raises(UnavailableError) as caught,
    ):
        asked = provider(kind, server.url, idle_timeout_ms=200)
        chunks(asked, question(response_schema=SCHEMA))
    assert caught.value.code == "idle"


@ALL
def test_an_answer_that_never_ends_is_cut(kind: str) -> None:
    """A server that goes on for ever, word by word, meets the deadline of the whole answer."""
    with LoopbackServer(Reply(pieces=(" word",) * 2000, pause_s=0.02)) as server:
        with pytest.raises(InterruptedAnswerError) as caught:
            chunks(provider(kind, server.url, idle_timeout_ms=10_000, total_timeout_ms=400))
        assert server.wait_until(lambda: server.open_connections == 0)
    assert caught.value.reason == "total_timeout"
    assert caught.value.partial.startswith(" word")
    assert "was not done within 0.4 s" in caught.value.message


@ALL
@BOTH
def test_the_whole_has_a_deadline_before_the_first_word_too(kind: str, streamed: bool) -> None:
    """An answer in one piece, whose first word is its last, is bounded by it."""
    with LoopbackServer(Reply(first_pause_s=60)) as server:
        with pytest.raises(UnavailableError) as caught:
            chunks(provider(kind, server.url, total_timeout_ms=300), question(stream=streamed))
        assert server.wait_until(lambda: server.open_connections == 0)
    assert caught.value.code == "total_timeout"


@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_a_reader_that_takes_its_time_is_not_the_servers_silence(kind: str) -> None:
    """Who shows an answer slowly gets all of it, though it pauses longer than a server may."""

    async def read() -> str:
        said = ""
        asked = provider(kind, server.url, idle_timeout_ms=100)
        async with aclosing(asked.stream(question())) as stream:
            async for chunk in stream:
                if isinstance(chunk, TextDelta):
                    said += chunk.text
                    await asyncio.sleep(0.25)
                    time.sleep(0.15)
        await asked.aclose()
        assert isinstance(chunk, Finish)
        return said

    with LoopbackServer(Reply(text="one two three", pause_s=0.02)) as server:
        assert asyncio.run(read()) == "one two three"


def test_one_who_pulls_with_a_task_for_each_chunk_is_cut_too() -> None:
    """`wait_for` reads in a task of its own on Python 3.11."""

    async def read() -> str:
        asked = provider("ollama", server.url, idle_timeout_ms=200)
        stream = asked.stream(question())
        said = []
        try:
            async with aclosing(stream):
                while True:
                    said.append(await asyncio.create_task(anext(stream)))  # type: ignore[arg-type]
        except InterruptedAnswerError as error:
            assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]
            return error.reason
        finally:
            await asked.aclose()

    with LoopbackServer(begun("ollama", 2, b"", 0)) as server:
        assert asyncio.run(read()) == "idle"


def test_a_cancellation_of_the_users_is_not_taken_for_a_deadline() -> None:
    """Both at once: the user's goes through."""

    async def read() -> bool:
        asked = provider("ollama", server.url, idle_timeout_ms=200)

        async def work() -> None:
            async with aclosing(asked.stream(question())) as stream:
                async for _ in stream:
                    pass

        task = asyncio.create_task(work())
        assert await asyncio.to_thread(server.wait_until, lambda: bool(server.asked))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asked.aclose()
        return task.cancelled()

    with LoopbackServer(Reply(first_pause_s=60)) as server:
        assert asyncio.run(read())
        assert server.wait_until(lambda: server.open_connections == 0)


def test_a_connection_that_does_not_come_about_has_its_own_deadline() -> None:
    """A host that swallows what it is sent, such as one behind a firewall, is told as that."""
    import socket

    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        # A queue that is full answers no more; the kernel drops what asks for a connection.
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        try:
            url = f"http://127.0.0.1:{full.getsockname()[1]}"
            with pytest.raises(AiexError) as caught:
                chunks(provider("ollama", url, connect_timeout_ms=200))
        finally:
            for each in waiting:
                each.close()
    assert caught.value.code == "connect"
    assert "no connection came about in time" in caught.value.message
    assert "llm.connect_timeout_ms" in caught.value.hint


THINKING = {
    "openai": b'data: {"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]}\n\n',
    "openai_compatible": b'data: {"choices": [{"index": 0, "delta": {"reasoning": "hm"}}]}\n\n',
    "anthropic": b'data: {"type": "content_block_delta", "index": 0,'
    b' "delta": {"type": "thinking_delta", "thinking": "hm"}}\n\n',
    "ollama": b'{"message": {"role": "assistant", "content": "", "thinking": "hm"}}\n',
}


@ALL
def test_a_model_that_thinks_aloud_is_alive(kind: str) -> None:
    """Its thoughts are not shown, but they are no silence, however long it thinks."""
    wire = WIRES.get(kind, kind)
    deltas, end = stream_blocks(wire, Reply(text="done"), "m")  # type: ignore[arg-type]
    thinks = Raw(
        headers={"content-type": content_type(wire)},  # type: ignore[arg-type]
        blocks=(*(THINKING[kind],) * 40, *deltas, *end),
        pause_s=0.02,
    )
    with LoopbackServer(thinks) as server:
        said = chunks(provider(kind, server.url, idle_timeout_ms=500))
    assert "".join(each.text for each in said if isinstance(each, TextDelta)) == "done"
    assert isinstance(said[-1], Finish)
