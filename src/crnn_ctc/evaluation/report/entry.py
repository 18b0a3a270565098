"""Entry of the gallery: a picture, its reading, and each character's position and confidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crnn_ctc.evaluation.aligned import Pair, aligned
from crnn_ctc.evaluation.read import Read
from crnn_ctc.evaluation.report.thumbnail import Thumbnail, thumbnail

_DENSE = 10  # characters; longer rows use smaller type


@dataclass(frozen=True)
class Cell:
    """A character of a reading with its label.

    Attributes:
        pair: characters of label and reading.
        confidence: from 0 to 1; None if nothing was read.
        left: left edge of the character, in % of the picture's width; None if unknown.
        width: width of the character, likewise.
        centre: horizontal centre of the cell above or below the picture, likewise.
    """

    pair: Pair
    confidence: float | None
    left: float | None
    width: float
    centre: float


@dataclass(frozen=True)
class Panel:
    """A row of cells above or below a picture."""

    cells: tuple[Cell, ...]

    @property
    def dense(self) -> bool:
        """Whether the row has many cells."""
        return len(self.cells) > _DENSE


@dataclass(frozen=True)
class Entry:
    """A picture and its readings.

    Attributes:
        name: name of the picture.
        label: label formatted for display; empty for a picture without text.
        thumbnail: None if the picture can no longer be read.
        reads: name of each contender (empty for a single one) and its text.
        above: cells of the upper row, or of the first contender; None for none.
        below: cells of the lower row, or of the last contender.
        edits: whether cells mark correct and wrong characters.
    """

    name: str
    label: str
    thumbnail: Thumbnail | None
    reads: tuple[tuple[str, Read], ...]
    above: Panel | None
    below: Panel
    edits: bool = True


def entry(read: Read, show: Callable[[str], str], truth: bool = True) -> Entry:
    """Build an entry with one reading; the upper of two rows is shown above the picture.

    Args:
        read: a picture that could be read.
        show: formats a text for display.
        truth: whether there is a label to compare with.
    """
    shown = thumbnail(read.picture)
    pairs = _pairs(read, truth)
    upper, lower = _rows(read, pairs)
    two_rows = any(character.row for character in read.reading.characters)
    return Entry(
        read.picture.name,
        show(read.picture.label),
        shown,
        (("", read),),
        _panel(read, upper, shown) if two_rows else None,
        _panel(read, lower if two_rows else pairs, shown),
        truth,
    )


def entry_of_two(
    reads: tuple[Read, Read],
    names: tuple[str, str],
    show: Callable[[str], str],
) -> Entry:
    """Build an entry with two readings: the first above the picture, the second below."""
    picture = reads[0].picture
    shown = thumbnail(picture)
    above, below = (_panel(read, _pairs(read), shown) for read in reads)
    named = tuple(zip(names, reads, strict=True))
    return Entry(picture.name, show(picture.label), shown, named, above, below)


def _pairs(read: Read, truth: bool = True) -> list[Pair]:
    return aligned(read.text, read.picture.label if truth else read.text)


def _rows(read: Read, pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Split pairs into upper and lower row; a deletion goes with the pair before it."""
    rows: tuple[list[Pair], list[Pair]] = ([], [])
    row = 0
    for pair in pairs:
        if pair.place is not None:
            row = read.reading.characters[pair.place].row
        rows[row].append(pair)
    return rows


def _panel(read: Read, pairs: Sequence[Pair], shown: Thumbnail | None) -> Panel:
    cells = []
    for k, pair in enumerate(pairs):
        centre = round(100 * (k + 0.5) / len(pairs), 2)
        if pair.place is None:
            cells.append(Cell(pair, None, None, 0.0, centre))
            continue
        character = read.reading.characters[pair.place]
        # positions need a thumbnail
        left, width = None, 0.0
        if shown is not None:
            left = round(100 * character.start / shown.original, 2)
            width = round(100 * (character.end - character.start) / shown.original, 2)
        cells.append(Cell(pair, character.confidence, left, width, centre))
    return Panel(tuple(cells))
