"""A code cell of a saved notebook, and what is found in one."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from aiex_ipy.grounding.notebook import Cells


class SavedCell(Struct, frozen=True, kw_only=True):
    """`number` is its 1-based place among all cells, `count` that of its last run, `outputs` as
    they stand in the file; `may_fail` that its tag says it raises on purpose."""

    number: int
    code: str
    count: int | None = None
    outputs: tuple[dict[str, Any], ...] = ()
    may_fail: bool = False

    @property
    def ran_well(self) -> bool:
        """True when it has run and its output is no error."""
        return self.count is not None and not any(
            output.get("output_type") in ("error", "pyerr") for output in self.outputs
        )


class Trouble(Struct, frozen=True, kw_only=True):
    """One finding in a cell, by rule; `line` counts in the cell."""

    rule: str
    cell: int
    line: int
    message: str


def saved_cells(cells: Cells) -> tuple[SavedCell, ...]:
    """Return the code cells of a notebook that was read."""
    made = []
    for number in cells.numbers:
        cell = cells.found[number - 1]
        count = cell.get("execution_count", cell.get("prompt_number"))
        outputs = cell.get("outputs")
        made.append(
            SavedCell(
                number=number,
                code=source_of(cell),
                may_fail=_is_tagged(cell, "raises-exception"),
                count=count if type(count) is int else None,
                outputs=tuple(
                    output
                    for output in (outputs if isinstance(outputs, list) else ())
                    if isinstance(output, dict)
                ),
            )
        )
    return tuple(made)


def _is_tagged(cell: dict[str, Any], tag: str) -> bool:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return isinstance(tags, list) and tag in tags


def source_of(cell: dict[str, Any]) -> str:
    """Return the code of a cell as it was typed."""
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""
