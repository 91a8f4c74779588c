"""Docstrings read lightly: summary, parameters, results, errors, in the three usual styles.

Source: numpydoc 1.x "Style guide"; Google Python Style Guide 3.8.3; Sphinx "The Python Domain",
info field lists.
"""

from __future__ import annotations

import inspect
import re

from msgspec import Struct

_WORDS = {
    "parameters": "parameters",
    "other parameters": "parameters",
    "args": "parameters",
    "arguments": "parameters",
    "keyword args": "parameters",
    "keyword arguments": "parameters",
    "attributes": "",
    "returns": "returns",
    "return": "returns",
    "yields": "returns",
    "raises": "raises",
    "raise": "raises",
    "see also": "related",
    "example": "",
    "examples": "",
    "notes": "",
    "note": "",
    "references": "",
    "warns": "",
    "warnings": "",
    "methods": "",
}
"""What the title of a section is about; `""` where it is only known to end the one before."""
_UNDERLINE = re.compile(r"\s*(-{3,}|={3,})\s*\Z")
_GOOGLE_ITEM = re.compile(r"(?P<name>\*{0,2}[\w.]+)\s*(?:\((?P<type>[^)]*)\))?\s*:\s*(?P<text>.*)")
_FIELD = re.compile(
    r":(?P<kind>param|parameter|arg|argument|key|keyword|type|returns?|rtype|raises?|except|"
    r"exception)(?:\s+(?P<words>[^:]*))?:\s*(?P<text>.*)"
)
MOST_ITEMS = 60


class Item(Struct, frozen=True, kw_only=True):
    """One parameter, result or error: `name` may be `""` for a result."""

    name: str
    type: str = ""
    text: str = ""


class Docstring(Struct, frozen=True, kw_only=True):
    """A docstring by its parts; `related` are the names under "See Also"."""

    summary: str = ""
    parameters: tuple[Item, ...] = ()
    returns: tuple[Item, ...] = ()
    raises: tuple[Item, ...] = ()
    related: tuple[str, ...] = ()


def read_docstring(text: str) -> Docstring:
    """Return the parts of a docstring; what is in none of the styles is only its summary."""
    lines = inspect.cleandoc(text).splitlines()
    parts: dict[str, list[Item]] = {"parameters": [], "returns": [], "raises": [], "related": []}
    body, sections = _sections(lines)
    for about, style, content in sections:
        if about == "related":
            parts[about] += _related(content)
        elif about:
            read = _numpy_items if style == "numpy" else _google_items
            parts[about] += read(content, about)
    fields = _fields(lines)
    for about, items in fields.items():
        parts[about] += items
    return Docstring(
        summary=_summary(body),
        parameters=tuple(parts["parameters"][:MOST_ITEMS]),
        returns=tuple(parts["returns"][:MOST_ITEMS]),
        raises=tuple(parts["raises"][:MOST_ITEMS]),
        related=tuple(dict.fromkeys(item.name for item in parts["related"][:MOST_ITEMS])),
    )


def _summary(lines: list[str]) -> str:
    """The first paragraph on one line; a first paragraph that is a C signature is passed over."""
    paragraphs = "\n".join(lines).split("\n\n")
    found = [p for p in (" ".join(each.split()) for each in paragraphs) if p]
    if len(found) > 1 and re.match(r"[\w.]+\(.*\)(\s*->.*)?\Z", found[0]):
        del found[0]
    return "" if not found or found[0].startswith((":", ">>>", "..")) else found[0]


def _sections(lines: list[str]) -> tuple[list[str], list[tuple[str, str, list[str]]]]:
    """Return what stands before the first section, and (about, style, lines) of each."""
    body: list[str] = []
    found: list[tuple[str, str, list[str]]] = []
    current = body
    skip = False
    for number, line in enumerate(lines):
        if skip:
            skip = False
            continue
        following = lines[number + 1] if number + 1 < len(lines) else ""
        word = line.strip().lower()
        if _UNDERLINE.match(following) and word.rstrip(":") in _WORDS and line[:1].strip():
            current = []
            found.append((_WORDS[word.rstrip(":")], "numpy", current))
            skip = True
        elif word.endswith(":") and word[:-1] in _WORDS and line[:1].strip():
            current = []
            found.append((_WORDS[word[:-1]], "google", current))
        elif line[:1].strip() and found and found[-1][1] == "google" and current is not body:
            current = []
            found.append(("", "google", current))
        else:
            current.append(line)
    return body, found


def _blocks(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Return each least indented line with the lines below it."""
    filled = [line for line in lines if line.strip()]
    if not filled:
        return []
    indent = min(len(line) - len(line.lstrip()) for line in filled)
    found: list[tuple[str, list[str]]] = []
    for line in filled:
        if len(line) - len(line.lstrip()) == indent:
            found.append((line.strip(), []))
        elif found:
            found[-1][1].append(line.strip())
    return found


def _numpy_items(lines: list[str], about: str) -> list[Item]:
    items: list[Item] = []
    for head, below in _blocks(lines):
        text = " ".join(below)
        name, colon, kind = (part.strip() for part in head.partition(" : "))
        if not colon and about == "returns":
            items.append(Item(name="", type=head, text=text))
            continue
        items += [Item(name=each.strip(), type=kind, text=text) for each in name.split(",")]
    return items


def _google_items(lines: list[str], about: str) -> list[Item]:
    items = []
    for head, below in _blocks(lines):
        match = _GOOGLE_ITEM.match(head)
        more = " ".join(below)
        if about == "returns":
            kind, colon, text = head.partition(": ")
            short = colon and " " not in kind.replace(", ", ",")
            words = f"{text if short else head} {more}".strip()
            items.append(Item(name="", type=kind if short else "", text=words))
        elif match is not None:
            text = f"{match['text']} {more}".strip()
            items.append(Item(name=match["name"], type=match["type"] or "", text=text))
    if about == "returns" and len(items) > 1 and not any(each.type for each in items):
        return [Item(name="", text=" ".join(each.text for each in items))]
    return items


def _fields(lines: list[str]) -> dict[str, list[Item]]:
    """Read the fields of Sphinx: `:param int x: …`, `:type x: int`, `:raises E: …`."""
    items: dict[str, Item] = {}
    errors: list[Item] = []
    result = {"text": "", "type": ""}
    for match in filter(None, map(_FIELD.match, _field_lines(lines))):
        kind, words, text = match["kind"], (match["words"] or "").split(), match["text"]
        if kind in ("return", "returns", "rtype"):
            result["type" if kind == "rtype" else "text"] = text
        elif words and kind.startswith(("raise", "exc")):
            errors.append(Item(name=words[-1], text=text))
        elif words:
            before = items.get(words[-1], Item(name=words[-1]))
            stated = text if kind == "type" else " ".join(words[:-1]) or before.type
            said = before.text if kind == "type" else text
            items[words[-1]] = Item(name=words[-1], type=stated, text=said)
    returns = [Item(name="", **result)] if any(result.values()) else []
    return {"parameters": list(items.values()), "returns": returns, "raises": errors}


def _field_lines(lines: list[str]) -> list[str]:
    """Return each field on one line."""
    joined: list[str] = []
    for line in lines:
        if line.lstrip().startswith(":"):
            joined.append(line.strip())
        elif joined and line.strip():
            joined = [*joined[:-1], f"{joined[-1]} {line.strip()}"] if line[0] in " \t" else joined
    return joined


def _related(lines: list[str]) -> list[Item]:
    found = []
    for head, _ in _blocks(lines):
        names = re.split(r"\s+:|:\s", head, maxsplit=1)[0].rstrip(":")
        for each in names.split(","):
            name = re.sub(r":\w+:`~?([^`]*)`", r"\1", each.strip()).strip("`")
            if re.fullmatch(r"[\w.]+", name):
                found.append(Item(name=name))
    return found
