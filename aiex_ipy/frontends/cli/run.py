"""Run one request for a person at a terminal, or for a program behind a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from aiex_ipy.config import load
from aiex_ipy.engine.engine import Engine, default_engine
from aiex_ipy.engine.makers import MAKERS
from aiex_ipy.errors import AiexError, InterruptedAnswerError
from aiex_ipy.frontends.cli.faults import check_stdout, quiet_stdout, say
from aiex_ipy.frontends.cli.output import emit, symbols_in, target_of, written
from aiex_ipy.operations.analyze import Analysis
from aiex_ipy.operations.base import Facts, Note, Request, Speaking, Text, Update
from aiex_ipy.render.stream import PlainStream

Res = TypeVar("Res")


@contextmanager
def engine_for(*, notice: bool = True) -> Iterator[Engine]:
    """An engine for one command, closed at its end; in a session, the session's own, which knows
    what was asked and how each provider stands.

    With `notice`, providers that cannot be asked as they are set are told on stderr at its end.
    """
    if MAKERS:
        yield default_engine()
        return
    settings = load()
    providers = settings.llm.providers.values() if notice else ()
    faults = {each.fault.message: each for each in providers if each.fault is not None}
    engine = Engine(settings)
    try:
        yield engine
    except AiexError as error:
        faults.pop(error.message, None)  # it is told as the error
        raise
    finally:
        engine.close()
        for each in faults.values():
            say(f"aiex: note: provider {each.name!r} cannot be asked. {each.fault}")


def show(engine: Engine, request: Request[Res], output: str) -> Res:
    """Run the request, write its result, and return it.

    In text form facts come first, then the model's words as they arrive; other forms are written
    once, whole. What an interrupted answer said so far is written too. Progress goes to stderr when
    that is a terminal.
    """
    try:
        return _shown(engine, request, output)
    except InterruptedAnswerError as error:
        error.hint = "Ask again."
        raise


def _shown(engine: Engine, request: Request[Res], output: str) -> Res:
    format, file = target_of(output)
    if engine.is_offline(request):
        result = engine.run_sync(request)
        with reader_may_leave():
            emit(result, output)
        return result
    if file is None:
        check_stdout()
    if format == "text" and file is None:
        return stream_text(engine.updates(request))
    try:
        for item in engine.updates(request):
            if isinstance(item, Speaking | Note):
                progress(item)
            elif not isinstance(item, Text | Facts):
                result = item
    except InterruptedAnswerError as error:
        if error.answer is not None:
            with reader_may_leave():
                emit(error.answer, output)
        raise
    with reader_may_leave():
        emit(result, output)
    return result


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Whoever reads stdout may close it early; the result stands, and so does the user's gate."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        quiet_stdout()


def stream_text(items: Iterable[Update | Res]) -> Res:
    """Write facts and words as they come, then what is left to say; return the result.

    Words that were interrupted stay, and why they end is written below.
    """
    from aiex_ipy.render.results import render, tail

    safe = PlainStream()
    symbols = symbols_in(sys.stdout)
    spoken = facts_shown = False
    try:
        for item in items:
            if isinstance(item, Facts):
                # Without their footer, which says that no model spoke.
                facts = render(item.result, "text", symbols=symbols)
                _out(facts.removesuffix(tail(item.result, symbols=symbols)).rstrip("\n") + "\n\n")
                facts_shown = True
            elif isinstance(item, Speaking | Note):
                progress(item)
            elif isinstance(item, Text):
                _out(safe.feed(item.text))
                spoken = True
            else:
                result = item
    except InterruptedAnswerError as error:
        if spoken and error.answer is not None:
            _out(f"{safe.close()}\n\n{tail(error.answer, symbols=symbols)}")
        raise
    if spoken:
        _out(safe.close() + "\n\n")
    words = tail if spoken or facts_shown else render
    _out(words(result, symbols=symbols))
    return result


def progress(item: Speaking | Note) -> None:
    """Tell on stderr, when a person watches it, what is going on."""
    if sys.stderr is None or not sys.stderr.isatty():
        return
    if isinstance(item, Note):
        line = item.text
    else:
        line = f"{item.model} ({item.provider}) answers. {item.note}".rstrip()
    print(written(line, sys.stderr), file=sys.stderr)


def gate(result: Analysis, fail_under: float | None) -> int:
    """Return 1 and say so when a score misses the gate the user set, else 0."""
    if fail_under is None:
        return 0
    if result.quality_score is None:
        print(f"aiex: {result.path}: there is no quality score, so it fails.", file=sys.stderr)
        return 1
    if result.quality_score < fail_under:
        print(
            f"aiex: {result.path}: quality score {result.quality_score} is below {fail_under}.",
            file=sys.stderr,
        )
        return 1
    return 0


def failed_inputs(result: Analysis) -> int:
    """Return 4 when some of several inputs could not be read, 2 when none could, else 0."""
    failed = [file for file in result.files if file.error]
    for file in failed:
        say(f"aiex: {file.path}: {file.error}")
    if not failed:
        return 0
    return 2 if len(failed) == len(result.files) else 4


def _out(text: str) -> None:
    sys.stdout.write(written(text, sys.stdout))
    sys.stdout.flush()
