"""What saved outputs tell: errors left, secrets, blobs. No secret is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiex_ipy.grounding.health.record import SavedCell, Trouble
from aiex_ipy.grounding.rules.notebooks import LARGE_OUTPUT
from aiex_ipy.redaction.shapes import mask_forms

SEARCHED = 200_000
"""Characters of one text in an output that are searched for secrets."""
_PICTURES = ("image/", "video/", "audio/", "application/pdf", "application/octet-stream")


def output_troubles(cell: SavedCell) -> Iterator[Trouble]:
    """Yield what the outputs of one cell tell."""
    for output in cell.outputs:
        if output.get("output_type") in ("error", "pyerr"):
            name = output.get("ename")
            what = name if isinstance(name, str) and name.isidentifier() else "an error"
            yield _trouble("AX309", cell, f"The output is {what}")
        texts = list(_texts(output))
        size = sum(len(text) for _, text in texts)
        if size > LARGE_OUTPUT:
            kind, text = max(texts, key=lambda pair: len(pair[1]))
            held = " with data URLs" if "data:" in text and ";base64," in text else ""
            yield _trouble("AX308", cell, f"An output of {size / 1e6:.1f} MB, mostly {kind}{held}")
        kinds = dict.fromkeys(
            kind for kind, text in texts if not kind.startswith(_PICTURES) and _has_secret(text)
        )
        if kinds:
            yield _trouble("AX307", cell, f"What looks like a secret stands in {', '.join(kinds)}")


def _trouble(rule: str, cell: SavedCell, message: str) -> Trouble:
    return Trouble(rule=rule, cell=cell.number, line=1, message=message)


def _texts(output: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each text of an output with the name of its kind."""
    for key in ("text", "traceback", "evalue"):
        yield key if key != "text" else "text output", _joined(output.get(key))
    data = output.get("data")
    if isinstance(data, dict):
        for kind, value in data.items():
            yield str(kind), _joined(value)
    else:  # nbformat 3
        for kind in ("png", "jpeg", "html", "svg", "json"):
            yield f"image/{kind}" if kind in ("png", "jpeg") else kind, _joined(output.get(kind))


def _joined(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    if isinstance(value, dict):
        import msgspec

        return msgspec.json.encode(value).decode()
    return ""


def _has_secret(text: str) -> bool:
    """True when the beginning or the end of a text has the form of a secret."""
    parts = [text] if len(text) <= SEARCHED else [text[: SEARCHED // 2], text[-SEARCHED // 2 :]]
    return any(mask_forms(part) is not part for part in parts)
