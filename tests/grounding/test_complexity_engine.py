"""complexipy survives the end of the thread that first used it."""

import subprocess
import sys

CODE = """
import threading
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.gather import gather

def work():
    gather([Subject(path="a.py", text="def f(x):\\n    if x:\\n        return 1\\n")])

for _ in range(20):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
print("alive")
"""


def test_threads_that_end_do_not_crash_the_interpreter():
    """Analyses in threads that come and go leave the kernel alive (without the parked import
    the interpreter dies of a segmentation fault)."""
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "alive\n"
