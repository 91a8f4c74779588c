"""What is recommended first, and in which words."""

from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.gather import gather
from aiex_ipy.grounding.score import score_module
from aiex_ipy.operations.recommend import MOST, recommend

SHOP = '''"""A shop."""
import subprocess


def show(order, seen=[]):
    """Print the label."""
    subprocess.call("lpr " + order, shell=True)
'''


def recommended(text, kind="all"):
    facts = gather([Subject(path="<stdin>", text=text)])[0]
    return recommend(facts.issues, score_module(facts), kind)


def test_what_costs_most_points_comes_first_with_advice():
    """The shell call outweighs the mutable default; both say what to do, and where."""
    first, second = recommended(SHOP)
    assert first.rule == "S602"
    assert first.detail == "Pass the command as a list and leave `shell=True` out: line 7."
    assert second.rule == "B006"


def test_places_of_one_rule_are_one_recommendation():
    """Five unused imports are one line that names three places and counts the rest."""
    advice = recommended(
        '"""Five."""\n' + "".join(f"import {m}\n" for m in ("os", "re", "io", "csv", "cgi"))
    )
    (unused,) = [a for a in advice if a.rule == "F401"]
    assert "line 2, line 3, line 4 and 2 more" in unused.detail


def test_the_list_stays_short():
    """However bad the code, at most `MOST` things are recommended."""
    bad = "".join(
        f"import m{n}\ndef f{n}(a=[]):\n  try: eval(a)\n  except: pass\n" for n in range(30)
    )
    bad += "import hashlib, pickle, random\nhashlib.md5(b'')\npickle.loads(b'')\nrandom.random()\n"
    bad += "password = 'hunter2hunter2'\nassert password\nexec('1')\nx = 1\nx is 1\n"
    assert 3 < len(recommended(bad)) <= MOST


def test_of_several_files_each_place_names_its_file():
    """Also where only one of them breaks a rule; and no file's syntax error is told of another."""
    shop = Subject(path="shop.py", text=SHOP)
    modules = gather([shop, Subject(path="a.py", text="x = (\n"), Subject(path="b.py", text='"""')])
    issues = [issue for module in modules for issue in module.issues]
    told = {a.detail for a in recommend(issues, score_module(modules[0]), "all")}
    assert "Pass the command as a list and leave `shell=True` out: shop.py line 7." in told
    assert "'(' was never closed: a.py line 1." in told
    assert "Unterminated triple-quoted string literal: b.py line 1." in told
