"""Crops of CCPD's plates, written by several processes, resumable.

A crop's name is a function of its source picture, so existing files are skipped.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.data.ccpd import CcpdName, CcpdPicture, parse_name
from crnn_ctc.data.workers import in_order
from crnn_ctc.errors import InputError
from crnn_ctc.files import write_atomically
from crnn_ctc.image import MIN_SIDE, load

Crop = Literal["box", "corners", "jitter"]

MANIFEST = ("file", "label", "colour", "width", "height", "subset", "split", "source")
"""Columns of ``manifest.csv``."""

SETTINGS = ".crops.json"
"""File with the settings of a folder's crops."""

_COLOURS = {"CCPD2019": "blue", "CCPD2020": "green"}
"""Plate colour by dataset; individual plates may differ."""

_PARTS = ".parts"
"""Folder for incomplete files."""

_CHUNK = 16
"""Pictures sent to a process at once: about 0.2 s of work."""

_QUALITY = 95


@dataclass(frozen=True)
class Made:
    """The outcome for one crop.

    Attributes:
        source: name of the picture within its set.
        row: the crop's row in the manifest; None without a crop.
        reason: why there is no crop; None if there is one.
        found: whether the crop already existed.
    """

    source: str
    row: tuple[str | int, ...] | None = None
    reason: str | None = None
    found: bool = False


@dataclass(frozen=True)
class Cropper:
    """Makes crops; the result does not depend on the process.

    Args:
        folder: folder of the crops.
        crop: ``box``: by the bounding box; ``corners``: rectified by the four corners; ``jitter``:
            rectified by corners with random offsets.
        seed: seed of the jitter.
    """

    folder: Path
    crop: Crop
    seed: int

    def all(self, tasks: tuple[tuple[CcpdPicture, int], ...]) -> list[Made]:
        """Make crops of (picture, number of the copy) pairs; failures are reported."""
        return [self.make(picture, copy) for picture, copy in tasks]

    def make(self, picture: CcpdPicture, copy: int) -> Made:
        """Write one crop atomically, unless it exists.

        Raises:
            InputError: the folder cannot be written.
        """
        try:
            name = parse_name(picture.source)
        except InputError as error:
            return Made(picture.source, reason=f"{picture.listed}: {error}")
        if not name.complete:
            reason = f"{picture.listed}: a character of {name.plate} is not known to CCPD"
            return Made(picture.source, reason=reason)
        target = self.folder / crop_name(picture, name.plate, copy)
        size = _size(target)
        found = size is not None
        if size is None:
            try:
                crop = self.cut(load(picture.path), name, picture, copy)
            except InputError as error:
                return Made(picture.source, reason=str(error))
            self._write(Image.fromarray(crop), target)
            size = (crop.shape[1], crop.shape[0])
        row = (
            target.relative_to(self.folder).as_posix(), name.plate, _COLOURS[picture.dataset],
            *size, picture.subset, picture.split, picture.source,
        )  # fmt: skip
        return Made(picture.source, row, found=found)

    def _write(self, crop: Image.Image, target: Path) -> None:
        # the process id, as workers of a killed run may still be writing the same crop
        part = self.folder / _PARTS / f"{target.stem}-{os.getpid()}.jpg"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            crop.save(part, quality=_QUALITY, subsampling=0)
            part.replace(target)
        except OSError as error:
            raise InputError(
                f"{target}: cannot be written ({error.strerror or error}); "
                "free space and run it again: it goes on where it stopped"
            ) from None

    def cut(
        self, image: NDArray[np.uint8], name: CcpdName, picture: CcpdPicture, copy: int
    ) -> NDArray[np.uint8]:
        """Crop the plate, uint8 (h, w, 3), of a picture, uint8 (H, W, 3).

        Raises:
            InputError: most of the plate lies outside the picture, or too little of it is visible.
        """
        height, width = image.shape[:2]
        corners = np.array(name.corners, np.float64)
        (left, top), (right, bottom) = name.box
        if self.crop != "box":
            left, top, right, bottom = (
                int(v) for v in (*corners.min(axis=0), *corners.max(axis=0))
            )
        inside = max(0, min(right, width) - left) * max(0, min(bottom, height) - top)
        if 2 * inside < (right - left) * (bottom - top):
            raise InputError(
                f"{picture.path}: {width}x{height} pixels, but its plate is at {left},{top} to "
                f"{right},{bottom}; the picture was resized: take the original"
            )
        if self.crop == "box":
            out = image[top : min(bottom, height), left : min(right, width)]
            found = out if min(out.shape[:2]) >= MIN_SIDE else None
        else:
            from crnn_ctc.data.rectify import jittered, rectified

            if self.crop == "jitter":
                file = Path(picture.source).name
                # the first copy is the same as with --copies 1
                corners = jittered(corners, self.seed, f"{file}#{copy}" if copy else file)
            found = rectified(image, corners)
        if found is None:
            raise InputError(f"{picture.path}: its plate is under {MIN_SIDE} pixels; leave it out")
        return found


def crop_name(picture: CcpdPicture, plate: str, copy: int) -> str:
    """Path of a crop: ``CCPD2019/train/PLATE_HASH.jpg``, with the hash of its source."""
    digest = blake2b(picture.source.encode(errors="surrogateescape"), digest_size=6).hexdigest()
    number = f"-{copy}" if copy else ""
    return f"{picture.dataset}/{picture.split}/{plate}_{digest}{number}.jpg"


def _size(path: Path) -> tuple[int, int] | None:
    """Width and height of a crop in pixels; None if it does not exist."""
    try:
        with Image.open(path) as image:
            return image.size
    except OSError:
        return None


@dataclass
class CropSummary:
    """The result of a run.

    Attributes:
        folders: number of crops in each folder.
        rejected: pictures without a crop, and the reasons.
        found: number of crops that already existed.
        listed_twice: pictures listed in two splits; the first counts.
    """

    folders: Counter[str] = field(default_factory=Counter)
    rejected: dict[str, str] = field(default_factory=dict)
    found: int = 0
    listed_twice: int = 0


def prepare_folder(folder: Path, settings: dict[str, str]) -> None:
    """Create the folder of the crops, or check that its crops have the same settings.

    Raises:
        InputError: it cannot be written, or has other pictures or crops of other settings.
    """
    file = folder / SETTINGS
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = None
    try:
        if known is None:
            if any(folder.glob("CCPD*")):
                raise InputError(f"{folder}: holds other pictures already; choose an empty folder")
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(file, json.dumps(settings).encode())
        shutil.rmtree(folder / _PARTS, ignore_errors=True)
        # workers of a killed run may still be writing there
        (folder / _PARTS).mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror or error}); choose another folder"
        ) from None
    for name, value in settings.items():
        if known is not None and known.get(name) != value:
            raise InputError(
                f"{folder}: its crops were made with {name} {known.get(name)}, not {value}; "
                "choose another folder"
            )


def make_crops(
    pictures: Iterable[CcpdPicture],
    cropper: Cropper,
    copies: int,
    workers: int,
    summary: CropSummary,
) -> Iterator[Made]:
    """Make missing crops, then the tables.

    ``manifest.csv`` has a row for each crop; ``rejected.csv`` lists pictures without one. At most
    four chunks per process are in flight.

    Args:
        pictures: pictures of CCPD, in order.
        cropper: makes a crop.
        copies: crops per picture.
        workers: number of processes; 1 uses this process.
        summary: receives the results.

    Raises:
        InputError: the folder cannot be written, or a process died.
    """
    folder = cropper.folder
    tasks = _tasks(pictures, copies, summary)
    chunks = iter(lambda: tuple(islice(tasks, _CHUNK)), ())  # ends at the first empty chunk
    manifest = folder / ".manifest.csv.part"
    try:
        with manifest.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(MANIFEST)
            for made in in_order(cropper.all, chunks, workers, folder):
                for one in made:
                    if one.row is None:
                        summary.rejected.setdefault(one.source, one.reason or "")
                    else:
                        writer.writerow(one.row)
                        summary.folders[str(one.row[0]).rpartition("/")[0]] += 1
                        summary.found += one.found
                    yield one
        manifest.replace(folder / "manifest.csv")
        rejected = folder / "rejected.csv"
        if summary.rejected:
            with rejected.open(
                "w", encoding="utf-8", newline="", errors="backslashreplace"
            ) as file:
                _write_rejected(file, summary.rejected)
        else:
            rejected.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{error.filename}: cannot be written ({error.strerror or error}); free space and run "
            "it again: it goes on where it stopped"
        ) from None
    shutil.rmtree(folder / _PARTS, ignore_errors=True)


def _tasks(
    pictures: Iterable[CcpdPicture], copies: int, summary: CropSummary
) -> Iterator[tuple[CcpdPicture, int]]:
    """Yield each picture once per copy, except those already listed in an earlier split."""
    seen: set[bytes] = set()  # digests, as the names would take several times the memory
    for picture in pictures:
        source = picture.source.encode(errors="surrogateescape")
        digest = blake2b(source, digest_size=8).digest()
        if digest in seen:
            summary.listed_twice += 1
            continue
        seen.add(digest)
        for copy in range(copies):
            yield picture, copy


def _write_rejected(file: IO[str], rejected: dict[str, str]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("source", "reason"))
    writer.writerows(sorted(rejected.items()))
