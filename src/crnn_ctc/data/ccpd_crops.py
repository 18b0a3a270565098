"""Plates cut out of CCPD's pictures, by several processes, and taken up again after a kill."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.data.ccpd import CcpdName, parse_name
from crnn_ctc.data.crop_ledger import Ledger, Made, Task
from crnn_ctc.data.processes import in_order
from crnn_ctc.errors import InputError
from crnn_ctc.image import MIN_SIDE, load

Crop = Literal["box", "corners", "jitter"]

_PARTS = ".parts"
"""Folder of files that are being written."""

_CHUNK = 16  # pictures a process is sent at once: some 0.2 s of work
_QUALITY = 95


@dataclass(frozen=True)
class Cropper:
    """Makes crops; the same for a picture in any process.

    Args:
        folder: of the crops.
        crop: ``box``: what the bounding box holds; ``corners``: straightened by the four corners;
            ``jitter``: the same with corners moved at random.
        seed: of the jitter.
    """

    folder: Path
    crop: Crop
    seed: int

    def all(self, tasks: tuple[Task, ...]) -> list[Made]:
        """Make crops; what cannot be made is said and stops none of the others."""
        return [self.make(task) for task in tasks]

    def make(self, task: Task) -> Made:
        """Make one crop and put it in its place in one piece.

        Raises:
            InputError: the folder cannot be written.
        """
        try:
            name = parse_name(task.source)
            crop = self.cut(load(task.path), name, task)
        except InputError as error:
            return Made(task.id, reason=str(error))
        target = self.folder / task.file
        # the process id: what a killed run left behind may still be writing the same crop
        part = self.folder / _PARTS / f"{task.id}-{os.getpid()}.jpg"
        try:
            Image.fromarray(crop).save(part, quality=_QUALITY, subsampling=0)
            part.replace(target)
        except OSError as error:
            raise InputError(
                f"{target}: cannot be written ({error.strerror or error}); "
                "free space and run it again: it goes on where it stopped"
            ) from None
        return Made(task.id, crop.shape[1], crop.shape[0])

    def cut(self, image: NDArray[np.uint8], name: CcpdName, task: Task) -> NDArray[np.uint8]:
        """The plate, uint8 (h, w, 3), of a picture, uint8 (H, W, 3).

        Raises:
            InputError: most of the plate lies outside the picture, or too little of it is there.
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
                f"{task.path}: {width}x{height} pixels, but its plate is at {left},{top} to "
                f"{right},{bottom}; the picture was resized: take the original"
            )
        if self.crop == "box":
            out = image[top : min(bottom, height), left : min(right, width)]
            found = out if min(out.shape[:2]) >= MIN_SIDE else None
        else:
            from crnn_ctc.data.rectify import jittered, rectified

            if self.crop == "jitter":
                file = Path(task.source).name
                # the first copy is what --copies 1 makes
                corners = jittered(corners, self.seed, f"{file}#{task.copy}" if task.copy else file)
            found = rectified(image, corners)
        if found is None:
            raise InputError(f"{task.path}: its plate is under {MIN_SIDE} pixels; leave it out")
        return found


def make_crops(ledger: Ledger, cropper: Cropper, workers: int) -> Iterator[Made]:
    """Make all pending crops of ``ledger``; each is recorded there before it comes out.

    At most four chunks a process are under way, however many crops there are.

    Args:
        ledger: what is to do.
        cropper: makes a crop.
        workers: processes; 1 makes the crops in this one.

    Raises:
        InputError: the folder cannot be written, or a process died.
    """
    parts = cropper.folder / _PARTS
    shutil.rmtree(parts, ignore_errors=True)
    try:
        # what a killed run left behind may be writing there still
        parts.mkdir(exist_ok=True)
        for folder in ledger.planned_folders():
            (cropper.folder / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{cropper.folder}: cannot be written ({error.strerror or error}); "
            "choose another folder"
        ) from None
    tasks = ledger.pending()
    # ends at the first empty chunk
    chunks = iter(lambda: tuple(islice(tasks, _CHUNK)), ())
    for made in in_order(cropper.all, chunks, workers, cropper.folder):
        ledger.record(made)
        yield from made
    shutil.rmtree(parts, ignore_errors=True)
