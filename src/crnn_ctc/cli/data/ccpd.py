"""crnn-ctc data ccpd: crop the plates of CCPD's pictures."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from crnn_ctc.cli.str_enum import StrEnum

_SHOWN = 20


class Crop(StrEnum):
    """How a plate is cropped."""

    BOX = "box"
    CORNERS = "corners"
    JITTER = "jitter"


def ccpd(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SRC",
            help="Folder of CCPD2019, of CCPD2020, of both, or of some of their pictures.",
        ),
    ],
    target: Annotated[Path, typer.Argument(metavar="DST", help="Folder for the crops.")],
    crop: Annotated[
        Crop,
        typer.Option(
            help="How plates are cut: box (upright), corners (rectified), or jitter "
            "(rectified with random offsets)."
        ),
    ] = Crop.CORNERS,
    workers: Annotated[int, typer.Option(min=0, help="Worker processes (0: one per core).")] = 0,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Random seed of the jitter.")] = 0,
    copies: Annotated[int, typer.Option(min=1, help="Jittered crops per picture.")] = 1,
) -> None:
    """Cut plates out of CCPD, to PLATE_ID.jpg in CCPD2019/train, val, test and CCPD2020/...

    The same command resumes an interrupted run. Pictures that give no crop are listed in
    rejected.csv; the exit code is then 2.
    """
    from crnn_ctc.cli.extras import needs
    from crnn_ctc.cli.progress import track
    from crnn_ctc.data.ccpd import find_pictures
    from crnn_ctc.data.ccpd_crops import Cropper, CropSummary, make_crops, prepare_folder
    from crnn_ctc.data.workers import cores
    from crnn_ctc.errors import InputError

    if crop is not Crop.BOX:
        with needs("train", f"--crop {crop}"):
            import crnn_ctc.data.rectify  # noqa: F401
    if copies > 1 and crop is not Crop.JITTER:
        raise InputError(f"--copies {copies}: crops by {crop} would be the same; use --crop jitter")
    settings = {"--crop": str(crop)}
    if crop is Crop.JITTER:
        settings |= {"--seed": str(seed), "--copies": str(copies)}
    pictures = find_pictures(source)
    first = next(pictures, None)  # fails before DST is created if SRC is wrong
    if first is None:
        raise InputError(f"{source}: its split files name no pictures; copy them again")
    prepare_folder(target, settings)
    cropper, made = Cropper(target, crop.value, seed), CropSummary()
    crops = make_crops(find_pictures(source), cropper, copies, workers or cores(), made)
    for _ in track(crops, "cropping"):
        pass
    if made.found:
        print(f"{target}: {made.found:,} crops were there already", file=sys.stderr)
    for folder, count in sorted(made.folders.items()):
        print(f"{target / folder}: {count:,} crops")
    if made.listed_twice:
        print(
            f"{made.listed_twice:,} pictures stand in two splits: the first counts",
            file=sys.stderr,
        )
    for reason in islice(made.rejected.values(), _SHOWN):
        print(f"error: {reason}", file=sys.stderr)
    if made.rejected:
        table = target / "rejected.csv"
        count = len(made.rejected)
        print(f"{count:,} pictures gave no crop, all listed in {table}", file=sys.stderr)
        raise typer.Exit(2)
