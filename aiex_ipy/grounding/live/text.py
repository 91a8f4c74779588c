"""Descriptions as text: one line, or several. The same for the same values in every process."""

from __future__ import annotations

from collections.abc import Iterator

from aiex_ipy.grounding.live.description import Column, Description

COLUMNS_IN_LINE = 20
COLUMNS = 60
NAMES = 30
LINE = 1_200
"""Characters of a line, at most; a description of several lines takes three times as much."""


def line(description: Description, characters: int = LINE) -> str:
    """Return the description as one line of text, at most 1,200 characters.

    What matters most stands first, so that it is still there when the line is cut: the size, the
    columns with their types (half of `characters` is theirs), the facts, the values. Of a table
    the facts, of anything its memory, follow the values.
    """
    d = description
    first = [*_size(d)]
    if d.signature:
        first.insert(0, d.signature)
    late = [each for each in d.facts if d.columns or each[0] == "memory"]
    first += [f"{label} {text}" for label, text in d.facts if (label, text) not in late]
    if d.source:
        first.append(f"at {d.source}")
    if d.columns:
        first.append(f"columns {_fitting([_column(each) for each in d.columns], characters // 2)}")
    shown = f" = {d.value}" if d.value else ""
    rest = ", ".join(f"{label} {text}" for label, text in late)
    rest = f"{'; ' if shown else ', '}{rest}" if rest else ""
    head = _cut(f"{d.name or 'value'}: {', '.join([d.type, *first])}", LINE - min(len(shown), 300))
    return _cut(" ".join(f"{head}{shown}{rest}".split("\n")), characters)


def _fitting(names: list[str], characters: int) -> str:
    """As many names as a line of so many characters takes, one at least."""
    count, length = 0, 0
    for each in names[:COLUMNS_IN_LINE]:
        length += len(each) + 2
        if count and length > characters:
            break
        count += 1
    return _listed(names, count)


def lines(description: Description) -> str:
    """Return the description as several lines of text, at most 3,600 characters."""
    return _cut("\n".join(_lines(description)), 3 * LINE)


def _lines(d: Description) -> Iterator[str]:
    yield f"{d.name or 'value'}: {', '.join([d.type, *_size(d)])}"
    if d.signature:
        yield f"  signature: {d.signature}"
    if d.source:
        yield f"  source: {d.source}"
    for label, text in d.facts:
        yield f"  {label}: {text}"
    for each in d.columns[:COLUMNS]:
        yield f"  column {_column(each)}"
    if len(d.columns) > COLUMNS:
        yield f"  … {len(d.columns) - COLUMNS} more columns"
    if d.keys:
        yield f"  keys: {_listed(list(d.keys), NAMES)}"
    if d.attributes:
        yield f"  attributes: {_listed(list(d.attributes), NAMES)}"
    if d.value:
        yield f"  value: {d.value}"


def _size(d: Description) -> list[str]:
    parts = []
    if d.shape is not None:
        parts.append(f"shape {d.shape}")
    elif d.length is not None:
        parts.append(f"length {d.length}")
    if d.dtype:
        parts.append(d.dtype)
    return parts


def _column(column: Column) -> str:
    nulls = f" ({column.nulls} null)" if column.nulls else ""
    return f"{column.name}: {column.dtype}{nulls}"


def _listed(names: list[str], limit: int) -> str:
    more = f", … {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
