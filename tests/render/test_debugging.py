"""A debug report as text, Markdown, HTML and JSON."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest

from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.diagnosis.diagnose import diagnose
from aiex_ipy.grounding.failure.capture import capture
from aiex_ipy.grounding.fix import Fix, Source
from aiex_ipy.operations.debug import DebugReport
from aiex_ipy.render.results import render


def report_of(target: Any, **known: Any) -> DebugReport:
    failure, moment = capture(target, **known)
    return DebugReport(failure=failure, diagnoses=diagnose(moment))


def chained() -> BaseException:
    def first(rows: list[int]) -> int:
        return rows[5]

    def second() -> None:
        try:
            first([1])
        except IndexError as error:
            raise ExceptionGroup("two", [KeyError("k"), ValueError("<b>v</b>")]) from error

    try:
        second()
    except ExceptionGroup as error:
        error.add_note("seen on Tuesday")
        return error
    raise AssertionError


async def waiting() -> None:
    await asyncio.sleep(60)


CASES: dict[str, DebugReport] = {
    "chain": report_of(chained()),
    "value": report_of(
        3,
        expression="total + 1",
        names={"total": 2},
        cells=[RanCell(number=4, code="total = 2")],
    ),
    "text": report_of("Traceback (most recent call last):\nValueError: <script>x</script>\n"),
    "bare": report_of(ValueError("v")),
}


def test_the_text_tells_the_chain_and_the_tree() -> None:
    """How one error led to the next, members below their group, notes, values and callers."""
    text = render(CASES["chain"], "text")
    assert text.index("IndexError") < text.index("which was the direct cause of")
    lines = text.splitlines()
    head = next(n for n, each in enumerate(lines) if each.strip().startswith("ExceptionGroup: two"))
    assert "note: seen on Tuesday" in lines[head + 1]
    assert lines[head + 2].strip().startswith("KeyError: 'k'")
    assert lines[head + 2].index("K") > lines[head].index("E")
    assert "->" in text


def test_a_value_is_told_with_its_cells() -> None:
    """What it is, what it was made of, and by which cells."""
    text = render(CASES["value"], "text")
    assert text.splitlines()[0].endswith("total + 1 is 3")
    assert "total: int = 2" in text
    assert "Made by In[4]" in text


def test_stacks_are_told() -> None:
    """Where a task stands and what it awaits."""

    async def main() -> DebugReport:
        task = asyncio.create_task(waiting(), name="slow")
        await asyncio.sleep(0.01)
        report = report_of(task)
        task.cancel()
        return report

    text = render(asyncio.run(main()), "text")
    assert "Task 'slow' is in waiting" in text
    assert "Stack of task 'slow'" in text
    assert "asyncio.sleep(60)" in text


@pytest.mark.parametrize("name", CASES)
def test_no_markup_of_a_message_reaches_html(name: str) -> None:
    """Messages, values and lines are data."""
    html = render(CASES[name], "html")
    assert "<script>" not in html
    assert "<b>v" not in html


@pytest.mark.parametrize("name", CASES)
def test_terminals_without_utf_8_get_ascii_of_ours(name: str) -> None:
    """Marks and omissions of our own are written in ASCII there."""
    assert render(CASES[name], "text", symbols=False).isascii()


def test_the_json_is_the_same_everywhere() -> None:
    """No absolute path of this machine, no address; the same bytes twice."""
    source = Source(path="job.py", text="x", file=os.path.abspath("job.py"))
    report = DebugReport(
        failure=CASES["chain"].failure, fix=Fix(source=source, after="y"), diagnoses=()
    )
    text = render(report, "json")
    assert json.loads(text)["fix"]["source"] == {
        "path": "job.py",
        "text": "x",
        "cell": None,
        "file": "",
    }
    assert os.getcwd() not in text
    assert render(report_of(chained()), "json") == render(report_of(chained()), "json")


def test_what_was_folded_stands_before_the_frame_it_precedes() -> None:
    """A stack told outermost first has its folded frames above the frame they called."""
    from msgspec.structs import replace

    from aiex_ipy.grounding.failure.record import FrameRecord
    from aiex_ipy.prompts.failure import sections

    frame = FrameRecord(function="work", place="job.py", line=3, user=True)
    inner = replace(frame, function="inner", folded=3, libraries=("threading",))
    failure = replace(CASES["value"].failure, stacks=(("thread 'w'", (frame, inner)),))
    text = render(DebugReport(failure=failure), "text")
    text = text.partition("Stack of thread 'w'")[2]
    gap = text.index("[… 3 frames of threading …]")
    assert text.index("in work") < gap < text.index("in inner")
    told = next(e.text for e in sections(failure, (), None) if e.title.startswith("Stack of"))
    assert told.index("in work") < told.index("[… 3 frames")
