"""Where a name is used."""

from __future__ import annotations

import textwrap

from aiex_ipy.grounding.documentation.uses import uses_of
from aiex_ipy.grounding.facts import Subject


def subject(path: str, text: str) -> Subject:
    return Subject(path=path, text=textwrap.dedent(text))


def test_imports_tell_what_is_meant() -> None:
    """Under any alias; the same word from elsewhere is none."""
    files = [
        subject("a.py", "from shop.prices import total as t, total\nt(1)\ntotal(2)\n"),
        subject("b.py", "import shop.prices as p\ndef f():\n    return p.total(3)\n"),
        subject("c.py", "from other import total\ntotal(4)\n"),
        subject("d.py", "total = 5\nprint(total)\n"),
        subject("tests/test_e.py", "from shop import prices\nprices.total(6)\n"),
        subject("broken.py", "def total(:"),
    ]
    found, more = uses_of(["shop.prices.total"], files)
    assert [(use.path, use.line, use.test) for use in found] == [
        ("a.py", 3, False),
        ("b.py", 3, False),
        ("tests/test_e.py", 2, True),
    ]
    assert found[1].function == "f" and not more


def test_methods_are_certain_where_the_class_is_shown() -> None:
    """By a call, an annotation or `with`; elsewhere a use is likely only where the package is."""
    files = [
        subject(
            "a.py",
            """
            from shop import Stock
            s = Stock()
            s.add(1)
            def f(x: Stock, y):
                x.add(2)
                y.add(3)
            with Stock() as w:
                w.add(4)
            """,
        ),
        subject("b.py", "seen = set()\nseen.add(1)\n"),
    ]
    found, _ = uses_of(["shop.Stock.add"], files, owners=["shop.Stock"])
    assert [(use.line, use.certain) for use in found] == [(4, True), (6, True), (9, True)]
    files[0] = subject("a.py", "import shop\ndef f(y):\n    y.add(3)\n")
    found, _ = uses_of(["shop.Stock.add"], files, owners=["shop.Stock"])
    assert [(use.path, use.certain) for use in found] == [("a.py", False)]


def test_many_uses_are_counted() -> None:
    """A few of each file are shown, the rest is a number."""
    text = "from shop import total\n" + "total()\n" * 10
    found, more = uses_of(["shop.total"], [subject("a.py", text)])
    assert len(found) == 3 and more == 7
