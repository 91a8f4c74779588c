"""What Tab offers beside IPython's own: columns and keys in the strings of calls, arguments of
methods, attributes of what a table's methods give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion

from aiex_ipy.grounding.completing.evaluating import Names
from aiex_ipy.grounding.completing.offers import offers_at
from aiex_ipy.grounding.completing.place import place_of

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext


def matched(context: CompletionContext, namespace: dict[str, Any]) -> Any:
    """Return IPython's record of matches. They take nothing of its own away, and what both offer
    stands once: same text, same start."""
    lines = context.full_text.split("\n")
    line = lines[context.cursor_line] if context.cursor_line < len(lines) else ""
    before = "\n".join([*lines[: context.cursor_line], line[: context.cursor_position]])
    found, word = additions(before, line[context.cursor_position :], namespace)
    completions = [SimpleCompletion(text=text, type=kind) for text, kind in found]
    return {"completions": completions, "matched_fragment": word, "suppress": False}


Found = tuple[list[tuple[str, str]], str]


def additions(before: str, after: str, namespace: dict[str, Any]) -> Found:
    """Return text and kind of what is to be added at a cursor, and the word they stand for."""
    place = place_of(before)
    around = place.enclosures[0] if place.enclosures else None
    kinds: tuple[str, ...] | None = None
    if place.kind == "string":
        if around is None or (around.bracket == "[" and around.head):
            return [], ""  # IPython asks the object itself for its keys
    elif place.kind == "name" and around is not None and around.head:
        kinds = ("argument",)
    elif place.kind != "attribute" or "(" not in place.receiver:
        return [], ""
    offers = offers_at(place, Names(namespace), after)
    # In the text of an expression only the last word is completed.
    size = len(offers.items[0].text) - len(offers.items[0].insert) if offers.items else 0
    return [
        (each.text, "param" if each.kind == "argument" else each.kind)
        for each in offers.items
        if kinds is None or each.kind in kinds
    ], before[len(before) - size :] if size else ""
