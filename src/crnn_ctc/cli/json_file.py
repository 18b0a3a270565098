"""The file that --json asks for."""

from __future__ import annotations

import json
from pathlib import Path

from crnn_ctc.errors import InputError


def write_json(path: Path, values: object) -> None:
    """Write a JSON file.

    Raises:
        InputError: it cannot be written.
    """
    try:
        path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); choose another file"
        ) from None
