"""explain looks for callers and importers where they may stand, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aiex_ipy.config.settings import LLMSettings, Settings
from aiex_ipy.engine.engine import Engine
from aiex_ipy.operations.explain import ExplainRequest

FILES = {
    "src/shop/__init__.py": "from shop.till import pay\n",
    "src/shop/till.py": '"""Takes money."""\n\n\ndef pay(sum):\n    return sum\n',
    "src/shop/desk.py": "from . import till\n\n\ndef serve():\n    return till.pay(3)\n",
    "src/shop/other.py": "def pay(): ...\n\n\ndef unrelated():\n    return pay()\n",
    "src/shop/broken.py": "def pay(:\n",
    "tests/test_till.py": "from shop.till import pay\n\n\ndef test_pay():\n    pay(1)\n",
    ".venv/pyvenv.cfg": "",
    ".venv/lib.py": "from shop.till import pay\n\npay(0)\n",
    "alone.py": "def solo(): ...\n",
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    settings = Settings(project_dir=str(tmp_path), llm=LLMSettings(default_provider="none"))
    engine = Engine(settings)
    yield engine
    engine.close()


def told(engine: Engine, target: str, **more: str) -> dict[str, tuple[str, ...]]:
    request = ExplainRequest(target=target, is_path=True, **more)  # type: ignore[arg-type]
    return {group.title: group.facts for group in engine.run_sync(request).facts}


def test_callers_are_found_in_the_package_and_its_tests(engine: Engine) -> None:
    """By import, absolute or relative; namesakes, environments and broken files are left out."""
    facts = told(engine, "src/shop/till.py", symbol="pay")
    assert facts["Called by"] == (
        "`serve` in src/shop/desk.py, line 5",
        "`test_pay` in tests/test_till.py, line 5",
    )


def test_a_module_says_who_needs_it(engine: Engine) -> None:
    """Importers and tests by their dotted names."""
    facts = told(engine, "src/shop/till.py", focus="architecture")
    assert facts["Needed by"] == ("`shop`", "`shop.desk`", "`tests.test_till`")
    assert facts["Tested by"] == ("`tests.test_till`",)


def test_the_basic_level_does_not_look_around(engine: Engine) -> None:
    """What is not told is not searched for."""
    assert "Called by" not in told(engine, "src/shop/till.py", symbol="pay", level="basic")


def test_a_module_of_a_library_is_searched_in_its_own_package() -> None:
    """`json.dumps` is explained with callers in `json`, not in all of the library."""
    engine = Engine(Settings(llm=LLMSettings(default_provider="none")))
    try:
        request = ExplainRequest(target="json.decoder.scanstring")
        with pytest.raises(Exception, match="nothing named"):
            engine.run_sync(request)
        found = engine.run_sync(ExplainRequest(target="json.decoder", focus="architecture"))
    finally:
        engine.close()
    needed = next(group.facts for group in found.facts if group.title == "Needed by")
    assert needed == ("`json`",)
