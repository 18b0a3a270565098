"""What a recipe holds: network, input, alphabet, data and training."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from crnn_ctc.alphabet import ALPHABETS, DIGITS, Alphabet
from crnn_ctc.errors import InputError
from crnn_ctc.grammar import open_grammar
from crnn_ctc.recipe.data import DigitsData, LabelledData, PlatesData, PlateViewsData
from crnn_ctc.recipe.section import Positive, Section, Share, Side

RECURRENT: dict[str, tuple[str, ...]] = {
    "CRNN": ("gru", "lstm"),
    "CRNN_Tiny": ("gru", "lstm"),
    "CNN_Nano": ("none",),
    "CNN_Small": ("none",),
}
"""The recurrent layers that each network takes, the usual ones first: what the networks say
themselves, here for those who have no torch."""


class NetworkSettings(Section):
    """Which network; see :mod:`crnn_ctc.net.architectures`. CNN_Nano has no recurrent layers."""

    architecture: Literal["CRNN", "CRNN_Tiny", "CNN_Nano", "CNN_Small"]
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


class Training(Section):
    """How long and how fast to train.

    The learning rate runs through one cycle, and through another, half as high, from each image
    count in ``restarts`` (warm restarts: Loshchilov and Hutter 2017). For the share
    ``flat_start`` of the steps, the first, characters are also looked for where an even spacing
    puts them, ever less; see :func:`crnn_ctc.training.loss.flat_start_loss`. ``aligned`` weighs the
    places of characters, where the data knows them; see :func:`crnn_ctc.training.loss.align_loss`.
    ``teacher``, a shipped model or a model file, weighs ``distillation`` in the loss at first, ever
    less until the end; see :class:`crnn_ctc.training.distillation.Teacher`.
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
    aligned: Annotated[float, Field(ge=0, le=10)] = 0.0
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
        Annotated[Literal["DIGITS", "PLATES", "PLATES_CN", "LABELS"], Tag("named")]
        | Annotated[OwnAlphabet, Tag("own")],
        Discriminator(lambda value: "own" if isinstance(value, dict | OwnAlphabet) else "named"),
    ]
    #: what the model obeys when it reads, :func:`crnn_ctc.grammar.open_grammar`; training does not
    grammar: str | None = None
    network: NetworkSettings
    input: Input
    data: Annotated[
        DigitsData | PlatesData | PlateViewsData | LabelledData, Field(discriminator="kind")
    ]
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
