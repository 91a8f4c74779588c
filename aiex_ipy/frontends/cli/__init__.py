"""The command line. Version and help are answered before click is imported."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 a gate failed, 2 usage or bad input,
    3 no provider could answer, 4 some inputs failed, 130 interrupted."""
    words = sys.argv[1:] if arguments is None else arguments
    if words in (["version"], ["--version"], ["-V"]):
        from aiex_ipy import __version__

        print(f"aiex {__version__}")
        return 0
    topic = _help_topic(words)
    if topic is not None:
        from aiex_ipy.frontends.cli.pages import page

        text = page(topic)
        if text is not None:
            sys.stdout.write(text)
            return 0
    if words[:2] == ["ai", "analyze"]:
        from aiex_ipy.frontends.cli.analyzing import quick

        code = quick(words[2:])
        if code is not None:
            return code
    from aiex_ipy.frontends.cli.app import run

    return run(words)


def _help_topic(words: list[str]) -> tuple[str, ...] | None:
    """The words of a call for help (`help ai`, `ai --help`, nothing at all), else None."""
    if not words:
        return ()
    if words[0] == "help":
        return tuple(words[1:])
    if words[-1] in ("--help", "-h"):
        return tuple(words[:-1])
    return None
