"""Files and folders, local or on any file system supported by pyarrow or fsspec."""

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
        system: its file system.
        path: path on that system.
        shown: name for display: as given by the user, without credentials and options.
    """

    system: fs.FileSystem
    path: str
    shown: str

    def __truediv__(self, name: str) -> Place:
        """Join a name to this folder."""
        shown = posixpath.join(self.shown, printable_name(name))
        return Place(self.system, posixpath.join(self.path, name), shown)

    @property
    def local(self) -> bool:
        """Whether it is local; local names may be any bytes, pyarrow requires UTF-8."""
        return isinstance(self.system, fs.LocalFileSystem)

    @property
    def folder(self) -> Place:
        """The parent folder."""
        return Place(self.system, posixpath.dirname(self.path), posixpath.dirname(self.shown))

    @property
    def kind(self) -> fs.FileType:
        """File, folder or not found.

        Raises:
            InputError: the file system cannot be accessed.
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
    """Resolve a path, or a URI such as ``s3://bucket/folder``.

    Raises:
        InputError: the file system is unknown or cannot be accessed.
    """
    if "://" not in name:
        path = str(Path(name).absolute())
        return Place(fs.LocalFileSystem(), path, printable_name(name.rstrip("/") or "/"))
    shown = re.sub(r"://[^/@]*@", "://", name.partition("?")[0]).rstrip("/")
    try:
        system, path = fs.FileSystem.from_uri(name)
    except (ValueError, NotImplementedError):  # unknown to this version of pyarrow
        system, path = _of_fsspec(name, shown)
    except OSError as error:
        raise InputError(f"{shown}: cannot be reached ({error_line(error)})") from None
    return Place(system, path.rstrip("/"), shown)


def existing(name: str) -> Place:
    """Resolve an existing file or folder; see :func:`place`.

    Raises:
        InputError: it does not exist, or cannot be accessed.
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
    """Yield the files of a folder at any depth, in order, listing one folder at a time.

    Hidden files and folders are skipped.

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
    """List the names in a folder, each with whether it is a folder."""
    if folder.local:
        with os.scandir(folder.path) as entries:
            kinds = [(entry.name, _kind(entry)) for entry in entries]
        return [(name, is_folder) for name, is_folder in kinds if is_folder is not None]
    found = folder.system.get_file_info(fs.FileSelector(folder.path))
    types = (fs.FileType.File, fs.FileType.Directory)
    return [(i.base_name, i.type is fs.FileType.Directory) for i in found if i.type in types]


def _kind(entry: os.DirEntry[str]) -> bool | None:
    """Tell whether an entry is a folder; None if it is neither a folder nor a file."""
    try:
        return True if entry.is_dir() else False if entry.is_file() else None
    except OSError:  # a link to itself: it gets a row with its error, like a deleted file
        return False


def error_line(error: BaseException) -> str:
    """Message of an error, shortened."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
