"""What an explanation says when the model was stopped by a limit."""

from typing import Any

import pytest

from aiex_ipy.messages import Answer, Usage
from aiex_ipy.operations.base import Grounding
from aiex_ipy.operations.explain import MOST_TOKENS, ExplainOperation, ExplainRequest


@pytest.mark.parametrize(
    ("level", "tokens", "remedy"),
    [
        ("basic", MOST_TOKENS["basic"], "ask at a higher level"),
        ("basic", None, "ask at a higher level"),
        ("basic", MOST_TOKENS["basic"] - 1, "raise max_tokens of the provider"),
        ("intermediate", MOST_TOKENS["intermediate"], "ask at a higher level"),
        ("advanced", MOST_TOKENS["advanced"], "raise max_tokens of the provider"),
        ("detailed", MOST_TOKENS["advanced"], "raise max_tokens of the provider"),
    ],
)
def test_a_cut_explanation_names_the_limit_that_cut_it(
    level: Any, tokens: int | None, remedy: str
) -> None:
    """Below `advanced` the level sets the limit, so that `max_tokens` would change nothing."""
    answer = Answer(
        text="It runs",
        provider="p",
        model="m",
        finish="length",
        usage=Usage(output_tokens=tokens),
    )
    request = ExplainRequest(target="decorators", level=level)
    result = ExplainOperation().parse(answer, request, Grounding(extra={"kind": "topic"}))
    assert remedy in result.notices[0]
