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

_SAMPLE = (
    "measured over 4,934 modules and 15,108 classes of the standard library of Python 3.11 and 80 "
    "packages, tests and generated SDK types aside"
)

_ARCHITECTURE = (
    Rule(
        code="AX201",
        name="import-cycle",
        category="architecture",
        severity="medium",
        why="Modules that import each other while they are imported see each other half made; "
        "which import fails then depends on which comes first. Imports inside functions, under "
        '`if TYPE_CHECKING:` and under `if __name__ == "__main__":` do not count.',
        remedy="Move what both need into a third module, or import inside the function in need.",
        example="# a.py: from b import y      b.py: from a import x",
        source="J. Lakos, Large-Scale C++ Software Design, 1996, ch. 4 (levelization)",
    ),
    Rule(
        code="AX202",
        name="packages-entangled",
        category="architecture",
        severity="low",
        why="Two sibling packages that import each other can only be changed, tested and reused "
        "together. The direction with fewer imports is reported: it is the way back.",
        remedy="Move what the lower package needs down to it, or pass it in.",
        example="# app/store/files.py: from app.views.page import Page",
        source="R. C. Martin, Granularity, C++ Report 1996 (Acyclic Dependencies Principle)",
    ),
    Rule(
        code="AX203",
        name="layer-skipped",
        category="architecture",
        severity="low",
        why="A package's front offers a name, most of the code takes it there, and this import "
        "reaches past the front to where the name is made: that inside can no longer move.",
        remedy="Import the name from the package that offers it.",
        example="# app/page.py: from app.store.files import Files   (app.store offers Files)",
        limits={"imports of the front": 3},
        source="J. Garcia et al., Identifying Architectural Bad Smells, CSMR 2009 (ambiguous "
        "interfaces); the limit is ours: a convention needs three who keep it",
    ),
    Rule(
        code="AX204",
        name="god-module",
        category="architecture",
        severity="medium",
        why="A module that is among the largest and joins more of the project than nearly all "
        "others is where every change meets every other.",
        remedy="Split it by what changes together.",
        example="# 1,001 statements that use 18 other modules of the project",
        limits={"statements": 1000, "modules imported": 18},
        source=f"the 98th percentiles (1,005 statements, 18 modules), {_SAMPLE}",
    ),
    Rule(
        code="AX205",
        name="god-class",
        category="architecture",
        severity="medium",
        why="A class that decides very much, reads the data of many others, and whose methods "
        "share little among themselves, is several classes. Test classes are left alone.",
        remedy="Move each group of methods that share attributes into a class of its own.",
        example="# a class of 150 paths that reads 6 foreign attributes, cohesion below 1/3",
        limits={"weighted methods": 150, "foreign attributes": 5, "cohesion": 1 / 3},
        source="M. Lanza and R. Marinescu, Object-Oriented Metrics in Practice, 2006, God Class "
        "(WMC, ATFD > 5, TCC < 1/3); their WMC of 47 is Java's very high, Python's 99th percentile "
        f"is 154, {_SAMPLE}",
    ),
    Rule(
        code="AX206",
        name="unstable-dependency",
        category="architecture",
        severity="low",
        why="Instability is Ce / (Ca + Ce): the share of a package's ties that go out. A package "
        "on which many rest changes with every package it rests on itself, so these should be "
        "stabler than it is.",
        remedy="Turn the dependency round: let the stable package define what it needs.",
        example="# app/model (used by 10 modules): from app.report import summary",
        limits={"instability": 0.3, "margin": 0.4, "dependents": 10},
        source="R. C. Martin, OO Design Quality Metrics, 1994 (Stable Dependencies Principle); the "
        "limits are ours, chosen on 82 projects",
    ),
    Rule(
        code="AX207",
        name="private-of-another-package",
        category="architecture",
        severity="low",
        why="A leading underscore says: may change without notice. Where more than three modules "
        "outside use it, the underscore says something else in that project."
        " The rule is silent then.",
        remedy="Ask the owner for a public name, or move the code to the owner.",
        example="# app/page.py: from app.store._cache import entries",
        limits={"modules": 3},
        source="PEP 8, Public and Internal Interfaces; the limit is ours",
    ),
    Rule(
        code="AX208",
        name="tests-imported",
        category="architecture",
        severity="medium",
        why="Code that runs in production rests on tests, which may be left out of the "
        "distribution and change for reasons of their own.",
        remedy="Move what both need out of the tests.",
        example="# app/page.py: from app.tests.samples import PAGE",
    ),
    Rule(
        code="AX209",
        name="hub-module",
        category="architecture",
        severity="low",
        why="As many import the module as it imports: a change on one side reaches the other "
        "through it.",
        remedy="Split it into what others use of it and what uses others.",
        example="# imported by 15 modules, imports 15",
        limits={"modules on each side": 15, "imbalance": 0.25},
        source="F. Arcelli Fontana et al., Arcan, ICSA-C 2017 (hub-like dependency: the difference "
        "below a quarter of the sum); 15 lies between the 95th and 98th percentile of both "
        f"numbers, {_SAMPLE}",
    ),
    Rule(
        code="AX210",
        name="foreign-global-set",
        category="architecture",
        severity="medium",
        why="Setting a global of another module changes it for everyone in the process, and "
        "nothing at that module tells. Names meant to be set "
        "(`sys.stdout`, `threading.excepthook`) and tests are left alone.",
        remedy="Give the other module a function that sets it, or pass the value.",
        example="import settings\n\ndef main():\n    settings.DEBUG = True",
    ),
)

RULES: dict[str, Rule] = {rule.code: rule for rule in (*_PERFORMANCE, *_ARCHITECTURE)}
"""All rules by code, in the order of the reference page."""
