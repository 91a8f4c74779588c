"""The built wheel works away from the sources."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = (
    "aiex.py",
    "aiex_ipy/py.typed",
    "aiex_ipy/grounding/score.toml",
    "aiex_ipy/providers/local_models.toml",
    "aiex_ipy/prompts/library/ask.md",
    "aiex_ipy/frontends/cli/help/aiex.txt",
)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The wheel of this tree, unpacked."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    run = subprocess.run([*command, str(ROOT)], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(out / "site")
    return out / "site"


@pytest.fixture
def python(unpacked, tmp_path):
    """Runs code with the unpacked wheel before everything else, in a directory of its own."""
    (tmp_path / "a.py").write_text("import os\n\n\ndef f(x):\n    return eval(x)\n")

    def run(*words):
        return subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(unpacked), "AIEX_DEFAULT_PROVIDER": "none"},
            timeout=60,
        )

    return run


@pytest.mark.slow
def test_the_wheel_holds_its_data_and_nothing_else(unpacked):
    """Templates, help pages and tables are inside; tests and docs are not."""
    names = {str(p.relative_to(unpacked)) for p in unpacked.rglob("*") if p.is_file()}
    assert set(DATA) <= names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"aiex.py", "aiex_ipy"}


@pytest.mark.slow
def test_the_wheel_works_from_python_and_the_command_line(python, unpacked):
    """Importing, analyzing, asking for help and loading the extension need no source tree."""
    code = (
        "import aiex, aiex_ipy; print(aiex_ipy.__file__, aiex.analyze_file('a.py').quality_score)"
    )
    run = python("-c", code)
    assert run.returncode == 0, run.stderr
    place, score = run.stdout.split()
    assert place.startswith(str(unpacked))
    assert 0 < float(score) < 10
    for words in (["version"], ["help", "ai"], ["ai", "explain", "--file", "a.py"]):
        run = python(
            "-c", f"from aiex_ipy.frontends.cli import main; raise SystemExit(main({words}))"
        )
        assert run.returncode == 0, run.stderr
        assert run.stdout
    run = python("-m", "IPython", "--no-banner", "-c", "%load_ext aiex\n%aiex analyze a.py")
    assert "Quality Score" in run.stdout, run.stdout + run.stderr
