"""The machine, as reported beside measured figures."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

_INSTRUCTION_SETS = {
    "AVX2": "avx2",
    "AVX-512": "avx512f",
    "VNNI": "avx512_vnni",
    "AVX-VNNI": "avx_vnni",
    "bf16": "avx512_bf16",
    "AMX": "amx_int8",
}
"""The instruction sets that decide how fast 8-bit and bf16 products are, by their Linux names."""


def processor() -> str:
    """The processor's name and its relevant instruction sets, if the system reports them."""
    facts = _cpuinfo()
    name = facts.get("model name") or platform.processor() or platform.machine()
    sets = instruction_sets()
    return (name or "unknown processor") + (f" ({', '.join(sets)})" if sets else "")


def instruction_sets() -> list[str]:
    """The supported ones of AVX2, AVX-512, VNNI, AVX-VNNI, bf16 and AMX; [] except on Linux."""
    flags = set(_cpuinfo().get("flags", "").split())
    return [name for name, flag in _INSTRUCTION_SETS.items() if flag in flags]


def _cpuinfo() -> dict[str, str]:
    """The entries of the first processor in /proc/cpuinfo; {} where that does not exist."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux
        return {}
    pairs = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def peak_memory() -> float | None:
    """Peak memory of this process in MB; None if the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # bytes on a Mac, kibibytes elsewhere
    return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6
