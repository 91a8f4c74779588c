"""Directories of their own for the tests that start the model server."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def model_home(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that has the small model and nothing else."""
    home = tmp_path_factory.mktemp("home")
    (home / "models").mkdir()
    (home / "models" / smollm2.name).symlink_to(smollm2)
    return home


@pytest.fixture
def at_home(model_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`model_home` as the data directory of this test and of the processes it starts."""
    monkeypatch.setenv("AIEX_DATA_DIR", str(model_home))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return model_home
