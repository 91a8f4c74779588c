"""Load into and unload from an IPython shell.

Loading registers names; what they stand for is imported with their first use. `unload` takes away
what `load` added, and nothing else.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from aiex_ipy.frontends.ipython.configurable import Aiex
from aiex_ipy.frontends.ipython.helpers import HELPERS, add_helpers
from aiex_ipy.frontends.ipython.session import Session, forget_session, register_session

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

MAGIC = "aiex"
PDB_COMMAND = "do_ai"
DEATHS = "aiex_ipy.grounding.failure.deaths"
QUESTION = re.compile(r"(?P<start>\s*(?:[\w.]+\s*=\s*)?)%aiex[ \t]+(?P<words>\S+[ \t].*\?)\s*")
QUOTES = re.compile(r"\"{3}|'{3}")
RESULTS = {
    "aiex_ipy.engine.status": "Status",
    "aiex_ipy.messages": "Answer",
    "aiex_ipy.operations.analyze": "Analysis",
    "aiex_ipy.operations.complete": "Completion",
    "aiex_ipy.operations.debug": "DebugReport",
    "aiex_ipy.operations.doc": "Documentation",
    "aiex_ipy.operations.evaluate": "Evaluation",
    "aiex_ipy.operations.explain": "Explanation",
    "aiex_ipy.operations.project": "ProjectSurvey",
    "aiex_ipy.operations.suggest_tests": "TestSuggestions",
}
"""Where each type is defined whose values show themselves; none is imported for that."""

_loaded: dict[InteractiveShell, Extension] = {}


def load(shell: InteractiveShell) -> None:
    """Add helpers and magics to `shell`; loading twice is loading once."""
    if shell not in _loaded:
        _loaded[shell] = Extension(shell)


def unload(shell: InteractiveShell) -> None:
    """Take away all that `load` added, and end the session's engine."""
    extension = _loaded.pop(shell, None)
    if extension is not None:
        extension.remove()


class Extension:
    """What `%load_ext aiex` added to one shell, and how to take it away."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.session = Session(shell, owns_engine=True)
        self._undo: list[Callable[[], object]] = []
        register_session(self.session)
        self._add_magic()
        self._add_completer()
        self._add_helpers()
        self._add_displays()
        self._add_hook()
        self._add_configurable()
        self._add_debugger()
        self._watch_threads()
        self._add_to_prompt()

    def remove(self) -> None:
        """Undo everything, last first."""
        while self._undo:
            self._undo.pop()()
        forget_session(self.session)
        self.session.close()

    def _add_magic(self) -> None:
        session = self.session

        def aiex(line: str, cell: str | None = None) -> object:
            """Ask a model, analyze and explain code. `%aiex help` tells the words."""
            from aiex_ipy.frontends.ipython.magics import run

            return run(session, line, cell, HELPERS)

        # IPython would evaluate each `{…}` of the line and replace it before we see it.
        aiex._ipython_magic_no_var_expand = True  # type: ignore[attr-defined]
        magics = self.shell.magics_manager.magics
        for kind in ("line", "cell"):
            self._restore(magics[kind], MAGIC)
        self.shell.register_magic_function(aiex, "line_cell", MAGIC)
        transforms = self.shell.input_transformers_cleanup
        transforms.append(plain_magic)
        self._undo.append(lambda: transforms.remove(plain_magic))

    def _restore(self, table: dict[str, Any], name: str) -> None:
        before = table.get(name)

        def undo() -> None:
            if before is None:
                table.pop(name, None)
            else:
                table[name] = before

        self._undo.append(undo)

    def _add_completer(self) -> None:
        known = self.shell.strdispatchers["complete_command"].strs
        for word in ("%aiex", "%%aiex"):
            self.shell.set_hook("complete_command", complete, str_key=word)
            self._undo.append(partial(_remove_completer, known, word))

    def _add_helpers(self) -> None:
        shell = self.shell
        added = {name: shell.user_ns[name] for name in add_helpers(shell.user_ns)}
        shell.user_ns_hidden.update(added)

        def undo() -> None:
            for names in (shell.user_ns, shell.user_ns_hidden):
                for name, value in added.items():
                    if names.get(name) is value:
                        del names[name]

        self._undo.append(undo)

    def _add_displays(self) -> None:
        session = self.session

        def bundle(result: object, include: object = None, exclude: object = None) -> object:
            from aiex_ipy.frontends.ipython.display import bundle_of

            return bundle_of(result, session)

        def once(result: object) -> None:
            from aiex_ipy.frontends.ipython.display import skip_if_shown

            skip_if_shown(result, session)

        formatter = self.shell.display_formatter
        for table, function in (
            (formatter.mimebundle_formatter, bundle),
            (formatter.ipython_display_formatter, once),
        ):
            for module, name in RESULTS.items():
                table.for_type_by_name(module, name, function)
                self._undo.append(partial(table.pop, f"{module}.{name}", None))

    def _add_hook(self) -> None:
        events, note = self.shell.events, self.session.note_cell
        events.register("post_run_cell", note)
        self._undo.append(lambda: events.unregister("post_run_cell", note))

    def _add_configurable(self) -> None:
        aiex, shell = Aiex(self.session), self.shell
        shell.configurables.append(aiex)
        self._undo.append(lambda: shell.configurables.remove(aiex))
        if "Aiex" in shell.config:
            from aiex_ipy.errors import AiexError

            try:
                aiex.update_config(shell.config)
            except AiexError as error:
                print(f"The settings in IPython's configuration are left out: {error}")

    def _add_to_prompt(self) -> None:
        from aiex_ipy.frontends.ipython.prompt import Ghost, add_to_tab

        self._undo.append(add_to_tab(self.shell))
        self._undo.append(Ghost(self.session).remove)

    def _watch_threads(self) -> None:
        """Note what threads die of, for `ai_debug(thread)`; the hook before is called as ever."""
        before = threading.excepthook

        def died(args: threading.ExceptHookArgs) -> None:
            from aiex_ipy.grounding.failure.deaths import note

            note(args)
            before(args)

        def undo() -> None:
            if threading.excepthook is died:
                threading.excepthook = before
            if DEATHS in sys.modules:
                sys.modules[DEATHS].forget()

        threading.excepthook = died
        self._undo.append(undo)

    def _add_debugger(self) -> None:
        """Give pdb, from which IPython's debuggers derive, its `ai` command, unless it has one.
        Importing pdb costs 3.5 ms; IPython does so only when its
        debugger starts, of which no hook tells."""
        import pdb

        if hasattr(pdb.Pdb, PDB_COMMAND):
            return
        setattr(pdb.Pdb, PDB_COMMAND, do_ai)

        def undo() -> None:
            if pdb.Pdb.__dict__.get(PDB_COMMAND) is do_ai:
                delattr(pdb.Pdb, PDB_COMMAND)

        self._undo.append(undo)


def do_ai(debugger: Any, words: str) -> None:
    """ai [QUESTION]

    Explain what went wrong here: the failure that led to this frame, else the frame itself.
    """
    from aiex_ipy.frontends.ipython.debugger import explain_here

    explain_here(debugger, words)


def complete(shell: InteractiveShell, event: Any) -> list[str]:
    """Return what Tab offers for the word at the cursor."""
    from aiex_ipy.frontends.ipython.completion import offers

    return offers(event.text_until_cursor.removesuffix(event.symbol))


def _remove_completer(known: dict[str, Any], word: str) -> None:
    chain = known[word].chain
    chain[:] = [each for each in chain if getattr(each[1], "__func__", None) is not complete]
    if not chain:
        del known[word]


def plain_magic(lines: list[str]) -> list[str]:
    """Write as a call what IPython would take for something else: `%%aiex …` without a body, which
    it refuses, and `%aiex ask why?`, which it takes for a request for help on `why`."""
    if "%aiex" not in "".join(lines):
        return lines
    if lines[0].startswith("%%"):
        words = lines[0].removeprefix("%%aiex")
        if words == lines[0] or words[:1].strip() or "".join(lines[1:]).strip():
            return lines
        return [_call("", words)]
    return [
        _call(match["start"], match["words"])
        if (match := QUESTION.fullmatch(line)) and not QUOTES.search("".join(lines[:number]))
        else line
        for number, line in enumerate(lines)
    ]


def _call(start: str, words: str) -> str:
    return f"{start}get_ipython().run_line_magic({MAGIC!r}, {words.strip()!r})\n"


# While a cell is being typed its body is still to come.
plain_magic.has_side_effects = True  # type: ignore[attr-defined]
