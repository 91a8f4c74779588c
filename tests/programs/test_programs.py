"""Our failing programs hold what they must. Of those that others wrote (`others/`) the capture is
asserted; which causes are named is counted by `python -m tests.programs DIR` and asserted nowhere,
so that they stay a measure."""

from __future__ import annotations

import pytest

from .checking import check, missing_values
from .program import OTHERS, OURS, Program, load
from .running import run


@pytest.mark.slow
@pytest.mark.parametrize("program", load(OURS), ids=lambda program: program.id)
def test_the_capture_holds_what_it_must(program: Program) -> None:
    """Run for real, the prompt tells error, line, frames, values and cells, is small and holds no
    secret; the diagnosis names the cause where it can be known offline."""
    captured = run(program)
    assert captured.failure is not None, captured.output
    found = check(program, captured)
    if not program.expect.offline_possible:
        del found["cause"]
    failed = [item for item, holds in found.items() if holds is False]
    told = [*missing_values(program, captured), captured.diagnosis, captured.prompt]
    assert not failed, "\n".join(told)


@pytest.mark.slow
@pytest.mark.parametrize("program", load(OTHERS / "third"), ids=lambda program: program.id)
def test_the_capture_holds_for_programs_of_others(program: Program) -> None:
    """Of programs by people who had not seen the code the prompt tells error, line and frames, is
    small and holds no secret."""
    captured = run(program)
    assert captured.failure is not None, captured.output
    found = check(program, captured)
    failed = [
        item for item in ("error", "line", "frames", "size", "secret") if found[item] is False
    ]
    assert not failed, captured.prompt
