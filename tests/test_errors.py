"""Every error aiex raises on purpose, in one reviewed file: `tests/errors.txt`.

`python tests/test_errors.py --write` writes it anew; the change is then reviewed like code. An
entry is the class, its code where it has one of its own, the message with `{…}` where values
stand, and after `→` the hint. Where message or hint is made elsewhere, the expression stands there.
"""

from __future__ import annotations

import ast
import copy
import importlib
import pickle
import pkgutil
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import aiex_ipy
from aiex_ipy import errors
from aiex_ipy.errors import AiexError

ROOT = Path(__file__).parents[1]
CATALOGUE = Path(__file__).with_name("errors.txt")
SOURCES = sorted(ROOT.joinpath("aiex_ipy").rglob("*.py"))


class Entry(NamedTuple):
    """One place where an error is made."""

    kind: str
    code: str
    message: str
    hint: str

    def __str__(self) -> str:
        head = f"{self.kind} {self.code}".rstrip()
        hint = f"\n    → {self.hint}" if self.hint else ""
        return f"{head}\n    {self.message}{hint}\n"


def template(node: ast.expr) -> str:
    """A text as its author wrote it, values in braces."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        conversion = f"!{chr(node.conversion)}" if node.conversion > 0 else ""
        form = f":{template(node.format_spec)}" if node.format_spec else ""
        return f"{{{ast.unparse(node.value)}{conversion}{form}}}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return template(node.left) + template(node.right)
    if isinstance(node, ast.IfExp):
        return f"{{{template(node.body)} | {template(node.orelse)}}}"
    return f"{{{ast.unparse(node)}}}"


def import_everything() -> None:
    """Error classes are found among subclasses, so all modules are imported."""
    for module in pkgutil.walk_packages(aiex_ipy.__path__, "aiex_ipy."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def descendants(kind: type[AiexError]) -> Iterator[type[AiexError]]:
    """All classes below `kind`, `kind` first."""
    yield kind
    for child in kind.__subclasses__():
        yield from descendants(child)


@cache
def classes() -> dict[str, type[AiexError]]:
    """All error classes by name."""
    import_everything()
    return {kind.__name__: kind for kind in descendants(AiexError)}


@cache
def entries() -> tuple[Entry, ...]:
    """All places in the sources where an error is made, sorted, each once."""
    found = set()
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = ast.unparse(node.func)
                kind = classes().get(name)
                if (kind is None and not name.startswith("click.")) or "Error" not in name:
                    continue
                given = {word.arg: template(word.value) for word in node.keywords}
                code = given.get("code", "" if kind is None else kind.default_code)
                found.add(Entry(name, code, template(node.args[0]), given.get("hint", "")))
    return tuple(sorted(found))


def catalogue() -> str:
    """The text of the reviewed file."""
    return "\n".join(str(entry) for entry in entries())


def ends(text: str) -> list[str]:
    """The ends a text can have: those of both branches where it ends in a choice."""
    if text.endswith("}") and " | " in text:
        return text[1:-1].split(" | ")
    return [text]


def test_every_message_stands_in_the_reviewed_file() -> None:
    """No error is added, changed or dropped without somebody reading it in the file."""
    stored = CATALOGUE.read_text("utf-8")
    assert stored == catalogue(), "run `python tests/test_errors.py --write`, review the difference"


MADE_ELSEWHERE = ("{told}", "{reason}", "{cut}", "{error.message}")
"""Values a message may end in: each is empty or a sentence of its own."""


def test_every_message_is_a_sentence() -> None:
    """It ends with a full stop; so does the hint, unless it ends in what is made elsewhere."""
    for entry in entries():
        for end in ends(entry.message):
            assert end.endswith((".", *MADE_ELSEWHERE)), entry
        for end in ends(entry.hint) if entry.hint else ():
            assert end.endswith((".", "}")), entry


WITHOUT_HINT = {
    "{name!r} could not be listed.": "told with the other failures of a tree, which goes on",
    "Both --file {file!r} and {' '.join(target)!r} were given.": "the usage follows it",
    "Both {' '.join(target)!r} and a program after -- were given.": "the usage follows it",
    "There are several targets: {' '.join(target)!r}. To run a program put -- before it.": (
        "holds its remedy"
    ),
    "There is no program after --.": "the usage follows it",
    "There is nothing to debug. Name a program after --, a process id, a file with a traceback, "
    "or - for stdin.": "holds its remedy",
    "{word!r} is a program, not a traceback. Run it: aiex ai debug -- python {word}.": (
        "holds its remedy"
    ),
    "There is nothing to {verb}. Name a file, or - for stdin.": "holds its remedy",
    "There is nothing to complete. Give code, --file, or - for stdin.": "holds its remedy",
    "{here.command_path!r} has no command {word!r}.": "the usage follows it",
}


def test_every_error_says_what_to_do() -> None:
    """Each has a hint, but for the few listed with the reason."""
    assert {entry.message for entry in entries() if not entry.hint} == set(WITHOUT_HINT)


def test_the_tree_in_the_docstring_is_the_real_one() -> None:
    """Every class stands in the tree of `aiex_ipy.errors`, below its base, with its exit code."""
    drawn: dict[str, tuple[str, int]] = {}
    above: list[tuple[str, int]] = [("AiexError", AiexError.exit_code)]
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│ ]*)[├└]── (\w+)(?:\s+exit (\d))?", line)
        if found:
            depth = len(found[1]) // 4 + 1
            parent, inherited = above[depth - 1]
            code = int(found[3]) if found[3] else inherited
            above[depth:] = [(found[2], code)]
            drawn[found[2]] = (parent, code)
    real = {
        name: (kind.__bases__[0].__name__, kind.exit_code)
        for name, kind in classes().items()
        if kind is not AiexError
    }
    assert drawn == real


def test_the_codes_of_classes_are_distinct() -> None:
    """A program can tell the classes apart by `code` alone."""
    codes = [kind.default_code for kind in classes().values()]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("copied", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])
def test_an_error_survives_its_way_to_another_process(copied) -> None:
    """Class, message, code, hint and details are the same after pickling, notes and cause aside."""
    for kind in classes().values():
        error = kind("It broke.", code="broken", hint="Mend it.", provider="p", partial="so fa")
        again = copied(error)
        assert type(again) is kind
        assert str(again) == str(error) == "It broke. Mend it."
        assert again.args == error.args
        assert vars(again) == vars(error)


def test_a_traceback_of_ours_is_one_line_without_control_characters() -> None:
    """IPython shows an error of ours as its class and its words."""
    (line,) = errors.ConfigError("Bad\x1b[2J\nvalue.", hint="Mend it.")._render_traceback_()
    assert line == "ConfigError: Bad [2J value. Mend it."


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("Use: python tests/test_errors.py --write")
    CATALOGUE.write_text(catalogue(), "utf-8")
