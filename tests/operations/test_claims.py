"""A model's claim counts only when the code bears it out."""

import pytest

from aiex_ipy.grounding.facts import Issue, Subject
from aiex_ipy.operations.claims import confirmed, unknown_names

SOURCE = """import json


def load_users(path):
    with open(path) as stream:
        users = json.load(stream)
    return [user for user in users if user["active"]]


class Cache:
    def __init__(self, size):
        self.size = size
        self.items = {}

    def get(self, key):
        if key in self.items:
            return self.items[key]
        return None
"""
SUBJECT = Subject(path="users.py", text=SOURCE)


def claim(line, symbol, evidence, end_line=None):
    return Issue(
        severity="medium",
        category="correctness",
        rule="model",
        path="users.py",
        line=line,
        end_line=end_line or line,
        message="",
        source="model",
        symbol=symbol,
        evidence=evidence,
    )


@pytest.mark.parametrize(
    "true_claim",
    [
        claim(6, "json.load", "users = json.load(stream)"),
        claim(6, "load_users", "json.load(stream)"),
        claim(7, "load_users", 'if   user["active"]'),
        claim(16, "Cache.get", "if key in self.items:"),
        claim(15, "get", "if key in self.items", end_line=17),
        claim(5, "users", "json.load(stream)"),
    ],
)
def test_a_claim_that_quotes_its_lines_is_confirmed(true_claim):
    """The symbol stands in the cited lines or encloses them, and the quotation is there."""
    assert confirmed(true_claim, SUBJECT)


@pytest.mark.parametrize(
    "false_claim",
    [
        pytest.param(claim(6, "pickle.load", "users = pickle.load(stream)"), id="other library"),
        pytest.param(claim(12, "load_users", "users = json.load(stream)"), id="wrong line"),
        pytest.param(claim(6, "save_users", "users = json.load(stream)"), id="invented function"),
        pytest.param(claim(6, "Cache", "users = json.load(stream)"), id="symbol from elsewhere"),
        pytest.param(claim(6, "load_users", "eval(stream.read())"), id="invented evidence"),
        pytest.param(claim(6, "load_users", ""), id="no evidence"),
        pytest.param(claim(6, "load_users", "= ("), id="evidence that stands anywhere"),
        pytest.param(claim(6, "", "users = json.load(stream)"), id="no symbol"),
        pytest.param(claim(600, "load_users", "users = json.load(stream)"), id="past the end"),
        pytest.param(claim(0, "load_users", "import json"), id="before the start"),
        pytest.param(claim(7, "load_users", "return users", end_line=4), id="range reversed"),
        pytest.param(claim(6, "user", "users = json.load(stream)", 6), id="part of a name"),
    ],
)
def test_a_plausible_false_claim_is_not_confirmed(false_claim):
    """What sounds right but is not in the code stays unconfirmed."""
    if false_claim.symbol == "user":
        source = SOURCE.replace('[user for user in users if user["active"]]', "users")
        assert not confirmed(false_claim, Subject(path="users.py", text=source))
        return
    assert not confirmed(false_claim, SUBJECT)


def test_names_the_code_does_not_hold_are_listed():
    """Of the names an answer sets as code, those that occur nowhere are told."""
    text = "`load_users` calls `json.load()` and `requests.get()`; see `Cache.evict` and `len`."
    assert unknown_names(text, [SUBJECT]) == ["Cache.evict", "requests.get()"]
