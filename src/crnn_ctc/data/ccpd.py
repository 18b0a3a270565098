"""CCPD2019 and CCPD2020: annotations in file names, and the official splits.

The Chinese City Parking Dataset (Xu et al., ECCV 2018) stores its annotations in file names of
seven fields, separated by ``-``: area, tilt, bounding box, corners, plate, brightness and blur.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from crnn_ctc.errors import InputError
from crnn_ctc.image import names_picture

Point = tuple[int, int]
Corners = tuple[Point, Point, Point, Point]
Dataset = Literal["CCPD2019", "CCPD2020"]
Split = Literal["train", "val", "test", "unlisted"]

MISSING = "O"
"""Last entry of each of CCPD's tables, "no character": plates have no letter O."""

PROVINCES = "皖沪津渝冀晋蒙辽吉黑苏浙京闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新警学" + MISSING
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ" + MISSING
CHARACTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789" + MISSING

SUBSETS = (
    "base", "blur", "challenge", "db", "fn", "rotate", "tilt", "weather", "green",
)  # fmt: skip

SPLITS: tuple[Split, ...] = ("train", "val", "test")

_FIELDS = re.compile(
    r"(?P<area>\d+)-(?P<tilt>\d+_\d+)-(?P<box>\d+&\d+_\d+&\d+)-(?P<corners>\d+&\d+(?:_\d+&\d+){3})"
    r"-(?P<plate>\d+(?:_\d+)*)-(?P<brightness>\d+)-(?P<blur>\d+)",
    re.ASCII,
)


@dataclass(frozen=True)
class CcpdName:
    """The annotations in a CCPD file name.

    Attributes:
        area: area of the plate as a fraction of the picture: the name's digits after ``0.``. A few
            names of CCPD2020 have lost a leading zero; rely on ``box`` instead.
        tilt: horizontal and vertical, in degrees; 90 is upright.
        box: left-top and right-bottom (x, y), in pixels.
        corners: corners (x, y), in pixels: right-bottom, left-bottom, left-top, right-top.
        plate: 7 characters, or 8 on green plates.
        brightness: brightness of the plate, 0 to 255.
        blur: sharpness of the plate; higher is sharper.
    """

    area: float
    tilt: tuple[int, int]
    box: tuple[Point, Point]
    corners: Corners
    plate: str
    brightness: int
    blur: int

    @property
    def complete(self) -> bool:
        """Whether the name contains every character of the plate."""
        return MISSING not in self.plate


def parse_name(name: str) -> CcpdName:
    """Parse the name of a CCPD picture.

    Corners in another order are sorted.

    Args:
        name: file name, with or without folders and suffix.

    Raises:
        InputError: fields are missing or not numeric, an index is out of range of CCPD's tables,
            the box is empty, or the corners are not a convex quadrilateral.
    """
    found = _FIELDS.fullmatch(PurePosixPath(name).stem)
    if found is None:
        raise InputError(
            f"{name}: not a CCPD name (area-tilt-box-corners-plate-brightness-blur); "
            "give it the name that CCPD gave it, or leave it out"
        )
    indices = _numbers(found["plate"])
    box = _points(found["box"])
    (left, top), (right, bottom) = box
    if left >= right or top >= bottom:
        raise InputError(f"{name}: the box {found['box']} is empty; correct it or leave it out")
    tilt = _numbers(found["tilt"])
    return CcpdName(
        area=float(f"0.{found['area']}"),
        tilt=(tilt[0], tilt[1]),
        box=(box[0], box[1]),
        corners=_ordered(_points(found["corners"]), name),
        plate=_plate(indices, name),
        brightness=int(found["brightness"]),
        blur=int(found["blur"]),
    )


def _numbers(field: str) -> list[int]:
    return [int(n) for n in re.split("[_&]", field)]


def _points(field: str) -> list[Point]:
    numbers = _numbers(field)
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _plate(indices: list[int], name: str) -> str:
    if len(indices) not in {7, 8}:
        raise InputError(
            f"{name}: {len(indices)} characters, a plate has 7 or 8; correct it or leave it out"
        )
    tables = [PROVINCES, LETTERS, *[CHARACTERS] * (len(indices) - 2)]
    for i, table in zip(indices, tables, strict=True):
        if i >= len(table):
            raise InputError(
                f"{name}: character {i} is not among CCPD's {len(table)}; "
                "correct it or leave it out"
            )
    return "".join(table[i] for i, table in zip(indices, tables, strict=True))


def _ordered(points: list[Point], name: str) -> Corners:
    """Corners in CCPD's order: unchanged if valid, else sorted by position."""
    rb, lb, lt, rt = points
    # at oblique angles a plate may be as high as wide, but not much higher
    if _is_plate((rb, lb, lt, rt)) and _shape((rb, lb, lt, rt)) > 0.8:
        return rb, lb, lt, rt
    x0, y0 = (sum(p[axis] for p in points) / 4 for axis in (0, 1))
    around = sorted(points, key=lambda p: math.atan2(p[1] - y0, p[0] - x0))
    for i in range(4):
        rb, lb, lt, rt = around[i:] + around[:i]
        # the upper side is unknown; plates are wide, so it is one of the long sides
        if _is_plate((rb, lb, lt, rt)) and _shape((rb, lb, lt, rt)) > 1:
            return rb, lb, lt, rt
    raise InputError(
        f"{name}: the corners are no convex quadrilateral; correct them or leave it out"
    )


def _is_plate(corners: Corners) -> bool:
    """Tell whether the corners are convex and in CCPD's order."""
    next_but_one = corners[2:] + corners[:2]
    turns = [
        (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
        for a, b, c in zip(corners, corners[1:] + corners[:1], next_but_one, strict=True)
    ]
    rb, lb, lt, rt = corners
    right = rb[0] + rt[0] > lb[0] + lt[0]
    below = rb[1] + lb[1] > rt[1] + lt[1]
    return min(turns) > 0 and right and below


def _shape(corners: Corners) -> float:
    """Aspect ratio, width over height."""
    rb, lb, lt, rt = corners
    return (math.dist(rb, lb) + math.dist(lt, rt)) / (math.dist(lb, lt) + math.dist(rt, rb))


@dataclass(frozen=True)
class CcpdPicture:
    """A picture of CCPD, from a split file or a folder.

    Attributes:
        path: path of the file.
        dataset: CCPD2019 or CCPD2020.
        split: official split; ``unlisted`` for folders that no split file lists, such as
            ``ccpd_weather`` in CCPD2019.
        subset: one of ``SUBSETS``, or the part of the folder's name after ``ccpd_``; empty in a
            folder of loose pictures, where only ``green`` is known.
        source: name of the dataset and path below it, with ``/``.
        listed: file and line that list it, or its own path.
    """

    path: Path
    dataset: Dataset
    split: Split
    subset: str
    source: str
    listed: str


def find_pictures(folder: Path) -> Iterator[CcpdPicture]:
    """Yield all pictures with a plate of the CCPD sets in ``folder``, in order.

    The order is train, val, test, then unlisted pictures; within a split that of the split file,
    otherwise by name. Pictures of cars without a plate (``ccpd_np``) are omitted. At most the names
    of one folder are held in memory.

    Args:
        folder: CCPD2019 or CCPD2020, their parent folder, or a folder of CCPD pictures without
            splits.

    Raises:
        InputError: the folder does not exist, has no CCPD set, or its split files are missing.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; unpack CCPD2019 or CCPD2020 and name it")
    found = False
    for root in (folder / "CCPD2019", folder):
        if _is_2019(root):
            found = True
            yield from _pictures_2019(root)
            break
    for root in (folder / "CCPD2020" / "ccpd_green", folder / "ccpd_green", folder):
        if all((root / split).is_dir() for split in SPLITS):
            found = True
            yield from _pictures_2020(root)
            break
    if not found:
        yield from _loose_pictures(folder)


def _loose_pictures(folder: Path) -> Iterator[CcpdPicture]:
    """Yield pictures with CCPD's names in the folder itself; green ones are known by their plates.

    Subfolders are not searched, as a parent folder of CCPD2019 would lose its official splits.
    """
    found = False
    for path in _in_folder(folder):
        try:
            green = len(parse_name(path.name).plate) == 8
            found = True
        except InputError:
            green = False
        dataset: Dataset = "CCPD2020" if green else "CCPD2019"
        source = path.name
        yield _picture(path, dataset, "unlisted", "green" if green else "", source, str(path))
    if not found:
        raise InputError(
            f"{folder}: holds neither CCPD2019 (ccpd_base, ..., splits) nor CCPD2020 "
            "(ccpd_green/train, val, test), nor pictures with CCPD's names; name the unpacked "
            "folder"
        )


def _is_2019(root: Path) -> bool:
    if not root.is_dir():
        return False
    return any(p.name != "ccpd_green" for p in root.glob("ccpd_*") if p.is_dir())


def _pictures_2019(root: Path) -> Iterator[CcpdPicture]:
    lists = _split_lists(root)
    named: set[str] = set()
    for split, path in lists:
        for line, source in _lines(path):
            top = PurePosixPath(source).parts[0]
            named.add(top)
            subset = _subset(top)
            if subset != "np":
                listed = f"{path}:{line}"
                yield _picture(root / source, "CCPD2019", split, subset, source, listed)
    for top in sorted(p.name for p in root.glob("ccpd_*") if p.is_dir()):
        subset = _subset(top)
        if top not in named and subset not in {"np", "green"}:
            for path in _in_folder(root / top):
                source = path.relative_to(root).as_posix()
                yield _picture(path, "CCPD2019", "unlisted", subset, source, str(path))


def _split_lists(root: Path) -> list[tuple[Split, Path]]:
    """List the split files; the lists of subsets replace a missing ``test.txt``."""
    folder = next((root / name for name in ("splits", "split") if (root / name).is_dir()), None)
    if folder is None:
        raise InputError(
            f"{root}: has no folder splits; copy it from CCPD's repository (train.txt, val.txt, "
            "test.txt)"
        )
    lists: list[tuple[Split, Path]] = [(split, folder / f"{split}.txt") for split in SPLITS]
    there = [(split, path) for split, path in lists if path.is_file()]
    if not any(split == "test" for split, _ in there):
        there += [("test", path) for path in sorted(folder.glob("ccpd_*.txt"))]
    if not there:
        raise InputError(f"{folder}: holds none of train.txt, val.txt, test.txt; copy them there")
    return there


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the names of a split file with line numbers; blank lines are skipped."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                name = line.strip().replace("\\", "/").removeprefix("./")
                if name:
                    yield number, name
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); copy it again") from None


def _subset(top: str) -> str:
    return top.removeprefix("ccpd_")


def _pictures_2020(root: Path) -> Iterator[CcpdPicture]:
    for split in SPLITS:
        for path in _in_folder(root / split):
            source = f"ccpd_green/{path.relative_to(root).as_posix()}"
            yield _picture(path, "CCPD2020", split, "green", source, str(path))


def _in_folder(folder: Path) -> Iterator[Path]:
    """List the pictures of one folder by name, the same order on every machine."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if names_picture(entry.name))
    return (folder / name for name in names)


def _picture(
    path: Path, dataset: Dataset, split: Split, subset: str, source: str, listed: str
) -> CcpdPicture:
    return CcpdPicture(path, dataset, split, subset, f"{dataset}/{source}", listed)
