"""Encoding of standard output and standard error."""

from __future__ import annotations

import io
import sys


def use_utf8() -> None:
    """Write UTF-8 to files and pipes, and never fail on a character.

    A terminal keeps its encoding and shows a replacement for unsupported characters. Files and
    pipes get UTF-8, as JSON and CSV must not depend on the locale, which is not Unicode on Windows.
    """
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue  # a notebook's or a test's stream
        if stream.isatty():
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
