"""The laws of the score on real code: files of the standard library, and the real analyzers.

Each case changes the text of a module as an editor would, gathers facts again and compares. What
is drawn is fixed (`derandomize`): a counterexample that exists is found on every machine or none.
"""

from __future__ import annotations

import ast
import io
import random
import statistics
import subprocess
import sysconfig
import textwrap
import tokenize
import warnings
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aiex_ipy.grounding.facts import ModuleFacts, Score, Subject
from aiex_ipy.grounding.gather import gather
from aiex_ipy.grounding.lint import find_ruff
from aiex_ipy.grounding.score import score_module, score_tree

pytestmark = pytest.mark.slow

STDLIB = Path(sysconfig.get_path("stdlib"))
on_real_code = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def parsed(text: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError):
            return None


@cache
def modules() -> dict[str, str]:
    """Modules of the standard library by path: 150 of those with 2 to 40 kB, tests among them."""
    found = sorted(
        path.relative_to(STDLIB).as_posix()
        for path in STDLIB.rglob("*.py")
        if "site-packages" not in path.parts and 2_000 < path.stat().st_size < 40_000
    )
    texts: dict[str, str] = {}
    for path in random.Random(20).sample(found, min(200, len(found))):
        try:
            text = (STDLIB / path).read_text("utf-8")
        except UnicodeDecodeError:
            continue
        if parsed(text) is not None and len(texts) < 150:
            texts[path] = text
    return texts


paths = st.deferred(lambda: st.sampled_from(sorted(modules())))  # nothing is read on import


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("variants")


def written(folder: Path, texts: dict[str, str]) -> dict[str, Path]:
    """Texts as files side by side: ruff resolves relative imports by the `__init__.py` it finds,
    and a variant has to find what the original did."""
    folder.mkdir(exist_ok=True)
    files = {path: folder / path.replace("/", "-") for path in texts}
    for path, file in files.items():
        file.write_text(texts[path], "utf-8", newline="")
    return files


def facts_of(folder: Path, texts: dict[str, str]) -> list[ModuleFacts]:
    """Facts of texts by path, all in one batch."""
    files = written(folder, texts)
    return gather(
        [Subject(path=path, text=text, file=str(files[path])) for path, text in texts.items()]
    )


@cache
def originals(folder: Path) -> dict[str, ModuleFacts]:
    return {facts.path: facts for facts in facts_of(folder / "original", modules())}


def value(score: Score) -> float:
    assert score.value is not None
    return score.value


# ---- layout ---------------------------------------------------------------------------------


def without_comments(text: str) -> str:
    lines = text.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            line = lines[row - 1]
            end = line[column + len(token.string) :]
            lines[row - 1] = line[:column].rstrip() + end
    return "".join(lines)


def test_layout_and_comments_do_not_move_the_score(folder: Path) -> None:
    """150 modules reformatted by ruff, with every comment taken out, and rewritten from their
    syntax tree: the first two move no score (over the whole library one by 0.01); the last, which
    also respells literals and turns `else: if` into `elif`, few and little."""
    texts = modules()
    before = {path: value(score_module(facts)) for path, facts in originals(folder).items()}
    formatted = written(folder / "formatted", texts)
    subprocess.run(
        [find_ruff(), "format", "--isolated", "--no-cache", "--quiet", *formatted.values()],
        check=True,
    )
    variants = {
        "formatted": {path: formatted[path].read_text("utf-8") for path in texts},
        "stripped": {path: without_comments(text) for path, text in texts.items()},
        "unparsed": {path: ast.unparse(ast.parse(text)) for path, text in texts.items()},
    }
    moved: dict[str, list[float]] = {}
    for name, changed in variants.items():
        assert sum(changed[path] != text for path, text in texts.items()) > 0.8 * len(texts)
        scores = {f.path: value(score_module(f)) for f in facts_of(folder / name, changed)}
        moved[name] = [abs(round(scores[path] - before[path], 2)) for path in texts]
    assert max(moved["formatted"]) <= 0.01
    assert max(moved["stripped"]) == 0
    assert max(moved["unparsed"]) <= 0.4
    assert statistics.fmean(delta > 0 for delta in moved["unparsed"]) < 0.06


# ---- padding --------------------------------------------------------------------------------

CLEAN = '''

def clean_function_{n}(value):
    """Return twice the value."""
    return value * 2


class CleanClass{n}:
    """Hold a value."""

    def __init__(self, value):
        self.value = value

    def twice(self):
        """Return twice the value."""
        return self.value * 2
'''


@settings(on_real_code, max_examples=12)
@given(count=st.integers(1, 60), data=st.data())
def test_padding_with_clean_code_never_raises_a_file(
    folder: Path, count: int, data: st.DataObject
) -> None:
    """Any number of clean functions and classes appended to a module leave its score alone, to
    the hundredth."""
    path = data.draw(paths)
    before = score_module(originals(folder)[path])
    padded = modules()[path] + "".join(CLEAN.format(n=n) for n in range(count))
    (facts,) = facts_of(folder / "padded", {path: padded})
    after = score_module(facts)
    assert after.statements >= before.statements + 7 * count
    assert after.value == before.value


def bodies(text: str) -> list[tuple[str, int, str]]:
    """Where a statement can go first in a function: its name, line and indentation.

    Left out: functions on one line, and those whose body is a docstring, `pass`, `...` or `raise`
    alone; filling such a stub takes away what was found about its being empty.
    """
    lines = text.splitlines()
    tree = parsed(text)
    assert tree is not None
    places = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
        if not body or all(isinstance(s, ast.Pass | ast.Raise | ast.Expr) for s in body):
            continue
        line = min([body[0].lineno, *(d.lineno for d in getattr(body[0], "decorator_list", ()))])
        indent = lines[line - 1][: body[0].col_offset]
        if not indent.strip() and line > node.lineno:
            places.append((node.name, line, indent))
    return places


def inserted(text: str, place: tuple[str, int, str], statements: str) -> str:
    """`text` with `statements` as the first ones of a function."""
    _, line, indent = place
    lines = text.splitlines(keepends=True)
    return "".join([*lines[: line - 1], textwrap.indent(statements, indent), *lines[line - 1 :]])


@settings(on_real_code, max_examples=12)
@given(count=st.integers(1, 60), data=st.data())
def test_clean_statements_inside_a_bad_function_never_raise_it(
    folder: Path, count: int, data: st.DataObject
) -> None:
    """A function does not get better by growing: not by density, whatever is in it already."""
    path = data.draw(paths)
    places = bodies(modules()[path])
    assume(places)
    text = inserted(modules()[path], data.draw(st.sampled_from(places)), "print()\n" * count)
    (facts,) = facts_of(folder / "grown", {path: text})
    assert value(score_module(facts)) <= value(score_module(originals(folder)[path]))


# ---- findings -------------------------------------------------------------------------------

NESTED = "".join("    " * depth + f"if print({depth}):\n" for depth in range(8)) + "    " * 8

INJECTIONS = {
    "S307": "eval(input())\n",
    "S102": "exec(input())\n",
    "S605": "import os as probe_os\nprobe_os.system(input())\n",
    "S602": "import subprocess as probe_run\nprobe_run.run(input(), shell=True, check=True)\n",
    "S301": "import pickle as probe_pickle\nprint(probe_pickle.loads(input()))\n",
    "E722": "try:\n    print()\nexcept:\n    print(1)\n",
    "B006": "def probe_inner(a=[]):\n    a.append(1)\n    return a\nprint(probe_inner)\n",
    "F821": "print(probe_undefined)\n",
    "F632": "print(input() is 'probe')\n",
    "F841": "probe_unused = input()\n",
    "F401": "import zlib as probe_zlib\n",
    "SIM115": "print(open('probe').read())\n",
    "E711": "print(input() == None)\n",
    "UP031": "print('%s' % (input(),))\n",
    "cognitive-complexity": NESTED + "print()\n",
    "function-length": "print()\n" * 70,
    "AX103": "probe = b''\nwhile input():\n    probe += input().encode()\n",
}
AT_MODULE_LEVEL = {
    "undocumented": "\n\ndef probe_public(value):\n    return value\n",
    "undocumented class": "\n\nclass ProbePublic:\n    value = 1\n",
    "E711": "\n\nprint(input() == None)\n",
    "F632": "\n\nprint(input() is 'probe')\n",
    "S307": "\n\neval(input())\n",
}


def weight(facts: ModuleFacts) -> tuple[int, int, int, int]:
    """How much was found: every finding and number an injection may add to."""
    return (
        len(facts.issues),
        sum(sum(unit.cognitive.values()) for unit in facts.units),
        sum(sum(unit.lengths.values()) for unit in facts.units),
        sum(unit.public and not unit.documented for unit in facts.units),
    )


def assert_adds_up(score: Score) -> None:
    lost = 1000 - round(value(score) * 100)
    assert sum(round(line.lost * 100) for line in score.ledger) == lost
    assert sum(round(points * 100) for points in score.components.values()) == lost


cases = st.lists(
    st.tuples(paths, st.sampled_from([*INJECTIONS, *AT_MODULE_LEVEL]), st.integers(0, 10_000)),
    min_size=1,
    max_size=10,
    unique_by=lambda case: case[0],
)


@settings(on_real_code, max_examples=20)
@given(cases)
def test_a_finding_put_anywhere_never_raises_the_score(
    folder: Path, drawn: list[tuple[str, str, int]]
) -> None:
    """22 kinds of findings, each put into any function, or at the end, of any module: the
    analyzers see it, the score stays or falls, the ledger still adds up."""
    texts = {}
    for path, kind, number in drawn:
        text = modules()[path]
        places = bodies(text)
        if kind in AT_MODULE_LEVEL or not places:
            texts[path] = text + AT_MODULE_LEVEL.get(kind, AT_MODULE_LEVEL["undocumented"])
        else:
            texts[path] = inserted(text, places[number % len(places)], INJECTIONS[kind])
    for facts in facts_of(folder / "found", texts):
        before = originals(folder)[facts.path]
        after = score_module(facts)
        assert_adds_up(after)
        assert value(after) <= value(score_module(before)), facts.path
        starred = any(issue.rule == "F403" for issue in before.issues)
        more = zip(weight(facts), weight(before), strict=True)
        assert starred or any(new > old for new, old in more), facts.path


def test_a_syntax_error_put_into_any_module_makes_it_zero(folder: Path) -> None:
    """One unreadable line takes everything, in one issue and one ledger line."""
    broken = {path: text + "\ndef (:\n" for path, text in modules().items()}
    for facts in facts_of(folder / "broken", broken):
        score = score_module(facts)
        assert len(facts.issues) == len(score.ledger) == 1
        assert (score.value, score.ledger[0].lost) == (0, 10)


@settings(on_real_code, max_examples=100)
@given(st.data())
def test_taking_findings_away_never_lowers_the_score(folder: Path, data: st.DataObject) -> None:
    """On the facts of real modules: with fewer findings, in whatever order, with units in whatever
    order, the score rises or stays."""
    facts = originals(folder)[data.draw(paths)]
    kept = [issue for issue in facts.issues if data.draw(st.booleans())]
    fewer = replace(facts, issues=tuple(kept), units=tuple(data.draw(st.permutations(facts.units))))
    assert value(score_module(fewer)) >= value(score_module(facts))
    again = replace(fewer, issues=tuple(reversed(kept)))
    assert score_module(again) == score_module(fewer)


def test_the_same_code_scores_the_same_twice(folder: Path) -> None:
    """Analyzed again from scratch, 150 modules get the same scores and ledgers; and so does the
    directory, whose ledger adds up over all of them."""
    first = [score_module(facts) for facts in originals(folder).values()]
    second = [score_module(facts) for facts in facts_of(folder / "again", modules())]
    assert second == first
    for score in first:
        assert_adds_up(score)
    tree = score_tree(first)
    assert_adds_up(tree)
    assert min(map(value, first)) <= value(tree) < 10
    assert score_tree(list(reversed(second))).value == tree.value


def test_scores_tell_modules_apart(folder: Path) -> None:
    """Over modules drawn from the library the scores spread: neither all good nor all bad."""
    scores = sorted(value(score_module(facts)) for facts in originals(folder).values())
    low, middle, high = (scores[int(len(scores) * share)] for share in (0.05, 0.5, 0.95))
    assert low < 7.5 < 8 < middle < 9.6 < high


def test_modules_known_as_clean_score_high_and_bad_code_low(folder: Path) -> None:
    """bisect, queue, sched, types and operator score above 9; a page of what every reviewer would
    refuse scores below 4."""
    clean = {f"{name}.py": (STDLIB / f"{name}.py").read_text("utf-8") for name in CLEAN_MODULES}
    for facts in facts_of(folder / "clean", clean):
        assert value(score_module(facts)) > 9, facts.path
    (facts,) = facts_of(folder / "bad", {"bad.py": BAD})
    assert value(score_module(facts)) < 4


CLEAN_MODULES = ("bisect", "queue", "sched", "types", "operator")
BAD = """
import os, sys, pickle, subprocess
from os import *

CACHE = []

def process(data, seen=[], mode=None, a=1, b=2, c=3):
    global CACHE
    result = ""
    for item in data:
        if item not in seen:
            if mode == "x":
                for k in range(len(item)):
                    try:
                        if item[k] == None:
                            while True:
                                if a > b:
                                    if c:
                                        break
                                    else:
                                        continue
                                else:
                                    eval(item[k])
                        elif item[k] == True:
                            os.system("rm " + item[k])
                        else:
                            result += undefined_thing(item[k])
                    except:
                        pass
            elif mode == "y":
                subprocess.call("ls " + item, shell=True)
            else:
                f = open(item)
                pickle.loads(f.read())
    return result

def handle(x):
    try:
        password = "hunter2"
        exec(x)
    except Exception as e:
        pass
"""
