"""Each performance rule on real functions: one it must report, one that only looks like it."""

from __future__ import annotations

import pytest
from sources import issues_in, rules_of

FIRES = [
    # `nelang not in nelangs` while `nelangs` grows
    ("AX101", "gettext", "find"),
    # dedupes by a list
    ("AX101", "mypy.suggestions", "dedup"),
    # `lines.pop(0)` until a line is not blank
    ("AX102", "inspect", "cleandoc"),
    # breadth-first words taken from the front
    ("AX102", "mypy.util", "soft_wrap"),
    # `buf += b` for each block of a sparse file
    ("AX103", "tarfile", "_FileInFile.read"),
    # `key += (key_part,)` for each part of a dotted key
    ("AX104", "tomllib._parser", "parse_key"),
    # 48 bytes at a time off the front
    ("AX105", "imaplib", "_Authenticator.encode"),
    # `key not in list(old.__dict__.keys())`
    ("AX106", "IPython.extensions.autoreload", "update_class"),
    # `while new_id in set(resolved_ids)`
    ("AX107", "_pytest.python", "IdMaker.make_unique_parameterset_ids"),
    # `for inst in _active[:]: … _active.remove(inst)`
    ("AX109", "subprocess", "_cleanup"),
    # for each name all parameters are compared by name
    ("AX110", "parso.python.errors", "_Context._analyze_names"),
    # os.path.isdir of each name of os.listdir
    ("AX112", "mailbox", "MH.list_folders"),
    # one INSERT for each line of the history
    ("AX113", "IPython.core.history", "HistoryManager._writeout_input_cache"),
    # a list comprehension that awaits each element
    ("AX118", "openai._utils._transform", "_async_transform_recursive"),
    # `args_file.read().splitlines()`
    ("AX122", "argparse", "ArgumentParser._read_args_from_files"),
    # `re.compile('')` for each default state
    ("AX123", "pygments.lexer", "RegexLexerMeta._process_state"),
]

SILENT = [
    # the same dedupe, by a set
    ("AX101", "IPython.core.completer", "_deduplicate_completions"),
    # command-line arguments taken from the front: there are few
    ("AX102", "click.parser", "_OptionParser._process_args_for_options"),
    # `result += …` of a local str, which CPython extends in place
    ("AX103", "parso.tree", "NodeOrLeaf.dump._format_dump"),
    # `result += …` of a list extends it in place
    ("AX104", "jedi.parser_utils", "get_executable_nodes"),
    # `args = args[1:]` of command-line arguments
    ("AX105", "getopt", "getopt"),
    # `sorted(names)` of names found anew on each pass
    ("AX107", "jedi.inference.references", "_add_names_in_same_context"),
    # `c.index(node)` in a loop that climbs from node to parent
    ("AX108", "parso.tree", "NodeOrLeaf.get_next_leaf"),
    # the element is removed and the loop left
    ("AX109", "_pytest.raises", "RaisesGroup._check_exceptions"),
    # the inner loop compares with a constant: a filter, not a join
    ("AX110", "nbformat.sign", "yield_code_cells"),
    # each list is sorted once
    ("AX111", "email.utils", "decode_params"),
    # os.path.isdir of paths nobody listed
    ("AX112", "IPython.core.profiledir", "ProfileDir.find_profile_dir_by_name"),
    # one SELECT whose rows are looped over
    ("AX113", "mypy.metastore", "SqliteMetadataStore.list_all"),
    # `requests.get(…)` where `requests` is a dict of this function
    ("AX114", "openai.lib.responses_tool_runner", "_approved_mcp_requests"),
    # another file on each pass
    ("AX115", "gettext", "translation"),
    # awaits its own async twin of a helper that sleeps
    ("AX116", "openai._base_client", "AsyncAPIClient.request"),
    # the lock is left before anything is awaited
    ("AX117", "ipykernel.iostream", "IOPubThread._event_pipe_gc"),
    # cells run one after the other because they must
    ("AX118", "nbclient.client", "NotebookClient.async_execute"),
    # two calls of itself, each on half of the rest
    ("AX121", "parso.tree", "BaseNode.get_leaf_for_position.binary_search"),
    # splits a text it was given
    ("AX122", "IPython.core.magics.code", "extract_code_ranges"),
    # another pattern on each pass
    ("AX123", "csv", "Sniffer._guess_quote_and_delimiter"),
]


@pytest.mark.parametrize(("rule", "module", "symbol"), FIRES)
def test_a_real_function_with_the_pattern_is_reported(rule: str, module: str, symbol: str) -> None:
    """The rule finds it, once for what it is about, and cites a line of the function."""
    (issue,) = issues_in(module, symbol, rule)
    assert issue.category == "performance"
    assert issue.source == "aiex"
    assert issue.evidence
    assert issue.fix


@pytest.mark.parametrize(("rule", "module", "symbol"), SILENT)
def test_a_real_function_that_looks_like_it_is_left_alone(
    rule: str, module: str, symbol: str
) -> None:
    """What resembles the pattern and does not have its cost is not reported."""
    assert issues_in(module, symbol, rule) == []


OWN_FIRES = {
    "AX108": "def f(names):\n    return [names.count(n) for n in names]\n",
    "AX111": (
        "def f(events):\n    queue = []\n    for event in events:\n"
        "        queue.append(event)\n        queue.sort()\n"
    ),
    "AX114": (
        "import requests\n\ndef f(urls):\n    for url in urls:\n"
        "        yield requests.get(url, timeout=9)\n"
    ),
    "AX115": (
        "from pathlib import Path\n\ndef f(users, path: Path):\n    for user in users:\n"
        "        yield user, path.read_text()\n"
    ),
    "AX116": (
        "import time\n\nclass A:\n    def rest(self):\n        time.sleep(1)\n\n"
        "    async def run(self):\n        self.rest()\n"
    ),
    "AX117": (
        "async def f(lock, job):\n    with lock:\n        async with job as result:\n"
        "            return result\n"
    ),
    "AX119": (
        "import numpy as np\n\ndef f(parts):\n    whole = np.zeros(0)\n    for part in parts:\n"
        "        whole = np.concatenate([whole, part])\n    return whole\n"
    ),
    "AX120": "def f(frame):\n    return [row.a for _, row in frame.iterrows()]\n",
    "AX121": "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n",
}


@pytest.mark.parametrize("rule", OWN_FIRES)
def test_a_function_of_our_own_is_reported(rule: str) -> None:
    """For these no installed package has the pattern outside its tests: minimal code of ours."""
    assert rules_of(OWN_FIRES[rule]) == [rule]


OWN_SILENT = {
    "an Enum, on which `in` fails before Python 3.12": (
        "from enum import Enum\nclass Color(Enum):\n    RED = 1\n"
        "def f(x):\n    return x in list(Color)\n"
    ),
    "a list whose length the text fixes": (
        "def f(xs):\n    known = ['a', 'b']\n    return [x for x in xs if x in known]\n"
    ),
    "a copy that is changed in the loop": (
        "def f(xs, ys):\n    for x in xs:\n        ys.remove(x)\n        print(max(ys))\n"
    ),
    "arrays collected first": (
        "import numpy as np\n\ndef f(parts):\n    kept = []\n    for part in parts:\n"
        "        kept.append(part)\n    return np.concatenate(kept)\n"
    ),
    "rows as tuples": "def f(frame):\n    return [row.a for row in frame.itertuples()]\n",
    "a retry": (
        "import requests\n\ndef f(url):\n    for attempt in range(3):\n"
        "        try:\n            return requests.get(url, timeout=9)\n"
        "        except OSError:\n            pass\n"
    ),
    "a blocking helper in a thread": (
        "import asyncio, time\n\ndef rest():\n    time.sleep(1)\n\n"
        "async def run():\n    await asyncio.to_thread(rest)\n"
    ),
    "a recursion that keeps its results": (
        "from functools import cache\n\n@cache\ndef fib(n):\n"
        "    return n if n < 2 else fib(n - 1) + fib(n - 2)\n"
    ),
    "a file the loop also writes": (
        "def f(users, path):\n    for user in users:\n        user.save(path)\n"
        "        with open(path) as file:\n            print(file.read())\n"
    ),
    "a head taken off once": (
        "def f(xs):\n    for x in xs:\n        if x:\n            xs.insert(0, x)\n"
        "            break\n"
    ),
    "a name that starts afresh on each pass": (
        "def f(groups):\n    for group in groups:\n        line = b''\n        line += group\n"
        "        print(line)\n"
    ),
    "a str put before a short one, digit by digit": (
        "def f(n):\n    text = ''\n    while n:\n        n, d = divmod(n, 16)\n"
        "        text = '0123456789abcdef'[d] + text\n    return text\n"
    ),
}


@pytest.mark.parametrize("case", OWN_SILENT)
def test_code_of_our_own_that_looks_like_it_is_left_alone(case: str) -> None:
    """For these no installed function is a good look-alike: minimal code of ours."""
    assert rules_of(OWN_SILENT[case]) == []


def test_the_forms_cpython_extends_in_place_are_told_from_those_it_copies() -> None:
    """`s += x` and `s = s + x` of a local are cheap; each other form copies all of `s`."""
    head, loop = "def f(xs, box):\n    s = ''\n", "    for x in xs:\n        "
    for cheap in ("s += str(x)", "s = s + str(x)", "s += x + '\\n'"):
        assert rules_of(f"{head}{loop}{cheap}\n    return s\n") == [], cheap
    for dear in ("s = s + str(x) + '\\n'", "s = str(x) + s", "box.text += str(x)"):
        assert rules_of(f"{head}{loop}{dear}\n    return s\n") == ["AX103"], dear
    shared = f"def f(xs):\n    global s\n{loop}s += str(x)\n"
    assert rules_of(shared) == ["AX103"]
