"""A notebook's text with its code cells in another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

Cell = dict[str, Any]


def reordered(text: str, order: Sequence[int]) -> str:
    """Return a notebook with its code cells in `order` (their 1-based numbers among all cells).

    The cells before a code cell that hold no code go with it. Outputs and run numbers are taken
    out: they tell of another order.
    """
    data = msgspec.json.decode(text.removeprefix("\ufeff"))
    holders = [data] if isinstance(data.get("cells"), list) else data["worksheets"]
    cells = [cell for holder in holders for cell in holder.get("cells", ())]
    wanted = set(order)
    groups: dict[int, list[Cell]] = {}
    waiting: list[Cell] = []
    for number, cell in enumerate(cells, 1):
        waiting.append(cell)
        if number in wanted:
            groups[number] = waiting
            waiting = []
    made = [_unrun(cell) for number in order for cell in groups[number]] + waiting
    holders[0]["cells"] = made
    for holder in holders[1:]:
        holder["cells"] = []
    return msgspec.json.format(msgspec.json.encode(data), indent=1).decode() + "\n"


def _unrun(cell: Cell) -> Cell:
    if cell.get("cell_type") != "code":
        return cell
    number = "prompt_number" if "prompt_number" in cell else "execution_count"
    return {**cell, number: None, "outputs": []}
