"""Where complexipy is imported: in a thread that lives as long as the process.

complexipy 8.3 brings its own allocator (mimalloc), which takes the thread that loads it for the
process's main thread and frees its heap when that thread ends: later calls then crash the
interpreter (measured: 6 of 6 processes with the first import in one of 300 short threads, none of
3 with the import in the main thread).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

_lock = threading.Lock()


def code_complexity() -> Callable[..., Any]:
    """Return complexipy's `code_complexity`; safe in any thread."""
    with _lock:
        if "complexipy" not in sys.modules:
            if threading.current_thread() is threading.main_thread():
                import complexipy  # noqa: F401
            else:
                _import_for_good()
    found: Callable[..., Any] = sys.modules["complexipy"].code_complexity
    return found


def load_in_main_thread() -> None:
    """Import complexipy now if this is the main thread, so that no other thread has to."""
    if threading.current_thread() is threading.main_thread():
        code_complexity()


def _import_for_good() -> None:
    imported = threading.Event()

    def stay() -> None:
        try:
            import complexipy  # noqa: F401
        finally:
            imported.set()
        threading.Event().wait()

    threading.Thread(target=stay, name="aiex-complexipy", daemon=True).start()
    imported.wait()
