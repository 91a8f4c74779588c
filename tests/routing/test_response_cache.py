"""Answers kept on disk: whole ones, bounded, by several processes, never in an answer's way."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from aiex_ipy.errors import StoreError
from aiex_ipy.messages import Chunk, Finish, Opened, TextDelta, ToolCallDelta, Usage
from aiex_ipy.routing.response_cache import ResponseCache, cache_path

CHUNKS: list[Chunk] = [
    Opened(provider="openai", model="m", note="the first provider with a key"),
    TextDelta("To"),
    TextDelta("day"),
    Finish(reason="stop", model="m-1", usage=Usage(output_tokens=9, cost_usd=0.5)),
]


@pytest.fixture
def cache(tmp_path: Path) -> ResponseCache:
    return ResponseCache(1, tmp_path / "data" / "cache" / "answers.sqlite3")


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def put(cache: ResponseCache, number: int, chunks: list[Chunk] | None = None) -> None:
    asyncio.run(cache.put(key(number), CHUNKS if chunks is None else chunks))


def get(cache: ResponseCache, number: int) -> list[Chunk] | None:
    return asyncio.run(cache.get(key(number)))


def text_of(chunks: list[Chunk] | None) -> str | None:
    return None if chunks is None else "".join(c.text for c in chunks if isinstance(c, TextDelta))


def test_a_kept_answer_comes_back_named_as_one_that_costs_nothing(cache: ResponseCache) -> None:
    """The note says that it is kept and since when; no token or cent is counted again."""
    assert get(cache, 1) is None
    put(cache, 1)
    found = get(cache, 1)
    assert found is not None
    opened, words, finish = found
    assert isinstance(opened, Opened) and (opened.provider, opened.model) == ("openai", "m")
    assert opened.note.startswith("from the response cache, answered on 20")
    assert words == TextDelta("Today")
    spent = Usage(input_tokens=0, output_tokens=0, cost_usd=0.0)
    assert finish == Finish(reason="stop", model="m-1", usage=spent)
    assert get(cache, 2) is None


def test_calls_of_tools_come_back_as_they_were(cache: ResponseCache) -> None:
    """Pieces of tool calls keep their order and number."""
    calls: list[Chunk] = [
        ToolCallDelta(index=0, id="a", name="f", arguments="{"),
        ToolCallDelta(index=0, arguments="}"),
    ]
    put(cache, 1, [CHUNKS[0], TextDelta("x"), *calls, Finish(reason="tool_calls")])
    found = get(cache, 1)
    assert found is not None
    assert found[1:4] == [TextDelta("x"), *calls]


@pytest.mark.parametrize(
    "chunks",
    [
        CHUNKS[:-1],
        CHUNKS[1:],
        [*CHUNKS[:-1], Finish(reason="length")],
        [*CHUNKS[:-1], Finish(reason="refusal", refusal="no")],
        [*CHUNKS[:-1], Finish(reason="interrupted")],
        [],
    ],
)
def test_only_whole_answers_are_kept(cache: ResponseCache, chunks: list[Chunk]) -> None:
    """One that was cut, interrupted or declined is asked again."""
    put(cache, 1, chunks)
    assert get(cache, 1) is None


def test_it_belongs_to_the_user_alone(cache: ResponseCache) -> None:
    """Nobody else may read file or directory, whatever the umask allows."""
    before = os.umask(0)
    try:
        put(cache, 1)
    finally:
        os.umask(before)
    assert cache.path.stat().st_mode & 0o777 == 0o600
    assert cache.path.parent.stat().st_mode & 0o777 == 0o700


def test_it_stays_within_its_bound_and_the_least_used_go(cache: ResponseCache) -> None:
    """Answers of 2 MB put into 1 MB: the file stays below; what is read in between stays."""
    body = [CHUNKS[0], TextDelta("x" * 20_000), CHUNKS[-1]]
    for number in range(100):
        put(cache, number, body)
        assert cache.path.stat().st_size <= 1_000_000
        assert get(cache, 0) is not None
    assert get(cache, 99) is not None
    assert get(cache, 1) is None
    assert 30 < cache.size().answers < 50
    put(cache, 1, [CHUNKS[0], TextDelta("x" * 600_000), CHUNKS[-1]])
    assert get(cache, 1) is None, "one that would drive out half of the others is not kept"


def test_it_can_be_looked_at_and_emptied(cache: ResponseCache) -> None:
    """Size and number are told; after clearing there is nothing, and no file is made by looking."""
    assert cache.size().answers == cache.clear() == 0
    assert not cache.path.parent.exists()
    for number in range(3):
        put(cache, number)
    held = cache.size()
    assert (held.answers, held.path) == (3, str(cache.path))
    assert held.bytes == cache.path.stat().st_size
    assert cache.clear() == 3
    assert get(cache, 1) is None


@pytest.mark.parametrize(
    "damage", [b"no database at all" * 100, b"SQLite format 3\0" + b"x" * 9999]
)
def test_a_damaged_file_is_a_notice_and_begun_anew(cache: ResponseCache, damage: bytes) -> None:
    """The answer comes from the model, the notice is told once, and the next answer is kept."""
    put(cache, 1)
    cache.path.write_bytes(damage)
    assert get(cache, 1) is None
    assert "was damaged" in cache.take_notice()
    assert cache.take_notice() == ""
    put(cache, 1)
    assert get(cache, 1) is not None
    cache.path.write_bytes(damage)
    assert cache.clear() == 0
    put(cache, 1)
    assert get(cache, 1) is not None


def test_a_damaged_answer_is_asked_anew(cache: ResponseCache) -> None:
    """Bytes that are no answer are forgotten, and nothing is raised."""
    put(cache, 1)
    with sqlite3.connect(cache.path) as file:
        file.execute("UPDATE answers SET body = ?", (b"\xc1 nonsense",))
    file.close()
    assert get(cache, 1) is None
    assert cache.size().answers == 0


def test_a_place_that_cannot_be_written_is_a_notice_told_once(tmp_path: Path) -> None:
    """A file stands where the directory should: nothing is raised by reading or keeping."""
    (tmp_path / "cache").write_text("in the way")
    cache = ResponseCache(1, tmp_path / "cache" / "answers.sqlite3")
    put(cache, 1)
    assert "cannot be used" in cache.take_notice()
    put(cache, 1)
    assert get(cache, 1) is None
    assert cache.take_notice() == ""


def test_a_read_only_file_is_read(cache: ResponseCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it holds is given, what is new is not kept, and that is a notice."""
    put(cache, 1)
    cache.path.chmod(0o400)
    connect = sqlite3.connect
    if os.access(cache.path, os.W_OK):  # the superuser may write all the same
        monkeypatch.setattr(os, "access", lambda *asked: False)
        monkeypatch.setattr(
            sqlite3,
            "connect",
            lambda path, **more: connect(f"file:{path}?mode=ro", uri=True, **more),
        )
    assert text_of(get(cache, 1)) == "Today"
    assert "cannot be used" in cache.take_notice()
    put(cache, 2)
    assert get(cache, 2) is None


def test_a_directory_in_its_place_is_told_by_the_command(tmp_path: Path) -> None:
    """Looking and clearing raise a named error with the remedy."""
    cache = ResponseCache(1, tmp_path)
    for look in (cache.size, cache.clear):
        with pytest.raises(StoreError, match="cannot be used"):
            look()


PUTTING = """
import asyncio, sys
from pathlib import Path
from aiex_ipy.messages import Finish, Opened, TextDelta
from aiex_ipy.routing.response_cache import ResponseCache

async def main(name, first):
    cache = ResponseCache(1, Path(name))
    for number in range(first, first + 25):
        chunks = [Opened(provider="p", model="m"), TextDelta(str(number)), Finish(reason="stop")]
        await cache.put(number.to_bytes(32, "big"), chunks)
        await cache.get((number // 2).to_bytes(32, "big"))
    print(cache.take_notice(), end="")

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.mark.slow
def test_several_processes_use_one_file(cache: ResponseCache) -> None:
    """Three write at once into a file that none of them finds: all is kept, nothing is damaged."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PUTTING, str(cache.path), str(first)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in (0, 100, 200)
    ]
    said = [each.communicate(timeout=100)[0] for each in running]
    assert said == ["", "", ""]
    assert [each.returncode for each in running] == [0, 0, 0]
    # One that waited in vain for another is not kept, which a loaded machine may do to a few.
    assert cache.size().answers >= 25
    assert text_of(get(cache, 224)) in ("224", None)


def test_it_lies_in_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`AIEX_DATA_DIR` says where, as for the local models."""
    monkeypatch.setenv("AIEX_DATA_DIR", str(tmp_path))
    assert cache_path().parent == tmp_path / "cache"
    assert ResponseCache(1).path == cache_path()


def test_nothing_of_sqlite_is_imported_before_it_is_used() -> None:
    """Who leaves the cache off does not pay for it."""
    code = (
        "import sys; import aiex_ipy.routing.response_cache as c; c.ResponseCache(1);"
        "assert not {'sqlite3', 'asyncio', 'hashlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
