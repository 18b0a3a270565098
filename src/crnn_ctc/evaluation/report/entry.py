"""A picture of the gallery: what was read in it, where, and the confidence of each character."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crnn_ctc.evaluation.aligned import Pair, aligned
from crnn_ctc.evaluation.read import Read
from crnn_ctc.evaluation.report.thumbnail import Thumbnail, thumbnail

_DENSE = 10  # characters; more need smaller type


@dataclass(frozen=True)
class Cell:
    """A character of a reading, beside what stands there.

    Attributes:
        pair: pair of label and reading.
        confidence: from 0 to 1; None where nothing was read.
        left: where it was read, from the picture's left, in % of its width; None if nowhere.
        width: width of that place, likewise.
        centre: horizontal centre of the cell below the picture, likewise.
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
        """Whether it has many."""
        return len(self.cells) > _DENSE


@dataclass(frozen=True)
class Entry:
    """A picture and what was read in it.

    Attributes:
        name: name of the picture.
        label: as people write it; empty where the picture shows no text.
        thumbnail: None where the picture is gone.
        reads: name of each contender, empty where there is only one, and what it read.
        above: content of the upper row, or of the first contender; None for none.
        below: content of the lower row, or of the last contender.
        edits: whether cells say what is right and wrong.
    """

    name: str
    label: str
    thumbnail: Thumbnail | None
    reads: tuple[tuple[str, Read], ...]
    above: Panel | None
    below: Panel
    edits: bool = True


def entry(read: Read, show: Callable[[str], str], truth: bool = True) -> Entry:
    """One contender's reading; of two rows, the upper one's characters stand above the picture.

    Args:
        read: a picture that could be read.
        show: formats a text for display.
        truth: whether there is a label to compare it with.
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
    """Two contenders' readings of a picture: the first's characters above it, the other's below."""
    picture = reads[0].picture
    shown = thumbnail(picture)
    above, below = (_panel(read, _pairs(read), shown) for read in reads)
    named = tuple(zip(names, reads, strict=True))
    return Entry(picture.name, show(picture.label), shown, named, above, below)


def _pairs(read: Read, truth: bool = True) -> list[Pair]:
    return aligned(read.text, read.picture.label if truth else read.text)


def _rows(read: Read, pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """The pairs of the upper and of the lower row; a missed character goes with the one before."""
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
        # without a thumbnail there is nothing to show a place in
        left, width = None, 0.0
        if shown is not None:
            left = round(100 * character.start / shown.original, 2)
            width = round(100 * (character.end - character.start) / shown.original, 2)
        cells.append(Cell(pair, character.confidence, left, width, centre))
    return Panel(tuple(cells))
