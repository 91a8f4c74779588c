"""ruff over many texts in one process: start it first, read it last.

ruff runs `--isolated`, for one fixed target version and with suppression comments ignored
(`--ignore-noqa`): neither a user's configuration, nor the running Python, nor a comment can
change what is found, so a score can be trusted by a gate. `# noqa` therefore does not raise a
score.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from aiex_ipy.errors import AiexError
from aiex_ipy.grounding.facts import Issue, Severity
from aiex_ipy.grounding.lint_rules import INIT_ALLOW, SELECT, TESTS_ALLOW, classify
from aiex_ipy.grounding.parsed import ParsedModule

TARGET = "py311"
"""The oldest Python aiex runs on: rules and builtins do not depend on the interpreter."""

_ARGUMENTS = ("--isolated", "--no-cache", "--ignore-noqa", "--exit-zero", "--quiet")
_INSTALL = "Install it with `python -m pip install ruff`."


class Position(msgspec.Struct, frozen=True):
    row: int
    column: int


class Fix(msgspec.Struct, frozen=True):
    message: str | None = None


class Finding(msgspec.Struct, frozen=True):
    """One ruff diagnostic; `end_location` is exclusive. Source: ruff's JSON output format."""

    code: str | None
    message: str
    location: Position
    end_location: Position
    filename: str = ""
    fix: Fix | None = None


_DECODER = msgspec.json.Decoder(list[Finding])


def find_ruff() -> str:
    """Return the path of the ruff binary that belongs to this interpreter, or the one on PATH.

    Raises:
        AiexError: there is none.
    """
    name = "ruff.exe" if sys.platform == "win32" else "ruff"
    beside = os.path.join(os.path.dirname(sys.executable), name)
    if os.path.isfile(beside):
        return beside
    try:
        from ruff import find_ruff_bin

        return str(find_ruff_bin())
    except (ImportError, OSError):
        pass
    import shutil

    found = shutil.which("ruff")
    if found is None:
        raise AiexError(
            f"The analyzer 'ruff' is not installed for {sys.executable!r}.",
            code="analyzer_missing",
            hint=_INSTALL,
        )
    return found


def linter_environment() -> dict[str, str]:
    """Return the environment without ruff's own variables, which would override arguments."""
    return {k: v for k, v in os.environ.items() if not k.startswith("RUFF_")}


class Batch:
    """One running ruff over files on disk and texts. Ask for `findings` once."""

    def __init__(self, files: Sequence[str], texts: Mapping[str, str]) -> None:
        """Start ruff. `files` are absolute paths; `texts` maps a label (posix, its last part is
        the file name ruff sees) to text that is on no disk."""
        self._files = files
        self._texts = texts
        self._labels: dict[str, str] = {file: file for file in files}
        self._folder: str | None = None
        self._input: bytes | None = None
        self._process: subprocess.Popen[bytes] | None = None
        arguments = [*files]
        if len(texts) == 1 and not files:
            ((label, text),) = texts.items()
            self._input = _encode(text)
            name = os.path.abspath(file_name(label))
            self._labels[name] = label
            arguments = ["--stdin-filename", name, "-"]
        elif texts:
            arguments += self._write(texts)
        if sum(map(len, arguments)) > 20_000:  # Windows takes 32,767 characters in all.
            arguments = [self._argument_file(arguments)]
        if arguments:
            self._process = self._start(arguments)

    def _start(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        command = [find_ruff(), "check", *_ARGUMENTS, "--output-format", "json"]
        command += ["--target-version", TARGET, "--select", SELECT, *arguments]
        environment = linter_environment()
        if len(arguments) <= 3:
            environment["RAYON_NUM_THREADS"] = "1"
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL if self._input is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
            )
        except OSError as error:
            self._clean()
            raise AiexError(
                f"The analyzer {command[0]!r} does not start: {error.strerror}.",
                code="analyzer_failed",
                hint="Reinstall it with `python -m pip install --force-reinstall ruff`.",
            ) from None

    def findings(self) -> dict[str, list[Finding] | None]:
        """Wait for ruff and return its findings by file or label.

        None stands for an input ruff itself died of (a stack overflow on absurd nesting); the
        others of the batch are linted without it.
        """
        if self._process is None:
            return {}
        try:
            output, complaint = self._process.communicate(self._input)
        except BaseException:
            self._process.kill()
            self._process.communicate()
            raise
        finally:
            self._clean()
        try:
            decoded = _DECODER.decode(output)
        except msgspec.DecodeError:
            if not _crashed(self._process.returncode):
                said = complaint.decode("utf-8", "replace").strip().splitlines()
                raise AiexError(
                    f"The analyzer 'ruff' failed: {said[-1] if said else 'no output'!r}.",
                    code="analyzer_failed",
                    hint="Reinstall it with `python -m pip install --force-reinstall ruff`.",
                ) from None
            return self._halves()
        found: dict[str, list[Finding] | None] = {label: [] for label in self._labels.values()}
        for finding in decoded:
            label = self._labels.get(finding.filename)
            known = None if label is None else found[label]
            if known is not None:
                known.append(finding)
        return found

    def _halves(self) -> dict[str, list[Finding] | None]:
        inputs: list[tuple[str, str | None]] = [(file, None) for file in self._files]
        inputs += self._texts.items()
        if len(inputs) == 1:
            return {inputs[0][0]: None}
        found: dict[str, list[Finding] | None] = {}
        middle = len(inputs) // 2
        for half in (inputs[:middle], inputs[middle:]):
            files = [label for label, text in half if text is None]
            found |= Batch(files, {k: v for k, v in half if v is not None}).findings()
        return found

    def _scratch(self) -> str:
        if self._folder is None:
            import tempfile

            self._folder = os.path.realpath(tempfile.mkdtemp(prefix="aiex-lint-"))
        return self._folder

    def _write(self, texts: Mapping[str, str]) -> list[str]:
        written = []
        for number, (label, text) in enumerate(texts.items()):
            folder = os.path.join(self._scratch(), str(number))
            os.mkdir(folder)
            path = os.path.join(folder, file_name(label))
            with open(path, "wb") as file:
                file.write(_encode(text))
            self._labels[path] = label
            written.append(path)
        return written

    def _argument_file(self, arguments: list[str]) -> str:
        path = os.path.join(self._scratch(), "arguments")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(arguments))
        return f"@{path}"

    def _clean(self) -> None:
        if self._folder is not None:
            import shutil

            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def unreadable(findings: Iterable[Finding] | None) -> bool:
    """True when ruff could not read the file itself (an encoding that is not UTF-8)."""
    return any(finding.code == "E902" for finding in findings or ())


def unmeasured(parsed: ParsedModule) -> Issue:
    """Return the issue of a text that ruff died of, so that silence is never a gain."""
    return Issue(
        severity="high",
        category="maintainability",
        rule="lint-unmeasured",
        path=parsed.path,
        line=1,
        end_line=1,
        message="The nesting is beyond the linter",
        evidence=parsed.line_text(1),
        source="ruff",
    )


def nameable(path: str) -> bool:
    """True when ruff can name the file in its JSON: its name is UTF-8."""
    return path.isascii() or not any("\ud800" <= c <= "\udfff" for c in path)


def allowed(path: str, code: str) -> bool:
    """True for findings that are no issue in this kind of file (asserts in tests)."""
    if code in TESTS_ALLOW and is_test(path):
        return True
    return code in INIT_ALLOW and path.rsplit("/", 1)[-1] in ("__init__.py", "__init__.pyi")


def is_test(path: str) -> bool:
    """True for test modules: by directory (`tests`), by name (`test_x`, `x_test`, `conftest`)."""
    parts = path.split("/")
    stem = parts[-1].rsplit(".", 1)[0]
    return (
        stem.startswith("test_")
        or stem.endswith("_test")
        or stem in ("conftest", "tests")
        or not {"test", "tests"}.isdisjoint(parts[:-1])
    )


def severity(finding: Finding) -> Severity:
    """Return how much the finding weighs, or `low` where ruff itself calls the call harmless."""
    known = classify(finding.code or "")
    assert known is not None
    # S602 and S605 with a constant command.  Source: ruff's own two message forms.
    return "low" if "seems safe" in finding.message else known[1]


def message(finding: Finding) -> str:
    """Return ruff's sentence without line numbers and without advice on ruff's own settings."""
    said = finding.message.partition(". Consider specifying `requires-python")[0]
    words = said.split(" ")
    for at in range(len(words) - 2):
        # "Redefinition of unused `x` from line 5": the place is in the record and would drift.
        number, colon, _ = words[at + 2].partition(":")
        if words[at + 1] == "line" and number.isdecimal():
            return " ".join(words[:at]) + colon + "".join(f" {word}" for word in words[at + 3 :])
    return said


def _crashed(returncode: int) -> bool:
    """True when the system ended the process: a signal, or an exception code on Windows."""
    return returncode < 0 or returncode >= 0x80000000


def file_name(label: str) -> str:
    """Return the name ruff sees for a text: the last part of its label, as a Python file."""
    kept = (c if c.isalnum() or c in "_.-" else "_" for c in label.rsplit("/", 1)[-1])
    name = "".join(kept).lstrip(".-") or "text"
    return name if name.endswith((".py", ".pyi")) else f"{name}.py"


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")
