"""The score of one module and of a tree, on facts made by hand and drawn at random."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aiex_ipy.grounding import score_weights
from aiex_ipy.grounding.facts import SEVERITIES, Category, Issue, ModuleFacts, Score, Unit
from aiex_ipy.grounding.score import score_module, score_tree
from aiex_ipy.grounding.score_weights import weights

law = settings(deadline=None)  # speed is measured in benchmarks
CATEGORIES = tuple(category for category in get_args(Category) if category != "syntax")


def unit(name: str = "f", line: int = 1, **more: object) -> Unit:
    settings: dict[str, object] = {"kind": "function", "statements": 10, "end_line": line + 9}
    return Unit(name=name, line=line, **(settings | more))  # type: ignore[arg-type]


def issue(symbol: str = "f", line: int = 2, **more: object) -> Issue:
    settings: dict[str, object] = {
        "severity": "medium",
        "category": "correctness",
        "rule": "B006",
        "path": "m.py",
        "end_line": line,
        "message": "Do not",
        "source": "ruff",
    }
    return Issue(symbol=symbol, line=line, **(settings | more))  # type: ignore[arg-type]


def module(units: list[Unit], issues: list[Issue] | None = None, path: str = "m.py") -> ModuleFacts:
    return ModuleFacts(path=path, language="python", units=tuple(units), issues=tuple(issues or ()))


def hundredths(points: float) -> int:
    """Points as the integer they stand for: what is shown has two decimals."""
    assert points == round(points, 2)
    return round(points * 100)


def assert_adds_up(score: Score) -> None:
    """Ledger and components say the same as the value, to the last hundredth."""
    assert score.value is not None
    lost = 1000 - hundredths(score.value)
    assert sum(hundredths(line.lost) for line in score.ledger) == lost
    assert sum(map(hundredths, score.components.values())) == lost
    assert all(line.lost > 0 and line.reason for line in score.ledger)
    assert all(line.component in score.components for line in score.ledger)


def value(facts: ModuleFacts) -> float:
    score = score_module(facts)
    assert score.value is not None
    assert_adds_up(score)
    return score.value


# ---- what the numbers are -------------------------------------------------------------------


def test_code_without_findings_scores_ten() -> None:
    """10 says: nothing at all was found. The ledger is empty, every component shows 0."""
    score = score_module(module([unit()]))
    assert (score.value, score.ledger, score.gates) == (10.0, (), ())
    assert set(score.components) == set(weights().components)
    assert score.version == weights().version


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("category", CATEGORIES)
def test_any_finding_costs_something(category: Category, severity: str) -> None:
    """No finding is free, however small, and its ledger line names rule, unit, line and reason."""
    score = score_module(module([unit()], [issue(category=category, severity=severity)]))
    assert score.value is not None and score.value < 10
    assert_adds_up(score)
    assert (score.ledger[0].rule, score.ledger[0].unit, score.ledger[0].line) == ("B006", "f", 2)
    assert score.components[category] > 0


def test_a_graver_finding_costs_more() -> None:
    """Severities order the loss: critical, high, medium, low, info."""
    values = [value(module([unit()], [issue(severity=severity)])) for severity in SEVERITIES]
    assert values == sorted(set(values))


def test_nothing_to_score_is_none() -> None:
    """An empty file, or one of another language, has no score; it is not a perfect one."""
    empty = score_module(ModuleFacts(path="empty.txt", language="text"))
    assert (empty.value, empty.ledger, empty.version) == (None, (), weights().version)


def test_code_that_cannot_be_parsed_scores_zero() -> None:
    """A syntax error is 0, whatever else is known, in one ledger line of 10 that cites it."""
    facts = ModuleFacts(
        path="m.py",
        language="python",
        issues=(issue(category="syntax", severity="critical", rule="syntax-error", line=7),),
        metrics={"lines": 120.0},
        parsed=False,
    )
    score = score_module(facts)
    assert score.value == 0
    assert_adds_up(score)
    assert [(line.lost, line.line, line.rule) for line in score.ledger] == [
        (10.0, 7, "syntax-error")
    ]
    assert score.statements == 120


def test_one_cell_that_cannot_be_parsed_closes_the_gate_of_the_whole_notebook() -> None:
    """A notebook whose third cell has a syntax error is 0: it does not run through."""
    broken = issue(symbol="", category="syntax", severity="critical", rule="syntax-error", cell=3)
    score = score_module(module([unit("<module>", kind="module", cell=1)], [broken]))
    assert score.value == 0
    assert score.gates == ("unparsable: at most 0",)
    assert_adds_up(score)


def test_an_undefined_name_holds_the_score_at_six() -> None:
    """Good code around it does not help, and the ledger says that the gate took the rest."""
    score = score_module(module([unit()], [issue(rule="F821", severity="low")]))
    assert score.value == 6.0
    assert score.gates == ("undefined name: at most 6",)
    assert_adds_up(score)
    assert any("undefined name: at most 6" in line.reason for line in score.ledger)


def test_the_lowest_gate_holds() -> None:
    """A severe security finding alone holds at 7, with an undefined name too at 6."""
    shell = issue(rule="S602", category="security", severity="high")
    name = issue(rule="F821", severity="low", line=3)
    assert value(module([unit()], [shell])) == 7.0
    both = score_module(module([unit()], [shell, name]))
    assert both.value == 6.0
    assert both.gates == ("undefined name: at most 6", "severe security: at most 7")
    assert_adds_up(both)


def test_complexity_and_length_cost_by_the_number() -> None:
    """A function above 15 in cognitive complexity or 50 statements costs more the higher it is,
    and the analyzers' own findings about the same numbers are not counted twice."""

    def of(cognitive: int, length: int) -> float:
        numbers = {"cognitive": {"f": cognitive}, "lengths": {"f": length}}
        return value(module([unit(**numbers)]))

    assert of(15, 50) == 10
    assert 10 > of(16, 50) > of(30, 50) > of(100, 50)
    assert 10 > of(15, 51) > of(15, 200)
    assert of(30, 200) < min(of(30, 50), of(15, 200))
    told = issue(category="complexity", rule="cognitive-complexity", source="complexipy")
    tangled = unit(cognitive={"f": 40}, lines={"f": 4})
    assert score_module(module([tangled], [told])) == score_module(module([tangled]))
    (line,) = score_module(module([tangled])).ledger
    assert line.reason == "f: cognitive complexity 40, 25 above 15"
    assert line.line == 4


def test_only_public_units_need_a_docstring() -> None:
    """A missing docstring costs a little where callers would look for one."""
    assert 9.5 < value(module([unit(documented=False)])) < 10
    assert value(module([unit("_f", documented=False, public=False)])) == 10


def test_what_a_model_says_does_not_move_the_number() -> None:
    """The score can be trusted by a gate: a model's issue, even a confirmed one, is not in it."""
    said = issue(source="model", severity="critical", category="security")
    assert value(module([unit()], [said])) == 10


def test_what_stands_outside_all_units_is_counted() -> None:
    """A finding with no unit (a blank symbol in a module of functions only) still costs."""
    score = score_module(module([unit()], [issue(symbol="", line=99)]))
    assert score.value is not None and score.value < 10
    assert score.ledger[0].unit == "<module>"


def test_cells_are_units_of_their_own() -> None:
    """The same name in two cells of a notebook is two units; findings go to their own."""
    units = [unit("<module>", kind="module", cell=cell) for cell in (1, 2)]
    lines = score_module(module(units, [issue(symbol="", cell=2)])).ledger
    assert [(line.unit, line.cell) for line in lines] == [("<module>", 2)]


def test_the_worst_unit_caps_the_file() -> None:
    """A file is never better than its worst function alone."""
    bad = [issue(severity="high"), issue(severity="critical", line=3, rule="F632")]
    alone = value(module([unit()], bad))
    mild = unit("g", 20, documented=False)
    assert value(module([unit(), mild], bad)) <= alone


def test_clean_units_change_nothing() -> None:
    """Padding a bad file with a hundred clean documented functions leaves every digit alone."""
    facts = module([unit(cognitive={"f": 40})], [issue(severity="high")])
    padding = [unit(f"clean{i}", 100 + 10 * i) for i in range(100)]
    padded = score_module(replace(facts, units=(*facts.units, *padding)))
    assert replace(padded, statements=0) == replace(score_module(facts), statements=0)


def test_a_hundred_equal_findings_do_not_reach_zero() -> None:
    """Many functions with one small finding each cost more than one does, yet stay far from
    what one grave finding costs."""
    units = [unit(f"f{i}", 10 * i + 1) for i in range(100)]
    small = [issue(f"f{i}", 10 * i + 2, severity="low") for i in range(100)]
    many, one = value(module(units, small)), value(module(units, small[:1]))
    assert 8 < many < one
    grave = value(module(units, [issue("f0", severity="critical")]))
    assert grave < many


def test_equal_findings_bear_equal_lines() -> None:
    """Two functions with the same finding lose the same in the ledger, up to the last hundredth
    that does not divide."""
    units = [unit("f"), unit("g", 20)]
    findings = [issue("f", severity="high"), issue("g", 21, severity="high")]
    first, second = score_module(module(units, findings)).ledger
    assert abs(hundredths(first.lost) - hundredths(second.lost)) <= 1


def test_small_losses_are_folded_into_one_line() -> None:
    """The ledger stays readable: what costs less than 0.01 stands in one line with its count."""
    units = [unit(f"f{i}", 10 * i + 1) for i in range(200)]
    findings = [issue(f"f{i}", 10 * i + 2, severity="info") for i in range(200)]
    score = score_module(module(units, findings))
    assert_adds_up(score)
    assert len(score.ledger) < 100
    assert any(line.reason.endswith("losses below 0.01 each") for line in score.ledger)


# ---- trees ----------------------------------------------------------------------------------


def scored(points: float, statements: int, path: str = "m.py") -> Score:
    """A file that lost `points` to undocumented things, as `score_module` would say it."""
    lost = round(10 - points, 2)
    from aiex_ipy.grounding.facts import LedgerLine

    line = LedgerLine(
        component="correctness", lost=lost, unit="f", path=path, line=1, rule="B006", reason="bad"
    )
    return Score(
        value=points,
        components=dict.fromkeys(weights().components, 0.0) | {"correctness": lost},
        ledger=(line,) if lost else (),
        statements=statements,
        version=weights().version,
    )


@law
@given(st.integers(0, 1000))
def test_a_tree_of_one_file_scores_as_the_file(points: int) -> None:
    """A directory with one module has that module's score, to the hundredth."""
    tree = score_tree([scored(points / 100, 40)])
    assert tree.value == points / 100
    assert_adds_up(tree)


def test_a_tree_without_code_has_no_score() -> None:
    """A directory of text files has none; text files beside code change nothing."""
    nothing = Score(value=None, version=weights().version)
    assert score_tree([]).value is None
    assert score_tree([nothing, nothing]).value is None
    assert score_tree([nothing, scored(7.5, 10)]) == score_tree([scored(7.5, 10)])


def test_clean_files_do_not_lift_a_tree_over_its_cap() -> None:
    """With one unparsable file a directory stays below 7, however much clean code is added."""
    bad = scored(0.0, 10, "bad.py")
    padded = [score_tree([bad, *[scored(10.0, 1000)] * n]).value for n in (0, 1, 10, 100, 1000)]
    assert padded == sorted(padded)
    cap = 10 - weights().tree.worst_share * 10
    assert padded[0] == 0
    assert padded[-1] <= cap == 7.0


def test_a_file_does_not_lose_its_weight_by_becoming_unreadable() -> None:
    """Breaking a bad file for good never lifts its directory."""
    good = score_module(module([unit(statements=100)]))
    bad = module([unit(statements=100)], [issue(severity="critical")])
    broken = ModuleFacts(
        path="m.py",
        language="python",
        issues=(issue(category="syntax", rule="syntax-error"),),
        metrics={"lines": 100.0},
        parsed=False,
    )
    before = score_tree([good, score_module(bad)]).value
    after = score_tree([good, score_module(broken)]).value
    assert before is not None and after is not None and after < before


files = st.lists(
    st.builds(scored, st.integers(0, 1000).map(lambda n: n / 100), st.integers(1, 3000)),
    min_size=1,
    max_size=30,
)


@law
@given(files, st.data())
def test_a_tree_is_monotone_and_adds_up(scores: list[Score], data: st.DataObject) -> None:
    """With sizes as they are a worse file never lifts the tree; order does not matter; the tree
    lies between its worst file and 10; the ledger adds up."""
    tree = score_tree(scores)
    assert tree.value is not None
    assert_adds_up(tree)
    assert score_tree(data.draw(st.permutations(scores))).value == tree.value
    index = data.draw(st.integers(0, len(scores) - 1))
    chosen = scores[index].value
    assert chosen is not None
    worse = scored(data.draw(st.integers(0, round(chosen * 100))) / 100, scores[index].statements)
    lowered = score_tree([*scores[:index], worse, *scores[index + 1 :]]).value
    assert lowered is not None and lowered <= tree.value


# ---- laws over random facts -----------------------------------------------------------------

SYMBOLS = ("", "a", "b", "A", "A.one", "A.two", "gone")
RULES = ("B006", "F841", "S602", "F821", "C901", "SIM109", "complexity-unmeasured", "AX101")

random_issues = st.builds(
    issue,
    symbol=st.sampled_from(SYMBOLS),
    line=st.integers(1, 60),
    severity=st.sampled_from(SEVERITIES),
    category=st.sampled_from(CATEGORIES),
    rule=st.sampled_from(RULES),
)


@st.composite
def random_modules(draw: st.DrawFn) -> ModuleFacts:
    numbers = st.integers(0, 300)
    units = [unit("<module>", kind="module", documented=draw(st.booleans()))]
    for line, name in ((10, "a"), (20, "b")):
        units.append(
            unit(
                name,
                line,
                cognitive={name: draw(numbers)},
                lengths={name: draw(numbers)},
                documented=draw(st.booleans()),
            )
        )
    methods = {"A.one": draw(numbers), "A.two": draw(numbers)}
    units.append(unit("A", 30, kind="class", cognitive=methods, lengths=methods))
    return module(units, draw(st.lists(random_issues, max_size=30)))


@law
@given(random_modules(), random_issues, st.integers(0, 1000))
def test_adding_any_finding_never_raises_the_score(
    facts: ModuleFacts, new: Issue, place: int
) -> None:
    """Whatever is found anywhere in whatever module, the score stays or falls; and so taking a
    finding away never lowers it."""
    index = place % (len(facts.issues) + 1)
    more = replace(facts, issues=(*facts.issues[:index], new, *facts.issues[index:]))
    assert value(more) <= value(facts)


@law
@given(random_modules(), st.sampled_from(["a", "b", "A.one"]), st.integers(1, 100))
def test_a_longer_or_more_complex_function_never_raises_the_score(
    facts: ModuleFacts, function: str, more: int
) -> None:
    """Numbers that get worse are never rewarded."""
    units = tuple(
        replace(
            part,
            cognitive={k: v + more * (k == function) for k, v in part.cognitive.items()},
            lengths={k: v + more * (k == function) for k, v in part.lengths.items()},
            statements=part.statements + more,
        )
        for part in facts.units
    )
    assert value(replace(facts, units=units)) <= value(facts)


@law
@given(random_modules(), st.lists(st.integers(1, 500), max_size=20))
def test_padding_never_changes_the_score(facts: ModuleFacts, sizes: list[int]) -> None:
    """Clean units of any size, and more statements in the units there are, do not dilute."""
    clean = [unit(f"clean{i}", 1000 + i, statements=n) for i, n in enumerate(sizes)]
    longer = [replace(part, statements=part.statements * 9) for part in facts.units]
    assert value(replace(facts, units=(*longer, *clean))) == value(facts)


@law
@given(random_modules(), st.data())
def test_order_does_not_matter(facts: ModuleFacts, data: st.DataObject) -> None:
    """The order in which analyzers report, or units stand, changes neither score nor ledger."""
    units = tuple(data.draw(st.permutations(facts.units)))
    issues = tuple(data.draw(st.permutations(facts.issues)))
    assert score_module(replace(facts, units=units, issues=issues)) == score_module(facts)


# ---- the weights ----------------------------------------------------------------------------


def test_every_category_has_one_component() -> None:
    """No finding can fall between the components, none is charged twice."""
    claimed = [c for part in weights().components.values() for c in part.categories]
    assert sorted(claimed) == sorted(get_args(Category))


def test_every_weight_gives_its_reason() -> None:
    """Each table of score.toml says why its numbers are what they are."""
    table = msgspec.to_builtins(weights())
    tables = [v for v in table.values() if isinstance(v, dict) and "reason" in v]
    tables += [*table["components"].values(), *table["free"].values(), *table["gates"]]
    assert len(tables) >= 15
    assert all(len(entry["reason"].split()) >= 6 for entry in tables)


# What each version of the weights is. A change of score.toml (comments and reasons apart) or of
# the formula needs a new version and a new line here; old lines stay.
VERSIONS = {"1": "2772d961ea3f6c98"}


def test_weights_do_not_change_without_a_new_version() -> None:
    """Two results with the same `score_version` were computed with the same weights."""

    def bare(node: object) -> object:
        if isinstance(node, dict):
            return {k: bare(v) for k, v in node.items() if k not in ("reason", "version")}
        return [bare(item) for item in node] if isinstance(node, list) else node

    raw = msgspec.toml.decode(Path(score_weights.__file__).with_name("score.toml").read_bytes())
    digest = hashlib.sha256(msgspec.json.encode(bare(raw), order="sorted")).hexdigest()[:16]
    assert VERSIONS.get(weights().version) == digest
