"""`%aiex health` in a shell: with the notebook named, or the one that the kernel runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.errors import UsageError


def test_the_running_notebook_is_found_and_its_kernel_looked_at(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what the server or the editor says; what only the memory holds is told."""
    shell.run_cell("kept = 1", store_history=True)
    number = shell.execution_count - 1
    cells = [
        {"cell_type": "code", "source": "kept = 1", "execution_count": number, "outputs": []},
        {"cell_type": "code", "source": "print(gone)", "execution_count": None, "outputs": []},
    ]
    file = tmp_path / "live.ipynb"
    file.write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5}))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    shell.user_ns["gone"] = 1
    with pytest.raises(UsageError, match="does not know which notebook"):
        shell.run_line_magic("aiex", "health")
    shell.user_ns["__vsc_ipynb_file__"] = str(file)
    found = shell.run_line_magic("aiex", "health")
    assert found.live and [i.rule for i in found.issues] == ["AX303", "AX311"]
    named = shell.run_line_magic("aiex", f"health {file}")
    assert named == found
