"""Texts that are not JSON, and values JSON has no form for."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.operands import MOST_VALUES
from aiex_ipy.grounding.diagnosis.origin import traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    cut,
    is_number,
    matches,
    nodes_at_fault,
    shown,
    text_of,
    type_name,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment


def no_json(moment: Moment) -> Iterator[Diagnosis]:
    """A text that is not JSON: where it breaks and what is usually behind it."""
    error, frame = moment.error, moment.frame
    if type(error).__name__ != "JSONDecodeError" or frame is None:
        return
    doc, at = getattr(error, "doc", ""), getattr(error, "pos", 0)
    if type(doc) is not str or type(at) is not int:
        return
    line, column = doc.count("\n", 0, at) + 1, at - doc.rfind("\n", 0, at)
    around = cut(doc[max(0, at - 25) : at + 25])
    why, remedy = _json_culprit(doc, at)
    yield Diagnosis(
        rule="no-json",
        certainty="certain",
        cause=f"{_which(moment, frame)} is not JSON: {why} (line {line}, column {column}).",
        evidence=(
            f"around it: {around!r}" if doc.strip() else "the text is empty",
            f"{where(frame)}: {text_of(frame.node, 60)}",
        ),
        remedy=remedy,
    )


def _which(moment: Moment, frame: LiveFrame) -> str:
    """The file the text was read from, where that is seen, else `The text`."""
    for call in nodes_at_fault(frame, ast.Call):
        for argument in call.args[:1]:
            steps = traced(moment, frame, argument)
            made = steps[-1].node if steps else argument
            at = steps[-1].frame if steps else frame
            known, opened = value_of(argument, frame)
            if known and type(opened).__name__ in {"TextIOWrapper", "BufferedReader"}:
                name = opened.name
                return f"The file {os.path.basename(name)}" if type(name) is str else "The text"
            for node in ast.walk(made) if made is not None and at is not None else ():
                path = value_of(node, at)[1] if isinstance(node, ast.Name) else None
                if type(path).__module__.startswith("pathlib") and path is not None:
                    return f"The file {path.name}"
                if type(path) is str and path.lower().endswith((".json", ".jsonl", ".ipynb")):
                    return f"The file {os.path.basename(path)}"
    return "The text"


def _json_culprit(doc: str, at: int) -> tuple[str, str]:  # noqa: C901 - one case each
    here, before = doc[at : at + 1], doc[:at].rstrip()
    plain = doc.strip()
    if not plain:
        return "it is empty", "Check that the file or answer has content (status code, path)."
    if plain.startswith("<"):
        return "it is HTML or XML", "Look at the answer: it may be an error or login page."
    if doc.startswith("\ufeff"):
        return "it begins with a byte order mark", "Read it with encoding='utf-8-sig'."
    if (here in {"}", "]"} and before.endswith(",")) or (
        here == "," and doc[at + 1 :].lstrip()[:1] in {"}", "]"}
    ):
        return (
            "a trailing comma stands before the closing bracket, after the last item",
            "Take the last comma out.",
        )
    if (here == '"' and before.endswith(("}", '"', "]"))) or (
        here.isdigit() and before.endswith(('"', "}"))
    ):
        return "a comma is missing", "Put a comma between the two."
    if here == "'" or "'" in plain[:3]:
        return "its quotes are single", (
            "JSON has double quotes. For Python's own notation use ast.literal_eval."
        )
    for word in ("None", "True", "False", "NaN", "undefined"):
        if doc.startswith(word, at):
            return f"{word!r} is not how JSON writes it", (
                "JSON has null, true and false: write the text with json.dumps."
            )
    if doc.startswith(("//", "/*", "#"), at):
        return "it has a comment", "Take comments out: JSON has none."
    if at and before.endswith(("}", "]")) and here in {"{", "["}:
        return "a second value follows the first (JSON Lines?)", (
            "Read it line by line: [json.loads(line) for line in file]."
        )
    if at >= len(doc.rstrip()):
        return "it ends too early", "The text was cut: check how it was written or read."
    if here.isalpha() and (before.endswith(("{", ",")) or not before):
        return "a name has no quotes", "Put keys and texts in double quotes."
    if here in {"\n", "\t"} or (here and ord(here) < 32):
        return "a control character stands in a text", "Write it as \\n or \\t, or strict=False."
    return f"{here!r} is not expected there", "Look at the text around it."


def not_serializable(moment: Moment) -> Iterator[Diagnosis]:
    """A value JSON has no form for, and where in the data it stands."""
    found = matches(moment, TypeError, r"Object of type (\w+) is not JSON serializable")
    frame = moment.frame
    if found is None or frame is None:
        return
    for call in nodes_at_fault(frame, ast.Call):
        for argument in call.args:
            known, value = value_of(argument, frame)
            if found[1] == "set" and isinstance(argument, ast.Set | ast.SetComp):
                label = segment(frame, argument)
                yield Diagnosis(
                    rule="not-serializable",
                    certainty="certain",
                    cause=f"{cut(label)} is a set, and JSON has no form for sets.",
                    evidence=(f"{where(frame)}: {text_of(call)}",),
                    remedy=f"Write a list: sorted({cut(label)}).",
                    fix=rewritten(frame, "sorted", (argument, f"sorted({label})")),
                )
                return
            path = _path_to(value, found[1], text_of(argument), 0) if known else None
            if path is None:
                continue
            label, culprit = path
            how = _as_json(culprit, label)
            yield Diagnosis(
                rule="not-serializable",
                certainty="certain",
                cause=f"{label} is {shown(culprit)}, and JSON has no form for "
                f"{type_name(culprit)}.",
                evidence=(f"{where(frame)}: {text_of(call)}",),
                remedy=how,
            )
            return


def _as_json(value: Any, label: str) -> str:
    kind = type_name(value)
    if kind.startswith("datetime"):
        return f"Write {label}.isoformat(), or pass default=str."
    if kind.startswith("numpy.ndarray"):
        return f"Write {label}.tolist()."
    if is_number(value) or kind.startswith("numpy"):
        return f"Write {label}.item()."
    if kind in {"set", "frozenset"}:
        return f"Write sorted({label})."
    if kind.startswith("pandas."):
        return f"Write {label}.to_dict()."
    return "Make a dict, list, text or number of it, or pass default=str."


def _path_to(value: Any, name: str, label: str, depth: int) -> tuple[str, Any] | None:
    if type(value).__name__ == name and type(value) not in {dict, list, tuple}:
        return label, value
    if depth > 4 or type(value) not in {dict, list, tuple}:
        return None
    pairs = value.items() if type(value) is dict else enumerate(value)
    for number, (key, each) in enumerate(pairs):
        if number > MOST_VALUES:
            return None
        if type(key) in {str, int}:
            found = _path_to(each, name, f"{label}[{key!r}]", depth + 1)
            if found is not None:
                return found
    return None
