"""Counts for display, and output files of ``--json`` and ``--report``."""

from __future__ import annotations

import json
import os
from pathlib import Path

from crnn_ctc.errors import InputError

REFUSED = 3
"""Exit code if every picture was read and some readings were refused."""


def counted(n: int, what: str) -> str:
    """Format a count: ``1 picture``, ``2 pictures``."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def check_writable(path: Path) -> None:
    """Check that a file can be written before computing its content.

    Raises:
        InputError: it is a folder, its folder does not exist, or it is not writable.
    """
    if path.is_dir():
        raise InputError(f"{path}: cannot be written (it is a folder); choose another file")
    if not path.parent.is_dir():
        raise InputError(f"{path}: cannot be written (no such folder); choose another file")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"{path}: cannot be written (no permission); choose another file")


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8; undecodable bytes of file names are written as escapes.

    Raises:
        InputError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); choose another file"
        ) from None


def write_json(path: Path, values: object) -> None:
    """Write a JSON file.

    Raises:
        InputError: it cannot be written.
    """
    write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
