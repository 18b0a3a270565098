"""Pictures of a shard: names, and bytes of the files."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow
from pyarrow import parquet

from crnn_ctc.bulk.places import Place, error_line, place
from crnn_ctc.bulk.shards import PARQUET, Shard, is_packed
from crnn_ctc.errors import InputError, printable_name
from crnn_ctc.image import names_picture

CONTENT = ("image", "bytes", "content", "picture", "jpg", "png")
"""Columns with a picture's file: binary, or a struct with ``bytes``, as in HF datasets."""

NAMES = ("path", "file", "file_name", "filename", "key", "__key__", "id")
"""Columns with a picture's name; if no column has its file, these are paths."""


LARGEST = 1 << 28
"""Maximum size of a picture's file in bytes; larger ones are not loaded."""


class Item(NamedTuple):
    """One picture.

    Attributes:
        name: name for messages and the ``path`` column.
        content: bytes of its file, or the error.
    """

    name: str
    content: bytes | InputError


def items(shard: Shard) -> Iterator[Item]:
    """Yield the pictures of a shard or their errors, in order."""
    first = shard.files[0]
    if not is_packed(first.path):
        yield from map(_read, shard.files)
        return
    try:
        yield from (_rows if first.path.lower().endswith(PARQUET) else _members)(first)
    except InputError as error:
        yield Item(first.shown, error)
    # the common bases of pyarrow's and tarfile's errors on broken files
    except (OSError, EOFError, tarfile.TarError, pyarrow.ArrowException, ValueError) as error:
        said = f"{first.shown}: cannot be read to its end ({error_line(error)}); copy it again"
        yield Item(first.shown, InputError(said))


def _read(file: Place) -> Item:
    try:
        if file.local:
            with Path(file.path).open("rb") as opened:
                return _whole(file.shown, opened)
        with file.system.open_input_stream(file.path, compression=None) as stream:
            return _whole(file.shown, stream)
    except (OSError, pyarrow.ArrowException) as error:
        said = f"{file.shown}: cannot be read ({error_line(error)}); check the path"
        return Item(file.shown, InputError(said))


def _whole(name: str, stream: IO[bytes]) -> Item:
    content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        return Item(name, InputError(f"{name}: larger than {LARGEST >> 20} MB; is it a picture?"))
    return Item(name, content)


def _members(file: Place) -> Iterator[Item]:
    with (
        file.system.open_input_stream(file.path, compression=None) as stream,
        tarfile.open(fileobj=stream, mode="r|*") as archive,  # a stream: no files on disk
    ):
        for member in archive:
            if not member.isfile() or not names_picture(member.name.rpartition("/")[2]):
                continue
            opened = archive.extractfile(member)
            assert opened is not None
            yield _whole(f"{file.shown}/{printable_name(member.name)}", opened)


def _rows(file: Place) -> Iterator[Item]:
    with file.system.open_input_file(file.path) as opened:
        # by row group, as the file may be larger than the memory
        table = parquet.ParquetFile(opened, buffer_size=1 << 20, pre_buffer=False)
        kinds = {field.name: field.type for field in table.schema_arrow}
        content = next((name for name in CONTENT if _holds_files(kinds.get(name))), None)
        named = next((name for name in NAMES if _is_text(kinds.get(name))), None)
        if content is None and named is None:
            raise InputError(
                f"{file.shown}: no column of pictures ({', '.join(CONTENT)}: binary) nor of their "
                f"places ({', '.join(NAMES[:2])}: text); it has {', '.join(kinds) or 'none'}"
            )
        columns = [name for name in (content, named) if name is not None]
        number = 0
        for batch in table.iter_batches(16, columns=columns):
            for row in batch.to_pylist():
                yield _row(file, number, row, content, named)
                number += 1


def _row(
    file: Place, number: int, row: dict[str, Any], content: str | None, named: str | None
) -> Item:
    name = row[named] if named is not None else None
    value = row[content] if content is not None else None
    if isinstance(value, dict):
        name = name or value.get("path")
        value = value["bytes"]
    if content is None and name:
        try:
            return _read(place(name) if "://" in name else file.folder / name)
        except InputError as error:
            return Item(name, error)
    shown = f"{file.shown}#{number}" + (f"/{name}" if name else "")
    if value is None:
        return Item(shown, InputError(f"{shown}: no picture in this row"))
    return Item(shown, value)


def _holds_files(kind: pyarrow.DataType | None) -> bool:
    if kind is not None and pyarrow.types.is_struct(kind):
        return any(field.name == "bytes" and _holds_files(field.type) for field in kind)
    return kind is not None and (
        pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind)
    )


def _is_text(kind: pyarrow.DataType | None) -> bool:
    return kind is not None and (
        pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)
    )
