"""A recipe: all that decides a trained model, in one TOML file."""

from __future__ import annotations

import tomllib
import unicodedata
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from crnn_ctc.alphabet import ALPHABETS, DIGITS, Alphabet
from crnn_ctc.errors import InputError
from crnn_ctc.grammar import open_grammar
from crnn_ctc.image import MOST_SIDE, Ink
from crnn_ctc.synthesis.text import TWO_ROW

Positive = Annotated[int, Field(gt=0)]
Side = Annotated[int, Field(gt=0, le=MOST_SIDE)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]

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

_TAGS = {"one", "several", "weighted", "named", "own", "digits", "plates", "labelled"}
"""What pydantic puts into the place of an error, where no user wrote it."""


class Section(BaseModel):
    """A part of a recipe: unknown keys and wrong types are errors, and nothing changes later."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


RECURRENT: dict[str, tuple[str, ...]] = {
    "CRNN": ("gru", "lstm"),
    "CRNN_Tiny": ("gru", "lstm"),
    "CNN_Nano": ("none",),
}
"""The recurrent layers that each network takes, the usual ones first: what the networks say
themselves, here for those who have no torch."""


class NetworkSettings(Section):
    """Which network; see :mod:`crnn_ctc.net.architectures`. CNN_Nano has no recurrent layers."""

    architecture: Literal["CRNN", "CRNN_Tiny", "CNN_Nano"]
    rnn: Literal["gru", "lstm", "none"] = "gru"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @property
    def title(self) -> str:
        """The network's name, and the kind of its recurrent layers if it has any."""
        return self.architecture + ("" if self.rnn == "none" else f", {self.rnn.upper()}")

    @model_validator(mode="before")
    @classmethod
    def _usual_rnn(cls, values: Any) -> Any:
        if isinstance(values, dict) and (kinds := RECURRENT.get(str(values.get("architecture")))):
            return {"rnn": kinds[0]} | values
        return values

    @model_validator(mode="after")
    def _rnn_fits(self) -> Self:
        kinds = RECURRENT[self.architecture]
        if self.rnn not in kinds:
            raise ValueError(
                f"{self.architecture} takes rnn = {' or '.join(kinds)}, not {self.rnn}"
            )
        return self


class Input(Section):
    """The pictures that the network takes, in pixels."""

    height: Side
    width: Side
    channels: Literal[1, 3]


class OwnAlphabet(Section):
    """A user's own characters, NFC, in class order; see :meth:`Alphabet.of`."""

    characters: str

    @field_validator("characters")
    @classmethod
    def _usable(cls, characters: str) -> str:
        composed = unicodedata.normalize("NFC", characters)
        Alphabet.of(composed)
        return composed


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
    kinds: dict[str, Annotated[float, Field(ge=0)]] = {}
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


class Training(Section):
    """How long and how fast to train.

    The learning rate runs through one cycle, and through another, half as high, from each image
    count in ``restarts`` (warm restarts: Loshchilov and Hutter 2017). For the share
    ``flat_start`` of the steps, the first, characters are also looked for where an even spacing
    puts them, ever less; see :func:`crnn_ctc.training.loss.flat_start_loss`. ``teacher``, a shipped
    model or a model file, weighs ``distillation`` in the loss at first, ever less until the end;
    see :class:`crnn_ctc.training.distillation.Teacher`.
    """

    images: Positive
    restarts: Annotated[tuple[Positive, ...], Field(strict=False)] = ()
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.05
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.1
    clip_norm: Annotated[float, Field(gt=0)] = 5.0
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.999
    flat_start: Share = 0.0
    teacher: str | None = None
    distillation: Share = 0.0
    precision: Literal["auto", "float32", "bf16", "fp16"] = "auto"
    log_steps: Positive = 50
    checkpoint_steps: Positive = 200
    validations: Positive = 25

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return max(1, self.images // self.batch_size)

    def guessed(self, step: int) -> float:
        """What the guessed alignment weighs at ``step``, against CTC: from 1 down to 0."""
        end = self.flat_start * self.steps
        return max(0.0, 1 - step / end) if end else 0.0

    def taught(self, step: int) -> float:
        """What the teacher weighs at ``step``, against CTC: down to 0."""
        return self.distillation * (1 - step / self.steps)

    @property
    def cycles(self) -> tuple[int, ...]:
        """The step that each cycle begins at, and the last one ends before.

        Restarts beyond the end are left out, so that a run is made shorter by ``images`` alone.
        """
        restarts = (images // self.batch_size for images in self.restarts)
        return (0, *(step for step in restarts if step < self.steps), self.steps)

    @model_validator(mode="after")
    def _teacher_counts(self) -> Self:
        if (self.teacher is None) != (self.distillation == 0):
            raise ValueError("teacher and distillation go together: name a model, and its weight")
        return self

    @model_validator(mode="after")
    def _cycles_follow(self) -> Self:
        if any(a >= b for a, b in pairwise(self.cycles)):
            raise ValueError("restarts must rise, each by a batch or more")
        return self


class Recipe(Section):
    """A recipe, checked.

    ``alphabet`` is a name, a table of a user's own characters, or ``LABELS``: those of the training
    labels, which :func:`crnn_ctc.data.source.with_alphabet` puts in its place.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    description: str = ""
    licence: str = "Apache-2.0"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    alphabet: Annotated[
        Annotated[Literal["DIGITS", "PLATES", "LABELS"], Tag("named")]
        | Annotated[OwnAlphabet, Tag("own")],
        Discriminator(lambda value: "own" if isinstance(value, dict | OwnAlphabet) else "named"),
    ]
    #: what the model obeys when it reads, :func:`crnn_ctc.grammar.open_grammar`; training does not
    grammar: str | None = None
    network: NetworkSettings
    input: Input
    data: Annotated[DigitsData | PlatesData | LabelledData, Field(discriminator="kind")]
    training: Training

    @property
    def characters(self) -> Alphabet:
        """The alphabet that ``alphabet`` stands for.

        Raises:
            InputError: it is that of the training labels, which were not read.
        """
        if isinstance(self.alphabet, OwnAlphabet):
            return Alphabet.of(self.alphabet.characters)
        if self.alphabet == "LABELS":
            raise InputError(
                f"recipe {self.name}: its alphabet is that of the training labels, which train "
                "reads; ask about the run folder, or name the characters in alphabet.characters"
            )
        return ALPHABETS[self.alphabet]

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.data.kind == "plates" and self.alphabet != "PLATES":
            raise ValueError(
                "plates are spelt with alphabet PLATES; for another set data.kind to labelled"
            )
        if self.grammar is not None:
            open_grammar(self.grammar, self.characters)
        if self.data.kind == "digits":
            if self.alphabet == "LABELS" or not all(
                c in self.characters for c in DIGITS.characters
            ):
                raise ValueError("digits need an alphabet that holds all ten: set it to DIGITS")
            if (self.input.height, self.input.channels) != (32, 1):
                raise ValueError("digits are 32 pixels high and grey: set input to 32 and 1")
            if self.input.width != 32 * self.data.per_sequence:
                raise ValueError(
                    f"{self.data.per_sequence} digits of 32 pixels need input.width = "
                    f"{32 * self.data.per_sequence}, not {self.input.width}"
                )
        return self


def shipped() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = files("crnn_ctc") / "recipes"
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")
    )


def load(source: str | Path, changes: list[str] | None = None) -> Recipe:
    """The recipe of a shipped name or a file, with ``key.key=value`` changes applied.

    Raises:
        InputError: no such recipe, not TOML, an unknown key, a wrong type, a value out of range.
    """
    name = str(source)
    if name in shipped():
        text = (files("crnn_ctc") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    else:
        try:
            text = Path(source).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise InputError(
                f"{name}: no such recipe; give a file or one of: {', '.join(shipped())}"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{name}: cannot be read as a recipe ({error})") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name}: not TOML: {error}") from None
    except RecursionError:
        raise InputError(f"{name}: not a recipe: its lists go too deep; correct it") from None
    for change in changes or []:
        _change(values, change)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{name}: {_one_line(error)}") from None


def _change(values: dict[str, Any], change: str) -> None:
    key, equals, value = change.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set {change}: write it as key=value, for example training.images=1000")
    *sections, last = key.strip().split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if section == "alphabet" and isinstance(inner, str):
            inner = values[section] = {}  # its name gives way to a table of characters
        if not isinstance(inner, dict):
            raise InputError(f"--set {change}: {section} is a value, not a section")
        values = inner
    if key.strip() == "alphabet.characters" and value[:1] not in {'"', "'"}:
        values[last] = value  # characters that happen to be a number
        return
    try:
        values[last] = tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        values[last] = value  # a bare word: --set network.rnn=lstm


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"] if part not in _TAGS)
    where = where or "recipe"
    what = {
        "extra_forbidden": "unknown key; see the shipped recipes for the known ones",
        "missing": "is missing",
    }.get(first["type"], first["msg"].removeprefix("Value error, "))
    more = error.error_count() - 1
    return f"{where}: {what}" + (f" (and {more} more)" if more else "")
