"""The catalogue of aiex's own rules: one row a rule, the source of the reference page."""

from __future__ import annotations

from msgspec import Struct, field

from aiex_ipy.grounding.facts import Category, Severity


class Rule(Struct, frozen=True, kw_only=True):
    """One rule. `why` says what it costs, `remedy` what to do (it is the issue's `fix`),
    `example` a few lines it fires on, `since` the first version of aiex that has it. `limits`
    are its thresholds by name; `source` is where they or the claim come from."""

    code: str
    name: str
    category: Category
    severity: Severity
    why: str
    remedy: str
    example: str
    since: str = "0.1.0"
    limits: dict[str, float] = field(default_factory=dict)
    source: str = ""


_COMPLEXITY = "wiki.python.org/moin/TimeComplexity"
_MEASURED = "measured on CPython 3.11, 3.12 and 3.13"

_PERFORMANCE = (
    Rule(
        code="AX101",
        name="list-searched-in-loop",
        category="performance",
        severity="medium",
        why="`in` on a list compares element by element, so a loop around it takes time in "
        "proportion to the product of both lengths. A list whose length the source text fixes "
        "is left alone.",
        remedy="Keep the elements in a set beside the list, or instead of it.",
        example=(
            "seen = []\nfor row in rows:\n    if row.key not in seen:\n        seen.append(row.key)"
        ),
        source=_COMPLEXITY,
    ),
    Rule(
        code="AX102",
        name="list-head-shifted",
        category="performance",
        severity="low",
        why="`insert(0, …)` and `pop(0)` move all other elements of a list: emptying 100,000 "
        "elements by `pop(0)` takes 0.7 s, twice as many 3 s. Command-line arguments are left "
        "alone.",
        remedy="Use `collections.deque`, or append and reverse once at the end.",
        example=("while queue:\n    node = queue.pop(0)\n    queue.extend(node.children)"),
        source=f"{_COMPLEXITY}; {_MEASURED}",
    ),
    Rule(
        code="AX103",
        name="text-copied-to-grow",
        category="performance",
        severity="medium",
        why="CPython extends a `str` in place only for `name += rest` and `name = name + rest` "
        "with a local name. Bytes, attributes, global and nonlocal names, `name = rest + name` and "
        "`name = name + a + b` copy all of the text each time: 40,000 pieces of 8 characters "
        "take 0.3 to 0.4 s instead of 2 ms, and four times as long for twice as many.",
        remedy="Collect the pieces in a list and join them once, or use a bytearray.",
        example=("data = b''\nwhile chunk := read():\n    data += chunk"),
        source=_MEASURED,
    ),
    Rule(
        code="AX104",
        name="container-copied-to-grow",
        category="performance",
        severity="low",
        why="`xs = xs + …`, `xs += (…,)` of a tuple, `[*xs, …]` and `{**d, …}` make a new "
        "container of all elements on each pass.",
        remedy="Change one list, set or dict in place, and convert it once after the loop.",
        example=("found = ()\nfor name in names:\n    found += (load(name),)"),
        source=_MEASURED,
    ),
    Rule(
        code="AX105",
        name="head-sliced-off",
        category="performance",
        severity="low",
        why="`rest = rest[n:]` copies what is left on each pass: taking 100,000 characters one by "
        "one takes 0.13 s, twice as many 0.5 s. A memoryview and command-line arguments are left "
        "alone.",
        remedy="Keep an index into the whole, or use a memoryview.",
        example=("while text:\n    token = text[:4]\n    text = text[4:]"),
        source=_MEASURED,
    ),
    Rule(
        code="AX106",
        name="copy-made-to-search",
        category="performance",
        severity="low",
        why="`x in list(d)` copies every element and then searches the copy from its start, where "
        "`x in d` answers at once for a dict or a set and without a copy for the rest.",
        remedy="Test membership in the collection itself.",
        example=("if name in list(registry.keys()):\n    ..."),
        source=_COMPLEXITY,
    ),
    Rule(
        code="AX107",
        name="unchanged-result-recomputed",
        category="performance",
        severity="medium",
        why="`set(xs)`, `sorted(xs)`, `max(xs)`, `min(xs)` or `sum(xs)` goes through all of a "
        "collection again on each pass of a loop that leaves the collection as it is.",
        remedy="Compute it once before the loop.",
        example=("def extra(left, right):\n    return [x for x in left if x not in set(right)]"),
    ),
    Rule(
        code="AX108",
        name="iterated-list-searched",
        category="performance",
        severity="medium",
        why="`xs.index(x)` or `xs.count(x)` inside a loop over `xs` searches on each pass for what "
        "the loop stands on. `index` also finds the first of several equal elements.",
        remedy="Use `enumerate` for the position, `collections.Counter` for the count.",
        example=("for name in names:\n    print(names.index(name), name)"),
    ),
    Rule(
        code="AX109",
        name="list-emptied-one-by-one",
        category="performance",
        severity="low",
        why="`xs.remove(x)` searches the list and shifts what stands behind, on each pass of a "
        "loop over `xs` or its copy.",
        remedy="Build the list of what stays in one comprehension.",
        example=("for item in items[:]:\n    if item.done:\n        items.remove(item)"),
        source=_COMPLEXITY,
    ),
    Rule(
        code="AX110",
        name="nested-loop-join",
        category="performance",
        severity="medium",
        why="An inner loop that only looks for equal keys goes through all of its collection on "
        "each pass of the outer loop.",
        remedy="Index the inner collection by its key in a dict before the loops.",
        example=(
            "for order in orders:\n"
            "    for user in users:\n"
            "        if user.id == order.user_id:\n"
            "            ship(order, user)"
        ),
    ),
    Rule(
        code="AX111",
        name="sorted-on-each-pass",
        category="performance",
        severity="medium",
        why="Adding one element and sorting the whole list again costs at least a walk over the "
        "list on each pass.",
        remedy="Use `heapq`, or `bisect.insort`, or sort once after the loop.",
        example=("while queue:\n    queue.append(next_event())\n    queue.sort()"),
    ),
    Rule(
        code="AX112",
        name="stat-per-listed-name",
        category="performance",
        severity="low",
        why="`os.listdir` followed by `os.path.isdir` asks the file system once more for each "
        "name; the directory scan already told. `os.scandir` made `os.walk` 2 to 20 times as fast.",
        remedy="Go over `os.scandir` and ask its entries.",
        example=(
            "import os\n\n"
            "for name in os.listdir(path):\n"
            "    if os.path.isdir(os.path.join(path, name)):\n"
            "        ..."
        ),
        source="PEP 471",
    ),
    Rule(
        code="AX113",
        name="query-per-item",
        category="performance",
        severity="medium",
        why="One statement for each item of a loop costs a round trip and a parse each.",
        remedy="Send one statement: `executemany`, a join, or `IN (…)`.",
        example=(
            "for user in users:\n"
            '    cur.execute("SELECT * FROM orders WHERE user_id = ?", (user.id,))'
        ),
    ),
    Rule(
        code="AX114",
        name="connection-per-item",
        category="performance",
        severity="medium",
        why="`requests.get` and the like open a connection (TCP, TLS) for each call, and a client "
        "or database connection made in a loop for each pass. Loops that count (retries) are left "
        "alone.",
        remedy="Make one session, client or connection before the loop and use it in the loop.",
        example=(
            "import requests\n\nfor page in pages:\n    requests.get(base + page, timeout=10)"
        ),
    ),
    Rule(
        code="AX115",
        name="file-read-again",
        category="performance",
        severity="medium",
        why="The loop opens and reads a file whose path does not change in it.",
        remedy="Read the file once before the loop.",
        example=(
            "for user in users:\n"
            '    with open("template.html") as file:\n'
            "        send(user, file.read())"
        ),
    ),
    Rule(
        code="AX116",
        name="blocking-helper-in-async",
        category="performance",
        severity="high",
        why="A plain function that sleeps, runs a process or talks to the network, called from a "
        "coroutine, stops every task of the event loop. ruff sees the direct calls (ASYNC2xx), "
        "this rule one function further.",
        remedy="Await `asyncio.to_thread(function, …)`, or use an asynchronous client.",
        example=(
            "import time\n\ndef backoff():\n    time.sleep(5)\n\nasync def poll():\n    backoff()"
        ),
    ),
    Rule(
        code="AX117",
        name="await-under-thread-lock",
        category="performance",
        severity="high",
        why="A coroutine that waits while it holds a `threading.Lock` blocks every thread that "
        "wants the lock, and the whole event loop when another of its tasks does.",
        remedy="Use `asyncio.Lock` with `async with`, or leave the lock before awaiting.",
        example=(
            "async def put(self, item):\n    with self._lock:\n        await self.store(item)"
        ),
    ),
    Rule(
        code="AX118",
        name="awaits-in-a-row",
        category="performance",
        severity="low",
        why="A loop that only awaits and collects waits for the sum of all times, where concurrent "
        "awaits wait for the longest.",
        remedy="Use `asyncio.gather` or a `TaskGroup`, with a semaphore where the number matters.",
        example=("async def load(urls):\n    return [await fetch(url) for url in urls]"),
    ),
    Rule(
        code="AX119",
        name="frame-copied-to-grow",
        category="performance",
        severity="medium",
        why="`pandas.concat`, `numpy.append` and the like copy the whole frame or array to add a "
        "piece on each pass.",
        remedy="Collect the pieces in a list and concatenate once after the loop.",
        example=("import pandas as pd\n\nfor part in parts:\n    frame = pd.concat([frame, part])"),
        source="pandas user guide, Merge, join, concatenate and compare",
    ),
    Rule(
        code="AX120",
        name="frame-walked-by-row",
        category="performance",
        severity="low",
        why="`iterrows` makes a Series for each row and loses the columns' types.",
        remedy="Work on whole columns, or use `itertuples`.",
        example=("for _, row in frame.iterrows():\n    total += row.price * row.count"),
        source="pandas.DataFrame.iterrows, Notes",
    ),
    Rule(
        code="AX121",
        name="results-not-kept",
        category="performance",
        severity="high",
        why="A function that calls itself twice for smaller numbers solves the same small problems "
        "again and again: its time doubles with each level.",
        remedy="Decorate it with `functools.cache`, or build the results from below.",
        example=("def paths(n):\n    return 1 if n < 2 else paths(n - 1) + paths(n - 2)"),
    ),
    Rule(
        code="AX122",
        name="file-held-to-read-lines",
        category="performance",
        severity="low",
        why="`read().splitlines()` holds the text of the whole file and the list of all its lines "
        "to look at one line at a time.",
        remedy="Iterate over the file itself.",
        example=("for line in open(path).read().splitlines():\n    ..."),
    ),
    Rule(
        code="AX123",
        name="pattern-compiled-in-loop",
        category="performance",
        severity="low",
        why="`re.compile` of an unchanged pattern looks it up in a cache on each pass, and "
        "compiles it anew once 512 others have passed.",
        remedy="Compile the pattern once, outside the loop.",
        example=(
            'import re\n\nfor line in lines:\n    if re.compile(r"\\d+").match(line):\n        ...'
        ),
        source="CPython Lib/re/__init__.py, _MAXCACHE",
    ),
)

RULES: dict[str, Rule] = {rule.code: rule for rule in _PERFORMANCE}
"""All rules by code, in the order of the reference page."""
