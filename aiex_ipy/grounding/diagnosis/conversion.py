"""Texts and values that cannot be made into what was asked: numbers, dates, JSON, parts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from aiex_ipy.grounding.diagnosis.edit import rewritten, segment
from aiex_ipy.grounding.diagnosis.operands import MOST_VALUES, is_text_column
from aiex_ipy.grounding.diagnosis.origin import told, traced
from aiex_ipy.grounding.diagnosis.record import Diagnosis
from aiex_ipy.grounding.diagnosis.sight import (
    is_a,
    length,
    matches,
    nodes_at_fault,
    shown,
    text_of,
    value_of,
    where,
)
from aiex_ipy.grounding.failure.moment import LiveFrame, Moment

FORMATS = (
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y%m%d",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%d %H:%M:%S.%f",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%H:%M",
    "%H:%M:%S",
    "%H:%M:%S.%f",
)
"""Ways dates are written that are tried on a text that did not fit."""


def no_number(moment: Moment) -> Iterator[Diagnosis]:
    """A text that is no number: what in it is in the way."""
    pattern = (
        r"(?s)invalid literal for int\(\) with base \d+: (['\"].*?['\"])(?=\Z|: Error while type )|"
        r"could not convert string to float: (['\"]?.*?)(?=\Z|: Error while type )|"
        r"Unable to parse string (\".*?\")"
    )
    found, frame = matches(moment, ValueError, pattern), moment.frame
    if found is None or frame is None:
        return
    raw = found[1] or found[2] or found[3]
    text = _literal(raw)
    why, remedy = _in_the_way(text, whole=bool(found[1]))
    column = _column_with(frame, text)
    if column:
        where_in = f" It stands in {column}."
        remedy = "Clean the column first, or use pd.to_numeric(column, errors='coerce')."
    else:
        where_in = ""
    call = next(
        (c for c in nodes_at_fault(frame, ast.Call) if text_of(c.func) in {"int", "float"}), None
    )
    fix, evidence = None, [f"{where(frame)}: {text_of(frame.node, 60) or 'the conversion'}"]
    if call is not None and call.args:
        inner = segment(frame, call.args[0])
        evidence += told(traced(moment, frame, call.args[0]))
        if found[1] and re.fullmatch(r"\s*[-+]?\d+\.\d*\s*", text):
            fix = rewritten(frame, "float", (call, f"int(float({inner}))"))
        elif re.fullmatch(r"\s*[-+]?\d{1,3}(,\d{3})+(\.\d+)?\s*", text):
            fix = rewritten(frame, "commas", (call.args[0], f'{inner}.replace(",", "")'))
    yield Diagnosis(
        rule="no-number",
        certainty="certain",
        cause=f"The text {shown(text)} is no {'whole ' if found[1] else ''}number: {why}."
        f"{where_in}",
        evidence=tuple(evidence),
        remedy=remedy,
        fix=fix,
    )


def _literal(raw: str) -> str:
    try:
        found = ast.literal_eval(raw.strip())
    except (SyntaxError, ValueError):
        return raw.strip().strip("'\"")
    return found if type(found) is str else raw


def _in_the_way(text: str, *, whole: bool) -> tuple[str, str]:  # noqa: C901 - one case each
    plain = text.strip()
    if not plain:
        return "it is empty", "Skip empty texts, or give them a value."
    if whole and re.fullmatch(r"[-+]?\d*\.\d*([eE][-+]?\d+)?", plain):
        return "it has a decimal point", "Use float(…), or int(float(…)) to cut the decimals."
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", plain):
        return "its commas separate thousands", 'Take them out: .replace(",", "").'
    if re.fullmatch(r"[-+]?\d+,\d+", plain):
        return "its decimal sign is a comma", 'Write .replace(",", ".") first.'
    if re.fullmatch(r"[-+]?[\d.,]+\s*%", plain):
        return "it ends with %", "Take the % off and divide by 100."
    if re.fullmatch(r"[$€£¥]\s*[-+]?[\d.,]+|[-+]?[\d.,]+\s*[$€£¥]", plain):
        return "it has a currency sign", "Take the sign off first."
    if plain.casefold() in {"nan", "n/a", "na", "none", "null", "-", "?", "missing", "unknown"}:
        return "it stands for a missing value", "Handle missing values first."
    if re.fullmatch(r"[-+]?[\d.]+\s*[A-Za-zµ°/]+", plain):
        return "a unit follows the digits", "Take the unit off first."
    if re.search(r"[,;\t ]", plain) and re.fullmatch(r"[-+\d.,;\t ]+", plain):
        return "it holds several numbers", "Split it first."
    if plain[:1] in "'\"" and plain[-1:] in "'\"":
        return "it has quotes inside", "Strip the quotes first."
    if plain.isalpha() or not re.search(r"\d", plain):
        return "it is a word (a header line, or the wrong column?)", (
            "Skip it, or choose the right column."
        )
    return "it has characters that are no digits", "Look at the text and clean it first."


def _column_with(frame: LiveFrame, text: str) -> str:
    """Where in a live column the text stands."""
    for node in nodes_at_fault(frame, ast.expr):
        known, value = value_of(node, frame)
        if known and is_a(value, "pandas.DataFrame"):
            for name in list(value.columns)[:100]:
                at = _position(value[name], text)
                if at is not None:
                    return f"column {name!r} of {text_of(node)}, row {at}"
        if known and is_text_column(value):
            at = _position(value, text)
            if at is not None:
                return f"{text_of(node)}, row {at}"
    return ""


def _position(column: Any, text: str) -> Any:
    if not is_text_column(column):
        return None
    values = list(column[: MOST_VALUES * 10])
    at = next((i for i, each in enumerate(values) if type(each) is str and each == text), None)
    return None if at is None else shown(column.index[at])


def wrong_count(moment: Moment) -> Iterator[Diagnosis]:
    """More or fewer values than names to unpack them into."""
    pattern = (
        r"(too many|not enough) values to unpack \(expected (?:at least )?(\d+)(?:, got (\d+))?"
    )
    found, frame = matches(moment, ValueError, pattern), moment.frame
    if found is None or frame is None:
        return
    wanted = int(found[2])
    for target, source, item in _unpackings(frame):
        known, value = value_of(source, frame)
        names = text_of(target)
        if item and known and type(value) is dict and wanted == 2:
            yield Diagnosis(
                rule="items-missing",
                certainty="certain",
                cause=f"A loop over the dict {text_of(source)} gives its keys alone, not pairs.",
                evidence=(f"{where(frame)}: for {names} in {text_of(source)}",),
                remedy=f"Write {text_of(source)}.items().",
                fix=rewritten(frame, ".items()", (source, f"{segment(frame, source)}.items()")),
            )
            return
        if item:
            value, known = _misfit(value, wanted) if known else (None, False)
        count = length(value) if known else None
        count = count if count is not None else (int(found[3]) if found[3] else None)
        if count == wanted or (count is None and not known):
            continue
        what = (
            f"{text_of(source, 40)} gives" if not item else f"an item of {text_of(source, 40)} has"
        )
        said = f" ({shown(value)})" if known else ""
        enum = ""
        if item and wanted == 2 and known and type(value) in {int, str, float}:
            enum = f", or enumerate({text_of(source)}) if the position was meant"
        yield Diagnosis(
            rule="unpack-count",
            certainty="certain",
            cause=f"{what} {count if count is not None else found[1]} "
            f"value{'s' * (count != 1)}{said}, and {names} takes {wanted}.",
            evidence=(f"{where(frame)}: {names} = {text_of(source)}",),
            remedy=f"Give it {count} names, or choose the values{enum}."
            if count is not None
            else "Count what is unpacked.",
        )
        return


def _misfit(values: Any, wanted: int) -> tuple[Any, bool]:
    if type(values) not in {list, tuple}:
        return None, False
    for each in values[:MOST_VALUES]:
        if length(each) is not None and length(each) != wanted:
            return each, True
    return None, False


def _unpackings(frame: LiveFrame) -> Iterator[tuple[ast.expr, ast.expr, bool]]:
    nodes = nodes_at_fault(frame, ast.AST)
    if frame.tree is not None:
        nodes += [n for n in ast.walk(frame.tree) if getattr(n, "lineno", 0) == frame.line]
        nodes += [
            n
            for n in ast.walk(frame.tree)
            if isinstance(n, ast.comprehension) and n.iter.lineno == frame.line
        ]
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Tuple() | ast.List() as target], value=value):
                yield target, value, False
            case (
                ast.For(target=ast.Tuple() as target, iter=value)
                | ast.comprehension(target=ast.Tuple() as target, iter=value)
            ):
                yield target, value, True


def no_date(moment: Moment) -> Iterator[Diagnosis]:
    """A text that is no date of the format asked for."""
    frame = moment.frame
    pattern = (
        r"time data ['\"](.+?)['\"] (?:does not|doesn't) match format ['\"](.+?)['\"]"
        r"(?:, at position (\d+))?"
    )
    found = matches(moment, ValueError, pattern)
    rest = matches(moment, ValueError, r"unconverted data remains: (.+)")
    iso = matches(moment, ValueError, r"Invalid isoformat string: ['\"](.*)['\"]")
    if frame is None or (found is None and rest is None and iso is None):
        return
    text = found[1] if found else iso[1] if iso else _date_text(frame)
    fits = [each for each in FORMATS if text and _fits(text, each)]
    position = f" (row {found[3]})" if found and found[3] else ""
    node = _format_node(frame, found[2]) if found else None
    if rest is not None and found is None:
        asked = f"the format ends before {rest[1]!r}"
    else:
        asked = f"it does not match {found[2]!r}" if found else "it is not in ISO format"
    yield Diagnosis(
        rule="no-date",
        certainty="certain",
        cause=f"The text {shown(text)}{position} cannot be read as a date: {asked}"
        + (f"; {fits[0]!r} fits it." if fits else "."),
        evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
        remedy=f"Use the format {fits[0]!r}."
        + (f" It fits {fits[1]!r} too: say which is meant." if len(fits) > 1 else "")
        if fits
        else "Look at the text: other formats among the data need other handling.",
        fix=rewritten(frame, "format", (node, repr(fits[0]))) if len(fits) == 1 and node else None,
    )


def _fits(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def _date_text(frame: LiveFrame) -> str:
    for call in nodes_at_fault(frame, ast.Call):
        if call.args and text_of(call.func).endswith("strptime"):
            known, value = value_of(call.args[0], frame)
            if known and type(value) is str:
                return value
    return ""


def _format_node(frame: LiveFrame, form: str) -> ast.Constant | None:
    for node in nodes_at_fault(frame, ast.Constant):
        if node.value == form:
            return node
    return None


def no_whole_number(moment: Moment) -> Iterator[Diagnosis]:
    """Missing values that were to become whole numbers; a frequency pandas renamed."""
    frame = moment.frame
    if frame is None:
        return
    renamed = matches(moment, ValueError, r"Invalid frequency: (\w+)(?:.*Did you mean (\w+))?")
    if renamed is not None:
        right = renamed[2] or {
            "M": "ME",
            "Q": "QE",
            "Y": "YE",
            "A": "YE",
            "H": "h",
            "T": "min",
            "S": "s",
            "L": "ms",
        }.get(renamed[1], "")
        node = _format_node(frame, renamed[1])
        yield Diagnosis(
            rule="frequency",
            cause=f"{renamed[1]!r} is no frequency (any more): pandas 2.2 renamed the letters, and "
            "pandas 3.0 removed the old ones.",
            certainty="certain",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy=f"Write {right!r}." if right else "See the offset aliases of pandas.",
            fix=rewritten(frame, right, (node, repr(right))) if right and node else None,
        )
    elif matches(moment, ValueError, r"[Cc]annot convert (?:non-finite|float NaN|NA)"):
        holes = ""
        for call in nodes_at_fault(frame, ast.Call):
            base = call.func.value if isinstance(call.func, ast.Attribute) else None
            value = value_of(base, frame)[1]
            if is_a(value, "pandas.Series"):
                holes = f": {text_of(base)} has {int(value.isna().sum())}"
                break
        yield Diagnosis(
            rule="missing-values",
            cause=f"Missing values (NaN) cannot become whole numbers{holes}.",
            certainty="certain",
            evidence=(f"{where(frame)}: {text_of(frame.node, 60)}",),
            remedy="Fill or drop them first, or use the dtype 'Int64', which has missing values.",
        )
