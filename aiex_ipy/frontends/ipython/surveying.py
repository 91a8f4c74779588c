"""`ai_project()` and `ai_test_suggest()`: asked from Python, shown, returned."""

from __future__ import annotations

from typing import Any

from aiex_ipy.frontends.ipython.session import current_session
from aiex_ipy.frontends.ipython.streaming import show_and_run
from aiex_ipy.operations.project import ProjectRequest, ProjectSurvey, focus_of
from aiex_ipy.operations.suggest_tests import TestSuggestions, request_for


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
