"""Photographs with labelled plates: CCPD, CSV with corners or boxes, YOLO and labelme files."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.data.ccpd import find_pictures, parse_name
from crnn_ctc.errors import InputError
from crnn_ctc.image import names_picture
from crnn_ctc.rectify import goes_round


@dataclass(frozen=True)
class ScenePlate:
    """A plate in a photograph.

    Attributes:
        corners: float32 (4, 2), x and y of tl, tr, br, bl in reading orientation, in pixels.
        exact: whether the corners are the plate's own, not those of an axis-aligned box.
        text: text of the plate; empty if unknown.
    """

    corners: NDArray[np.float32]
    exact: bool = True
    text: str = ""


@dataclass(frozen=True)
class Scene:
    """A photograph and all plates in it.

    Attributes:
        path: the picture.
        plates: the plates, none or more.
        subset: subset of the data; empty without subsets.
    """

    path: Path
    plates: tuple[ScenePlate, ...]
    subset: str = ""

    def check(self, width: int, height: int) -> None:
        """Check that each plate is at least partly in the picture.

        Args:
            width: width of the picture in pixels.
            height: height of the picture in pixels.

        Raises:
            InputError: a plate lies outside.
        """
        for plate in self.plates:
            low, high = plate.corners.min(0), plate.corners.max(0)
            if (high <= 0).any() or (low >= (width, height)).any():
                raise InputError(
                    f"{self.path}: a plate at {low.astype(int).tolist()} lies outside of the "
                    f"picture, {width}x{height} pixels; correct its corners"
                )


def read_scenes(source: Path) -> Iterator[Scene]:
    """Yield the photographs of a set, in order.

    - A CSV with the columns ``file`` and ``corners`` (``x,y x,y x,y x,y``: tl tr br bl) or ``bbox``
      (``left top right bottom``); further columns ``label`` and ``subset``. A picture has one row
      per plate; a row with both fields empty marks a picture without plates.
    - A folder with CCPD2019 or CCPD2020: their training splits, corners from the file names.
    - Any other folder, at any depth: pictures with a labelme file (``NAME.json``, shapes of four or
      two points) or a YOLO file (``NAME.txt``, beside it or with ``labels`` in place of
      ``images``), where class 0 is a plate. A YOLO line may continue with four points, as in pose
      files.

    Raises:
        InputError: no such file or folder, or an unusable file with plates; the message has its
            name and line.
    """
    if source.is_file():
        yield from _from_csv(source)
    elif not source.is_dir():
        raise InputError(f"{source}: no such file or folder; check the path")
    elif any(source.glob("**/ccpd_*")):
        for picture in find_pictures(source):
            if picture.split == "train":
                name = parse_name(picture.path.name)
                rb, lb, lt, rt = name.corners
                plate = ScenePlate(np.array([lt, rt, rb, lb], np.float32), text=name.plate)
                yield Scene(picture.path, (plate,), picture.subset)
    else:
        yield from _from_folder(source)


def _from_csv(path: Path) -> Iterator[Scene]:
    scenes: dict[str, tuple[list[ScenePlate], str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in (rows := csv.DictReader(file)):
                if "file" not in row or not {"corners", "bbox"} & set(row):
                    raise InputError(
                        f"{path}: no column {'file' if 'file' not in row else 'corners'}; "
                        "its first line names the columns file, and corners or bbox"
                    )
                plates, _ = scenes.setdefault(row["file"], ([], row.get("subset") or ""))
                where = f"{path}:{rows.line_num}"
                numbers = row.get("corners") or row.get("bbox") or ""
                if numbers.strip():
                    plates.append(_plate(numbers, row.get("label") or "", where))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error}); save it in UTF-8") from None
    for name, (plates, subset) in scenes.items():
        yield Scene(path.parent / name, tuple(plates), subset)


def _plate(numbers: str, text: str, where: str) -> ScenePlate:
    try:
        values = [float(number) for number in numbers.replace(",", " ").split()]
    except ValueError:
        values = []
    if len(values) == 8:
        return ScenePlate(_checked(np.array(values, np.float32).reshape(4, 2), where), True, text)
    if len(values) == 4:
        return ScenePlate(_checked(_box(*values), where), False, text)
    raise InputError(
        f"{where}: {numbers!r} are no corners; write x,y of tl, tr, br, bl, or a box as left top "
        "right bottom"
    )


def _box(left: float, top: float, right: float, bottom: float) -> NDArray[np.float32]:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)


def _checked(corners: NDArray[np.float32], where: str) -> NDArray[np.float32]:
    """Return the corners if they are in clockwise order and enclose an area."""
    if not goes_round(corners):
        raise InputError(
            f"{where}: the corners are no convex quadrilateral in the order tl, tr, br, bl; "
            "correct them or leave them out"
        )
    return corners


def _from_folder(folder: Path) -> Iterator[Scene]:
    empty = True
    for path in sorted(p for p in folder.rglob("*") if names_picture(p.name)):
        labelme = path.with_suffix(".json")
        parts = ["labels" if part == "images" else part for part in path.parts]
        yolo = next(
            (p for p in (path.with_suffix(".txt"), Path(*parts).with_suffix(".txt")) if p.exists()),
            None,
        )
        if labelme.exists():
            plates = _from_labelme(labelme)
        elif yolo:
            plates = _from_yolo(yolo, path)
        else:
            continue
        empty = False
        yield Scene(path, plates)
    if empty:
        raise InputError(
            f"{folder}: no picture there has a labelme (NAME.json) or YOLO (NAME.txt) file, and no "
            "folder is CCPD's; name such a folder, or a CSV"
        )


def _from_labelme(path: Path) -> tuple[ScenePlate, ...]:
    try:
        shapes = json.loads(path.read_text(encoding="utf-8"))["shapes"]
        found = [(np.array(s["points"], np.float32), str(s.get("label", ""))) for s in shapes]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: not a labelme file ({error}); save it again") from None
    plates = []
    for points, label in found:
        if points.shape == (4, 2):
            plates.append(ScenePlate(_checked(points, str(path)), True, label))
        elif points.shape == (2, 2):
            (left, top), (right, bottom) = points.min(0), points.max(0)
            plates.append(
                ScenePlate(_checked(_box(left, top, right, bottom), str(path)), False, label)
            )
        else:
            raise InputError(f"{path}: a shape of {len(points)} points; draw plates with 4 or 2")
    return tuple(plates)


def _from_yolo(path: Path, picture: Path) -> tuple[ScenePlate, ...]:
    """Parse ``class cx cy w h``, optionally followed by four points ``x y`` or ``x y visible``."""
    with Image.open(picture) as image:
        size = np.array(image.size, np.float32)
    plates = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        where = f"{path}:{number}"
        try:
            values = [float(value) for value in line.split()]
        except ValueError:
            values = [float("nan")]
        if not values:
            continue
        if values[0] != 0:
            raise InputError(
                f"{where}: class {line.split()[0]}, and only class 0, a plate, is known; number "
                "plates 0 and leave out the lines of other classes"
            )
        if len(values) == 5:
            centre, half = np.array(values[1:3]), np.array(values[3:]) / 2
            corners, exact = _box(*(centre - half), *(centre + half)), False
        elif len(values) in {9, 13, 17}:
            step = 3 if len(values) == 17 else 2
            points = np.array(values[-4 * step :], np.float32).reshape(4, step)
            corners, exact = points[:, :2], True
        else:
            raise InputError(
                f"{where}: {len(values)} numbers; a line is: class cx cy w h, with four points or "
                "none after it"
            )
        if (corners.max(0) <= 0).any() or (corners.min(0) >= 1).any():
            raise InputError(
                f"{where}: the plate lies outside of the picture; YOLO's numbers are shares of its "
                "width and height"
            )
        plates.append(ScenePlate(_checked(corners * size, where), exact))
    return tuple(plates)
