"""Writing a file whole or not at all; strings that are given for a path and are none."""

from __future__ import annotations

import os
import re
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


NO_PATH = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)
"""Addresses, where a path is wanted."""

LONG = 255
"""Characters; a longer string of which there is no file is hardly a path."""

_STREAMS = ("rtsp", "rtmp", "rtp", "udp", "srt", "mms", "onvif")


def no_path(name: str) -> str:
    """What to do with a string that is no path; it is not repeated whole, nor with a password."""
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
