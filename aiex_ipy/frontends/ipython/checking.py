"""`%aiex health`: the health of a notebook, of the running one where the kernel knows it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aiex_ipy.errors import UsageError

if TYPE_CHECKING:
    from aiex_ipy.frontends.ipython.magics import Call
    from aiex_ipy.frontends.ipython.session import Session
    from aiex_ipy.operations.health import HealthRequest


def from_magic(call: Call) -> HealthRequest:
    """Return the request of a magic's words; the kernel's own cells and names go with it."""
    from aiex_ipy.operations.health import HealthRequest

    if call.body.strip():
        raise UsageError(
            "'health' takes no cell.", code="no_cell", hint="Write %aiex health NOTEBOOK alone."
        )
    path = call.with_values(call.found.question) or running_notebook(call.session)
    values = call.found.values
    return HealthRequest(
        path=path,
        run="run" in values,
        reorder=call.get("reorder"),
        force="force" in values,
        allow_secret_file="allow_secret_file" in values,
        cells=call.session.cells,
        names=tuple(sorted(n for n in call.session.shell.user_ns if not n.startswith("_"))),
    )


def running_notebook(session: Session) -> str:
    """Return the path of the notebook that runs here. Raises UsageError where none is known.

    Source: VS Code sets `__vsc_ipynb_file__`, jupyter_server 2 `JPY_SESSION_NAME`.
    """
    for path in (
        session.shell.user_ns.get("__vsc_ipynb_file__"),
        os.environ.get("JPY_SESSION_NAME"),
    ):
        if type(path) is str and path.endswith(".ipynb") and os.path.isfile(path):
            return path
    raise UsageError(
        "The kernel does not know which notebook it runs.",
        code="which_notebook",
        hint="Save it and name it: %aiex health NOTEBOOK.ipynb.",
    )
