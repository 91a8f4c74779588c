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
    "aiex-stubs/__init__.pyi",
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
    packages = {top for top in tops if not top.endswith(".dist-info")}
    assert packages == {"aiex.py", "aiex_ipy", "aiex-stubs"}


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


USER = """\
import aiex

reveal_type(aiex.debug)
reveal_type(aiex.analyze("a.py").quality_score)
reveal_type(aiex.render(aiex.doc("len")))
reveal_type(aiex.describe_names)
reveal_type(aiex.errors.AiexError("x").hint)


async def later() -> None:
    reveal_type(await aiex.explain_async("os.path"))


aiex.nothing
"""


@pytest.mark.slow
def test_type_checkers_know_the_public_names(unpacked, tmp_path):
    """mypy --strict, on a script that imports the wheel: types of calls, a name that is none."""
    (tmp_path / "user.py").write_text(USER)
    site = (
        tmp_path / "venv" / next(iter(Path(sys.prefix).glob("lib/python*"))).relative_to(sys.prefix)
    )
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (site / "site-packages" / "aiex.pth").write_text(f"{unpacked}\n")
    deps = "import msgspec, os; print(os.path.dirname(os.path.dirname(msgspec.__file__)))"
    run = subprocess.run([sys.executable, "-c", deps], capture_output=True, text=True, check=True)
    (site / "site-packages" / "msgspec").symlink_to(Path(run.stdout.strip()) / "msgspec")
    words = ["--strict", "--python-executable", str(tmp_path / "venv" / "bin" / "python")]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *words, "--cache-dir", str(tmp_path / "cache"), "user.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=110,
    )
    notes = [line.partition(": note: ")[2] for line in run.stdout.splitlines()]
    shown = "\n".join(notes)
    assert "-> aiex_ipy.operations.debug.DebugReport" in shown, run.stdout + run.stderr
    assert 'Revealed type is "float | None"' in shown
    assert 'Revealed type is "str"' in shown
    assert 'Revealed type is "aiex_ipy.operations.explain.Explanation"' in shown
    assert 'Module has no attribute "nothing"' in run.stdout
    assert "missing library stubs" not in run.stdout and '"Any"' not in shown
