"""Names that do not exist, and what was meant."""

from __future__ import annotations

import ast
import builtins
import difflib
from collections.abc import Iterator

from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment
from aiex_ipy.grounding.fix import Fix


def near_miss_name(moment: Moment) -> Iterator[Diagnosis]:
    """A name that is not defined, beside one that is."""
    error, frame = moment.error, moment.frame
    if type(error) is not NameError or frame is None or not error.name:
        return
    known = {*frame.locals, *frame.globals, *dir(builtins)}
    close = difflib.get_close_matches(error.name, known, n=3, cutoff=0.7)
    if not close:
        return
    yield Diagnosis(
        rule="near-miss-name",
        cause=f"{error.name!r} is not defined; {close[0]!r} is, and is spelled almost the same.",
        evidence=(f"{frame.place}, line {frame.line}: {error.name!r} is used",),
        remedy=f"Write {close[0]!r}.",
        fix=_renamed(frame, error.name, close[0]),
    )


def _renamed(frame: LiveFrame, wrong: str, right: str) -> Fix | None:
    node = frame.node
    if frame.source is None or not isinstance(node, ast.Name) or node.id != wrong:
        return None
    lines = frame.source.text.splitlines()
    ran = frame.source_text.splitlines()
    if len(ran) != len(lines) or ran[node.lineno - 1] != lines[node.lineno - 1]:
        return None  # magics were rewritten: columns differ from what was typed
    line = lines[node.lineno - 1].encode()
    changed = line[: node.col_offset] + right.encode() + line[node.end_col_offset :]
    lines[node.lineno - 1] = changed.decode()
    return Fix(source=frame.source, after="\n".join(lines), why=f"{wrong} → {right}")
