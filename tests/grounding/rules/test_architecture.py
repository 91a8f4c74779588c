"""Each architecture rule on real packages and, where they have no such fault, on files of ours."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sources import issues_in, messages, project, rules_of, together

from aiex_ipy.grounding.facts import Issue, Subject
from aiex_ipy.grounding.project import relate
from aiex_ipy.grounding.python import parse
from aiex_ipy.grounding.rules import RULES, check_project


def codes(found: dict[str, list[Issue]]) -> set[str]:
    return {issue.rule for issues in found.values() for issue in issues}


def test_modules_that_import_each_other_are_a_cycle_seen_from_each() -> None:
    """`nbformat.reader` and `nbformat.validator` import each other at their top."""
    assert messages("nbformat", "nbformat/reader.py", "AX201") == [
        "Import cycle: nbformat.reader → nbformat.validator → nbformat.reader"
    ]
    assert messages("nbformat", "nbformat/validator.py", "AX201") == [
        "Import cycle: nbformat.validator → nbformat.reader → nbformat.validator"
    ]


@pytest.mark.parametrize("package", ["asyncio", "importlib", "traitlets", "tornado"])
def test_packages_without_import_cycles_have_none(package: str) -> None:
    """`asyncio.base_events` and its neighbours import each other in functions, if at all."""
    assert "AX201" not in codes(project(package))


def test_imports_that_do_not_run_at_import_close_no_cycle() -> None:
    """A function, `TYPE_CHECKING` and the main guard each break the cycle."""
    assert together({"p/__init__.py": "", "p/a.py": "import p.b\n", "p/b.py": "import p.a\n"}) == [
        ("AX201", "p/a.py", 1),
        ("AX201", "p/b.py", 1),
    ]
    for late in (
        "def f():\n    import p.a\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import p.a\n",
        "if __name__ == '__main__':\n    import p.a\n",
    ):
        assert together({"p/__init__.py": "", "p/a.py": "import p.b\n", "p/b.py": late}) == []


def test_the_way_back_between_two_packages_is_reported() -> None:
    """`IPython.core` rests on `IPython.utils`; what `utils` takes from `core` goes the wrong way,
    and what `core` takes from `utils` does not."""
    (message,) = messages("IPython", "IPython/utils/capture.py", "AX202")
    assert message.startswith("Package 'utils' imports 'core', which rests on it")
    wrong = [m for m in map(str, _all("IPython", "AX202")) if "'core' imports 'utils'" in m]
    assert wrong == []


def _all(package: str, rule: str) -> Iterable[str]:
    for issues in project(package).values():
        yield from (issue.message for issue in issues if issue.rule == rule)


def test_an_import_past_the_front_of_a_package_is_a_skipped_layer() -> None:
    """`prompt_toolkit.formatted_text` offers `StyleAndTextTuples`, and `lexers.base` reaches past
    it; `lexers.simple` has no such import, nor do the package's own modules."""
    (message,) = messages("prompt_toolkit", "prompt_toolkit/lexers/base.py", "AX203")
    assert "'prompt_toolkit.formatted_text' into 'prompt_toolkit.formatted_text.base'" in message
    assert messages("prompt_toolkit", "prompt_toolkit/formatted_text/utils.py", "AX203") == []
    assert messages("prompt_toolkit", "prompt_toolkit/formatted_text/html.py", "AX203") == []


def test_a_front_few_go_through_is_no_layer() -> None:
    """Two imports through the front are no convention; three are."""
    files = {
        "p/__init__.py": "",
        "p/s/__init__.py": "from p.s.f import F\n",
        "p/s/f.py": "class F: ...\n",
        "p/deep.py": "from p.s.f import F\n",
        "p/a.py": "from p.s import F\n",
        "p/b.py": "from p.s import F\n",
    }
    assert together(files) == []
    assert together({**files, "p/c.py": "from p.s import F\n"}) == [("AX203", "p/deep.py", 1)]


def test_the_largest_and_most_joined_module_is_a_god_module() -> None:
    """`IPython.core.interactiveshell` is; `completer`, as long, joins a third as many."""
    (message,) = messages("IPython", "IPython/core/interactiveshell.py", "AX204")
    assert "'IPython.core.interactiveshell' has 1" in message
    assert messages("IPython", "IPython/core/completer.py", "AX204") == []


def test_a_class_that_does_much_and_hangs_together_little_is_a_god_class() -> None:
    """tornado's `RequestHandler` is; `BaseIOStream`, as large, keeps to its own attributes, and
    parso's `PEP8Normalizer` hangs together."""
    (issue,) = issues_in("tornado.web", "RequestHandler", "AX205")
    assert issue.category == "architecture"
    assert issue.line == issue.end_line
    assert issues_in("tornado.iostream", "BaseIOStream", "AX205") == []
    assert issues_in("parso.python.pep8", "PEP8Normalizer", "AX205") == []


def test_a_stable_package_that_rests_on_an_unstable_one_is_reported() -> None:
    """Most of `prompt_toolkit` rests on `application`, which rests on the key bindings at the
    edge; its other dependencies are as stable as it is."""
    found = messages("prompt_toolkit", "prompt_toolkit/application/application.py", "AX206")
    assert any("rests on 'bindings'" in message for message in found)
    assert not any("rests on 'buffer'" in message for message in found)
    assert "AX206" not in codes(project("tornado"))


def test_what_is_private_to_another_package_is_not_to_be_imported() -> None:
    """`IPython.core` takes a private module of `IPython.utils`; `IPython.utils.process` may."""
    (message,) = messages("IPython", "IPython/core/completerlib.py", "AX207")
    assert message.startswith("'_process_common' is private to 'utils'")
    assert messages("IPython", "IPython/utils/process.py", "AX207") == []


def test_a_private_name_that_many_use_is_private_no_more() -> None:
    """The fourth module that imports it shows that the underscore means something else."""
    files = {"p/__init__.py": "", "p/s/__init__.py": "", "p/s/_f.py": "", "p/t/__init__.py": ""}
    users = {f"p/t/m{n}.py": "from p.s import _f\n" for n in range(4)}
    three = dict(list(users.items())[:3])
    assert [rule for rule, _, _ in together({**files, **three})] == ["AX207"] * 3
    assert together({**files, **users}) == []


def test_production_code_does_not_import_tests() -> None:
    """No installed package does; a module that is only named `tests`, as jinja2's, is none."""
    files = {
        "p/__init__.py": "",
        "p/a.py": "from p.tests.samples import PAGE\n",
        "p/tests/__init__.py": "",
        "p/tests/samples.py": "PAGE = 1\n",
        "p/tests/test_a.py": "from p.tests.samples import PAGE\n",
    }
    assert together(files) == [("AX208", "p/a.py", 1)]
    assert "AX208" not in codes(project("jinja2"))


def test_a_module_everything_goes_through_is_a_hub() -> None:
    """18 modules of pytest import `_pytest.fixtures`, which imports 17. More import
    `_pytest.config` than it imports: that is a base, not a hub."""
    (message,) = messages("_pytest", "_pytest/fixtures.py", "AX209")
    assert message.startswith("'_pytest.fixtures' joins")
    assert messages("_pytest", "_pytest/config/__init__.py", "AX209") == []


def test_setting_a_global_of_another_module_is_reported() -> None:
    """doctest replaces `pdb.set_trace`; `sys.excepthook` is there to be set."""
    found = [issue.message for issue in issues_in("doctest", "DocTestRunner.run", "AX210")]
    assert "Sets 'set_trace' of the module 'pdb' from outside" in found
    assert issues_in("IPython.terminal.embed", "InteractiveShellEmbed.__init__", "AX210") == []
    assert rules_of("import pdb\npdb.Pdb = None\n") == ["AX210"]
    assert rules_of("import pdb\npdb.Pdb = None\n", path="tests/test_own.py") == []
    assert rules_of("import own\nown.STATE = None\n") == [], "one's own module"


def test_copies_of_other_projects_have_an_architecture_of_their_own() -> None:
    """What stands under `_vendor` is neither judged nor counted as the project's."""
    files = {
        "p/__init__.py": "",
        "p/a.py": "from p._vendor.q import _x\n",
        "p/_vendor/__init__.py": "",
        "p/_vendor/q.py": "_x = 1\n",
    }
    assert together(files) == []


def test_a_single_module_has_no_architecture() -> None:
    """Nothing can be said of a file that stands alone."""
    assert together({"a.py": "import b\nfrom c import _d\n"}) == []


names = st.sampled_from([f"p.{part}.{name}" for part in "abc" for name in "xyz"])


@settings(max_examples=60, deadline=None)
@given(st.sets(st.tuples(names, names), max_size=14), st.tuples(names, names))
def test_another_import_never_ends_a_cycle(
    pairs: set[tuple[str, str]], more: tuple[str, str]
) -> None:
    """Adding code cannot take a module out of the cycle it stands in."""

    def in_cycles(edges: set[tuple[str, str]]) -> set[str]:
        texts = {f"p/{part}/__init__.py": "" for part in "abc"} | {"p/__init__.py": ""}
        for part in "abc":
            for name in "xyz":
                own = sorted(b for a, b in edges if a == f"p.{part}.{name}")
                texts[f"p/{part}/{name}.py"] = "".join(f"import {b}\n" for b in own)
        modules = [parse(Subject(path=p, text=t)) for p, t in texts.items()]
        found = check_project(modules, relate(modules))
        return {path for path, issues in found.items() if any(i.rule == "AX201" for i in issues)}

    assert in_cycles(pairs) <= in_cycles(pairs | {more})


def test_every_architecture_rule_has_its_source_or_needs_none() -> None:
    """A rule with limits says where they come from."""
    for rule in RULES.values():
        assert not rule.limits or rule.source, rule.code
