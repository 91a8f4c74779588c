"""Log lines of aiex."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from aiex_ipy.telemetry import logs


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The logger in a program that has set up no logging; pytest itself has, at the root."""
    log = logging.getLogger(logs.NAME)
    monkeypatch.setattr(log, "parent", None)
    yield log
    log.handlers.clear()
    log.setLevel(logging.NOTSET)


def test_lines_go_to_stderr_from_the_level_on(
    alone: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line each, with its level; what is less severe is left out."""
    log = logs.logger("info")
    log.debug("unseen")
    log.info("asked %s", "openai")
    assert capsys.readouterr().err == "aiex INFO asked openai\n"
    logs.logger("error").warning("unseen")
    assert capsys.readouterr().err == ""


def test_asking_again_adds_no_handler(
    alone: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line is written once however many requests there were."""
    for _ in range(3):
        log = logs.logger("info")
    log.info("once")
    assert capsys.readouterr().err == "aiex INFO once\n"


def test_a_program_with_handlers_of_its_own_gets_the_lines(
    alone: logging.Logger, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """An application that logs elsewhere does not find lines of aiex on its stderr."""
    alone.addHandler(caplog.handler)
    logs.logger("info").info("theirs")
    assert caplog.messages == ["theirs"]
    assert capsys.readouterr().err == ""
