"""Entry points are listed without being loaded, and loaded on first use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aiex_ipy import plugins
from aiex_ipy.errors import PluginError, UnknownNameError


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that installs packages with entry points for one test."""

    def install(package: str, points: str, code: str = "") -> None:
        meta = tmp_path / f"{package}-2.1.dist-info"
        meta.mkdir()
        (meta / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 2.1\n")
        (meta / "entry_points.txt").write_text(f"[aiex.providers]\n{points}\n")
        (tmp_path / f"{package}.py").write_text(code)

    monkeypatch.syspath_prepend(tmp_path)
    plugins._scan.cache_clear()
    plugins._load.cache_clear()
    yield install
    plugins._scan.cache_clear()
    plugins._load.cache_clear()


def test_a_plugin_says_who_provides_it(installed):
    """The list names package and version, ours first, and imports nothing."""
    installed("acme_models", "acme = acme_models:Acme", "raise SystemExit")
    found = {plugin.name: plugin for plugin in plugins.plugins("aiex.providers")}
    assert (found["acme"].package, found["acme"].version) == ("acme_models", "2.1")
    assert found["openai"].package == "aiex"
    assert plugins.plugins("aiex.providers")[0].package == "aiex"
    assert "acme_models" not in sys.modules


def test_a_plugin_is_loaded_when_asked_for(installed):
    """What stands behind the name is returned, a nested attribute too."""
    installed("acme_two", "acme = acme_two:Box.Acme", "class Box:\n    class Acme: pass\n")
    assert plugins.load("aiex.providers", "acme").__qualname__ == "Box.Acme"


def test_a_plugin_that_breaks_names_its_package(installed):
    """The error says whose it is and what to do."""
    installed("broken_one", "broken = broken_one:Broken", "import no_such_module")
    with pytest.raises(PluginError) as caught:
        plugins.load("aiex.providers", "broken")
    assert "'broken_one' 2.1" in caught.value.message
    assert "broken_one" in caught.value.hint


def test_two_packages_of_one_name_are_an_error(installed):
    """Neither wins silently."""
    installed("acme_a", "acme = acme_a:A", "class A: pass")
    installed("acme_b", "acme = acme_b:B", "class B: pass")
    with pytest.raises(PluginError, match="'acme_a' and 'acme_b'"):
        plugins.load("aiex.providers", "acme")


def test_an_unknown_plugin_gets_a_near_miss():
    """A misspelt name is told the right one."""
    with pytest.raises(UnknownNameError, match="Did you mean 'openai'"):
        plugins.load("aiex.providers", "opnai")


def test_loading_a_provider_imports_no_sdk():
    """The provider of a vendor is made without its SDK, the transport or an event loop."""
    code = (
        "import sys\n"
        "from aiex_ipy import plugins\n"
        "from aiex_ipy.config.settings import ProviderSettings, Settings\n"
        "from aiex_ipy.routing.router import Router\n"
        "Router(Settings())\n"
        "for kind in ('openai', 'anthropic', 'ollama', 'lm_studio', 'embedded', 'scripted'):\n"
        "    plugins.load('aiex.providers', kind)("
        "ProviderSettings(name=kind, kind=kind), Settings())\n"
        "heavy = {'openai', 'anthropic', 'httpx2', 'asyncio', 'pydantic', 'xllamacpp'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
