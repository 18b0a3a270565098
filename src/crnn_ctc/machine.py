"""What the machine is, as far as a figure measured on it needs it."""

from __future__ import annotations

import platform
import sys
from pathlib import Path


def processor() -> str:
    """The processor's own name, or its architecture where the system does not tell."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or platform.machine() or "unknown processor"


def peak_memory() -> float | None:
    """The most memory that this process has held so far, in MB; None where no one tells."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # bytes on a Mac, kibibytes elsewhere
    return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6
