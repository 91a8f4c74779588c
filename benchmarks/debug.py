"""What a capture costs on a notebook with a 2 GB frame and 10,000 names: issue goal 200 ms.

    python benchmarks/debug.py [--rounds 15]

In one shell with the extension, 300 cells run; the last fails inside a function that holds the
frame. A capture is what `ai_debug()` does in the calling thread: failure, slice of the cells and
diagnosis. Wall time of each, the first (which imports and parses) told apart; the memory is the
peak that Python's allocator, which numpy and pandas use too, gave out beyond what was there, and
the growth of the process's peak.
"""

from __future__ import annotations

import resource
import statistics
import time
import tracemalloc
from collections.abc import Iterator

from rows import Row, keep, parser

CELLS = (
    "import numpy as np, pandas as pd",
    "frame = pd.DataFrame({f'column_{n}': np.ones(25_000_000) for n in range(10)})",
    "globals().update({f'name_{n}': [n] * 3 for n in range(10_000)})",
    *(f"step_{n} = frame['column_{n % 10}'].iloc[:{n + 1}]" for n in range(290)),
    "def margin(table, factor):\n    part = table['column_1']\n"
    "    return part * factor + table['colum_2']",
    "half = frame.iloc[:1000]\nframe['column_3'] = 2.0",
)
FAILING = "margin(frame, 0.5)"
GOAL_MS = 200.0
GOAL_MB = 30.0


def measure(rounds: int) -> Iterator[Row]:
    """Print what was measured; yield its rows."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "aiex")
    for cell in CELLS:
        assert shell.run_cell(cell, store_history=True).success
    with capture_output():
        shell.run_cell(FAILING, store_history=True)
    from aiex_ipy.engine.debugging import debug_request
    from aiex_ipy.frontends.ipython.session import current_session

    session = current_session()
    engine = session.engine
    size = shell.user_ns["frame"].memory_usage().sum() / 1e9
    grown_from = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took: list[float] = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        request = debug_request(engine, around=session)
        took.append((time.perf_counter() - began) * 1e3)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown_from) / 1024
    tracemalloc.start()
    debug_request(engine, around=session)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    import msgspec

    failure = request.failure
    print(
        f"frame {size:.2f} GB, {len(shell.user_ns)} names, {len(session.cells)} cells; "
        f"{failure.title}; cells told {[each.number for each in failure.cells]}; "
        f"record {len(msgspec.json.encode(failure))} bytes; "
        f"diagnosed {[each.rule for each in request.diagnoses]}\n"
        f"first capture {took[0]:.0f} ms, then median {statistics.median(took[1:]):.1f} ms, "
        f"min {min(took[1:]):.1f} ms; peak allocated {peak:.1f} MB; process peak +{grown:.1f} MB"
    )
    yield Row("ai_debug, the first capture", "2 GB, 10,000 names", took[0], took[0], GOAL_MS, "ms")
    later = took[1:]
    middle, least = statistics.median(later), min(later)
    yield Row("ai_debug, each after it", "2 GB, 10,000 names", middle, least, GOAL_MS, "ms")
    yield Row("ai_debug, process peak", "2 GB, 10,000 names", grown, peak, GOAL_MB, "MB")


if __name__ == "__main__":
    asked = parser(__doc__).parse_args()
    keep(list(measure(asked.rounds)), asked.rows)
