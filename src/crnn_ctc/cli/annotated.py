"""Annotated pictures, written to a folder during reading."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from crnn_ctc.cli.output import counted
from crnn_ctc.files import make_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from crnn_ctc.cli.inputs import Named
    from crnn_ctc.reading import Reading


class Album:
    """Writes annotated pictures; a later write error is reported once and does not stop reading.

    Args:
        folder: folder of the pictures; created if missing.
        show: formats a text for display.
        places: whether the positions of the characters are known.

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(self, folder: Path, show: Callable[[str], str], places: bool) -> None:
        make_folder(folder)
        self._folder = folder
        self._show = show
        self._places = places
        self._names: set[str] = set()
        self._saved = 0
        self.error: str | None = None

    def add(self, named: Named, reading: Reading, picture: NDArray[np.uint8]) -> None:
        """Write the annotated picture of one reading."""
        from crnn_ctc.drawing.annotate import annotate
        from crnn_ctc.drawing.photograph import annotate_photograph

        if self.error:
            return
        try:
            if reading.plates is None:
                sheet = annotate(picture, reading, self._show(reading.text), self._places)
            else:
                sheet = annotate_photograph(picture, reading, self._show)
            sheet.save(self._folder / self._free_name(named.name))
            self._saved += 1
        except OSError as error:
            self.error = (
                f"{self._folder}: cannot be written ({error.strerror or error}); "
                "free space or choose another folder"
            )
            print(f"error: {self.error}", file=sys.stderr)

    def _free_name(self, name: str) -> str:
        """Choose an unused file name, as pictures in two folders may have the same name."""
        stem = "stdin" if name == "-" else Path(name).stem
        free, number = f"{stem}.png", 2
        while free in self._names:
            free, number = f"{stem}-{number}.png", number + 1
        self._names.add(free)
        return free

    def summary(self) -> str:
        """Number of pictures and their folder, for display."""
        return f"{counted(self._saved, 'annotated picture')} in {self._folder}"
