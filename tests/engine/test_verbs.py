"""The table of verbs that magics and command line share."""

from typing import get_args

import pytest

from aiex_ipy.engine.verbs import FORMATS, VERBS, verb
from aiex_ipy.errors import UnknownNameError


def choices(name: str, option: str) -> tuple[str, ...]:
    return VERBS[name].option(option).choices


def test_the_table_offers_what_the_operations_take() -> None:
    """Every choice of the table is one of the request's type, and none is missing."""
    from aiex_ipy.operations.analyze import AnalyzeType
    from aiex_ipy.operations.chat import ChatType
    from aiex_ipy.operations.project import FOCUSES

    assert choices("analyze", "type") == get_args(AnalyzeType)
    assert choices("chat", "type") == get_args(ChatType)
    assert choices("project", "focus") == FOCUSES


def test_every_verb_is_an_operation() -> None:
    """No verb is offered that nothing answers."""
    from aiex_ipy.engine import table

    assert set(VERBS) <= set(table.names())


def test_an_unknown_word_names_the_near_miss() -> None:
    """A typing error in a verb, an option or a choice is answered with the right word."""
    with pytest.raises(UnknownNameError, match="'analyze'"):
        verb("analyse")
    with pytest.raises(UnknownNameError, match="'--model'"):
        VERBS["ask"].option("modle")
    with pytest.raises(UnknownNameError, match="'security'"):
        VERBS["analyze"].option("type").value("securty")


def test_spellings_of_the_guide_are_the_same_option() -> None:
    """`--conversation_type` and `--type`, `detailed` and `advanced` are one and the same."""
    assert VERBS["chat"].option("conversation_type") is VERBS["chat"].option("type")
    assert VERBS["explain"].option("level").value("detailed") == "advanced"


def test_formats_are_those_of_the_renderer() -> None:
    """Every output format of the table can be rendered."""
    from aiex_ipy.render import results

    assert FORMATS == results.FORMATS
