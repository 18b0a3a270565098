"""Output folder of the parts."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from pathlib import Path

import pyarrow
from pyarrow import fs

from crnn_ctc.bulk.places import Place, error_line
from crnn_ctc.errors import InputError
from crnn_ctc.files import write_atomically

_BEGUN = re.compile(r"\.part-\d{6,}\.parquet\.[0-9a-f]+")
_PART = re.compile(r"part-(\d{6,})\.parquet")


def prepare_output(out: Place, sources: Sequence[Place]) -> None:
    """Create the folder, and remove incomplete files of killed workers.

    Raises:
        InputError: it cannot be created, or is inside a source.
    """
    for source in sources:
        if type(out.system) is type(source.system) and f"{out.path}/".startswith(f"{source.path}/"):
            raise InputError(
                f"--out {out.shown}: lies in {source.shown}, which is read; choose another"
            )
    try:
        out.system.create_dir(out.path)
        for info in out.system.get_file_info(fs.FileSelector(out.path, allow_not_found=True)):
            if _BEGUN.fullmatch(info.base_name):
                out.system.delete_file(info.path)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"--out {out.shown}: cannot be made ({error_line(error)})") from None


def write_part(part: Place, content: bytes) -> None:
    """Write a part atomically.

    Raises:
        InputError: it cannot be written.
    """
    if isinstance(part.system, fs.LocalFileSystem):
        write_atomically(Path(part.path), content)
        return
    begun = part.folder / f".{part.path.rpartition('/')[2]}.{uuid.uuid4().hex}"
    try:
        with part.system.open_output_stream(begun.path) as stream:
            stream.write(content)
        part.system.move(begun.path, part.path)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{part.shown}: cannot be written ({error_line(error)})") from None


def stale_part(out: Place, shards: int) -> str | None:
    """Find a part that belongs to none of the shards 0 to ``shards`` - 1, if any."""
    for info in out.system.get_file_info(fs.FileSelector(out.path, allow_not_found=True)):
        name = str(info.base_name)
        part = _PART.fullmatch(name)
        if part and int(part[1]) >= shards:
            return (out / name).shown
    return None
