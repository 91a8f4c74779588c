"""Tab in IPython offers more with aiex than without, nothing twice, and nothing less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import polars as pl
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from aiex_ipy.frontends.ipython import extension


class Box:
    def put(self, what: int, *, where: int = 1) -> None: ...


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    made = InteractiveShell()
    made.Completer.use_jedi = False
    made.user_ns.update(
        df=pd.DataFrame({"price": [1.0], "product name": ["a"], "qty": [1]}),
        cities=pl.DataFrame({"city": ["a"]}),
        pl=pl,
        cfg={"alpha": 1},
        box=Box(),
    )
    yield made
    extension.unload(made)


def offered(shell: InteractiveShell, text: str, cursor: int | None = None) -> list[tuple[Any, ...]]:
    cursor = len(text) if cursor is None else cursor
    with provisionalcompleter():
        found = list(shell.Completer.completions(text, cursor))
    return [(text[: each.start] + each.text + text[each.end :]) for each in found]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('df.groupby("pri', 'df.groupby("price"'),
        ('df[["qty", "pri', 'df[["qty", "price"'),
        ('df.query("qty > 1 and pri', 'df.query("qty > 1 and price'),
        ('pl.col("ci', 'pl.col("city"'),
        ('cfg.get("al', 'cfg.get("alpha"'),
        ("df.head().pri", "df.head().price"),
        ("x = 1\ndf.sort_values(by=['pri", "x = 1\ndf.sort_values(by=['price'"),
    ],
)
def test_tab_offers_what_ipython_lacks(shell: InteractiveShell, text: str, line: str) -> None:
    """Columns in calls and lists, keys in `get`, columns after a method of a table."""
    before = offered(shell, text)
    extension.load(shell)
    after = offered(shell, text)
    assert line not in before
    assert line in after
    assert set(before) <= set(after)


@pytest.mark.parametrize(
    "text", ['df["pri', 'df.loc[:, "pri', 'cfg["al', "box.put(wh", "box.put(", "df.pri", "prin", ""]
)
def test_nothing_is_offered_twice(shell: InteractiveShell, text: str) -> None:
    """What IPython offers already stands once."""
    before = offered(shell, text)
    extension.load(shell)
    after = offered(shell, text)
    assert len(after) == len(set(after))
    assert set(before) <= set(after)


def test_unload_takes_the_matcher_away(shell: InteractiveShell) -> None:
    """After unloading Tab is as it was."""
    before = list(shell.Completer.custom_matchers)
    extension.load(shell)
    assert shell.Completer.custom_matchers != before
    extension.unload(shell)
    assert shell.Completer.custom_matchers == before
