"""What a user names on the command line, as pictures to read."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from crnn_ctc.errors import InputError
from crnn_ctc.image import SUFFIXES, names_picture


@dataclass(frozen=True)
class Named:
    """A picture and what to call it.

    Attributes:
        name: the path as the user would write it, or ``-``.
        source: the path, the bytes of standard input, or why there is no picture.
    """

    name: str
    source: str | bytes | InputError


def expand(paths: Iterable[str]) -> Iterator[Named]:
    """Pictures of files, folders (at any depth), globs and ``-``, one at a time, in order.

    A name that matches nothing comes back as it is: reading it says what is wrong with it.
    """
    for path in paths:
        if path == "-":
            content = sys.stdin.buffer.read()
            yield Named("-", content or InputError("-: standard input is empty; pipe a picture in"))
        elif Path(path).is_dir():
            yield from _folder(path)
        elif glob.has_magic(path) and not Path(path).exists():
            # not Path.glob: it drops a leading ./, and needs the folder and the pattern apart
            found = sorted(glob.glob(path, recursive=True))  # noqa: PTH207
            for name in found or [path]:
                yield from _folder(name) if Path(name).is_dir() else [Named(name, name)]
        else:
            yield Named(path, path)


def _folder(path: str) -> Iterator[Named]:
    """A folder's pictures; a folder of a million is never listed whole."""
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
