"""The kinds of the section ``data`` of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from crnn_ctc.image import Ink
from crnn_ctc.recipe.section import Positive, Section, Share, Weight
from crnn_ctc.synthesis.text import TWO_ROW

if TYPE_CHECKING:
    from typing_extensions import Self

Names = Annotated[
    Annotated[str, Tag("one")] | Annotated[list[str], Field(min_length=1), Tag("several")],
    Discriminator(lambda value: "several" if isinstance(value, list) else "one"),
]
"""A manifest or folder, or a list that counts as one; relative to the data folder."""

Sources = Annotated[
    Annotated[str, Tag("one")]
    | Annotated[list[str], Field(min_length=1), Tag("several")]
    | Annotated[dict[str, Weight], Field(min_length=1), Tag("weighted")],
    Discriminator(
        lambda value: {list: "several", dict: "weighted"}.get(type(value), "one"),
    ),
]
"""As :data:`Names`, or a table of them with sampling weights."""


class DigitsData(Section):
    """Rows of EMNIST or MNIST digits; see :class:`crnn_ctc.data.sequences.SequenceSource`."""

    kind: Literal["digits"]
    """What the training data are; it decides which other keys the section has."""
    trained_on: str = "handwritten digits of EMNIST (NIST Special Database 19)"
    """Described in the model's card as its training data."""
    per_sequence: Positive = 5
    """Digits in a row."""
    clean: Share = 0.0
    """Share of the rows that are not distorted."""
    elastic: Annotated[float, Field(ge=0, le=8)] = 0.0
    """Largest local displacement of elastic distortion, in pixels."""
    shear: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Largest slant, in pixels of x per pixel of y."""
    bent: Share = 0.5
    """Share of the distorted rows whose digits are also slanted, bent, stretched and redrawn."""
    stretch: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Largest change of a digit's width, and of its height, as a share of it."""
    stroke: Share = 0.0
    """Largest change of a stroke's thickness: 1 is a pixel on either side."""
    validation: Annotated[float, Field(gt=0, le=0.5)] = 0.03
    """Share of the digits that is held out for validation."""
    validation_sequences: Positive = 2_000
    """Rows of the validation set."""

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


class RowsData(Section):
    """Composed rows of handwritten digits; see :class:`crnn_ctc.synthesis.rows.RowComposer`.

    ``input.width`` of the recipe is the width of the widest row.
    """

    kind: Literal["rows"]
    """What the training data are; it decides which other keys the section has."""
    trained_on: str = "composed rows of handwritten digits of EMNIST and of drawn pen strokes"
    """Described in the model's card as its training data."""
    digits: str = "emnist"
    """Folder of EMNIST's or MNIST's files, relative to the data folder."""
    validation: Names | None = None
    """Validation pictures, which choose the best weights, beside composed ones: a manifest or
    folder, or a list of them, relative to the data folder."""
    validation_drawn: Annotated[int, Field(ge=0)] = 500
    """Composed rows of the validation set; training never sees their digits."""
    held_out: Annotated[float, Field(gt=0, le=0.5)] = 0.03
    """Share of the digits that only the validation set uses."""
    pens: Share = 0.5
    """Share of the rows that are drawn from pen strokes instead of EMNIST's digits."""
    uses: Positive = 1
    """How many times each composed row is shown, moved a little each time."""
    no_text: Share = 0.03
    """Share of rows without digits, whose label is empty."""
    squares: Share = 0.0
    """Share of rows that are EMNIST's squares side by side, as in the published protocol."""

    @property
    def ink(self) -> Ink:
        """Dark and light ink both occur."""
        return "any"

    @property
    def two_rows(self) -> bool:
        """Digits stand in one row."""
        return False

    def steps_needed(self) -> int:
        """T for ten times the same digit, with a blank between each two, in the widest row."""
        return 2 * 10 - 1

    @model_validator(mode="after")
    def _chooses_by_something(self) -> Self:
        if self.validation is None and self.validation_drawn == 0:
            raise ValueError("name validation, or draw rows: set validation_drawn above 0")
        return self


class PlatesData(Section):
    """Crops of plates among synthetic ones; see :class:`crnn_ctc.data.plates.PlateSource`."""

    kind: Literal["plates"]
    """What the training data are; it decides which other keys the section has."""
    trained_on: str = "crops of Chinese licence plates, and synthetic ones"
    """Described in the model's card as its training data."""
    train: Sources = "train.csv"
    """Training pictures: a manifest or folder, a list of them that count as one, or a table of them
    with sampling weights. Paths are relative to the data folder."""
    validation: Names = "dev.csv"
    """Validation pictures, which choose the best weights: a manifest or folder, or a list of them.
    """
    synthetic: Share = 0.5
    """Share of synthetic plates in each batch."""
    balance: Share = 0.5
    """How evenly first characters are sampled: 0 takes every picture equally often, 1 every first
    character."""
    augment: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Strength of augmentation: 0 for none, 1 for the usual, up to 2."""
    glyphs: str | None = None
    """Folder of glyph pictures cut from real plates, relative to the data folder; by default only
    the bundled typefaces are used."""
    glyph_share: Share = 0.5
    """Share of the synthetic plates that use those glyphs."""
    cut: Literal["mixed", "corners", "box"] = "mixed"
    """How synthetic plates are cropped: by their corners, by the box around them, or mixed."""
    perspective: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Strength of the perspective of synthetic plates, and of the jitter of the corners of real
    crops."""
    kinds: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Sampling weights of the kinds of synthetic plates, by name; all kinds if empty."""
    unreadable: Share = 0.0
    """Share of pictures without a readable plate, whose label is empty."""
    validation_drawn: Annotated[int, Field(ge=0)] = 0
    """Synthetic plates added to the validation set; training never sees them."""

    @property
    def ink(self) -> Ink:
        """Plates have any colour, so pictures are not converted."""
        return "any"

    @property
    def two_rows(self) -> bool:
        """Whether plates of two rows, side by side, are among the synthetic ones."""
        drawn = not self.kinds or any(self.kinds.get(kind, 0) for kind in TWO_ROW)
        return self.synthetic > 0 and drawn

    def steps_needed(self) -> int:
        """T for the hardest label: eight times one character, with a blank between each two."""
        return 2 * 8 - 1


class PlateViewsData(Section):
    """Random views of plates, straightened by a rectifier; see :mod:`crnn_ctc.data.plate_views`."""

    kind: Literal["plate_views"]
    """What the training data are; it decides which other keys the section has."""
    trained_on: str = "photographs and crops of Chinese licence plates, and synthetic ones"
    """Described in the model's card as its training data."""
    scenes: str = "scenes/train.csv"
    """Manifest of whole photographs with a column ``corners``, relative to the data folder."""
    ccpd: str | None = "ccpd"
    """Folder of CCPD pictures, whose names hold corners; those of ``val`` and ``test`` are left
    out."""
    crops: str = "plates/train.csv"
    """Manifest of crops; the rectifier finds their corners."""
    validation: Names = "plates/dev.csv"
    """Validation crops, which choose the best weights: a manifest or folder, or a list of them."""
    rectifier: str
    """Run folder of the rectifier."""
    glyphs: str | None = None
    """Folder of glyph pictures cut from real plates, relative to the data folder; by default only
    the bundled typefaces are used."""
    glyph_share: Share = 0.6
    """Share of the synthetic plates that use those glyphs."""
    kinds: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Sampling weights of the kinds of synthetic plates; by default all kinds."""
    synthetic: Share = 0.4
    """Share of the views that show a synthetic plate."""
    straight: Share = 0.2
    """Share of the samples that are straight synthetic plates, without a view and a rectifier."""
    balance: Share = 0.6
    """How evenly first characters are sampled: 0 takes every plate equally often, 1 every first
    character."""
    unreadable: Share = 0.04
    """Share of samples without readable text, whose label is empty."""
    light: Share = 1.0
    """How often views are blurred, dark or over-exposed: 1 is the usual, 0 never."""

    @property
    def ink(self) -> Ink:
        """Plates have any colour, so pictures are not converted."""
        return "any"

    @property
    def two_rows(self) -> bool:
        """The rectifier handles two rows."""
        return False

    def steps_needed(self) -> int:
        """T for the hardest label: eight times one character, with a blank between each two."""
        return 2 * 8 - 1


class LabelledData(Section):
    """Labelled pictures of any line of text; see :func:`.open_training_data`."""

    kind: Literal["labelled"]
    """What the training data are; it decides which other keys the section has."""
    trained_on: str = "labelled pictures of a line of text"
    """Described in the model's card as its training data."""
    train: Sources = "train"
    """Training pictures: a manifest or folder, a list of them that count as one, or a table of them
    with sampling weights. Paths are relative to the data folder."""
    validation: Names = "val"
    """Validation pictures, which choose the best weights: a manifest or folder, or a list of them.
    """
    balance: Share = 0.0
    """How evenly first characters are sampled: 0 takes every picture equally often, 1 every first
    character."""
    augment: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Strength of augmentation: 0 for none, 1 for the usual, up to 2."""
    ink: Ink = "any"
    """light: light ink on a dark ground, dark pictures are inverted to it; any: pictures are read
    as they are."""
    rectifier: str | None = None
    """Run folder of a rectifier: it finds the text in each picture, which is straightened before it
    is read. Training pictures are then random views of the labelled ones, all as often."""

    @model_validator(mode="after")
    def _unweighted(self) -> Self:
        if self.rectifier and isinstance(self.train, dict):
            raise ValueError(
                "train: weights have no effect behind data.rectifier; give a list of the same names"
            )
        return self

    @property
    def two_rows(self) -> bool:
        """Texts stand in one row."""
        return False

    def steps_needed(self) -> int:
        """T for the hardest label is known when the labels are read; see ``open_training_data``."""
        return 1
