"""The sections ``data`` that a recipe can have, one for each kind of training data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from crnn_ctc.image import Ink
from crnn_ctc.recipe.section import Positive, Section, Share, Weight
from crnn_ctc.synthesis.text import TWO_ROW

Names = Annotated[
    Annotated[str, Tag("one")] | Annotated[list[str], Field(min_length=1), Tag("several")],
    Discriminator(lambda value: "several" if isinstance(value, list) else "one"),
]
"""A manifest or folder, or several that count as one; seen from the data folder."""

Sources = Annotated[
    Annotated[str, Tag("one")]
    | Annotated[list[str], Field(min_length=1), Tag("several")]
    | Annotated[dict[str, Weight], Field(min_length=1), Tag("weighted")],
    Discriminator(
        lambda value: {list: "several", dict: "weighted"}.get(type(value), "one"),
    ),
]
"""As :data:`Names`, or several, each with the weight that it is drawn by."""


class DigitsData(Section):
    """Rows of EMNIST or MNIST digits; see :class:`crnn_ctc.data.sequences.SequenceSource`."""

    kind: Literal["digits"]
    trained_on: str = "handwritten digits of EMNIST (NIST Special Database 19)"
    per_sequence: Positive = 5
    clean: Share = 0.0
    elastic: Annotated[float, Field(ge=0, le=8)] = 0.0
    shear: Annotated[float, Field(ge=0, le=1)] = 0.0
    validation: Annotated[float, Field(gt=0, le=0.5)] = 0.03
    validation_sequences: Positive = 2_000

    @property
    def ink(self) -> Ink:
        """EMNIST and MNIST show light ink on black."""
        return "light"

    @property
    def two_rows(self) -> bool:
        """Digits stand in one row."""
        return False

    def steps_needed(self) -> int:
        """T for the hardest label: one digit over and over, with a blank between each two."""
        return 2 * self.per_sequence - 1


class PlatesData(Section):
    """Crops of plates among synthetic ones; see :class:`crnn_ctc.data.plates.PlateSource`.

    ``train``, ``validation`` and ``glyphs`` are manifests or folders, seen from the data folder;
    see :data:`Sources`. ``kinds`` are weights of the kinds of plates that are drawn, all of them if
    none is named. ``cut`` and ``perspective`` are those of the synthesizer; ``perspective`` also
    scales how far the corners of real crops are moved.
    """

    kind: Literal["plates"]
    trained_on: str = "crops of Chinese licence plates, and synthetic ones"
    train: Sources = "train.csv"
    validation: Names = "dev.csv"
    synthetic: Share = 0.5
    balance: Share = 0.5
    augment: Annotated[float, Field(ge=0, le=2)] = 1.0
    glyphs: str | None = None
    glyph_share: Share = 0.5
    cut: Literal["mixed", "corners", "box"] = "mixed"
    perspective: Annotated[float, Field(ge=0, le=1)] = 1.0
    kinds: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    unreadable: Share = 0.0
    validation_drawn: Annotated[int, Field(ge=0)] = 0

    @property
    def ink(self) -> Ink:
        """Plates come in every colour: they are read as they are."""
        return "any"

    @property
    def two_rows(self) -> bool:
        """Whether plates of two rows, side by side, are among the drawn ones."""
        drawn = not self.kinds or any(self.kinds.get(kind, 0) for kind in TWO_ROW)
        return self.synthetic > 0 and drawn

    def steps_needed(self) -> int:
        """T for the hardest label: eight times one character, with a blank between each two."""
        return 2 * 8 - 1


class PlateViewsData(Section):
    """Random views of plates, straightened by a rectifier; see :mod:`crnn_ctc.data.plate_views`.

    ``scenes`` and ``crops`` are manifests, ``ccpd`` and ``glyphs`` folders, seen from the data
    folder. ``rectifier`` is the run folder of a rectifier.
    """

    kind: Literal["plate_views"]
    trained_on: str = "photographs and crops of Chinese licence plates, and synthetic ones"
    scenes: str = "scenes/train.csv"
    ccpd: str | None = "ccpd"
    crops: str = "plates/train.csv"
    validation: Names = "plates/dev.csv"
    rectifier: str
    glyphs: str | None = None
    glyph_share: Share = 0.6
    kinds: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    synthetic: Share = 0.4
    straight: Share = 0.2
    balance: Share = 0.6
    unreadable: Share = 0.04

    @property
    def ink(self) -> Ink:
        """Plates come in every colour: they are read as they are."""
        return "any"

    @property
    def two_rows(self) -> bool:
        """Two rows are found by the rectifier, not by reading a picture in two ways."""
        return False

    def steps_needed(self) -> int:
        """T for the hardest label: eight times one character, with a blank between each two."""
        return 2 * 8 - 1


class LabelledData(Section):
    """Labelled pictures of any line of text; see :func:`crnn_ctc.data.source.open_source`.

    ``train`` and ``validation`` are manifests or folders, seen from the data folder; see
    :data:`Sources`. ``balance`` is that of first characters, as in plates: 0 takes every picture as
    often as any other.
    """

    kind: Literal["labelled"]
    trained_on: str = "labelled pictures of a line of text"
    train: Sources = "train"
    validation: Names = "val"
    balance: Share = 0.0
    augment: Annotated[float, Field(ge=0, le=2)] = 1.0
    ink: Ink = "any"

    @property
    def two_rows(self) -> bool:
        """Texts stand in one row."""
        return False

    def steps_needed(self) -> int:
        """T for the hardest label is known when the labels are read; see ``open_source``."""
        return 1
