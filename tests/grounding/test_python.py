"""What one pass over a module's text tells: scopes, imports, counts; nothing upsets it."""

from __future__ import annotations

import ast
import gc
import os
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.parsed import ParsedModule
from aiex_ipy.grounding.python import Uncollected, dedent, parse
from aiex_ipy.grounding.tree import nodes_in

STDLIB = Path(os.__file__).parent


def parsed(text: str) -> ParsedModule:
    return parse(Subject(path="m.py", text=text))


def test_scopes_know_their_names_and_lines() -> None:
    """Decorators belong to a scope; a line belongs to the innermost one."""
    module = parsed(
        "@dec\n@two(\n  1)\nclass A:\n    def m(self):\n        def n():\n            pass\n"
        "        return n\n\n    x = 1\ny = 2\n"
    )
    assert [(s.name, s.start, s.line, s.end_line) for s in module.scopes] == [
        ("A", 1, 4, 10),
        ("A.m", 5, 5, 8),
        ("A.m.n", 6, 6, 7),
    ]
    symbols = [module.symbol_at(line) for line in range(1, 12)]
    assert symbols == ["A"] * 4 + ["A.m", "A.m.n", "A.m.n", "A.m", "A", "A", ""]


def test_imports_know_when_they_run() -> None:
    """In a function later, under TYPE_CHECKING never; relative and renamed as written."""
    module = parsed(
        "import a.b, c as d\nfrom ..e import f as g, h\nfrom . import i\n"
        "if TYPE_CHECKING:\n    import j\nelse:\n    import k\n"
        "def fn():\n    import l\n    class Inner:\n        import m\nclass C:\n    import n\n"
    )
    assert [(i.module, i.names, i.locals, i.bound) for i in module.imports[:4]] == [
        ("a.b", (), (), "a"),
        ("c", (), (), "d"),
        ("..e", ("f", "h"), ("g", "h"), ""),
        (".", ("i",), ("i",), ""),
    ]
    assert {i.module: (i.deferred, i.typing_only) for i in module.imports[4:]} == {
        "j": (False, True),
        "k": (False, False),
        "l": (True, False),
        "m": (True, False),
        "n": (False, False),
    }


@pytest.mark.parametrize(
    "text",
    [
        "if x:\n    y = 0\n" + "".join(f"elif x == {n}:\n    y = {n}\n" for n in range(3000)),
        "x = " + " + ".join(["a"] * 3000),
        "".join("    " * n + "def g():\n" for n in range(40)) + "    " * 40 + "1\n",
        "x = " + "[" * 150 + "]" * 150,
        "f" + "(1)" * 900,
        "x = " + "not " * 20_000 + "y",
    ],
)
def test_deep_and_long_code_needs_no_recursion_of_ours(text: str) -> None:
    """3,000 `elif`s, 3,000 terms, functions in functions: parsed or a syntax issue, no crash."""
    module = parsed(text)
    assert (module.tree is None) == (module.error is not None)
    if module.tree is not None:
        module.of(ast.Name)


def test_warnings_about_the_users_text_stay_silent() -> None:
    """An invalid escape in their code warns nobody, and is no error where warnings are."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert parsed("x = '\\d'\ny = 1if x else 2\nx is 'a'\n").error is None
    assert seen == []


def test_the_collector_rests_and_is_woken_again() -> None:
    """After an error too; and it stays off where it was off."""
    with pytest.raises(KeyError), Uncollected():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
    gc.disable()
    try:
        with Uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.slow
def test_counts_agree_with_a_plain_walk_over_the_standard_library() -> None:
    """Statements, scopes and nodes of real files are those `ast.walk` finds."""
    for file in sorted(STDLIB.glob("*.py"))[::6]:
        text = file.read_text(encoding="utf-8")
        module = parsed(text)
        assert module.tree is not None
        walked = list(ast.walk(module.tree))
        functions = [n for n in walked if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        classes = [n for n in walked if isinstance(n, ast.ClassDef)]
        assert len(module.scopes) == len(functions) + len(classes)
        counted = [
            n
            for n in walked
            if isinstance(n, ast.stmt)
            and not isinstance(n, ast.Pass)
            and not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
        ]
        assert module.statements == len(counted)
        tops = [scope for scope in module.scopes if scope.parent is None]
        assert module.statements == module.module_statements + sum(s.statements for s in tops)
        for kind in (ast.Name, ast.Call, ast.Constant, ast.arg, ast.comprehension, ast.keyword):
            assert len(module.of(kind)) == sum(1 for n in walked if type(n) is kind)
        skipped = ast.expr_context | ast.operator | ast.cmpop | ast.unaryop | ast.boolop
        assert len(list(nodes_in(module.tree))) == sum(
            1 for n in walked[1:] if not isinstance(n, skipped)
        )
        for call in module.of(ast.Call)[::20]:
            assert any(holder is module.tree for holder in module.ancestors(call))


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_a_syntax_issue(text: str) -> None:
    """Nothing typed raises; the issue stands on a line of the text."""
    module = parsed(text)
    assert (module.tree is None) == (module.error is not None)
    if module.error is not None:
        assert 1 <= module.error.line <= len(module.lines)
        assert module.error.message


@given(st.sampled_from(["    ", "\t", "  "]), st.booleans())
def test_an_indented_fragment_is_taken_to_the_margin(indent: str, comment: bool) -> None:
    """The source of a method parses as it would at module level; blank lines do not matter."""
    body = "def m(self):\n\n    return '''\n  x'''\n"
    text = "".join(f"{indent}{line}" if line.strip() else line for line in body.splitlines(True))
    if comment:
        text = "# a comment at the margin\n" + text
    assert ast.parse(dedent(text))


def test_released_modules_hold_no_tree() -> None:
    """Lines, scopes and imports remain; the nodes are gone."""
    module = parsed("import os\ndef f():\n    return os\n")
    (function,) = module.of(ast.FunctionDef)
    module.release()
    assert module.of(ast.FunctionDef) == []
    assert sys.getrefcount(function) <= 2
    assert [s.name for s in module.scopes] == ["f"]
    assert module.symbol_at(3) == "f"
