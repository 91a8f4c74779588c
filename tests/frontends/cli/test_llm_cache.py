"""`aiex llm cache`: what the response cache holds, and emptying it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from aiex_ipy.frontends.cli import main
from aiex_ipy.messages import Finish, Opened, TextDelta
from aiex_ipy.routing.response_cache import ResponseCache


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ResponseCache:
    """A cache that holds one answer, in a data directory of the test's own."""
    for name, value in (("HOME", tmp_path), ("XDG_CONFIG_HOME", tmp_path), ("AIEX_ENV", "dev")):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("AIEX_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    cache = ResponseCache(1)
    said = [Opened(provider="p", model="m"), TextDelta("four"), Finish(reason="stop")]
    asyncio.run(cache.put(b"k" * 32, said))
    return cache


def test_it_tells_what_is_kept_and_empties_it(
    kept: ResponseCache, capsys: pytest.CaptureFixture[str]
) -> None:
    """Number, size and place; that the cache is off; and nothing is left after --clear."""
    assert main(["llm", "cache"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("1 answer, 0.0 MB of 100 MB, in ")
    assert str(kept.path) in said and "llm.cache.enabled is false" in said
    assert main(["llm", "cache", "--clear"]) == 0
    assert capsys.readouterr().out.startswith("forgotten: 1 answer\n0 answers")
    assert main(["llm", "cache", "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["answers"], told["enabled"], told["path"]) == (0, False, str(kept.path))


def test_a_file_that_cannot_be_used_is_one_line_with_the_remedy(
    kept: ResponseCache, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, the file named; no traceback."""
    kept.path.unlink()
    kept.path.mkdir()
    assert main(["llm", "cache"]) == 2
    assert "Remove that file" in capsys.readouterr().err
