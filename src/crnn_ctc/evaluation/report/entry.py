"""A picture of the gallery: what was read in it, where, and the confidence of each character."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crnn_ctc.evaluation.aligned import Pair, aligned
from crnn_ctc.evaluation.read import EvaluationPicture, Read
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
class ContenderReading:
    """What one contender read.

    Attributes:
        name: name of the contender; empty where there is only one.
        text: as people write it; empty where nothing was read.
        confidence: from 0 to 1.
        right: whether it is.
    """

    name: str
    text: str
    confidence: float
    right: bool


@dataclass(frozen=True)
class Entry:
    """A picture and what was read in it.

    Attributes:
        name: name of the picture.
        label: as people write it; empty where the picture shows no text.
        thumbnail: None where the picture is gone.
        readings: one a contender.
        above: content of the upper row, or of the first contender; None for none.
        below: content of the lower row, or of the last contender.
        edits: whether cells say what is right and wrong.
    """

    name: str
    label: str
    thumbnail: Thumbnail | None
    readings: tuple[ContenderReading, ...]
    above: Panel | None
    below: Panel
    edits: bool = True


def entry(read: Read, show: Callable[[str], str], truth: bool = True) -> Entry:
    """One contender's reading; of two rows, the upper one's characters stand above the picture.

    Args:
        read: a picture that could be read.
        show: a text as people write it.
        truth: whether there is a label to compare it with.
    """
    assert read.recognition is not None
    pairs = _pairs(read, truth)
    rows = _rows(read, pairs)
    return Entry(
        read.picture.name,
        show(read.picture.label),
        thumbnail(read.picture),
        (_reading(read, "", show),),
        _panel(read, rows[0]) if read.recognition.two_rows else None,
        _panel(read, rows[1] if read.recognition.two_rows else pairs),
        truth,
    )


def entry_of_two(
    reads: tuple[Read, Read],
    names: tuple[str, str],
    show: Callable[[str], str],
) -> Entry:
    """Two contenders' readings of a picture: the first's characters above it, the other's below."""
    picture: EvaluationPicture = reads[0].picture
    above, below = (_panel(read, _pairs(read)) for read in reads)
    return Entry(
        picture.name,
        show(picture.label),
        thumbnail(picture),
        tuple(_reading(read, name, show) for read, name in zip(reads, names, strict=True)),
        above,
        below,
    )


def _reading(read: Read, name: str, show: Callable[[str], str]) -> ContenderReading:
    return ContenderReading(name, show(read.text), read.confidence, read.right)


def _pairs(read: Read, truth: bool = True) -> list[Pair]:
    return aligned(read.text, read.picture.label if truth else read.text)


def _rows(read: Read, pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """The pairs of the upper and of the lower row; a missed character goes with the one before."""
    rows: tuple[list[Pair], list[Pair]] = ([], [])
    row = 0
    for pair in pairs:
        if (extent := _extent(read, pair)) is not None:
            row = extent[0]
        rows[row].append(pair)
    return rows


def _extent(read: Read, pair: Pair) -> tuple[int, float, float] | None:
    """See :meth:`.Recognition.extent`; None where the character was read nowhere."""
    if read.recognition is None or pair.place is None:
        return None
    spans = read.recognition.decoded.spans
    if pair.place >= len(spans):  # a text that no path spells
        return None
    span = spans[pair.place]
    return read.recognition.extent(span.start, span.end)


def _panel(read: Read, pairs: Sequence[Pair]) -> Panel:
    cells = []
    for k, pair in enumerate(pairs):
        centre = round(100 * (k + 0.5) / len(pairs), 2)
        extent = _extent(read, pair)
        if extent is None or pair.place is None or read.recognition is None:
            cells.append(Cell(pair, None, None, 0.0, centre))
            continue
        _, start, end = extent
        confidence = read.recognition.decoded.spans[pair.place].confidence
        left, width = round(100 * start, 2), round(100 * (end - start), 2)
        cells.append(Cell(pair, confidence, left, width, centre))
    return Panel(tuple(cells))
