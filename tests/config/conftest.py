"""A home and a project of their own for each test, and the shortest way to load from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aiex_ipy.config import load_with_origins
from aiex_ipy.config.loading import Loaded


class Place:
    """A home with settings files, a project, and an environment that knows only them."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.project = root / "project"
        self.config = self.home / ".config" / "aiex"
        self.config.mkdir(parents=True)
        self.project.mkdir()
        self.user = self.config / "config.toml"
        self.team = self.config / "team.toml"
        self.aiex = self.project / "aiex.toml"

    def environ(self, **variables: str) -> dict[str, str]:
        return {"HOME": str(self.home), **variables}

    def load(
        self,
        variables: dict[str, str] | None = None,
        overrides: dict[str, object] | None = None,
        profile: str | None = None,
    ) -> Loaded:
        return load_with_origins(
            project_dir=str(self.project),
            environ=self.environ(**(variables or {})),
            overrides=overrides,
            profile=profile,
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def refused(place: Place) -> Callable[..., str]:
    """Load and return the refusal as `code: message hint`, with the test's directory cut off.

    What is wrong with one provider is kept with it, and told as a warning; an override of it is
    refused.
    """
    from aiex_ipy.errors import ConfigError

    def load(**how: object) -> str:
        try:
            loaded = place.load(**how)  # type: ignore[arg-type]
        except ConfigError as error:
            told = error
        else:
            providers = loaded.settings.llm.providers.values()
            faults = [each.fault for each in providers if each.fault is not None]
            assert faults and "overrides" not in how, "nothing was refused"
            assert {str(fault) for fault in faults} <= set(loaded.warnings)
            told = faults[0]
        text = f"{told.code}: {told}"
        return text.replace(f"{place.home.parent}/", "")

    return load
