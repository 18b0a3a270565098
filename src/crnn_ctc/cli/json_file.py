"""The file that --json asks for."""

from __future__ import annotations

import json
from pathlib import Path

from crnn_ctc.cli.output import write_text


def write_json(path: Path, values: object) -> None:
    """Write a JSON file.

    Raises:
        InputError: it cannot be written.
    """
    write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
