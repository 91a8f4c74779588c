"""The child that runs a notebook's cells in a real shell with the extension, or a script whose
value is asked about, and writes what `ai_debug` would capture."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import msgspec

from tests.programs.program import Program


def main(described: str, crash: str) -> None:
    """Run the program described in a file; write the capture to another."""
    program = msgspec.json.decode(Path(described).read_bytes(), type=Program)
    sys.path[0] = "."
    if program.kind == "notebook":
        _notebook(program, crash)
    else:
        _script(program, crash)


def _notebook(program: Program, crash: str) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "aiex")
    for cell in program.cells:
        if not shell.run_cell(cell, store_history=True).success:
            break
    from aiex_ipy.engine.debugging import LAST, debug_request
    from aiex_ipy.frontends.ipython.session import current_session
    from aiex_ipy.grounding.crash.record import Crash, append

    session = current_session()
    target = LAST if program.target is None else shell.ev(program.target)
    request = debug_request(session.engine, target, around=session, expression=program.target or "")
    append(
        crash,
        Crash(
            where="main",
            failure=request.failure,
            diagnoses=request.diagnoses,
            source=request.source,
            shown=request.shown,
        ),
    )


def _script(program: Program, crash: str) -> None:
    from aiex_ipy.grounding.crash.record import Crash, append
    from aiex_ipy.grounding.diagnosis.diagnose import diagnose
    from aiex_ipy.grounding.failure.capture import capture

    sys.argv = list(program.command[1:])
    names = runpy.run_path(sys.argv[0], run_name="__main__")
    assert program.target is not None
    value = eval(program.target, names)  # the program's own expression
    failure, moment = capture(
        value, names=names, expression=program.target, project_dir=str(Path.cwd())
    )
    append(crash, Crash(where="main", failure=failure, diagnoses=diagnose(moment)))


if __name__ == "__main__":
    main(*sys.argv[1:])
