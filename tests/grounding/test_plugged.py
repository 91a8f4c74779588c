"""Analyzers of other packages add issues, by name, and never move the score."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aiex_ipy import plugins
from aiex_ipy.errors import PluginError, UnknownNameError
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.gather import gather
from aiex_ipy.grounding.score import score_module

Install = Callable[[str, str], None]
SUBJECT = Subject(path="<stdin>", text="import os\n\n\ndef f(x):\n    return x  # hmm\n")
HMM = """
from aiex_ipy.grounding.facts import Issue

class Hmm:
    name = "hmm"

    def issues(self, subjects):
        for subject in subjects:
            for number, line in enumerate(subject.text.splitlines(), 1):
                if "hmm" in line:
                    yield Issue(severity="critical", category="correctness", rule="H1",
                                path=subject.path, line=number, end_line=number,
                                message="Somebody wondered", source="ruff", evidence=line.strip())
        yield Issue(severity="low", category="syntax", rule="H2", path="elsewhere.py", line=1,
                    end_line=1, message="Not asked", source="hmm")
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    def write(package: str, code: str) -> None:
        meta = tmp_path / f"{package}-1.0.dist-info"
        meta.mkdir()
        (meta / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (meta / "entry_points.txt").write_text(f"[aiex.analyzers]\n{package} = {package}:Hmm\n")
        (tmp_path / f"{package}.py").write_text(code)

    monkeypatch.syspath_prepend(tmp_path)
    for cache in (plugins._scan, plugins._load):
        cache.cache_clear()
    yield write
    for cache in (plugins._scan, plugins._load):
        cache.cache_clear()


def test_a_plugins_issues_are_shown_and_not_scored(install: Install) -> None:
    """They stand beside the others, in order, under the plugin's name whatever it says, and the
    score is that of the facts without it."""
    install("hmm_one", HMM)
    (plain,), (more,) = gather([SUBJECT]), gather([SUBJECT], analyzers=["hmm_one"])
    assert [(i.rule, i.source, i.line) for i in more.issues] == [
        ("F401", "ruff", 1),
        ("H1", "hmm_one", 5),
    ]
    assert score_module(more) == score_module(plain)


def test_plugins_that_are_not_asked_for_are_not_looked_for(install: Install) -> None:
    """Without a name no installed package is searched or imported."""
    install("hmm_two", "raise SystemExit('imported')")
    gather([SUBJECT])
    assert plugins._scan.cache_info().currsize == 0


def test_a_plugin_that_fails_is_named(install: Install) -> None:
    """Its error says whose it is and what to do; so does a name nobody provides."""
    install("hmm_three", "class Hmm:\n    def issues(self, subjects): raise KeyError('x')\n")
    with pytest.raises(PluginError, match=r"'hmm_three' failed: KeyError.*analyze\.analyzers"):
        gather([SUBJECT], analyzers=["hmm_three"])
    install("hmm_four", "Hmm = 3\n")
    plugins._scan.cache_clear()
    with pytest.raises(PluginError, match="'hmm_four' has no method 'issues'"):
        gather([SUBJECT], analyzers=["hmm_four"])
    with pytest.raises(UnknownNameError, match=r"'hmm_threee'.*'hmm_three'"):
        gather([SUBJECT], analyzers=["hmm_threee"])
    with pytest.raises(PluginError, match="'ruff' is an analyzer of aiex itself"):
        gather([SUBJECT], analyzers=["ruff"])


def test_a_plugin_can_prove_itself(install: Install) -> None:
    """`aiex_ipy.testing.analyzers` finds what is wrong with an analyzer."""
    from aiex_ipy.testing.analyzers import complaints

    install("hmm_five", HMM)
    analyzer = plugins.load("aiex.analyzers", "hmm_five")()
    assert complaints(analyzer) == [
        "it reports on nothing",
        "it reports on 'elsewhere.py', which was not asked",
    ]

    class Fickle:
        name = "fickle"
        asked = 0

        def issues(self, subjects):  # type: ignore[no-untyped-def]
            from aiex_ipy.grounding.facts import Issue

            self.asked += 1
            if not subjects:
                return
            subject = subjects[0]
            yield Issue(
                severity="low",
                category="syntax",
                rule="X",
                path=subject.path,
                line=900,
                end_line=1,
                message=f"call {self.asked}",
                source="",
                evidence="not there",
            )

    found = " ".join(complaints(Fickle()))
    assert complaints(type("Broken", (), {"name": "b", "issues": lambda *_: 1 / 0})()) == [
        "it fails: ZeroDivisionError('division by zero')"
    ]
    for word in ("not the same twice", "lines 900-1", "evidence 'not there'"):
        assert word in found
