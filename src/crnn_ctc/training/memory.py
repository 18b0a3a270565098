"""The memory of a training step, kept for the next."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""As in malloc.h."""


def keep_memory() -> None:
    """Let glibc keep the memory of a step for the next, where it would go back to the system.

    Each step would take it anew, page by page, up to 5 % of its time on a CPU; the most that a run
    takes hardly changes. Elsewhere than with glibc, nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
