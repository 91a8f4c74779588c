"""The functions users find in their namespace after `%load_ext aiex` or `aiex.load_helpers()`."""

from __future__ import annotations

import builtins
import sys
from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiex_ipy.engine.status import Status
    from aiex_ipy.grounding.facts import Subject
    from aiex_ipy.messages import Answer
    from aiex_ipy.operations.complete import Completion
    from aiex_ipy.operations.debug import DebugReport
    from aiex_ipy.operations.doc import Documentation
    from aiex_ipy.operations.evaluate import Evaluation
    from aiex_ipy.operations.project import ProjectSurvey
    from aiex_ipy.operations.suggest_tests import TestSuggestions


def ai(
    query: str,
    context: str | Subject | Sequence[str | Subject] | None = None,
    *,
    provider: str | None = None,
    model: str | None = None,
) -> Answer:
    """Ask a model a free question: the answer is shown as it comes, and returned.

    `context` is a path if it exists, else text; or several. `provider` and `model` overrule the
    settings. As the last value of a cell the answer is not shown again. Raises AiexError when
    nobody can answer. Ctrl-C and the stop button end the request at the server too.
    """
    from aiex_ipy.frontends.ipython.asking import ask

    return ask(query, context, provider=provider, model=model)


def ai_complete(
    fragment: str,
    *,
    suffix: str = "",
    provider: str | None = None,
    model: str | None = None,
) -> Completion:
    """Complete code: `ai_complete("df.gr")`, `ai_complete("def handle_call")`.

    Names, attributes, columns and keys of your live objects come first, then what jedi infers,
    then a model's continuation, cut before any name your objects do not have. `suffix` is the code
    behind the cursor. Shows the Completion and returns it; without a model the names alone.
    """
    from aiex_ipy.frontends.ipython.completing import complete

    return complete(fragment, suffix, provider=provider, model=model)


def ai_debug(
    target: Any = None,
    context: str | Subject | Sequence[str | Subject] | None = None,
    *,
    replace: bool = False,
    provider: str | None = None,
    model: str | None = None,
) -> DebugReport:
    """Explain what went wrong, from the live frames: cause, evidence, and a fix as a diff.

    Without `target` the last failure. Else an exception, a traceback or a frame, a thread, an
    asyncio task or loop, a process id, a tuple like `("error", reason)`, or any wrong value. What
    the facts tell is shown first; a model's words follow when there is one. `context` is a path if
    it exists, else text. Nothing of the user's objects is called. With `replace` the mended cell
    is put in place of the one that calls this.
    """
    from aiex_ipy.frontends.ipython.debugging import debug

    return debug(
        target,
        context,
        replace=replace,
        provider=provider,
        model=model,
        caller=sys._getframe(1),
    )


def ai_doc(
    target: Any, *, run: bool = True, provider: str | None = None, model: str | None = None
) -> Documentation:
    """Look up an object or a dotted name: signature, docstring, examples, uses, source.

    A name stands for what you have, then for what is imported, then for what is installed, which
    is not imported for that. The examples of its docstring are run in a bounded child process,
    unless `run` is False. Nothing of an object is called. A model's words follow when there is one.
    """
    from aiex_ipy.frontends.ipython.documenting import document

    return document(target, run=run, provider=provider, model=model)


def ai_eval(
    code: str, explain: bool = True, *, provider: str | None = None, model: str | None = None
) -> Evaluation:
    """Run code in your namespace, as a cell, and say what it did: value, time, memory, names.

    `await` and magics are allowed; what it prints and shows comes at once and in order. An error
    is not raised but explained, as by `ai_debug`; an interrupt is raised. `value` and `error` of
    the result are the live ones. `_`, `Out`, `In` and the history stay as they are. Without
    `explain` what was measured is shown and no model is asked.
    """
    from aiex_ipy.frontends.ipython.evaluating import evaluate

    return evaluate(code, explain, provider=provider, model=model)


def ai_project(
    focus: str | None = None,
    *,
    path: str = "",
    provider: str | None = None,
    model: str | None = None,
) -> ProjectSurvey:
    """Survey the project: size, ways in, imports, cycles, hot spots, coverage, worst units.

    `focus` says what leads: quality, performance, security, architecture or tests. `path` is
    another directory, or the name of an installed package. A named model adds words, in which the
    names it uses are checked. A notebook shows the imports as a picture too.
    """
    from aiex_ipy.frontends.ipython.surveying import project

    return project(focus, path=path, provider=provider, model=model)


def ai_test_suggest(
    target: Any,
    *,
    symbol: str = "",
    provider: str | None = None,
    model: str | None = None,
) -> TestSuggestions:
    """Suggest what to test of a function, class, method, module or file, and why.

    `target` is the object itself, its dotted name, or a path; `symbol` a name in that file. Each
    suggestion names the branch or boundary and its line; tests there are, and coverage data, are
    taken into account. A named model may add some, which must name lines that are there.
    """
    from aiex_ipy.frontends.ipython.surveying import test_suggest

    return test_suggest(target, symbol=symbol, provider=provider, model=model)


def ai_status() -> Status:
    """Show what is configured and ready, and what this session knows; return it."""
    from aiex_ipy.frontends.ipython.overview import status
    from aiex_ipy.frontends.ipython.session import current_session

    return status(current_session())


def ai_help(name: str = "") -> None:
    """Show the helpers with a line each, and the magic's verbs; with a name all about that one.

    `ai_help("debug")` shows the docstring of `ai_debug` and the options of `%aiex debug`.
    """
    from aiex_ipy.frontends.ipython.commands import show_helper, show_helpers
    from aiex_ipy.frontends.ipython.session import current_session

    if name:
        show_helper(HELPERS, name if isinstance(name, str) else getattr(name, "__name__", ""))
    else:
        show_helpers(current_session(), HELPERS)


class Shortcuts:
    """The helpers by short names: `H.ai("…")`, `H.debug()`, `H.status()`."""

    def __init__(self, helpers: dict[str, Any]) -> None:
        for short in ("ai", "complete", "eval", "debug", "status"):
            helper = helpers.get(short) or helpers.get(f"ai_{short}")
            if helper is not None:
                setattr(self, short, helper)

    def __repr__(self) -> str:
        return ", ".join(f"H.{name}()" for name in vars(self))


HELPERS: dict[str, Any] = {
    "ai": ai,
    "ai_complete": ai_complete,
    "ai_debug": ai_debug,
    "ai_doc": ai_doc,
    "ai_eval": ai_eval,
    "ai_project": ai_project,
    "ai_test_suggest": ai_test_suggest,
    "ai_status": ai_status,
    "ai_help": ai_help,
}
HELPERS["H"] = Shortcuts(HELPERS)
PLAIN_NAMES: dict[str, Any] = {"status": ai_status, "help": ai_help}
"""Names that are added only where they hide nothing of the user's or of Python's, who is told
nothing then: `help` is Python's own nearly everywhere."""


def load_helpers(namespace: MutableMapping[str, Any] | None = None) -> tuple[str, ...]:
    """Put the helpers into `namespace` and return the names added.

    None means the user's namespace: IPython's, else that of `__main__`. A name that stands for
    something else stays as it is, which is said.
    """
    if namespace is None:
        from aiex_ipy.frontends.ipython.session import current_shell

        shell = current_shell()
        namespace = sys.modules["__main__"].__dict__ if shell is None else shell.user_ns
    return add_helpers(namespace)


def add_helpers(namespace: MutableMapping[str, Any]) -> tuple[str, ...]:
    """Put the helpers into `namespace` as `load_helpers` says."""
    added = []
    for name, helper in HELPERS.items():
        if namespace.get(name, helper) is helper:
            namespace[name] = helper
            added.append(name)
        else:
            print(
                f"{name!r} is a name of your own and stays. "
                f"Use %aiex, or del {name} and run %reload_ext aiex."
            )
    for name, helper in PLAIN_NAMES.items():
        if namespace.get(name, helper) is helper and not hasattr(builtins, name):
            namespace[name] = helper
            added.append(name)
    return tuple(added)
