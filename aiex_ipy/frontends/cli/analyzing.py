"""`aiex ai analyze`, which editors and hooks run for every file: also without click.

`quick` reads the commonest forms of the command itself; click alone costs as much as one and a
half bare starts of Python. Every other form, and every mistake, is left to the click command.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from aiex_ipy.engine.verbs import VERBS

if TYPE_CHECKING:
    from aiex_ipy.grounding.facts import Subject

_OWN = ("fail-under", "output", "stdin-filename")


def quick(words: list[str]) -> int | None:
    """Run `aiex ai analyze WORDS` when they are plain: known options spelled whole, each with its
    value, and paths. None when they are not; then nothing was done."""
    given = _plain(words)
    if given is None:
        return None
    from aiex_ipy.frontends.cli.faults import guarded

    return guarded(lambda: analyze(**given))


def analyze(
    *,
    paths: tuple[str, ...],
    type: Any = None,
    fail_under: float | None = None,
    provider: str | None = None,
    model: str | None = None,
    output: str = "text",
    stdin_filename: str | None = None,
    allow_secret_file: bool = False,
) -> int:
    """Analyze and show; return the exit code. `-` among the paths is stdin."""
    from aiex_ipy.frontends.cli.output import target_of
    from aiex_ipy.frontends.cli.run import engine_for, failed_inputs, gate, show
    from aiex_ipy.operations.analyze import AnalyzeRequest

    target_of(output)
    request = AnalyzeRequest(
        paths=tuple(path for path in paths if path != "-"),
        subjects=tuple(from_stdin(stdin_filename) for path in paths if path == "-"),
        type=type or "all",
        provider=provider,
        model=model,
        allow_secret_file=allow_secret_file,
    )
    with engine_for() as engine:
        result = show(engine, request, output)
    return failed_inputs(result) or gate(result, fail_under)


def from_stdin(name: str | None) -> Subject:
    """Return stdin, read to its end, under `name`."""
    from msgspec import structs

    from aiex_ipy.config import load
    from aiex_ipy.operations.inputs import subject_of
    from aiex_ipy.workspace import Workspace

    stream = Workspace(load()).read_stream(sys.stdin.buffer, name=name or "<stdin>")
    return structs.replace(subject_of(stream), whole=True)


def _plain(words: list[str]) -> dict[str, Any] | None:
    known = {option.name: option for option in VERBS["analyze"].options}
    paths: list[str] = []
    given: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            if word.startswith("-") and word != "-":
                return None
            paths.append(word)
            continue
        name = word[2:]
        if name not in (*known, *_OWN) or (name in known and known[name].flag):
            return None
        value = next(rest, None)
        if value is None or value.startswith("-"):
            return None
        key = name.replace("-", "_")
        choices = known[name].choices if name in known else ()
        if key in given or (choices and value not in choices):
            return None
        if name == "file":
            paths.append(value)
        else:
            given[key] = value
    if "fail_under" in given:
        number = given["fail_under"]
        if not number.replace(".", "", 1).isdecimal() or not 0 <= float(number) <= 10:
            return None
        given["fail_under"] = float(number)
    return {"paths": tuple(paths), **given} if paths else None
