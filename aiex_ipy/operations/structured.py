"""Answers in a form: the JSON schema that asks for it, and reading it."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from aiex_ipy.errors import InvalidAnswerError
from aiex_ipy.messages import Answer

T = TypeVar("T")


def closed(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object with every property required and no others.

    Source: OpenAI's strict mode asks for that (Structured Outputs guide, "all fields must be
    required").
    """
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def decoded(answer: Answer, form: type[T]) -> T:
    """Return what an answer says in `form`, words around the JSON left out.

    Raises InvalidAnswerError when it is not of that form.
    """
    text = answer.text.strip()
    start, end = text.find("{"), text.rfind("}")
    try:
        return msgspec.json.decode(text[start : end + 1] if start >= 0 else text, type=form)
    except (msgspec.DecodeError, UnicodeError) as error:
        cut = " It was cut at the token limit." if answer.finish == "length" else ""
        raise InvalidAnswerError(
            f"{answer.model!r} did not answer with the JSON asked for: {error}.{cut}",
            hint="Choose a larger model with --model.",
            provider=answer.provider,
            model=answer.model,
            partial=answer.text,
        ) from error
