"""How far a process's memory rises while something runs."""

from __future__ import annotations

import sys

RESIDENT = "peak of the process's resident memory above the start"
GROWTH = "growth of the process's highest resident memory; a lower peak is not seen"


class MemoryPeak:
    """Measures from its making until `stop`.

    On Linux the kernel's own mark of the highest resident memory is set back first, so that a
    peak below earlier ones is seen, numpy's arrays included; other tools that read this mark see
    it set back too. Elsewhere only growth above the highest so far is seen. Nothing is traced:
    the code runs at its own speed.
    Source: proc(5), `clear_refs` (5 resets the peak) and `status` (VmHWM, VmRSS).
    """

    def __init__(self) -> None:
        self._start = _resident("VmRSS") if _reset_peak() else None
        self._before = _highest() if self._start is None else None

    def stop(self) -> tuple[int | None, str]:
        """Return the rise in bytes, None when it cannot be told, and what it measures."""
        if self._start is not None:
            peak = _resident("VmHWM")
            return (None, "") if peak is None else (max(0, peak - self._start), RESIDENT)
        if self._before is None:
            return None, ""
        after = _highest()
        return (None, "") if after is None else (max(0, after - self._before), GROWTH)


def _reset_peak() -> bool:
    if sys.platform != "linux":
        return False
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return False
    return True


def _resident(field: str) -> int | None:
    """Return a field of `/proc/self/status` in bytes."""
    try:
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(field.encode() + b":"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None


def _highest() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    highest: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024
