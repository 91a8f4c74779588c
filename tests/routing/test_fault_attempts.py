"""Every fault of the catalogue through the router: attempts, waits, the next provider, breaker."""

from __future__ import annotations

import msgspec
import pytest

from aiex_ipy.errors import CredentialsError, UnavailableError
from aiex_ipy.messages import Answer
from aiex_ipy.testing import fault_replies
from aiex_ipy.testing.fault_trials import WELL, Seen, Trial, problems, trials, tried

ALONE = Seen(
    code="unavailable",
    answer=None,
    error=UnavailableError(
        "OpenAI API at '127.0.0.1:9' (model 'table-model') answered with status 500.",
        code="unavailable",
        hint="Try again later.",
    ),
    requests=4,
    well=0,
    waits=(0.5, 1.0, 2.0),
    faults=4,
    cooling_s=0.0,
    marked=False,
    seconds=0.0,
    gone_s=None,
    address="127.0.0.1:9",
)


@pytest.mark.slow
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside"])
@pytest.mark.parametrize("trial", trials(), ids=str)
def test_a_fault_is_asked_again_or_passed_on_as_the_table_says(
    trial: Trial, beside: bool, certificate: tuple[str, str]
) -> None:
    """How often the server is asked, after which waits; whether the next provider answers and its
    answer's note tells why; whether the breaker counts it and the provider is left alone."""
    seen = tried(trial, certificate=certificate, beside=beside)
    assert problems(trial, seen, beside=beside) == []


def error(message: str, **more: object) -> UnavailableError:
    told = UnavailableError(message, **{"code": "unavailable", "hint": "Wait.", **more})
    told.attempts = 4
    return told


GOOD = "At '127.0.0.1:9' (model 'table-model') status 500."


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, ""),
        ({"requests": 3}, "3 requests, not 4"),
        ({"well": 1}, "the next provider was asked 1 times"),
        ({"waits": (0.5, 1.0)}, "waited for"),
        ({"faults": 0}, "0 faults counted, not 4"),
        ({"marked": True}, "marked: True"),
        ({"cooling_s": 300.0}, "left alone for 300 s"),
        ({"code": "cut"}, "ended as 'cut'"),
        ({"code": "", "error": None}, "ended as 'answer'"),
        ({"error": UnavailableError(GOOD, code="unavailable", hint="Wait.")}, "tells of 1 attempt"),
        ({"error": error("At '127.0.0.1:9' status 500.")}, "the model is not named"),
        ({"error": error("Model 'table-model': status 500.")}, "127.0.0.1:9 is not named"),
        ({"error": error(GOOD + fault_replies.KEY)}, "the key is told"),
        ({"error": error(GOOD + "<html>")}, "is a page"),
        ({"error": error(GOOD, hint="")}, "the hint is ''"),
        ({"error": error(GOOD, reason="idle")}, "the reason is 'idle'"),
        ({"error": CredentialsError(GOOD, code="unavailable", hint="Wait.")}, "is of class"),
    ],
)
def test_what_is_not_as_the_table_says_is_seen(changed: dict[str, object], told: str) -> None:
    """Each thing that may be wrong is told."""
    (trial,) = (each for each in trials() if str(each) == "7 500 with JSON - openai streamed")
    seen = msgspec.structs.replace(ALONE, error=error(GOOD))
    found = problems(trial, msgspec.structs.replace(seen, **changed))
    assert told in "; ".join(found)
    assert bool(told) == bool(found)


def test_a_server_that_goes_on_for_nobody_is_seen() -> None:
    """Who cancels is to be noticed."""
    (trial,) = (
        each
        for each in trials()
        if str(each).startswith("34") and each.streamed and each.wire == "ollama"
    )
    seen = msgspec.structs.replace(
        ALONE, code="cancelled", error=None, requests=1, waits=(), faults=0, gone_s=0.1
    )
    assert problems(trial, seen) == []
    (told,) = problems(trial, msgspec.structs.replace(seen, gone_s=None))
    assert "did not see" in told


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({}, ""),
        ({"text": "other words"}, "the answer is 'other words'"),
        ({"note": "no word of it"}, "with the note 'no word of it'"),
        ({"provider": "faulty"}, "'faulty' answered"),
    ],
)
def test_a_wrong_answer_of_the_next_provider_is_seen(answer: dict[str, object], told: str) -> None:
    """Its text, who gave it, and that it tells who failed before."""
    (trial,) = (each for each in trials() if str(each) == "7 500 with JSON - openai streamed")
    well = Answer(
        **{
            "text": fault_replies.TEXT,
            "provider": WELL,
            "model": "table-model",
            "finish": "stop",
            "note": "tried before: status 500",
            **answer,
        }
    )
    seen = msgspec.structs.replace(ALONE, code="", error=None, answer=well, well=1)
    found = problems(trial, seen, beside=True)
    assert told in "; ".join(found)
    assert bool(told) == bool(found)
