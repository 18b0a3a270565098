"""Shards: groups of pictures that are written to one file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from pyarrow import fs

from crnn_ctc.bulk.places import Place, walk
from crnn_ctc.errors import InputError
from crnn_ctc.image import names_picture

PARQUET = (".parquet", ".pq")
TAR = (".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class Shard:
    """Pictures that are read together.

    Attributes:
        number: index from 0, in the order of the source.
        files: pictures, or one Parquet or tar file.
    """

    number: int
    files: tuple[Place, ...]

    @property
    def name(self) -> str:
        """Name of its output file."""
        return f"part-{self.number:06d}.parquet"

    @property
    def digest(self) -> str:
        """Hash of its file names, by which an existing output file is recognised."""
        names = "\n".join(file.path for file in self.files)
        return hashlib.sha256(names.encode(errors="surrogateescape")).hexdigest()[:16]


def shards(sources: Sequence[Place], size: int) -> Iterator[Shard]:
    """Yield the shards of files and folders; they are reproducible for unchanged files.

    Each Parquet or tar file is one shard; other pictures are grouped by ``size``.

    Raises:
        InputError: there is nothing to read.
    """
    number = 0
    files = chain.from_iterable(map(_files, sources))
    for together in _together(files, size):
        yield Shard(number, together)
        number += 1
    if not number:
        shown = ", ".join(source.shown for source in sources)
        raise InputError(f"{shown}: no pictures, Parquet or tar files; check the path")


def _files(source: Place) -> Iterator[Place]:
    return walk(source) if source.kind is fs.FileType.Directory else iter([source])


def _together(files: Iterator[Place], size: int) -> Iterator[tuple[Place, ...]]:
    pictures: list[Place] = []
    for file in files:
        if is_packed(file.path):
            yield (file,)
        elif names_picture(file.path.rpartition("/")[2]):
            pictures.append(file)
        if len(pictures) == size:
            yield tuple(pictures)
            pictures = []
    if pictures:
        yield tuple(pictures)


def is_packed(path: str) -> bool:
    """Tell by its name whether a file is a Parquet or tar file."""
    return path.lower().endswith((*PARQUET, *TAR))
