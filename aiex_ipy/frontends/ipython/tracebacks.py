"""The text of a failed cell's traceback, as it is asked about."""

from __future__ import annotations

import traceback
from typing import Any

MAX_CHARACTERS = 20_000
MACHINERY = ("IPython.", "ipykernel.")
"""Modules whose frames stand above a cell's own and say nothing of its error."""


def error_text(error: BaseException, shell: Any) -> str:
    """Return the traceback as Python prints it: no colours, no values, no frames of IPython's own
    above the cell's, and cells by their name (`In[3]`). A longer one loses its middle."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_globals.get("__name__", "").startswith(MACHINERY):
        frames = frames.tb_next
    told = traceback.TracebackException(type(error), error, frames or error.__traceback__)
    _name_cells(told, getattr(getattr(shell, "compile", None), "format_code_name", None))
    text = "".join(told.format())
    if len(text) > MAX_CHARACTERS:
        half = MAX_CHARACTERS // 2
        text = f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"
    return text


def _name_cells(told: traceback.TracebackException, name_of: Any) -> None:
    """Replace the made-up file names of cells, here and in the errors this one came from."""
    if name_of is None:
        return
    for frame in told.stack:
        if known := name_of(frame.filename):
            frame.filename = known[1]
    if isinstance(filename := getattr(told, "filename", None), str) and (
        known := name_of(filename)
    ):
        told.filename = known[1]
    for earlier in (told.__cause__, told.__context__):
        if earlier is not None:
            _name_cells(earlier, name_of)
