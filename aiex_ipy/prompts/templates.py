"""The prompt templates: one Markdown file per operation, type and level in `library/`."""

from __future__ import annotations

import string
from functools import cache


@cache
def _template(name: str) -> string.Template:
    from importlib.resources import files

    text = files("aiex_ipy.prompts").joinpath("library", f"{name}.md").read_text("utf-8")
    return string.Template(text.strip())


def template(name: str, **values: str) -> str:
    """Return the template `name` with its `$placeholders` filled.

    Every placeholder must be given and every value used: a template and its caller cannot
    drift apart. Values are not scanned again. Raises KeyError and TypeError for a mismatch.
    """
    found = _template(name)
    surplus = set(values) - set(found.get_identifiers())
    if surplus:
        raise TypeError(f"template {name!r} does not use {sorted(surplus)}")
    return found.substitute(values)
