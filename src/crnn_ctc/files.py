"""Atomic writes, and the bytes of a picture's file."""

from __future__ import annotations

import io
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Any

from crnn_ctc.errors import InputError, NotAPictureError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file atomically: after a crash it is the old or the new one.

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


def make_folder(folder: Path) -> None:
    """Make a folder, unless it is there, and check that files can be written to it.

    Raises:
        InputError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder"
        ) from None


NO_PATH = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)
"""Prefixes of URLs, which are no paths."""

LONG = 255
"""Characters; a longer string without such a file is not taken for a path."""

_STREAMS = ("rtsp", "rtmp", "rtp", "udp", "srt", "mms", "onvif")


def no_path(name: str) -> str:
    """The remedy for a string that is no path, without repeating it whole or with a password."""
    scheme = name.partition(":")[0].lower()
    shown = re.sub(r"//[^/@]*@", "//", name)
    shown = shown if len(shown) <= 80 else f"{shown[:40]}... ({len(name):,} characters)"
    if "://" not in name[:64]:
        return (
            f"{shown}: not a path; if it is a picture in base64, give its bytes: "
            "base64.b64decode(text.partition(',')[2] or text)"
        )
    if scheme in _STREAMS:
        return (
            f"{shown}: a video stream, not a picture; read its frames, with OpenCV say: "
            "Reader().read(frames, channel_order='bgr')"
        )
    if scheme in {"http", "https", "ftp"}:
        return f"{shown}: an address, not a file; download it first, with curl say"
    return f"{shown}: an address, not a file; copy it here first, or read it with: crnn-ctc bulk"


def content_of(source: object) -> tuple[str, bytes]:
    """A picture's name for messages, and the bytes of its file.

    Args:
        source: a path, a file opened in binary mode, or the bytes.

    Raises:
        NotAPictureError: an object of another type, such as None.
        InputError: no such file, or it cannot be read.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "picture", bytes(source)
    if isinstance(source, io.BytesIO):
        return str(getattr(source, "name", "picture")), source.getvalue()
    if hasattr(source, "read"):
        return _content_of_file(source)
    if not isinstance(source, (str, os.PathLike)):
        kind = "None" if source is None else type(source).__name__
        hint = "; cv2.imread gives None for a file that it cannot read" if source is None else ""
        raise NotAPictureError(
            f"{kind} is not a picture: give a path, a file opened in binary mode, "
            f"its bytes, a PIL image or a uint8 array{hint}"
        )
    name = os.fspath(source)
    name = os.fsdecode(name) if isinstance(name, bytes) else name
    if NO_PATH.match(name):
        raise InputError(no_path(name))
    try:
        mode = Path(name).stat().st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            return name, Path(name).read_bytes()
    except FileNotFoundError:
        if len(name) > LONG:
            raise InputError(no_path(name)) from None
        raise InputError(f"{name}: no such file; check the path") from None
    except IsADirectoryError:
        raise InputError(f"{name}: a folder, not a picture; name its pictures") from None
    except (OSError, ValueError) as error:
        if len(name) > LONG:
            raise InputError(no_path(name)) from None
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{name}: cannot be read ({reason}); check the path") from None
    raise InputError(f"{name}: a device or a pipe, not a file; for standard input give -")


def _content_of_file(file: Any) -> tuple[str, bytes]:
    name = getattr(file, "name", "picture")
    name = name if isinstance(name, str) else "picture"
    try:
        if file.seekable():  # whoever wrote the file has left it at its end
            file.seek(0)
        content = file.read()
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: cannot be read ({error}); open it again") from None
    if not isinstance(content, bytes):
        raise NotAPictureError(f"{name}: a file opened as text; open it in binary mode, 'rb'")
    return name, content
