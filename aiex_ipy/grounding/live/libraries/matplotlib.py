"""matplotlib: figures and axes, told by titles, labels and what is on them; nothing is drawn."""

from __future__ import annotations

from collections import Counter
from typing import Any

from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import (
    MISSING,
    attribute,
    full_name,
    public_names,
    qualname,
    text_of,
)

_TEXT = 80
_LINES = 10


def describe(value: Any, base: type, printer: Printer) -> Description | None:
    """Return what is known of a figure, of axes, or of a line."""
    name = full_name(base)
    if name == "matplotlib.figure.Figure":
        return _figure(value, printer)
    if name == "matplotlib.axes._base._AxesBase":
        return _axes(value, printer)
    if name == "matplotlib.lines.Line2D":
        label = _own_label(value, printer)
        facts = (("label", label),) if label else ()
        return Description(type=full_name(type(value)), kind="object", facts=facts)
    return None


def _figure(value: Any, printer: Printer) -> Description | None:
    axes = attribute(value, "_localaxes")
    if type(axes) is not list:
        return None
    facts = []
    if title := _text(attribute(value, "_suptitle"), printer):
        facts.append(("title", title))
    if printer.depth > 0:
        for number, each in enumerate(axes[: printer.items]):
            facts.append((f"axes {number}", ", ".join(_drawn(each, printer)) or "empty"))
    dpi = attribute(value, "_dpi")
    if type(dpi) in (int, float):
        facts.append(("dpi", f"{dpi:g}"))
    return Description(
        type=full_name(type(value)),
        kind="figure",
        length=len(axes),
        attributes=public_names(value) if printer.depth > 0 else (),
        facts=tuple(facts),
    )


def _axes(value: Any, printer: Printer) -> Description | None:
    if type(attribute(value, "_children")) is not list:
        return None
    drawn = _drawn(value, printer)
    children = attribute(value, "_children")
    labels = [
        label
        for each in children[: 10 * _LINES]
        if qualname(type(each)) == "Line2D" and (label := _own_label(each, printer))
    ]
    facts = [("shows", ", ".join(drawn) or "nothing")]
    if labels:
        facts.append(("lines", ", ".join(labels[:_LINES])))
    legend = attribute(value, "legend_")
    if legend is not None and legend is not MISSING:
        facts.append(("legend", "yes"))
    return Description(
        type=full_name(type(value)),
        kind="figure",
        attributes=public_names(value),
        facts=tuple(facts),
    )


def _drawn(axes: Any, printer: Printer) -> list[str]:
    """What axes are about: title, labels, and how many of what is on them."""
    found = []
    if title := _text(attribute(axes, "title"), printer):
        found.append(f"title {title}")
    labels = ((name, attribute(attribute(axes, f"{name}axis"), "label")) for name in ("x", "y"))
    found += [f"{name} {text}" for name, label in labels if (text := _text(label, printer))]
    children = attribute(axes, "_children")
    if type(children) is list:
        counts = Counter(qualname(type(each)) for each in children)
        found += [f"{count} {kind}" for kind, count in sorted(counts.items())[:6]]
    return found


def _text(artist: Any, printer: Printer) -> str:
    """The text of a text on a figure, quoted."""
    if artist is MISSING or artist is None:
        return ""
    text = text_of(attribute(artist, "_text"))
    return printer.text(text, _TEXT) if text else ""


def _own_label(line: Any, printer: Printer) -> str:
    """A label that was given; matplotlib's own begin with an underscore."""
    label = text_of(attribute(line, "_label"))
    return printer.text(label, _TEXT) if label and not label.startswith("_") else ""
