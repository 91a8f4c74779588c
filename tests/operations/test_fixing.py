"""A model's fix: placed where it belongs, with its secrets, refused when broken."""

from __future__ import annotations

import pytest

from aiex_ipy.grounding.fix import Source
from aiex_ipy.operations.fixing import broken, proposed_fix

MODULE = """\
import os

API_KEY = "s3cret-value"


class Cart:
    def total(self):
        return sum(self.items) / 0

    def clear(self):
        self.items = []


def main():
    Cart().total()
"""


def proposed(code: str, text: str = MODULE, shown: str | None = None) -> tuple[str | None, str]:
    source = Source(path="cart.py", text=text)
    answer = f"Because.\n\n```python\n{code}\n```\n"
    fix, notice = proposed_fix(answer, source, text if shown is None else shown)
    return (None if fix is None else fix.after), notice


def test_a_function_goes_where_the_one_of_its_name_is() -> None:
    """One function replaces the one of its name and nothing else; a method gets its indent."""
    after, notice = proposed("def main():\n    print(Cart().total())")
    assert after == MODULE.replace("    Cart().total()", "    print(Cart().total())")
    assert not notice
    after, _ = proposed("def total(self):\n    return sum(self.items)")
    assert after == MODULE.replace(" / 0", "")


def test_a_cell_is_replaced_whole() -> None:
    """Several statements are the whole text anew."""
    after, _ = proposed("n = 4\nn / 2", text="n = 4\nn / 0")
    assert after == "n = 4\nn / 2"
    after, _ = proposed("total = 3", text="total = 3 / 0")
    assert after == "total = 3"


def test_an_unknown_place_is_no_fix() -> None:
    """A function that is nowhere, or in two places, is not put anywhere."""
    after, notice = proposed("def other():\n    pass")
    assert after is None and "where in cart.py" in notice
    twice = "def f():\n    pass\n\n\ndef g():\n    def f():\n        pass\n"
    assert proposed("def f():\n    return 1", text=twice)[0] is None


def test_a_masked_secret_is_put_back() -> None:
    """The model saw a mask; the line it gives back unchanged is the user's line again, and a
    changed one is not taken, since nobody knows what belongs there."""
    shown = MODULE.replace("s3cret-value", "[withheld]")
    fixed = MODULE.replace(" / 0", "")
    after, _ = proposed(fixed.replace("s3cret-value", "[withheld]"), shown=shown)
    assert after == fixed
    lost = fixed.replace('API_KEY = "s3cret-value"', 'API_KEY = os.environ["X"] or "[withheld]"')
    after, notice = proposed(lost, shown=shown)
    assert after is None and "masked" in notice


@pytest.mark.parametrize("code", ["n = (4", "n = prcies[0]"])
def test_what_does_not_parse_or_lint_is_broken(code: str) -> None:
    """A syntax error and a name that no cell defines are told; what was there before is not."""
    source = Source(path="In[1]", text="n = 4 / 0", cell=1)
    fix, _ = proposed_fix(f"```python\n{code}\n```", source, source.text)
    assert fix is not None and broken(fix, None, {"prices"})
    assert not broken(fix, None, {"prices", "prcies"}) or code.endswith("4")
    same, _ = proposed_fix("```python\nn = 5\n```", source, source.text)
    assert same is not None and broken(same, None, {"prices"}) == []


def test_a_part_is_not_the_whole() -> None:
    """Statements without the text's functions do not replace it."""
    after, notice = proposed("print(Cart())\nprint(1)")
    assert after is None and "where in cart.py" in notice


def test_no_code_is_no_fix() -> None:
    """Words alone change nothing and need no notice."""
    source = Source(path="In[1]", text="n = 4 / 0", cell=1)
    assert proposed_fix("It divides by zero.", source, source.text) == (None, "")
