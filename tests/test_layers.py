"""The layering of ARCHITECTURE.md, one test per contract of `.importlinter`."""

import configparser
from pathlib import Path

import pytest
from importlinter.application.use_cases import lint_imports
from importlinter.configuration import configure

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / ".importlinter"
_parser = configparser.ConfigParser()
_parser.read(CONFIG, encoding="utf-8")
CONTRACTS = [s.rsplit(":", 1)[1] for s in _parser.sections() if ":contract:" in s]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_contract_is_kept(contract, capsys):
    """A module imports only what stands below it, and foreign packages stay behind their door."""
    configure()
    kept = lint_imports(
        config_filename=str(CONFIG), limit_to_contracts=(contract,), cache_dir=None, no_logo=True
    )
    assert kept, capsys.readouterr().out
