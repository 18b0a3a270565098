"""Standard output and standard error, whatever the system's encoding."""

from __future__ import annotations

import io
import sys


def use_utf8() -> None:
    """Write UTF-8 to files and pipes, and never fail over a character.

    A terminal keeps its encoding and shows a replacement for what it cannot show. Anything else is
    a program's input: JSON and CSV must not depend on the locale, which on Windows is no Unicode.
    """
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue  # a notebook's or a test's
        if stream.isatty():
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
