"""The command line. Version and help are answered before click is imported."""

from __future__ import annotations

import os
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 a gate failed, 2 usage or bad input,
    3 no provider could answer, 4 some inputs failed, 130 interrupted."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return _run(words, leave=arguments is None)
    except KeyboardInterrupt:  # while still importing: later ones are told by the commands
        if sys.stderr is not None:
            sys.stderr.write("aiex: interrupted.\n")
        return 130


def _run(words: list[str], *, leave: bool) -> int:
    # A shell asking what may follow (`_AIEX_COMPLETE`) gives no words: click answers it.
    text = None if "_AIEX_COMPLETE" in os.environ else _ready(words)
    if text is not None and sys.stdout is not None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as error:
            from aiex_ipy.frontends.cli.faults import told

            return told(error)
        return 0
    if words[:2] == ["ai", "analyze"]:
        from aiex_ipy.frontends.cli.analyzing import quick

        code = quick(words[2:])
        if code is not None:
            return _leave(code) if leave else code
    from aiex_ipy.frontends.cli.app import run

    return run(words)


def _leave(code: int) -> int:
    """End the process at once. Taking the interpreter down piece by piece costs a tenth of what
    analysing a file costs, and by now everything is closed and written. Returns only when the
    last of it cannot be written, which Python then reports in its own way."""
    logging = sys.modules.get("logging")
    if logging is not None:
        logging.shutdown()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        return code
    os._exit(code)


def _ready(words: list[str]) -> str | None:
    """The answer that needs no click, if there is one."""
    if words in (["version"], ["--version"], ["-V"]):
        from aiex_ipy import __version__

        return f"aiex {__version__}\n"
    topic = _help_topic(words)
    if topic is None:
        return None
    from aiex_ipy.frontends.cli.pages import page

    return page(topic)


def _help_topic(words: list[str]) -> tuple[str, ...] | None:
    """The words of a call for help (`help ai`, `ai --help`, nothing at all), else None."""
    if not words:
        return ()
    if words[0] == "help":
        return tuple(words[1:])
    if words[-1] in ("--help", "-h"):
        return tuple(words[:-1])
    return None
