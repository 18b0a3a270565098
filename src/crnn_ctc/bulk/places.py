"""Files of a folder, here or on any file system that pyarrow or fsspec knows."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow
from pyarrow import fs

from crnn_ctc.errors import InputError, printable_name


@dataclass(frozen=True)
class Place:
    """A file or folder.

    Attributes:
        system: file system that holds it.
        path: path on that system.
        shown: as the user writes it, without what opens it: credentials, options.
    """

    system: fs.FileSystem
    path: str
    shown: str

    def __truediv__(self, name: str) -> Place:
        """What lies in this folder."""
        shown = posixpath.join(self.shown, printable_name(name))
        return Place(self.system, posixpath.join(self.path, name), shown)

    @property
    def local(self) -> bool:
        """Whether it lies on this machine, where names may be any bytes; pyarrow wants UTF-8."""
        return isinstance(self.system, fs.LocalFileSystem)

    @property
    def folder(self) -> Place:
        """Where this lies."""
        return Place(self.system, posixpath.dirname(self.path), posixpath.dirname(self.shown))

    @property
    def kind(self) -> fs.FileType:
        """A file, a folder, or not found.

        Raises:
            InputError: it cannot be asked.
        """
        if self.local:
            if Path(self.path).is_dir():
                return fs.FileType.Directory
            return fs.FileType.File if Path(self.path).exists() else fs.FileType.NotFound
        try:
            return self.system.get_file_info(self.path).type
        except (OSError, pyarrow.ArrowException) as error:
            raise InputError(f"{self.shown}: cannot be reached ({error_line(error)})") from None


def place(name: str) -> Place:
    """What the user calls ``name``: a path, or a URI such as ``s3://bucket/folder``.

    Raises:
        InputError: no file system of that kind, or it cannot be reached.
    """
    if "://" not in name:
        path = str(Path(name).absolute())
        return Place(fs.LocalFileSystem(), path, printable_name(name.rstrip("/") or "/"))
    shown = re.sub(r"://[^/@]*@", "://", name.partition("?")[0]).rstrip("/")
    try:
        system, path = fs.FileSystem.from_uri(name)
    except (ValueError, NotImplementedError):  # none that this pyarrow knows
        system, path = _of_fsspec(name, shown)
    except OSError as error:
        raise InputError(f"{shown}: cannot be reached ({error_line(error)})") from None
    return Place(system, path.rstrip("/"), shown)


def existing(name: str) -> Place:
    """As :func:`place`, of a file or folder that is there.

    Raises:
        InputError: it is not there, or cannot be reached.
    """
    found = place(name)
    if found.kind is fs.FileType.NotFound:
        raise InputError(f"{found.shown}: no such file or folder; check the path")
    return found


def _of_fsspec(name: str, shown: str) -> tuple[fs.FileSystem, str]:
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError:
        raise InputError(f"{shown}: for this file system install fsspec") from None
    try:
        system, path = url_to_fs(name)
    except (ValueError, ImportError, OSError) as error:
        raise InputError(f"{shown}: no such file system ({error_line(error)})") from None
    return fs.PyFileSystem(fs.FSSpecHandler(system)), path


def walk(folder: Place) -> Iterator[Place]:
    """Files of a folder at any depth, in order; no more than one folder is listed at once.

    Hidden files and folders are left out.

    Raises:
        InputError: a folder cannot be listed.
    """
    try:
        found = _list(folder)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{folder.shown}: cannot be listed ({error_line(error)})") from None
    names = sorted((name, kind) for name, kind in found if name[:1] not in {".", ""})
    del found
    for name, is_folder in names:
        if not is_folder:
            yield folder / name
    for name, is_folder in names:
        if is_folder:
            yield from walk(folder / name)


def _list(folder: Place) -> list[tuple[str, bool]]:
    """Names in a folder, each with whether it is a folder itself."""
    if folder.local:
        with os.scandir(folder.path) as entries:
            kinds = [(entry.name, _kind(entry)) for entry in entries]
        return [(name, is_folder) for name, is_folder in kinds if is_folder is not None]
    found = folder.system.get_file_info(fs.FileSelector(folder.path))
    types = (fs.FileType.File, fs.FileType.Directory)
    return [(i.base_name, i.type is fs.FileType.Directory) for i in found if i.type in types]


def _kind(entry: os.DirEntry[str]) -> bool | None:
    """Whether an entry is a folder; None if it is neither a folder nor a file."""
    try:
        return True if entry.is_dir() else False if entry.is_file() else None
    except OSError:  # a link to itself: it has a row with its error, as a file that is gone has
        return False


def error_line(error: BaseException) -> str:
    """What an error says, shortened."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
