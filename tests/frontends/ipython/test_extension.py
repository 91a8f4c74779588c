"""`%load_ext aiex` and `%unload_ext aiex`: what they add, cost and take away."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter

from aiex_ipy.frontends.ipython.extension import plain_magic
from aiex_ipy.frontends.ipython.helpers import HELPERS, ai, load_helpers
from aiex_ipy.testing.loopback import LoopbackServer

HEAVY = (
    *("anthropic", "click", "comm", "httpx2", "ipykernel", "ipywidgets", "jedi", "markdown_it"),
    *("msgspec", "openai", "platformdirs", "pydantic", "tomlkit"),
    *("aiex_ipy.config", "aiex_ipy.engine.engine", "aiex_ipy.errors", "aiex_ipy.messages"),
)


def test_loading_imports_nothing_that_is_not_there_yet() -> None:
    """Loading registers names; msgspec alone would cost a tenth of IPython's start."""
    code = (
        "import sys; from IPython.core.interactiveshell import InteractiveShell as S;"
        "s = S.instance(); s.history_manager.enabled = False; had = set(sys.modules);"
        "s.run_line_magic('load_ext', 'aiex');"
        "print(*sorted(set(sys.modules) - had))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = out.stdout.split()
    assert "aiex_ipy.frontends.ipython.extension" in loaded
    assert not [name for name in loaded if name.startswith(tuple(HEAVY))]
    assert len([name for name in loaded if name.startswith("aiex_ipy")]) <= 10


def state(shell: Any) -> dict[str, Any]:
    """All that an extension can leave behind."""
    here = Path("/proc/self")
    printers: dict[str, Any] = {}
    formatter = shell.display_formatter
    for name, table in [
        ("bundle", formatter.mimebundle_formatter),
        ("display", formatter.ipython_display_formatter),
        *formatter.formatters.items(),
    ]:
        printers[name] = (set(table.type_printers), set(table.deferred_printers))
    return {
        "threads": sorted(t.name for t in threading.enumerate()),
        "sockets": len([f for f in (here / "fd").iterdir() if is_socket(f)]),
        "children": sorted(t.read_text() for t in here.glob("task/*/children") if t.read_text()),
        "events": {name: list(found) for name, found in shell.events.callbacks.items()},
        "magics": {kind: set(found) for kind, found in shell.magics_manager.magics.items()},
        "lazy": dict(shell.magics_manager.lazy_magics),
        "names": set(shell.user_ns) - {"_", "__", "___", "_i", "_ii", "_iii"},
        "hidden": set(shell.user_ns_hidden),
        "transforms": list(shell.input_transformers_cleanup),
        "post": list(shell.input_transformers_post),
        "ast": list(shell.ast_transformers),
        "configurables": list(shell.configurables),
        "traits": set(shell.trait_names()),
        "completers": dict(shell.Completer.custom_completers.strs)
        if getattr(shell.Completer, "custom_completers", None)
        else {},
        "matchers": list(shell.Completer.custom_matchers),
        "hooks": {name: str(hook) for name, hook in shell.hooks.items()},
        "errors": shell.custom_exceptions,
        "printers": printers,
    }


def is_socket(path: Path) -> bool:
    try:
        return str(path.readlink()).startswith("socket:")
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")
def test_twenty_cycles_leave_nothing(shell: Any, server: LoopbackServer) -> None:
    """Threads, sockets, children, hooks, magics, names, traits, completers: the same after loading,
    using and unloading twenty times as before."""
    shell.run_line_magic("unload_ext", "aiex")
    shell.run_cell("%config\n1")  # IPython's own first times
    before = state(shell)
    for cycle in range(20):
        shell.run_line_magic("load_ext", "aiex")
        if cycle in (0, 19):
            assert shell.run_cell("ai('hello'); 1").success
            assert shell.run_cell("%%aiex analyze --provider none\nimport os\n").success
            assert shell.run_cell("%config Aiex.display_widgets = False").success
            assert "_aiex" in shell.user_ns
            assert threading.active_count() > len(before["threads"])
        shell.run_line_magic("unload_ext", "aiex")
    assert server.wait_until(lambda: server.open_connections == 0)
    after = state(shell)
    assert {k: v for k, v in after.items() if v != before[k]} == {}
    shell.run_line_magic("load_ext", "aiex")


def test_a_variable_of_the_same_name_stays(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Loading destroys nothing of the user's, and says what it left out."""
    shell.run_line_magic("unload_ext", "aiex")
    shell.user_ns["ai"] = 5
    shell.run_line_magic("load_ext", "aiex")
    assert shell.user_ns["ai"] == 5
    assert "'ai' is a name of your own and stays." in capsys.readouterr().out
    shell.run_line_magic("unload_ext", "aiex")
    assert shell.user_ns.pop("ai") == 5
    shell.run_line_magic("load_ext", "aiex")


def test_a_helper_the_user_has_replaced_stays(shell: Any) -> None:
    """Unloading takes away our function, not what the user put in its place."""
    assert shell.user_ns["ai"] is ai
    shell.run_cell("ai = 'mine'")
    shell.run_line_magic("unload_ext", "aiex")
    assert shell.user_ns.pop("ai") == "mine"
    shell.run_line_magic("load_ext", "aiex")


def test_the_helper_is_hidden_from_who(shell: Any) -> None:
    """`%who` lists the user's names only."""
    shell.user_ns["own"] = 1
    assert shell.run_line_magic("who_ls", "") == ["own"]


def test_a_magic_of_the_same_name_comes_back(shell: Any) -> None:
    """What was called `%aiex` before is called so again after unloading."""
    shell.run_line_magic("unload_ext", "aiex")
    shell.register_magic_function(lambda line: "before", "line", "aiex")
    shell.run_line_magic("load_ext", "aiex")
    shell.run_line_magic("unload_ext", "aiex")
    assert shell.run_line_magic("aiex", "") == "before"
    del shell.magics_manager.magics["line"]["aiex"]
    shell.run_line_magic("load_ext", "aiex")


def test_helpers_go_into_any_namespace() -> None:
    """`aiex.load_helpers(ns)` serves those who want no extension; what is there stays."""
    import aiex

    names: dict[str, Any] = {}
    assert {*HELPERS} <= {*aiex.load_helpers(names)}
    assert names.items() >= HELPERS.items()
    taken = {"ai": 1}
    assert "ai" not in load_helpers(taken)
    assert taken["ai"] == 1


@pytest.mark.parametrize(
    ("cell", "run"),
    [
        ("%%aiex analyze f.py\n", "get_ipython().run_line_magic('aiex', 'analyze f.py')\n"),
        ("%%aiex help\n\n  \n", "get_ipython().run_line_magic('aiex', 'help')\n"),
        ("%%aiex\n", "get_ipython().run_line_magic('aiex', '')\n"),
        ("%aiex ask why?\n", "get_ipython().run_line_magic('aiex', 'ask why?')\n"),
        ("  x = %aiex ask why?\n", "  x = get_ipython().run_line_magic('aiex', 'ask why?')\n"),
        ("%aiex?\n", "%aiex?\n"),
        ("%aiex ask?\n", "%aiex ask?\n"),
        ("%aiex ask why\n", "%aiex ask why\n"),
        ("'''\n%aiex ask why?\n'''\n", "'''\n%aiex ask why?\n'''\n"),
        ("# %aiex ask why?\n", "# %aiex ask why?\n"),
        ("%%aiex\nwhat?\n", "%%aiex\nwhat?\n"),
        ("%%aiexx f\n", "%%aiexx f\n"),
        ("x = 1\n", "x = 1\n"),
    ],
)
def test_magics_that_ipython_would_misread(cell: str, run: str) -> None:
    """`%%aiex analyze FILE` needs no cell below it, and a question may end in a question mark."""
    assert "".join(plain_magic(cell.splitlines(keepends=True))) == run


def test_a_cell_magic_can_still_be_typed_line_by_line(shell: Any) -> None:
    """In a terminal the first line of `%%aiex` is not taken for the whole cell."""
    manager = shell.input_transformer_manager
    assert manager.check_complete("%%aiex ask\n")[0] == "incomplete"
    assert manager.check_complete("%%aiex ask\nwhy?\n\n")[0] == "complete"


@pytest.mark.parametrize(
    ("line", "offered", "not_offered"),
    [
        ("%aiex ", {"ask", "analyze", "status"}, {"--model"}),
        ("%%aiex ", {"ask", "analyze"}, {"status"}),
        ("%aiex an", {"analyze"}, {"ask"}),
        ("%aiex analyze --", {"--type", "--provider", "--into", "--output"}, {"--level", "--new"}),
        ("%aiex ai explain --l", {"--level"}, {"--focus"}),
        ("%aiex analyze --type ", {"security", "quality"}, {"--type"}),
        ("%%aiex analyze --type se", {"security"}, {"quality"}),
        ("%%aiex ask --output m", {"markdown"}, {"json"}),
        ("%aiex help ", {"chat"}, {"status"}),
        ("%aiex chat --n", {"--new"}, set()),
    ],
)
def test_tab_offers_what_may_stand_there(
    shell: Any, line: str, offered: set[str], not_offered: set[str]
) -> None:
    """Verbs, options and choices complete as they do in a shell."""
    with provisionalcompleter():
        found = {each.text for each in shell.Completer.completions(line, len(line))}
    assert offered <= found
    assert not not_offered & found


def test_errors_are_kept_by_cell_number(shell: Any) -> None:
    """The traceback of cell 2 is `Err[2]`, in every IPython version, whatever its colours."""
    from aiex_ipy.frontends.ipython.session import current_session

    shell.run_cell("x = 1", store_history=True)
    shell.run_cell("def f():\n    return {'a': 1}['b']\nf()", store_history=True)
    shell.run_cell("1 +", store_history=True)
    shell.run_cell("%aiex nonsense", store_history=True)
    errors = current_session().errors
    assert list(errors) == [2, 3]
    assert "KeyError: 'b'" in errors[2] and 'File "In[2]", line 2, in f' in errors[2]
    assert "run_code" not in errors[2] and "\x1b" not in errors[2]
    assert "SyntaxError" in errors[3]


def test_only_the_newest_errors_are_kept(shell: Any) -> None:
    """A loop of failing cells does not fill the memory, and no frame is kept alive."""
    from aiex_ipy.frontends.ipython.session import MAX_ERRORS, current_session

    for _ in range(MAX_ERRORS + 5):
        shell.run_cell("raise ValueError('x' * 100_000)", store_history=True)
    errors = current_session().errors
    assert list(errors) == list(range(6, MAX_ERRORS + 6))
    assert all(len(text) < 21_000 for text in errors.values())
