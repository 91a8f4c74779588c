"""What is known of functions, classes and modules without a model; never more than is there."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import pytest

from aiex_ipy.errors import UnknownNameError
from aiex_ipy.grounding.explain import (
    ModuleExplanation,
    SymbolExplanation,
    explain_module,
    explain_symbol,
    find,
)
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.names import Names
from aiex_ipy.grounding.outline import outline
from aiex_ipy.grounding.parsed import ParsedModule
from aiex_ipy.grounding.python import parse

STDLIB = Path(os.__file__).parent


def parsed(text: str, path: str = "mod.py") -> ParsedModule:
    module = parse(Subject(path=path, text=text))
    assert module.error is None
    return module


def symbol(text: str, name: str) -> SymbolExplanation:
    return explain_symbol(parsed(text), name)


def library(name: str) -> ParsedModule:
    return parsed((STDLIB / name).read_text(encoding="utf-8"), name)


SHOP = '''"""Sells things. And more."""
import os, subprocess as sp
from json import dumps
from .store import Shelf

TOTAL = 0
_seen: dict[str, int] = {}

class Price(Exception): ...

def helper(path):
    os.remove(path)
    raise LookupError(path)

def sell(item, /, count: int = 1, *rest, fast=True, **more) -> str:
    """Sell `count` items. Then rest."""
    global TOTAL
    if count < 0:
        raise ValueError(f"{count}")
    elif count == 0:
        return "none"
    else:
        TOTAL += count
    try:
        for shelf in item.shelves:
            shelf.items.append(count)
            item.sold = True
            print(dumps(shelf))
    except (KeyError, OSError) as error:
        raise Price from error
    finally:
        _seen[item.name] = count
    with open("log.txt", "a") as log:
        log.write(str(count))
    helper("x")
    sp.run(["true"])
    return f"{count} sold"

def again(n):
    return again(n - 1) if n else sell(n)
'''


def test_a_functions_head_is_told_in_full() -> None:
    """Parameters with kind, annotation and default; the result as annotated and as returned."""
    found = symbol(SHOP, "sell")
    assert found.signature == ("def sell(item, /, count: int=1, *rest, fast=True, **more) -> str")
    assert found.purpose == "Sell `count` items."
    assert [(p.name, p.kind, p.annotation, p.default) for p in found.parameters] == [
        ("item", "positional only", "", None),
        ("count", "positional", "int", "1"),
        ("rest", "rest of positional", "", None),
        ("fast", "keyword only", "", "True"),
        ("more", "rest of keywords", "", None),
    ]
    assert found.annotated_result == "str"
    assert [(r.kind, r.text, r.line) for r in found.returns] == [
        ("str", "'none'", 21),
        ("str", "f'{count} sold'", 37),
    ]


def test_side_effects_are_told_with_their_lines() -> None:
    """Files, output, processes, arguments, global state; those of called functions apart."""
    found = symbol(SHOP, "sell")
    assert [(e.kind, e.target, e.line) for e in found.effects] == [
        ("changes global state", "TOTAL", 23),
        ("changes argument", "item.sold", 27),
        ("prints", "print", 28),
        ("changes global state", "_seen", 32),
        ("writes files", "open", 33),
        ("runs processes", "subprocess.run", 36),
    ]
    assert [(e.kind, e.target, e.via) for e in found.effects_through] == [
        ("writes files", "os.remove", "helper")
    ]


def test_errors_are_told_with_their_conditions() -> None:
    """What is raised and when, what is handled and how, what called functions raise."""
    found = symbol(SHOP, "sell")
    assert [(e.name, e.condition) for e in found.raises] == [
        ("ValueError", "if count < 0"),
        ("Price", "on KeyError, OSError"),
    ]
    assert [(e.name, e.via) for e in found.raises_through] == [("LookupError", "helper")]
    assert [(c.names, c.action) for c in found.catches] == [
        (("KeyError", "OSError"), "raises Price")
    ]


def test_data_flow_is_told_per_branch() -> None:
    """Each way says its condition and what it binds, returns and raises."""
    found = {b.condition: b for b in symbol(SHOP, "sell").branches}
    assert list(found) == [
        "",
        "if count < 0",
        "if count == 0",
        "else of if count == 0",
        "try",
        "for shelf in item.shelves",
        "except KeyError, OSError",
        "finally",
        "with open('log.txt', 'a') as log",
    ]
    assert found["if count < 0"].raises == ("ValueError(f'{count}')",)
    assert found["if count == 0"].returns == ("'none'",)
    assert found["else of if count == 0"].assigns == ("TOTAL",)
    assert found["for shelf in item.shelves"].depth == 2
    assert found["finally"].assigns == ("_seen[item.name]",)
    assert found[""].returns == ("f'{count} sold'",)
    assert "helper" in found[""].calls


def test_callers_and_callees_are_resolved_by_name() -> None:
    """Own functions, imported ones under their full name, recursion, callers elsewhere."""
    found = symbol(SHOP, "sell")
    assert [(c.name, c.own) for c in found.callees if c.name not in ("print", "str")] == [
        ("ValueError", False),
        ("shelf.items.append", False),
        ("json.dumps", False),
        ("open", False),
        ("log.write", False),
        ("helper", True),
        ("subprocess.run", False),
    ]
    assert [(c.name, c.line) for c in found.callers] == [("again", 40)]
    assert symbol(SHOP, "again").recursive
    assert not found.recursive


def test_callers_in_other_modules_are_found_through_their_imports() -> None:
    """By absolute and relative imports and by the module's name; a namesake is not taken."""
    home = parsed("def f(): ...\n", "pkg/a.py")
    others = [
        parsed("", "pkg/__init__.py"),
        parsed("from .a import f as g\ndef one():\n    g()\n    g()\n", "pkg/b.py"),
        parsed("import pkg.a\npkg.a.f()\n", "main.py"),
        parsed("def f(): ...\ndef two():\n    f()\n", "pkg/c.py"),
        parsed("from pkg import a\nclass K:\n    def m(self):\n        a.f()\n", "pkg/d.py"),
    ]
    found = explain_symbol(home, "f", others=others)
    assert [(c.path, c.name, c.line) for c in found.callers] == [
        ("pkg/b.py", "one", 3),
        ("main.py", "<module>", 2),
        ("pkg/d.py", "K.m", 4),
    ]


def test_names_from_outside_come_from_pythons_own_symbol_table() -> None:
    """Globals and closed-over names that are used, and those that are bound."""
    text = (
        "LIMIT = 3\ndef outer():\n    kept = 0\n    def inner(x):\n        nonlocal kept\n"
        "        kept += x\n        return min(kept, LIMIT)\n    return inner\n"
    )
    found = symbol(text, "outer.inner")
    assert (found.reads, found.writes) == (("LIMIT", "kept"), ("kept",))
    assert symbol(text, "outer").reads == ("LIMIT",)


CLASS = '''
from abc import ABC, abstractmethod

class Base(ABC):
    def run(self):
        """Run it."""
        return self.step()

    @abstractmethod
    def step(self): ...

class Child(Base):
    limit: int = 3
    names = []

    def __init__(self, size, *, deep=False):
        self.size = size
        self.a, self.b = 1, 2

    def step(self):
        if self.size > self.limit:
            raise OverflowError
        self.size += 1
        return self

    @property
    def half(self): return self.size / 2

    @classmethod
    def of(cls, text): return cls(len(text))

    def __len__(self): return self.size
    def __iter__(self): yield self.size
'''


def test_a_class_is_told_by_its_parts() -> None:
    """Bases, attributes and where they are set, members, protocols, what it overrides."""
    found = symbol(CLASS, "Child")
    assert (found.bases, found.overrides) == (("Base",), ("Base.step",))
    assert [(a.name, a.where, a.annotation, a.value) for a in found.attributes] == [
        ("limit", "class", "int", "3"),
        ("names", "class", "", "[]"),
        ("size", "__init__", "", "size"),
        ("a", "__init__", "", ""),
        ("b", "__init__", "", ""),
    ]
    assert [(m.name.rpartition(".")[2], m.kind) for m in found.members] == [
        ("__init__", "method"),
        ("step", "method"),
        ("half", "property"),
        ("of", "class method"),
        ("__len__", "method"),
        ("__iter__", "method"),
    ]
    assert found.protocols == ("iterable", "sized")
    assert [p.name for p in found.parameters] == ["size", "deep"]
    assert [e.name for e in found.raises] == ["OverflowError"]
    base = symbol(CLASS, "Base")
    assert base.subclasses == ("Child",)
    assert {p.name for p in base.patterns} == {"abstract base class", "template method"}


def test_a_module_is_told_by_its_place() -> None:
    """Purpose, public names, imports by origin, importers, layers, effects of importing it."""
    module = parsed(SHOP + "\nos.makedirs('shop')\n", "pkg/shop.py")
    others = [
        parsed("", "pkg/__init__.py"),
        parsed("class Shelf: ...\n", "pkg/store.py"),
        parsed("from pkg.shop import sell\n", "pkg/till.py"),
        parsed("import pkg.shop\n", "tests/test_shop.py"),
    ]
    found = explain_module(module, others=others)
    assert (found.name, found.purpose) == ("pkg.shop", "Sells things.")
    assert found.public == ("Price", "helper", "sell", "again", "TOTAL")
    assert [(i.module, i.origin, i.uses) for i in found.imports] == [
        ("os", "standard library", 2),
        ("subprocess", "standard library", 1),
        ("json", "standard library", 1),
        (".store", "project", 0),
    ]
    assert found.importers == ("pkg.till", "tests.test_shop")
    assert found.tests == ("tests.test_shop",)
    assert found.layers == (("again",), ("sell",), ("helper",))
    assert found.recursive == ("again",)
    assert [(e.kind, e.target) for e in found.import_effects] == [("writes files", "os.makedirs")]
    assert [(c.name, c.value) for c in found.constants] == [("TOTAL", "0"), ("_seen", "{}")]


def test_what_stands_under_a_main_guard_is_no_effect_of_importing() -> None:
    """`if __name__ == "__main__":` runs only as a program."""
    found = explain_module(parsed("if __name__ == '__main__':\n    print(1)\n"))
    assert found.import_effects == ()
    assert found.script


def test_a_name_that_is_not_there_is_an_error_with_a_near_miss() -> None:
    """The last part of a name is enough when only one thing has it."""
    with pytest.raises(UnknownNameError, match=r"nothing named 'selll'.*'sell'"):
        symbol(SHOP, "selll")
    assert symbol(CLASS, "half").name == "Child.half"
    with pytest.raises(UnknownNameError, match=r"several things named 'step'.*Base\.step"):
        symbol(CLASS, "step")


PATTERNS = [
    ("shelve.py", "context manager", "Shelf"),
    ("functools.py", "descriptor", "cached_property"),
    ("logging/__init__.py", "registry", "addLevelName"),
    ("ast.py", "visitor", "_Unparser"),
    ("traceback.py", "lazy initialisation", "FrameSummary"),
    ("os.py", "proxy", "_wrap_close"),
    ("ipaddress.py", "factory", "ip_address"),
    ("ipaddress.py", "memoisation", "IPv4Address.is_private"),
    ("datetime.py", "alternative constructor", "date.fromisoformat"),
    ("tomllib/_parser.py", "record", "Output"),
    ("typing.py", "decorator", "_tp_cache"),
    ("inspect.py", "enumeration", "_ParameterKind"),
    ("selectors.py", "abstract base class", "BaseSelector"),
    ("_collections_abc.py", "template method", "MutableSet"),
    ("idlelib/window.py", "observer", "WindowList"),
    ("difflib.py", "generator", "restore"),
    ("importlib/resources/_common.py", "generic function", "as_file"),
    ("asyncio/transports.py", "mixin", "_FlowControlMixin"),
    ("pstats.py", "fluent interface", "Stats"),
    ("profile.py", "dispatch table", "Profile.trace_dispatch"),
]


@pytest.mark.parametrize(("file", "pattern", "name"), PATTERNS)
def test_patterns_are_found_in_the_standard_library(file: str, pattern: str, name: str) -> None:
    """Each pattern is found where a reader would say it is, with the line that shows it."""
    if not (STDLIB / file).exists():
        pytest.skip(f"this Python has no {file}")
    module = library(file)
    found = {(p.name, p.symbol): p for p in explain_symbol(module, name).patterns}
    assert (pattern, name) in found
    shown = found[pattern, name]
    assert module.line_text(shown.line)[:200] == shown.evidence


@pytest.mark.parametrize("file", ["textwrap.py", "colorsys.py", "bisect.py", "keyword.py"])
def test_plain_modules_show_no_grand_patterns(file: str) -> None:
    """Functions that only compute are not dressed up."""
    grand = {"singleton", "visitor", "observer", "factory", "proxy", "registry", "mixin"}
    assert not grand & {p.name for p in explain_module(library(file)).patterns}


def explanations() -> list[SymbolExplanation | ModuleExplanation]:
    queue, shutil = library("queue.py"), library("shutil.py")
    return [
        explain_module(queue),
        explain_symbol(queue, "Queue"),
        explain_symbol(queue, "Queue.put"),
        explain_module(shutil),
        explain_symbol(shutil, "copyfile"),
    ]


def test_levels_and_focus_give_different_facts() -> None:
    """No two of the nine outlines of a real module or function are the same, and a higher level
    of the whole never says less."""
    levels, focuses = ("basic", "intermediate", "advanced"), ("comprehensive", "architecture")
    for explained in explanations():
        outlines = {
            (level, focus): outline(explained, level=level, focus=focus)
            for level, focus in product(levels, focuses)
        }
        assert len({repr(groups) for groups in outlines.values()}) == len(outlines)
        for focus in focuses:
            sizes = [sum(len(g.facts) for g in outlines[level, focus]) for level in levels]
            assert sizes == sorted(sizes)
        assert all(group.facts for groups in outlines.values() for group in groups)
    context = explain_module(library("contextlib.py"))
    shown = {repr(outline(context, level=level, focus="patterns")) for level in levels}
    assert len(shown) == 3


@pytest.mark.slow
def test_every_line_told_of_the_standard_library_is_there() -> None:
    """No fact cites a line that does not hold its evidence; nothing crashes."""
    for file in sorted(STDLIB.glob("*.py"))[::12]:
        module = library(file.name)
        found = explain_module(module)
        for fact in (*found.effects, *found.import_effects, *found.patterns):
            assert fact.evidence == module.line_text(fact.line)[:200]
        for member in found.members:
            name = member.name.rpartition(".")[2]
            assert name in module.line_text(member.line)
        for scope in module.scopes[::11]:
            if scope.key == scope.name:
                explained = explain_symbol(module, scope.name)
                for error in explained.raises:
                    assert module.line_text(error.line).startswith(("raise", "assert")) or (
                        "raise" in module.line_text(error.line)
                        or "assert" in module.line_text(error.line)
                    )
                for call in explained.callees:
                    assert call.name.rpartition(".")[2].removesuffix("()")
                outline(explained, level="advanced")


def test_a_parameter_called_cls_is_told_unless_it_is_the_class_itself() -> None:
    """`json.dumps(…, cls=None)` takes a `cls` from its caller; a class method does not."""
    text = "def f(a, *, cls=None): ...\nclass C:\n    @classmethod\n    def g(cls, b): ...\n"
    told = {}
    for name in ("f", "C.g"):
        groups = outline(explain_symbol(parsed(text), name))
        told[name] = next(g.facts for g in groups if g.title == "What goes in")
    assert told["f"] == ("`a`", "`cls`, `None` when left out (keyword only)")
    assert told["C.g"] == ("`b`",)


def test_a_list_of_public_names_that_grows_later_hides_no_name() -> None:
    """`os` extends its `__all__` under conditions: what it offers is told by name then."""
    text = '__all__ = ["a"]\ndef a(): ...\ndef b(): ...\n__all__.extend(["b"])\n'
    assert explain_module(parsed(text)).public == ("a", "b")
    fixed = '__all__ = ["a"]\ndef a(): ...\ndef b(): ...\n'
    assert explain_module(parsed(fixed)).public == ("a",)


def test_lines_are_counted_as_wc_counts_them() -> None:
    """The end of the last line begins no further one."""
    assert explain_module(parsed("a = 1\nb = 2\n")).lines == 2
    assert explain_module(parsed("a = 1\nb = 2")).lines == 2


def test_the_implementation_is_explained_and_not_its_overloads() -> None:
    """Heads under `@overload` have no body; a property is its getter, not its setter."""
    text = (
        "from typing import overload\n"
        "class Session:\n"
        "    @overload\n    def execute(self, a: int) -> int: ...\n"
        "    @overload\n    def execute(self, a: str) -> str: ...\n"
        "    def execute(self, a):\n        '''Run it.'''\n        return a or None\n"
        "    @property\n    def size(self): return 1\n"
        "    @size.setter\n    def size(self, to): self.to = to\n"
    )
    names = Names(parse(Subject(path="a.py", text=text)))
    assert find(names, "Session.execute").line == 7
    assert find(names, "Session.size").line == 11
