"""Commands and their options: child processes that failed, and options kept under other names."""

from __future__ import annotations

import ast
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.attributes import attribute_renamed
from aiex_ipy.grounding.diagnosis.origin import earlier_cells, text_of_file
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import close_to, cut, is_a, shown, text_of, where
from aiex_ipy.grounding.failure.evaluate import own_storage
from aiex_ipy.grounding.failure.masking import Mask
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

TAIL = 6
"""Last lines of what a command wrote that are told."""
MOST_OUTPUT = 20_000
"""Characters of it, from the end, that are looked at."""
LONGEST_LINE = 200
EXITS = {
    126: "the shell may not run it (permissions)",
    127: "the shell does not find the command",
    137: "it was killed, often for want of memory",
    139: "it crashed (segmentation fault)",
}
"""Source: the exit codes POSIX shells give, 128 + the signal's number."""


def failed_command(moment: Moment) -> Iterator[Diagnosis]:
    """A command that ended with an error or took too long: its words and what it wrote."""
    error, frame = moment.error, moment.frame
    if error is None or frame is None or type(error).__module__ != "subprocess":
        return
    mask = Mask((frame.locals, frame.globals))
    known = own_storage(error) or {}
    command = mask.text(cut(_words(known.get("cmd")), 160))
    err, out = (_lines(known.get(each), mask) for each in ("stderr", "output"))
    told = err or out
    captured = known.get("stderr") is not None or known.get("output") is not None
    evidence = (
        *(f"its {'stderr' if err else 'stdout'}: {each}" for each in told[-TAIL:]),
        f"{where(frame)}: {text_of(frame.node, 60)}",
    )
    if type(error).__name__ == "TimeoutExpired":
        yield Diagnosis(
            rule="command-timeout",
            certainty="certain",
            cause=f"The command `{command}` took longer than its limit of {known.get('timeout')} "
            f"s{f'; it last wrote: {told[-1]}' if told else ''}.",
            evidence=evidence,
            remedy="Find what it waits for (input, a lock, the network), or raise timeout=.",
        )
        return
    code = known.get("returncode")
    if type(error).__name__ != "CalledProcessError" or type(code) is not int:
        return
    said = f": {told[-1]}" if told else EXITS.get(code, "") and f": {EXITS[code]}"
    ended = f"ended with exit code {code}"
    if code < 0:
        ended = f"was ended by the signal {_signal(-code)}"
    yield Diagnosis(
        rule="failed-command",
        certainty="certain",
        cause=f"The command `{command}` {ended}{said}.",
        evidence=evidence,
        remedy="Correct the command's arguments; what it wrote is in the error's .stderr."
        if told
        else "Look at what it printed."
        if captured
        else "Pass capture_output=True, text=True and print error.stderr to see its reason.",
    )


def _words(command: Any) -> str:
    if type(command) in {list, tuple}:
        words = [_word(each) for each in command]
        return " ".join(shlex.quote(each) if each else "''" for each in words)
    return _word(command)


def _word(word: Any) -> str:
    if type(word) is str:
        known = os.path.basename(word) if os.path.isabs(word) else word
        return "python" if word == sys.executable else known
    if type(word) is bytes:
        return word.decode(errors="replace")
    parts = getattr(word, "parts", None) if type(word).__module__.startswith("pathlib") else None
    return str(parts[-1]) if parts else shown(word)


def _lines(written: Any, mask: Mask) -> list[str]:
    if type(written) is bytes:
        written = written[-MOST_OUTPUT:].decode(errors="replace")
    if type(written) is not str:
        return []
    lines = written[-MOST_OUTPUT:].splitlines()
    return [mask.text(cut(each, LONGEST_LINE)) for each in lines if each.strip()]


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def option_name(moment: Moment) -> Iterator[Diagnosis]:
    """An option asked for under another name than argparse keeps it."""
    error, frame = moment.error, moment.frame
    if type(error) is not AttributeError or not error.name or frame is None:
        return
    if not is_a(error.obj, "argparse.Namespace"):
        return
    wanted, held = error.name, [each for each in own_storage(error.obj) if type(each) is str]
    for place, call in _declared(moment, frame):
        flags = [each.value for each in call.args if isinstance(each, ast.Constant)]
        names = [each.lstrip("-") for each in flags if type(each) is str]
        if wanted not in {each.replace("-", "_") for each in names}:
            continue
        at = f"{place}, line {call.lineno}"
        given = next((each.value for each in call.keywords if each.arg == "dest"), None)
        kept = given.value if isinstance(given, ast.Constant) else _kept(flags)
        listed = f"the arguments are {', '.join(held[:12])}"
        if type(kept) is str and kept in held and kept != wanted:
            why = "its dest=" if given is not None else "the name of the longest form"
            if kept in flags:
                why = "a positional argument keeps its hyphens"
            yield Diagnosis(
                rule="option-name",
                certainty="certain",
                cause=f"The option {flags[-1]!r} is kept as {kept!r} ({why}, {at}), so "
                f"{'the arguments have'} no {wanted!r}.",
                evidence=(listed, f"{at}: {text_of(call, 100)}"),
                remedy=f"Write .{kept}." if kept.isidentifier() else f"Use getattr(…, {kept!r}).",
                fix=attribute_renamed(frame, wanted, kept) if kept.isidentifier() else None,
            )
        elif kept not in held:
            yield Diagnosis(
                rule="option-elsewhere",
                certainty="likely",
                cause=f"The option {flags[-1]!r} ({at}) belongs to another command (sub-parser) "
                f"than the one that was given, so the arguments have no {wanted!r}.",
                evidence=(listed, f"{at}: {text_of(call, 100)}"),
                remedy=f"Read it only for that command, or use getattr(…, {wanted!r}, None).",
            )
        return
    if not close_to(wanted, held, 0.75):
        yield Diagnosis(
            rule="option-name",
            certainty="certain",
            cause=f"No option or argument named {wanted!r} was declared; there are "
            f"{', '.join(held[:12]) or 'none'}.",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy="Declare it with add_argument, or use one of these.",
        )


def _kept(flags: list[Any]) -> str:
    """The name argparse keeps an option under: of its first long form, else of its first."""
    texts = [each for each in flags if type(each) is str]
    long = next((each for each in texts if each.startswith("--")), texts[0] if texts else "")
    return long.lstrip("-").replace("-", "_") if long.startswith("-") else long


def _declared(moment: Moment, frame: LiveFrame) -> Iterator[tuple[str, ast.Call]]:
    """The calls of `add_argument` in the user's files that are imported and in the cells."""
    trees: list[tuple[str, ast.AST]] = []
    for each in moment.frames:
        if each.user and each.tree is not None and all(each.tree is not t for _, t in trees):
            trees.append((each.place, each.tree))
    trees += [(each.place, each.tree) for each in earlier_cells(moment, having="add_argument")]
    for value in list(frame.globals.values())[:500]:
        file = getattr(getattr(value, "__code__", None), "co_filename", None)
        if type(value).__name__ == "function" and file != frame.file and type(file) is str:
            text = text_of_file(moment, file) if os.path.dirname(file) else None
            if text is not None and all(text.place != place for place, _ in trees):
                trees.append((text.place, text.tree))
    for place, tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and text_of(node.func).endswith("add_argument"):
                yield place, node
