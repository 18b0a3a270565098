"""Writing a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from crnn_ctc.errors import InputError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is either the old or the new one, whatever happens meanwhile.

    Raises:
        InputError: the disk is full or the folder cannot be written; the old file stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); free space or choose another folder"
        ) from None
