"""`ai_project()` and `ai_test_suggest()`: asked from Python, shown, returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiex_ipy.errors import UsageError
from aiex_ipy.frontends.ipython.session import current_session
from aiex_ipy.frontends.ipython.streaming import show_and_run
from aiex_ipy.operations.project import ProjectRequest, ProjectSurvey, focus_of
from aiex_ipy.operations.suggest_tests import TestSuggestions, TestSuggestRequest, request_for

if TYPE_CHECKING:
    from aiex_ipy.frontends.ipython.magics import Call


def project(
    focus: str | None, *, path: str, provider: str | None, model: str | None
) -> ProjectSurvey:
    """Survey, show, return; see `ai_project`."""
    request = ProjectRequest(path=str(path), focus=focus_of(focus), provider=provider, model=model)
    return show_and_run(current_session(), request)


def test_suggest(
    target: Any, *, symbol: str, provider: str | None, model: str | None
) -> TestSuggestions:
    """Suggest, show, return; see `ai_test_suggest`."""
    session = current_session()
    request = request_for(
        target, symbol=symbol, label_of=session.label_of, provider=provider, model=model
    )
    return show_and_run(session, request)


def project_from_magic(call: Call) -> ProjectRequest:
    """Return the request of `%aiex project [PATH|PACKAGE]`. Raises UsageError for a cell."""
    if call.body.strip():
        raise UsageError(
            "'project' takes no cell.",
            code="no_cell",
            hint="Write %aiex project on a line of its own.",
        )
    path = call.with_values(call.found.question)
    return ProjectRequest(path=path, focus=focus_of(call.get("focus")), **call.choice)


def tests_from_magic(call: Call) -> TestSuggestRequest:
    """Return the request of `%aiex test_suggest [NAME|PATH]`, or of the cell below."""
    from aiex_ipy.frontends.ipython.magics import value_of

    cell, file = call.cell(), call.get("file")
    target = call.with_values(file or call.found.question)
    if cell and target:
        raise UsageError(
            f"There are two things to test: {target!r} and the cell.",
            code="two_targets",
            hint="Leave the cell empty, or the name out.",
        )
    symbol = call.get("symbol")
    if file:
        return TestSuggestRequest(target=target, is_path=True, symbol=symbol, **call.choice)
    found = None if cell else value_of(target, call.session)
    named: Any = cell or target
    if found is not None and not isinstance(found[0], str):
        (named,) = found
    return request_for(named, symbol=symbol, label_of=call.session.label_of, **call.choice)
