"""How the words after `%aiex` are read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiex_ipy.errors import UnknownNameError, UsageError
from aiex_ipy.frontends.ipython.words import read, split


def test_options_stand_anywhere_and_the_question_keeps_its_form() -> None:
    """Options are taken out of a question; its quotes, apostrophes and blanks stay."""
    found = read('ask --model m1 what does  "yield" do, I don\'t know --provider=openai')
    assert found.values == {"model": "m1", "provider": "openai"}
    assert found.question == 'what does  "yield" do, I don\'t know'


def test_a_quoted_question_loses_its_quotes() -> None:
    """`%aiex ask "why?"` asks why?"""
    assert read('ask "why is it \\"so\\"?"').question == 'why is it "so"?'


def test_words_with_blanks_are_held_together_by_quotes() -> None:
    """Paths may hold blanks."""
    found = read("analyze 'my file.py' --file=\"other file.py\" third.py")
    assert found.arguments == ["my file.py", "third.py"]
    assert found.several == {"file": ["other file.py"]}


def test_after_two_dashes_nothing_is_an_option() -> None:
    """A question may be about `--force`."""
    assert read("ask -- what does --force do").question == "what does --force do"


@pytest.mark.parametrize(
    "line", ["analyze --type security f.py", "ai analyze f.py --type=security"]
)
def test_the_command_lines_words_are_understood(line: str) -> None:
    """`ai analyze …`, as in a shell, is the same as `analyze …`."""
    found = read(line)
    assert (found.verb.name, found.values, found.arguments) == (
        "analyze",
        {"type": "security"},
        ["f.py"],
    )


def test_several_contexts_are_kept_in_order() -> None:
    """`--context` may be given more than once."""
    assert read("ask --context a.py --context b.py why").several["context"] == ["a.py", "b.py"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("analyse f.py", "no verb 'analyse'. Did you mean 'analyze'?"),
        ("statuss", "Did you mean 'status'?"),
        ("ask --modle m x", "'--model'"),
        ("analyze --type securty f.py", "'security'"),
        ("ask --output jsn x", "'json'"),
        ("explain --level deep x", "Use one of: basic, intermediate, advanced."),
    ],
)
def test_an_unknown_word_names_the_near_miss(line: str, message: str) -> None:
    """A typing error is answered with the right word."""
    with pytest.raises(UnknownNameError) as caught:
        read(line, others=("status",))
    assert message in str(caught.value)


@pytest.mark.parametrize("line", ["ask --model", "ask x --model m --model n"])
def test_an_option_without_value_or_given_twice_is_told(line: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(UsageError, match="'--model'"):
        read(line)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_every_line_is_read_or_refused(text: str) -> None:
    """Whatever stands after the verb, it is a question or one of our errors."""
    try:
        found = read(f"ask {text}")
    except UsageError:
        return
    assert (
        set(found.question.split())
        <= set(text.replace("\\", "").replace('"', " ").split()) | set(text.split())
        or len(found.arguments) == 1
    )


@settings(deadline=None)
@given(st.text(alphabet="ab '\"-=\n", max_size=40))
def test_no_character_of_a_line_is_lost(text: str) -> None:
    """Between the words there is nothing but blanks."""
    assert "".join("".join(split(text)).split()) == "".join(text.split())


def test_a_flag_stands_alone() -> None:
    """`--replace` takes no value: the word after it is the target."""
    found = read("debug --replace total")
    assert found.values == {"replace": "yes"}
    assert found.question == "total"


def test_a_flag_with_a_value_is_an_error() -> None:
    """`--replace=no` cannot be meant to be a yes."""
    with pytest.raises(UsageError, match="takes no value"):
        read("debug --replace=no")
