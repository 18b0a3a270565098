"""Labelled pictures decoded once into a memory-mapped file, for fast training steps."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.data.labelled import Labelled
from crnn_ctc.errors import InputError
from crnn_ctc.image import Ink, fit, load

_CHUNK = 256
"""Pictures in memory at once while packing."""


@dataclass(frozen=True)
class Size:
    """Input size of packed pictures; see :func:`crnn_ctc.image.fit`."""

    height: int
    width: int
    channels: int
    ink: Ink


@dataclass(frozen=True)
class Packed:
    """Pictures as inputs of a model.

    Attributes:
        images: uint8 (N, H, W, C), memory-mapped.
        texts: N labels.
        errors: one line per unreadable picture, which is omitted.
    """

    images: NDArray[np.uint8]
    texts: list[str]
    errors: list[str]


def pack(samples: Iterable[Labelled], size: Size, cache: Path) -> Packed:
    """Pack the pictures of ``samples``, or open them from the cache.

    They are bit-identical to :func:`~crnn_ctc.image.load` and :func:`~crnn_ctc.image.fit`. The
    cache key contains the files' names, sizes and modification times.

    Args:
        samples: labelled pictures.
        size: size of the packed pictures.
        cache: folder for the packed files.

    Raises:
        InputError: no picture could be read, or the cache cannot be written.
    """
    listed = list(samples)
    folder = cache / _key(listed, size)
    facts = folder / "facts.json"
    try:
        if not facts.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            _write(listed, size, folder)
        values = json.loads(facts.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); free space, or set XDG_CACHE_HOME "
            "to a folder that has some"
        ) from None
    texts = values["texts"]
    if not texts:
        reason = values["errors"][0] if values["errors"] else "there is none"
        raise InputError(f"no labelled picture can be read: {reason}")
    shape = (len(texts), size.height, size.width, size.channels)
    images = np.memmap(folder / "pixels", np.uint8, "r", shape=shape)
    return Packed(images, texts, values["errors"])


def _write(samples: Sequence[Labelled], size: Size, folder: Path) -> None:
    """Write the pixels, then the metadata that marks them as complete."""
    texts, errors = [], []
    unfinished = folder / f".pixels.{os.getpid()}"
    with unfinished.open("wb") as file, ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = iter(samples)
        # Pillow releases the GIL while decoding, so threads suffice
        while chunk := list(islice(waiting, _CHUNK)):
            for sample, image in zip(
                chunk, pool.map(lambda s: _picture(s, size), chunk), strict=True
            ):
                if isinstance(image, str):
                    errors.append(image)
                else:
                    file.write(image.tobytes())
                    texts.append(sample.text)
    unfinished.replace(folder / "pixels")
    ready = folder / f".facts.{os.getpid()}"
    ready.write_text(json.dumps({"texts": texts, "errors": errors}), encoding="utf-8")
    ready.replace(folder / "facts.json")


def _picture(sample: Labelled, size: Size) -> NDArray[np.uint8] | str:
    """Load a picture as input; return the message of an error."""
    try:
        return fit(load(sample.path), size.height, size.width, size.channels, size.ink)
    except InputError as error:
        return str(error)


def _key(samples: Sequence[Labelled], size: Size) -> str:
    """Compute the cache key of the files."""
    digest = hashlib.sha256(repr(size).encode())
    for sample in samples:
        try:
            status = sample.path.stat()
            state = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            state = "missing"
        digest.update(
            f"{sample.path.absolute()}\0{sample.text}\0{state}\0".encode(errors="surrogateescape")
        )
    return digest.hexdigest()[:32]
