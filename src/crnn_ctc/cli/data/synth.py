"""crnn-ctc data synth: generate a set of synthetic plates."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crnn_ctc.cli.str_enum import StrEnum
from crnn_ctc.errors import InputError

if TYPE_CHECKING:
    from crnn_ctc.synthesis.synthesizer import PlateSynthesizer

HELD_OUT_SEED = 1_000_003
"""Seed that no shipped recipe trains with: its plates are new to every shipped model."""


class PictureFormat(StrEnum):
    """File format of the pictures."""

    PNG = "png"
    JPG = "jpg"


def synth(
    target: Annotated[
        Path | None, typer.Argument(metavar="[DST]", help="Folder for the plates.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, metavar="N", help="Number of plates.")] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=2**63 - 1,
            help="Random seed. Recipes train on plates of their own seeds; no shipped "
            "recipe uses the default, so its plates are new to every shipped model.",
        ),
    ] = HELD_OUT_SEED,
    start: Annotated[
        int, typer.Option(min=0, max=2**48 - 1, help="Number of the first sample.")
    ] = 0,
    height: Annotated[int, typer.Option(max=1_000, help="Height of a picture in pixels.")] = 48,
    width: Annotated[int, typer.Option(max=3_500, help="Width of a picture in pixels.")] = 168,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", help="Only this kind, such as green; may be repeated."),
    ] = None,
    provinces: Annotated[
        list[str] | None,
        typer.Option("--province", help="Only this province, such as 京; may be repeated."),
    ] = None,
    evenly: Annotated[
        bool,
        typer.Option(
            "--evenly", help="Take kinds and provinces in turn, each as often as any other."
        ),
    ] = False,
    glyphs: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder of pictures of characters, such as 140_A.jpg."),
    ] = None,
    glyph_share: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of the plates made with --glyphs; by default 0.5."),
    ] = None,
    form: Annotated[
        PictureFormat,
        typer.Option("--format", help="Format of the pictures; png keeps the pixels exactly."),
    ] = PictureFormat.PNG,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="PNG file for a sheet of the first 96 plates."),
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Worker processes (0: one per core).")] = 0,
) -> None:
    """Generate synthetic Chinese plates with their labels: PLATE_n.png and manifest.csv.

    Plate n of a seed is the same on every machine. The same command resumes an interrupted run, and
    with a larger --count adds to the set. With --sheet alone, DST may be left out.
    """
    from crnn_ctc.cli.extras import needs

    with needs("train", "data synth"):
        from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
        from crnn_ctc.synthesis.text import KIND_WEIGHTS, PROVINCES

    if target is None and count is not None:
        raise InputError(f"--count {count}: name a folder for them")
    if target is not None and count is None:
        raise InputError(f"{target}: say how many plates with --count")
    if target is None and sheet is None:
        raise InputError("data synth: name a folder for the plates, or --sheet FILE")
    if glyph_share is not None and glyphs is None:
        raise InputError(f"--glyph-share {glyph_share}: needs a folder; give it as --glyphs")
    synthesizer = PlateSynthesizer(
        seed,
        height,
        width,
        dict.fromkeys(kinds, 1.0) if kinds else KIND_WEIGHTS,
        dict.fromkeys("".join(provinces) if provinces else PROVINCES, 1.0),
        glyphs,
        0.5 if glyph_share is None else glyph_share,
        evenly=evenly,
    )
    _warn(seed)
    if sheet:
        _save_sheet(synthesizer, start, sheet)
    if target and count:
        _save_set(synthesizer, target, start, count, form, workers)


def _save_set(
    synthesizer: PlateSynthesizer,
    target: Path,
    start: int,
    count: int,
    form: PictureFormat,
    workers: int,
) -> None:
    from crnn_ctc.cli.progress import track
    from crnn_ctc.data.synthetic_set import SyntheticSet
    from crnn_ctc.data.workers import cores

    plates = SyntheticSet(target, synthesizer, start, form.value)
    kept = 0
    for plate in track(plates.write(count, workers or cores()), "drawing", count):
        kept += plate.kept
    if kept:
        print(f"{target}: {kept:,} plates were there already", file=sys.stderr)
    print(f"{target}: {count:,} plates")


def _save_sheet(synthesizer: PlateSynthesizer, start: int, file: Path) -> None:
    from PIL import Image

    from crnn_ctc.synthesis.contact_sheet import contact_sheet

    picture = Image.fromarray(contact_sheet(synthesizer, start=start))
    try:
        picture.save(file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError(
            f"{file}: cannot be written ({reason or error}); name a .png file in a folder that "
            "is there"
        ) from None
    print(f"sheet in {file}", file=sys.stderr)


def _warn(seed: int) -> None:
    """Warn if a shipped recipe trains on these plates."""
    from crnn_ctc.recipe import PlatesData, load_recipe, shipped_recipes

    trained = [
        recipe.name
        for recipe in map(load_recipe, shipped_recipes())
        if isinstance(recipe.data, PlatesData) and recipe.seed == seed
    ]
    if trained:
        print(
            f"note: {', '.join(trained)} trains on the plates of seed {seed}: "
            "measure it with those of another seed",
            file=sys.stderr,
        )
