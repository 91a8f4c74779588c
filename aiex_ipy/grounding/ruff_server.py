"""A `ruff server` kept open: lint one text in about a millisecond, for kernels.

Source: Language Server Protocol 3.17 (base protocol, `textDocument/diagnostic`).
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from contextlib import suppress
from pathlib import PurePath
from types import TracebackType

import msgspec

from aiex_ipy.grounding.lint import TARGET, Finding, Fix, Position, find_ruff, linter_environment
from aiex_ipy.grounding.lint_rules import SELECT

ANSWER_WITHIN_S = 10.0
"""After this long without an answer the server is ended and started anew; ruff needs 0.1 s for
the largest file of the standard library."""

_SETTINGS = {
    "configuration": {
        "target-version": TARGET,
        "exclude": [],  # `venv` and the like are left out by default
        "lint": {"select": SELECT.split(",")},
    },
    "configurationPreference": "editorOnly",
    "showSyntaxErrors": True,
}
_CAPABILITIES = {
    "general": {"positionEncodings": ["utf-32"]},
    "textDocument": {"diagnostic": {}},
}
_HELP = "\n\nhelp: "


class _Place(msgspec.Struct, frozen=True):
    line: int
    character: int


class _Range(msgspec.Struct, frozen=True):
    start: _Place
    end: _Place


class _Data(msgspec.Struct, frozen=True):
    title: str | None = None
    edits: list[msgspec.Raw] = []


class _Diagnostic(msgspec.Struct, frozen=True):
    message: str
    range: _Range
    code: str | None = None
    data: _Data | None = None


class _Report(msgspec.Struct, frozen=True):
    items: list[_Diagnostic] = []


class _Failure(msgspec.Struct, frozen=True):
    message: str = ""


class _Answer(msgspec.Struct, frozen=True):
    id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Failure | None = None


_ANSWERS = msgspec.json.Decoder(_Answer)
_REPORTS = msgspec.json.Decoder(_Report | None)


class RuffServer:
    """One ruff process, started on first use; its methods may be called from any thread.

    Ends with `close`, and by itself when this process ends. A server that died is started anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._next_id = 0
        self._closed = False

    def __enter__(self) -> RuffServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process id of the running server, None when none runs."""
        return None if self._process is None else self._process.pid

    def lint(self, file: str, text: str) -> list[Finding] | None:
        """Return the same findings a `Batch` gives for one text.

        `file` is the absolute path of a file on disk (its package decides what relative imports
        mean) or a bare name. The text counts, the file is not read.

        None when the server dies of this text twice, or is closed: ask a `Batch` then.
        """
        with self._lock:
            for _attempt in range(2):
                if self._closed:
                    return None
                try:
                    return self._ask(file, text)
                except (OSError, ValueError, EOFError):
                    self._end()
        return None

    def close(self) -> None:
        """End the server; a later `lint` returns None."""
        with self._lock:
            self._closed = True
            process = self._process
            if process is None:
                return
            try:
                self._request("shutdown", None)
                self._send("exit", None)
                process.wait(timeout=1)
            except (OSError, ValueError, EOFError, subprocess.TimeoutExpired):
                pass
            self._end()

    def _ask(self, file: str, text: str) -> list[Finding]:
        if self._process is None:
            self._start()
        self._next_id += 1
        on_disk = os.path.isabs(file)
        path = PurePath(file) if on_disk else PurePath(os.path.abspath(os.sep), "aiex", file)
        document = {"uri": path.as_uri()}
        opened = document | {"languageId": "python", "version": 1, "text": _unsuppressed(text)}
        self._send("textDocument/didOpen", {"textDocument": opened})
        answer = self._request("textDocument/diagnostic", {"textDocument": document})
        self._send("textDocument/didClose", {"textDocument": document})
        report = _REPORTS.decode(answer)
        return [_finding(item) for item in report.items] if report is not None else []

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [find_ruff(), "server", "--isolated"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=linter_environment(),
        )
        self._request(
            "initialize",
            {
                "processId": None,
                "rootUri": None,
                "capabilities": _CAPABILITIES,
                "initializationOptions": {"settings": _SETTINGS},
            },
        )
        self._send("initialized", {})

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()

    def _request(self, method: str, params: object) -> msgspec.Raw:
        """Send a request and return its result; notifications in between are dropped."""
        assert self._process is not None
        self._next_id += 1
        number = self._next_id
        watchdog = threading.Timer(ANSWER_WITHIN_S, self._process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            self._send(method, params, number)
            while True:
                answer = _ANSWERS.decode(self._receive())
                if answer.id == number:
                    if answer.error is not None:
                        raise ValueError(answer.error.message)
                    return answer.result
        finally:
            watchdog.cancel()

    def _send(self, method: str, params: object, number: int | None = None) -> None:
        assert self._process is not None and self._process.stdin is not None
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if number is not None:
            message["id"] = number
        body = msgspec.json.encode(message)
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _receive(self) -> bytes:
        assert self._process is not None and self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline():
            if line == b"\r\n":
                return self._process.stdout.read(length)
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        raise EOFError


def _finding(item: _Diagnostic) -> Finding:
    start, end = item.range.start, item.range.end
    # Without edits the title is the rule's name, not a fix.
    title = item.data.title if item.data is not None and item.data.edits else None
    return Finding(
        code=item.code,
        message=item.message.partition(_HELP)[0],
        location=Position(start.line + 1, start.character + 1),
        end_location=Position(end.line + 1, end.character + 1),
        fix=None if title is None else Fix(title.removesuffix(" (suggestion)")),
    )


_COMMENT = re.compile(r"#[^\n]*")
_SUPPRESSION = re.compile(r"no(?=qa)|(?:ruff|flake8)(?=\s*:)", re.IGNORECASE)


def _unsuppressed(text: str) -> str:
    """Spoil suppression comments, length for length: the server has no `--ignore-noqa`."""
    if "#" not in text:
        return text
    return _COMMENT.sub(lambda found: _SUPPRESSION.sub(_spoiled, found[0]), text)


def _spoiled(found: re.Match[str]) -> str:
    return "_" * len(found[0])
