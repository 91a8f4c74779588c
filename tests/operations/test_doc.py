"""doc, end to end without a model: how what is documented is called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aiex_ipy.config.settings import LLMSettings, Settings
from aiex_ipy.engine.engine import Engine
from aiex_ipy.operations.doc import MOST_SIGNATURES, Documentation, request_for

STATS = {
    "stats/__init__.py": "from .shapes import *\n",
    "stats/shapes.py": "from ._made import *\nfrom . import _made\n\n"
    "__all__ = ['Shape']\n__all__ += _made.names\n",
    "stats/_made.py": "class norm_gen:\n    '''A bell.'''\n    def __init__(self, name): ...\n\n"
    "norm = norm_gen(name='norm')\nnames = ['no' + 'rm']\n__all__ = names + ['names']\n",
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    for name, text in STATS.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    engine = Engine(Settings(project_dir=str(tmp_path), llm=LLMSettings(default_provider="none")))
    yield engine
    engine.close()


def ask(engine: Engine, target: str) -> Documentation:
    return engine.run_sync(request_for(target, {}, run=False))


def test_an_object_exported_by_a_computed_list_is_found(engine: Engine) -> None:
    """`scipy.stats.norm` is made by a class, and exported by an `__all__` that is added to: its
    docstring is its class's."""
    found = ask(engine, "stats.norm")
    assert (found.name, found.signatures) == ("stats._made.norm", ("norm = norm_gen(name='norm')",))
    assert found.summary == "A bell."
    assert any("norm_gen, of which this is an instance" in each for each in found.notices)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dict", ["dict()", "dict(**kwargs: _VT)", "dict(iterable: Iterable[list[bytes]], /)"]),
        ("int", ["int(x: str | bytes | bytearray, /, base: SupportsIndex)"]),
        ("bytes", ["bytes()", "bytes(string: str, /, encoding: str, errors: str='strict')"]),
        ("range", ["range(stop: SupportsIndex, /)"]),
        ("str", ["str(object: object='')"]),
    ],
)
def test_a_class_shows_each_way_it_is_called(
    engine: Engine, name: str, expected: list[str]
) -> None:
    """Every overload, without the object that Python hands in, whose annotation may hold commas."""
    found = ask(engine, name)
    assert found.signatures[0].startswith(f"class {name}")
    assert set(expected) <= set(found.signatures)
    assert all(each.count("(") == each.count(")") for each in found.signatures)


def test_many_overloads_are_cut_and_counted(engine: Engine) -> None:
    """`zip` has one for each number of iterables; the last, which takes any, is kept."""
    found = ask(engine, "zip")
    assert len(found.signatures) == MOST_SIGNATURES
    assert "*iterables" in found.signatures[-1]
    assert any("more signatures" in each for each in found.notices)
