"""Pictures to read, from the paths on the command line."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from crnn_ctc.errors import InputError
from crnn_ctc.image import SUFFIXES, names_picture


@dataclass(frozen=True)
class Named:
    """A picture and its display name.

    Attributes:
        name: path as the user would write it, or ``-``.
        source: path, bytes of standard input, or the error.
    """

    name: str
    source: str | io.BytesIO | InputError


def expand(paths: Iterable[str]) -> Iterator[Named]:
    """Yield the pictures of files, folders (at any depth), globs and ``-``, in order.

    A name that matches nothing is returned unchanged; reading it reports the error.
    """
    for path in paths:
        if path == "-":
            yield Named("-", _standard_input())
        elif Path(path).is_dir():
            yield from _folder(path)
        elif glob.has_magic(path) and not Path(path).exists():
            # not Path.glob: it drops a leading ./ and needs folder and pattern separately
            found = sorted(glob.glob(path, recursive=True))  # noqa: PTH207
            for name in found or [path]:
                yield from _folder(name) if Path(name).is_dir() else [Named(name, name)]
        else:
            yield Named(path, path)


def _standard_input() -> io.BytesIO | InputError:
    content = io.BytesIO(sys.stdin.buffer.read() if sys.stdin else b"")  # None where it is closed
    if not content.getbuffer():
        return InputError("-: standard input is empty; pipe a picture in")
    content.name = "-"
    return content


def _folder(path: str) -> Iterator[Named]:
    """Yield a folder's pictures, one directory at a time."""
    empty = True
    for folder, folders, files in os.walk(path):
        folders.sort()
        for file in sorted(files):
            if names_picture(file):
                empty = False
                name = str(Path(folder) / file)
                yield Named(name, name)
    if empty:
        endings = ", ".join(sorted(SUFFIXES))
        yield Named(path, InputError(f"{path}: a folder without pictures ({endings})"))
