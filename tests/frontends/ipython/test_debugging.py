"""`ai_debug` and `%aiex debug`: what is explained, from which cell, and the mended cell."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

import aiex
from aiex_ipy.errors import UsageError
from aiex_ipy.render.results import render
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Reply

from .conftest import Kernel


@pytest.fixture
def offline(shell: Any) -> Any:
    """A shell in which no model is asked."""
    shell.run_line_magic("config", "Aiex.llm_default_provider = 'none'")
    return shell


def run(shell: Any, *cells: str) -> Any:
    """Run cells; return the last result."""
    for cell in cells:
        found = shell.run_cell(cell, store_history=True)
    return found


def test_the_cell_is_the_one_that_failed(offline: Any) -> None:
    """The number is that of the failed cell, though other cells ran since."""
    run(offline, "prices = [1]", "total = sum(prcies)", "1 + 1", "x = 2")
    report = run(offline, "ai_debug()").result
    assert report.failure.title == "NameError: name 'prcies' is not defined"
    assert report.failure.frame.place == "In[2]"
    assert "'prices'" in report.diagnoses[0].cause


def test_a_handler_of_another_extension_stays(offline: Any) -> None:
    """`set_custom_exc` of another extension is called, and the failure is known all the same."""
    seen: list[type] = []

    def theirs(shell: Any, kind: type, value: object, traceback: object, **more: object) -> None:
        seen.append(kind)

    offline.set_custom_exc((ValueError,), theirs)
    run(offline, "int('x')")
    report = run(offline, "ai_debug()").result
    assert seen == [ValueError]
    assert report.failure.title.startswith("ValueError")
    assert offline.custom_exceptions == (ValueError,)
    offline.set_custom_exc((), None)


def test_debug_diff_replaced_passes(offline: Any) -> None:
    """Debug a misspelled name, put the mended cell in place, run it: it passes."""
    offline.set_next_input = lambda text, replace=False: replaced.append((text, replace))
    replaced: list[tuple[str, bool]] = []
    run(offline, "prices = [1, 2]", "n = 3\ntotal = sum(prcies) + n  # all of them")
    report = run(offline, "ai_debug(replace=True)").result
    assert "-total = sum(prcies) + n  # all of them" in report.best_fix.diff
    [(text, replace)] = replaced
    assert replace and text == "n = 3\ntotal = sum(prices) + n  # all of them"
    assert run(offline, text).success
    assert offline.user_ns["total"] == 6


@pytest.mark.slow
def test_a_kernel_replaces_the_cell(kernel: Kernel, server: LoopbackServer) -> None:
    """In a kernel the front end is told to put the text in place of the cell that asked."""
    kernel.run("prices = [1, 2]")
    kernel.run("total = sum(prcies)")
    ran = kernel.run("%aiex debug --provider none --replace")
    assert ran.ok, ran.error
    [payload] = [each for each in ran.reply["payload"] if each["source"] == "set_next_input"]
    assert payload["replace"] and payload["text"] == "total = sum(prices)"
    assert kernel.run(payload["text"]).ok
    assert kernel.value("total") == "3"


def test_the_models_code_becomes_a_diff(shell: Any, server: LoopbackServer) -> None:
    """A model's fenced code is the whole cell anew: shown as a diff, and checked to parse."""
    answer = "Cause: it divides by zero.\n\n```python\nn = 4\nn / 2\n```\n"
    server.replies = [Reply(text=answer)]
    run(shell, "n = 4\nn / 0")
    report = run(shell, "ai_debug()").result
    assert report.fix.diff.splitlines()[-1] == "+n / 2"
    assert report.model


def test_a_models_broken_code_is_asked_for_again(
    shell: Any, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code that does not parse is told to the model once; what comes then is taken."""
    codes = iter(["n = (4", "n = 4"])
    monkeypatch.setattr(
        server, "reply", lambda request: Reply(text=f"```python\n{next(codes)}\n```\n")
    )
    run(shell, "n = 4 / 0")
    report = run(shell, "ai_debug()").result
    assert report.fix.after.strip() == "n = 4"
    assert "not usable" in json.dumps(server.requests[-1].json)


def test_nothing_failed_is_an_error(offline: Any) -> None:
    """Without a failure there is nothing to explain, and the remedy is told."""
    found = run(offline, "ai_debug()")
    assert isinstance(found.error_in_exec, UsageError)
    assert "Nothing has failed" in str(found.error_in_exec)


def test_a_cell_that_fails_is_explained_at_once(offline: Any) -> None:
    """`%%aiex debug` runs the cell and explains what it raises."""
    run(offline, "%%aiex debug --into report\nprices = [1]\nprcies")
    report = offline.user_ns["report"]
    assert report.failure.title.startswith("NameError")
    assert offline.user_ns["prices"] == [1]


def test_the_public_functions_know_the_session(offline: Any) -> None:
    """`aiex.debug()` and its twin find the failure and the cell as `ai_debug()` does."""
    run(offline, "prices = [1]", "prcies")
    told = aiex.debug()
    assert told.failure.frame is not None and told.failure.frame.place == "In[2]"
    assert asyncio.run(aiex.debug_async()) == told


def test_the_error_being_handled_comes_first(offline: Any) -> None:
    """In an `except` block `aiex.debug()` explains what is being handled."""
    run(offline, "prcies")
    try:
        int("x")
    except ValueError:
        assert aiex.debug().failure.title.startswith("ValueError")


def test_the_diff_shows_no_secret(offline: Any) -> None:
    """A key beside the mended line is masked in what is shown and written; the fix has it."""
    run(offline, "prices = [1]", 'api_key = "sk-live-1234567890abcdef"\ntotal = sum(prcies)')
    report = run(offline, "ai_debug()").result
    for form in ("text", "markdown", "html", "json"):
        shown = render(report, form)
        assert "sk-live" not in shown and "withheld" in shown
    assert "sk-live-1234567890abcdef" in report.best_fix.after


def test_the_body_of_the_magic_is_replaced(offline: Any) -> None:
    """`%%aiex debug --replace` puts the mended body in place of the cell with the magic."""
    replaced: list[tuple[str, bool]] = []
    offline.set_next_input = lambda text, replace=False: replaced.append((text, replace))
    run(offline, "prices = [1, 2]", "%%aiex debug --replace\nn = 1\ntotal = sum(prcies)")
    assert offline.user_ns["_aiex"].failure.frame.place == "In[2]"
    assert replaced == [("n = 1\ntotal = sum(prices)", True)]


@pytest.mark.parametrize("wrong", ["ai_debug(replce=True)", "%aiex debg", "ai_doc('no.such')"])
def test_a_wrong_call_of_ours_hides_no_failure(offline: Any, wrong: str) -> None:
    """What failed before is still explained after a typing error in a helper's call."""
    run(offline, "[1, 2][2]", wrong)
    assert run(offline, "ai_debug()").result.failure.title.startswith("IndexError")


@pytest.mark.parametrize(
    "cell", ["%%time\nn = 1\ntotal = sum(prcies)", "%time total = sum(prcies)"]
)
def test_a_timed_cell_has_its_source(offline: Any, cell: str) -> None:
    """`%%time` and `%time` run code without a source; it is shown, and mended in its cell."""
    replaced: list[tuple[str, bool]] = []
    offline.set_next_input = lambda text, replace=False: replaced.append((text, replace))
    run(offline, "prices = [1, 2]", cell)
    report = run(offline, "ai_debug(replace=True)").result
    assert report.failure.frame.place == "In[2]" and "prcies" in report.failure.frame.text
    assert replaced == [(cell.replace("prcies", "prices"), True)]


def test_a_mistyped_context_is_told(offline: Any) -> None:
    """A path that names nothing is said to be taken as text, as `ai` says it."""
    report = run(offline, "1 / 0", "ai_debug(context='/x.py')").result
    assert "'/x.py' is no file here, so it was taken as text." in report.notices


def test_a_question_that_nobody_got_is_told(offline: Any) -> None:
    """In pdb without a model the question is not lost silently."""
    from aiex_ipy.frontends.ipython.debugger import explain_here

    class Debugger:
        curframe = sys._getframe()
        said = ""

        def message(self, text: str) -> None:
            self.said = text

    debugger = Debugger()
    explain_here(debugger, "why is it empty?")
    assert "asked of nobody" in debugger.said
    assert "why is it empty?" in debugger.said
