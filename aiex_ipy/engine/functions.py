"""The public functions: each defined once as a request, offered sync and async.

With `batch=True` questions of people go before it: for pipelines, and loops over many inputs.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from aiex_ipy.engine.conversation import Conversation
from aiex_ipy.engine.debugging import LAST, debug_request
from aiex_ipy.engine.engine import default_engine
from aiex_ipy.errors import InterruptedAnswerError, UnknownNameError, near_miss
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.outline import Focus
from aiex_ipy.messages import Answer
from aiex_ipy.operations.analyze import Analysis, AnalyzeRequest, AnalyzeType
from aiex_ipy.operations.ask import AskRequest
from aiex_ipy.operations.base import Request
from aiex_ipy.operations.debug import DebugReport
from aiex_ipy.operations.explain import ExplainRequest, Explanation, Level
from aiex_ipy.operations.project import ProjectRequest, ProjectSurvey, focus_of
from aiex_ipy.operations.suggest_tests import TestSuggestions, request_for

if TYPE_CHECKING:
    from aiex_ipy.operations.complete import Completion
    from aiex_ipy.operations.doc import Documentation
    from aiex_ipy.operations.health import NotebookHealth

P = ParamSpec("P")
Res = TypeVar("Res")
Context = str | Subject | Sequence[str | Subject] | None


def _sync(request: Callable[P, Request[Res]]) -> Callable[P, Res]:
    @functools.wraps(request)
    def run(*args: P.args, **kwargs: P.kwargs) -> Res:
        return default_engine().run_sync(request(*args, **kwargs))

    return run


def _async(request: Callable[P, Request[Res]], name: str) -> Callable[P, Awaitable[Res]]:
    @functools.wraps(request)
    async def run(*args: P.args, **kwargs: P.kwargs) -> Res:
        return await default_engine().run(request(*args, **kwargs))

    run.__name__ = run.__qualname__ = name
    return run


def items(context: Context) -> tuple[str | Subject, ...]:
    """Return `context` as a tuple: None is none, one item is one."""
    if context is None:
        return ()
    return (context,) if isinstance(context, str | Subject) else tuple(context)


def _ask(
    query: str,
    context: Context = None,
    *,
    provider: str | None = None,
    model: str | None = None,
    allow_secret_file: bool = False,
    batch: bool = False,
) -> Request[Answer]:
    """Ask a free question; `context` is a path if it exists, else text; or several."""
    return AskRequest(
        query=query,
        context=items(context),
        provider=provider,
        model=model,
        allow_secret_file=allow_secret_file,
        batch=batch,
    )


def _continue_answer(
    cut: Answer | InterruptedAnswerError | None = None,
    *,
    provider: str | None = None,
    model: str | None = None,
) -> Request[Answer]:
    """Have a model go on with an answer to `ask` or a chat that was interrupted, or cut at its
    limit of tokens; the result is one Answer with the text of both parts.

    `cut` is the error or the answer; left out, the last one of this process, such as one you have
    interrupted yourself. The same question is asked once more, with the text so far; the answer's
    note names it. `provider` and `model` choose another than was asked. Raises UsageError for an
    answer that cannot be continued.
    """
    return default_engine().request_to_continue(cut, provider=provider, model=model)


def _analyze(
    *paths: str,
    type: AnalyzeType = "all",
    subjects: Sequence[Subject] = (),
    provider: str | None = None,
    model: str | None = None,
    allow_secret_file: bool = False,
    batch: bool = False,
) -> Request[Analysis]:
    """Analyze files, directories, notebooks or ready subjects; see `Analysis`."""
    return AnalyzeRequest(
        paths=tuple(str(path) for path in paths),
        subjects=tuple(subjects),
        type=type,
        provider=provider,
        model=model,
        allow_secret_file=allow_secret_file,
        batch=batch,
    )


def _explain(
    target: str = "",
    *,
    subject: Subject | None = None,
    level: Level = "intermediate",
    focus: Focus = "comprehensive",
    provider: str | None = None,
    model: str | None = None,
    allow_secret_file: bool = False,
    batch: bool = False,
) -> Request[Explanation]:
    """Explain a path, a dotted name, a ready subject, or a topic; see `Explanation`."""
    return ExplainRequest(
        target=str(target),
        subject=subject,
        level=level,
        focus=focus,
        provider=provider,
        model=model,
        allow_secret_file=allow_secret_file,
        batch=batch,
    )


def _project(
    focus: str | None = None,
    *,
    path: str = "",
    provider: str | None = None,
    model: str | None = None,
    allow_secret_file: bool = False,
    batch: bool = False,
) -> Request[ProjectSurvey]:
    """Survey a project: `path` is a directory or an installed package, the project's own unless
    given; `focus` says what leads (quality, performance, security, architecture, tests); see
    `ProjectSurvey`."""
    return ProjectRequest(
        path=str(path),
        focus=focus_of(focus),
        provider=provider,
        model=model,
        allow_secret_file=allow_secret_file,
        batch=batch,
    )


def _test_suggest(
    target: Any,
    *,
    symbol: str = "",
    provider: str | None = None,
    model: str | None = None,
    allow_secret_file: bool = False,
    batch: bool = False,
) -> Request[TestSuggestions]:
    """Suggest tests for a path, a dotted name, a ready subject, or a live function, class, method
    or module; see `TestSuggestions`."""
    return request_for(
        target,
        symbol=symbol,
        provider=provider,
        model=model,
        allow_secret_file=allow_secret_file,
        batch=batch,
    )


def _debug(
    target: Any = LAST,
    context: Context = None,
    *,
    expression: str = "",
    provider: str | None = None,
    model: str | None = None,
    allow_secret_file: bool = False,
) -> Request[DebugReport]:
    """Explain what went wrong, from live frames: cause, evidence and fix; see `DebugReport`.

    Without `target` the exception being handled, else the last failure. Else an exception, a
    traceback or frame, a thread, an asyncio task or loop, a process id, a tuple like
    `("error", reason)`, or a wrong value. `expression` is the source text of that value, such as
    `"len(x) == 3"`: a function is given the value alone, and with its text the parts of it that
    `__main__` names are told too. The failure is captured in the calling thread.
    """
    engine = default_engine()
    return debug_request(
        engine,
        target,
        around=engine.surroundings,
        expression=expression,
        context=items(context),
        provider=provider,
        model=model,
        allow_secret_file=allow_secret_file,
    )


def _complete(
    fragment: str,
    namespace: Mapping[str, Any] | None = None,
    *,
    suffix: str = "",
    provider: str | None = None,
    model: str | None = None,
) -> Request[Completion]:
    """Complete the code before a cursor by live names, jedi and a model; see `Completion`.

    `namespace` holds the live names, None those of `__main__`; `suffix` is the code behind the
    cursor. Nothing of the objects is run.
    """
    from aiex_ipy.engine.completing import completer_of

    return completer_of(default_engine()).request(
        fragment, suffix, namespace, provider=provider, model=model
    )


complete = _sync(_complete)
complete.__name__ = "complete"


async def complete_async(
    fragment: str,
    namespace: Mapping[str, Any] | None = None,
    *,
    suffix: str = "",
    provider: str | None = None,
    model: str | None = None,
) -> Completion:
    """Complete the code before a cursor as `complete` does, without blocking the event loop."""
    from aiex_ipy.engine.completing import completer_of
    from aiex_ipy.operations.complete import Completion

    result = Completion()
    updates = completer_of(default_engine()).updates(
        fragment, suffix, namespace, session=object(), provider=provider, model=model
    )
    async with aclosing(updates) as items_:
        async for update in items_:
            result = update.result
    return result


def _doc(
    target: Any,
    *,
    run: bool = True,
    provider: str | None = None,
    model: str | None = None,
    allow_secret_file: bool = False,
    batch: bool = False,
) -> Request[Documentation]:
    """Look up an object or a dotted name, which is not imported for that; see `Documentation`.

    With `run` the examples of its docstring are run in a bounded child process.
    """
    from aiex_ipy.operations.doc import request_for as doc_request

    return doc_request(
        target,
        run=run,
        provider=provider,
        model=model,
        allow_secret_file=allow_secret_file,
        batch=batch,
    )


def _health(
    path: str,
    *,
    run: bool = False,
    reorder: str = "",
    force: bool = False,
    allow_secret_file: bool = False,
) -> Request[NotebookHealth]:
    """Say whether a notebook would run again from the top; see `NotebookHealth`.

    `run` runs it in a fresh kernel; `reorder` names a new notebook for an order that works, which
    is replaced only with `force`.
    """
    from aiex_ipy.operations.health import HealthRequest

    return HealthRequest(
        path=str(path),
        run=run,
        reorder=str(reorder),
        force=force,
        allow_secret_file=allow_secret_file,
    )


ask = _sync(_ask)
ask_async = _async(_ask, "ask_async")
continue_answer = _sync(_continue_answer)
continue_answer.__name__ = "continue_answer"
continue_answer_async = _async(_continue_answer, "continue_answer_async")
analyze = _sync(_analyze)
analyze_async = _async(_analyze, "analyze_async")
explain = _sync(_explain)
explain_async = _async(_explain, "explain_async")
project = _sync(_project)
project_async = _async(_project, "project_async")
test_suggest = _sync(_test_suggest)
test_suggest_async = _async(_test_suggest, "test_suggest_async")
ask.__name__, analyze.__name__, explain.__name__ = "ask", "analyze", "explain"
debug = _sync(_debug)
debug.__name__ = "debug"
debug_async = _async(_debug, "debug_async")
project.__name__, test_suggest.__name__ = "project", "test_suggest"
health = _sync(_health)
health.__name__ = "health"
health_async = _async(_health, "health_async")
doc = _sync(_doc)
doc.__name__ = "doc"
doc_async = _async(_doc, "doc_async")
Chat = Conversation


def analyze_file(path: str, type: AnalyzeType = "all") -> Analysis:
    """Return the analysis of one file: `quality_score` (0-10) and `suggestions` among others."""
    return analyze(str(path), type=type)


def config(section: str | None = None) -> dict[str, Any]:
    """Return the settings in force as plain values, or those of one section such as `llm`.

    Secrets are masked. Raises UnknownNameError for a section that does not exist.
    """
    from msgspec import to_builtins

    values: dict[str, Any] = to_builtins(default_engine().settings, enc_hook=repr)
    if section is None:
        return values
    found = values.get(section)
    if not isinstance(found, dict):
        known = [name for name, value in values.items() if isinstance(value, dict)]
        raise UnknownNameError(
            f"There is no section {section!r} of settings.", hint=near_miss(section, known)
        )
    return found
