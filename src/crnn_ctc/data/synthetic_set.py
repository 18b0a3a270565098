"""Sets of synthetic plates on disk, resumable and independent of the number of processes."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
from PIL import Image

from crnn_ctc.data.labelled import MANIFEST
from crnn_ctc.data.workers import in_order
from crnn_ctc.errors import InputError
from crnn_ctc.synthesis.glyphs import folder_glyphs
from crnn_ctc.synthesis.scene import COLOURS
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.synthesis.text import Kind

Format = Literal["png", "jpg"]

COLUMNS = ("file", "label", "colour", "width", "height", "kind")
"""Columns of the manifest."""

SETTINGS = "synth.json"
"""File with the settings and the number of a folder's plates."""

MOST = 2**48
"""Maximum number of samples per seed; training uses the streams beyond."""

_PARTS = ".parts"
"""Folder for incomplete files."""

_A_FOLDER = 10_000  # files, the limit of file managers and old file systems
_CHUNK = 100  # plates sent to a process at once: about 0.2 s of work
_QUALITY = 95


@dataclass(frozen=True)
class ManifestRow:
    """A row of the manifest.

    Attributes:
        file: path of the picture, below the folder of the set.
        label: text of the plate.
        colour: colour of the plate.
        kind: kind of the plate.
        kept: whether the picture already existed.
    """

    file: str
    label: str
    colour: str
    kind: Kind
    kept: bool


@dataclass(frozen=True)
class SyntheticSet:
    """Consecutive samples of a synthesizer, as files and a manifest.

    Args:
        folder: folder of the set.
        synthesizer: generates the plates.
        start: first sample.
        suffix: ``png`` for lossless files, ``jpg`` for smaller ones.
    """

    folder: Path
    synthesizer: PlateSynthesizer
    start: int = 0
    suffix: Format = "png"

    def write(self, count: int, workers: int = 1) -> Iterator[ManifestRow]:
        """Write ``count`` plates, yielding once per plate; existing ones are kept.

        The manifest is written atomically at the end.

        Args:
            count: number of plates; a set can be made larger, not smaller.
            workers: number of processes; 1 uses this process.

        Raises:
            InputError: the folder has other content or cannot be written; a picture of the glyph
                folder cannot be used; or a process died.
        """
        stop = self.start + count
        if stop > MOST:
            raise InputError(f"samples up to {stop:,}: there are {MOST:,}; lower --start")
        self._open(count)
        chunks = (
            range(first, min(first + _CHUNK, stop)) for first in range(self.start, stop, _CHUNK)
        )
        manifest = self.folder / MANIFEST
        part = self.folder / _PARTS / MANIFEST
        try:
            with part.open("w", encoding="utf-8", newline="") as file:
                rows = csv.writer(file, lineterminator="\n")
                rows.writerow(COLUMNS)
                for plates in in_order(self.draw, chunks, workers, self.folder):
                    for plate in plates:
                        rows.writerow(self._row(plate))
                        yield plate
            part.replace(manifest)
        except OSError as error:
            raise _cannot_write(manifest, error) from None
        shutil.rmtree(self.folder / _PARTS, ignore_errors=True)

    def _row(self, plate: ManifestRow) -> tuple[str | int, ...]:
        width, height = self.synthesizer.width, self.synthesizer.picture_height(plate.kind)
        return plate.file, plate.label, plate.colour, width, height, plate.kind

    def draw(self, samples: range) -> list[ManifestRow]:
        """Write these samples atomically, unless they exist.

        Raises:
            InputError: the folder cannot be written, or a glyph cannot be used.
        """
        cv2.setNumThreads(1)  # its threads would compete with the other processes
        return [self._draw(i) for i in samples]

    def _draw(self, i: int) -> ManifestRow:
        text = self.synthesizer.text(i)
        file = f"{i // _A_FOLDER:04}/{text.text}_{i}.{self.suffix}"
        target = self.folder / file
        kept = target.is_file()
        if not kept:
            # the process id, as workers of a killed run may still be writing the same plate
            part = self.folder / _PARTS / f"{i}-{os.getpid()}"
            picture = Image.fromarray(self.synthesizer.picture(i)[0])
            try:
                target.parent.mkdir(exist_ok=True)
                if self.suffix == "jpg":
                    picture.save(part, "JPEG", quality=_QUALITY, subsampling=0)
                else:
                    picture.save(part, "PNG")
                part.replace(target)
            except OSError as error:
                raise _cannot_write(target, error) from None
        return ManifestRow(file, text.text, COLOURS[text.kind], text.kind, kept)

    def _open(self, count: int) -> None:
        """Create the folder, or check that it contains this set."""
        now = self.settings()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            known = self._known()
            for name, value in now.items() if known else ():
                if known.get(name) != value:
                    raise InputError(f"{self.folder}: {_difference(name, known.get(name), value)}")
            planned = known.get("count", 0)
            if count < planned:
                raise InputError(
                    f"{self.folder}: holds a set of {planned:,} plates, more than --count "
                    f"{count}; raise it, or choose another folder"
                )
            shutil.rmtree(self.folder / _PARTS, ignore_errors=True)
            (self.folder / _PARTS).mkdir(exist_ok=True)
            part = self.folder / _PARTS / SETTINGS
            text = json.dumps({**now, "count": count}, indent=2, ensure_ascii=False)
            part.write_text(text + "\n", encoding="utf-8")
            part.replace(self.folder / SETTINGS)
        except OSError as error:
            raise InputError(
                f"{self.folder}: cannot be written ({error.strerror or error}); "
                "choose another folder"
            ) from None

    def _known(self) -> dict[str, Any]:
        """Settings of the folder's plates; empty for a new folder."""
        file = self.folder / SETTINGS
        if not file.exists():
            if any(not path.name.startswith(".") for path in self.folder.iterdir()):
                raise InputError(
                    f"{self.folder}: holds other files already; choose an empty folder"
                )
            return {}
        try:
            known = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            known = None
        if not isinstance(known, dict) or not isinstance(known.get("count"), int):
            raise InputError(f"{file}: damaged; delete this folder and start again")
        return known

    def settings(self) -> dict[str, object]:
        """All settings that determine the plates.

        They include a hash of sample pictures, as another release may render samples differently.
        """
        source = self.synthesizer
        first = hashlib.sha256(source.picture(self.start)[0].tobytes())
        for i in range(self.start, self.start + 100):
            first.update(source.text(i).text.encode())
        return {
            "seed": source.seed,
            "start": self.start,
            "height": source.height,
            "width": source.width,
            "kinds": {kind: weight for kind, weight in source.kinds.items() if weight},
            "provinces": {name: weight for name, weight in source.provinces.items() if weight},
            "evenly": source.evenly,
            "glyphs": _digest(source.glyphs) if source.glyphs else None,
            "glyph_share": source.glyph_share if source.glyphs else None,
            "format": self.suffix,
            "looks": first.hexdigest()[:16],
        }


def _digest(glyphs: Path) -> str:
    """Hash of the content of a glyph folder."""
    digest = hashlib.sha256()
    for name, path in sorted(folder_glyphs(glyphs).items()):
        digest.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _difference(name: str, old: object, new: object) -> str:
    remedy = "choose another folder"
    if name == "looks":
        return f"its plates were generated by another release of crnn-ctc or OpenCV; {remedy}"
    if name in ("kinds", "provinces", "glyphs"):
        return f"its plates were generated with other {name}; {remedy}"
    return f"its plates were generated with {name} {old}, not {new}; {remedy}"


def _cannot_write(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path}: cannot be written ({error.strerror or error}); "
        "free space and run it again: it goes on where it stopped"
    )
