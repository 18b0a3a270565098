"""Schema of a reader's recipe: network, input, alphabet, data and training."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
from crnn_ctc.image import ROW_HEIGHT, ROW_STEP
from crnn_ctc.plates.schemes import SCHEMES
from crnn_ctc.recipe.data import (
    DigitsData,
    LabelledData,
    PlatesData,
    PlateViewsData,
    RowsData,
)
from crnn_ctc.recipe.networks import NETWORKS
from crnn_ctc.recipe.section import Positive, Section, Share, Side

if TYPE_CHECKING:
    from typing_extensions import Self


class NetworkSettings(Section):
    """Which network; see :data:`crnn_ctc.recipe.networks.NETWORKS`."""

    architecture: Annotated[str, Field(json_schema_extra={"enum": [*NETWORKS]})]
    """The network, by its class's name."""
    rnn: Literal["gru", "lstm", "none"] = "gru"
    """Its recurrent layers; by default the first kind that the network takes."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout while training, as a share of the features."""
    own_light: bool = False
    """Whether each picture's own brightness and contrast are taken out first, for dark pictures."""

    @property
    def title(self) -> str:
        """The network's name, and the kind of its recurrent layers if it has any."""
        return self.architecture + ("" if self.rnn == "none" else f", {self.rnn.upper()}")

    @model_validator(mode="before")
    @classmethod
    def _usual_rnn(cls, values: Any) -> Any:
        if isinstance(values, dict) and (entry := NETWORKS.get(str(values.get("architecture")))):
            return {"rnn": entry.recurrent[0]} | values
        return values

    @field_validator("architecture")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in NETWORKS:
            raise ValueError(f"no such network as {name}; give one of: {', '.join(NETWORKS)}")
        return name

    @model_validator(mode="after")
    def _rnn_fits(self) -> Self:
        kinds = NETWORKS[self.architecture].recurrent
        if self.rnn not in kinds:
            raise ValueError(
                f"{self.architecture} takes rnn = {' or '.join(kinds)}, not {self.rnn}"
            )
        return self


class Input(Section):
    """The pictures that the network takes, in pixels."""

    height: Side
    """Height of the network's input, in pixels."""
    width: Side
    """Width of the network's input, in pixels; pictures are resized to it."""
    channels: Literal[1, 3]
    """1 for grey, 3 for RGB."""


class OwnAlphabet(Section):
    """A user's own characters, NFC, in class order; see :meth:`Alphabet.of`."""

    characters: str
    """The characters that the model can read, in class order."""

    @field_validator("characters")
    @classmethod
    def _usable(cls, characters: str) -> str:
        composed = unicodedata.normalize("NFC", characters)
        Alphabet.of(composed)
        return composed


class Training(Section):
    """How long and how fast to train.

    See :mod:`crnn_ctc.training.loop`, :func:`crnn_ctc.training.loss.flat_start_loss` and
    :class:`crnn_ctc.training.distillation.Teacher`.
    """

    images: Positive | None = None
    """Training pictures in all, repeats included; images / batch_size is the number of steps."""
    epochs: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    """How often each training picture is seen, in place of ``images``."""
    patience: Annotated[int, Field(ge=0)] = 0
    """Validations without a better one after which the run ends; 0 never ends it early."""
    restarts: Annotated[tuple[Positive, ...], Field(strict=False)] = ()
    """Counts of pictures at which the learning rate begins another cycle, half as high as the one
    before (warm restarts: Loshchilov and Hutter 2017)."""
    batch_size: Positive
    """Pictures per optimiser step, over all processes."""
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    """Highest learning rate of the first cycle."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Weight decay of AdamW; norms and biases have none."""
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of a cycle in which the learning rate rises."""
    clip_norm: Annotated[float, Field(gt=0)] = 5.0
    """Largest norm of the gradient; a larger gradient is scaled down to it."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of the exponential average of the weights; the averaged weights are exported."""
    flat_start: Share = 0.0
    """Share of the steps, from the first, that also use a loss on evenly spaced characters, with
    falling weight."""
    aligned: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Weight of the loss on the places of characters, where the data knows them; see
    :func:`crnn_ctc.training.loss.align_loss`."""
    teacher: str | None = None
    """Model whose outputs are distilled into the network: a shipped model or a model file."""
    distillation: Share = 0.0
    """Weight of the teacher's outputs in the loss at the first step; it falls to 0."""
    precision: Literal["auto", "float32", "bf16", "fp16"] = "auto"
    """Number format of training; auto: bf16 or fp16 where the hardware has it."""
    log_steps: Positive = 50
    """Steps between two lines of the log."""
    checkpoint_steps: Positive = 200
    """Steps between two checkpoints."""
    validations: Positive = 25
    """Validations in the whole run, evenly spaced."""

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run.

        Raises:
            InputError: the recipe counts in epochs, and the pictures were not counted yet.
        """
        if self.images is None:
            raise InputError(
                "training.epochs: how many steps that makes is known once train has counted the "
                "pictures; ask about the run folder, or set training.images"
            )
        return max(1, self.images // self.batch_size)

    def guessed(self, step: int) -> float:
        """Weight of the flat start loss at ``step``, from 1 to 0; the rest is CTC's."""
        end = self.flat_start * self.steps
        return max(0.0, 1 - step / end) if end else 0.0

    def taught(self, step: int) -> float:
        """Weight of the distillation loss at ``step``, decreasing to 0."""
        return self.distillation * (1 - step / self.steps)

    @property
    def cycles(self) -> tuple[int, ...]:
        """First step of each cycle, and the end of the last one.

        Restarts beyond the end are left out, so ``images`` alone can shorten a run.
        """
        restarts = (images // self.batch_size for images in self.restarts)
        return (0, *(step for step in restarts if step < self.steps), self.steps)

    @model_validator(mode="after")
    def _teacher_counts(self) -> Self:
        if (self.teacher is None) != (self.distillation == 0):
            raise ValueError("teacher and distillation go together: name a model, and its weight")
        return self

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.images is None) == (self.epochs is None):
            raise ValueError("set images, how many are seen in all, or epochs, and not both")
        return self

    @model_validator(mode="after")
    def _cycles_follow(self) -> Self:
        if self.images is not None and any(a >= b for a, b in pairwise(self.cycles)):
            raise ValueError("restarts must rise, each by a batch or more")
        return self


class Recipe(Section):
    """A recipe, checked.

    ``alphabet`` is a name, a table of a user's own characters, or ``LABELS``: those of the training
    labels, which :func:`crnn_ctc.data.completed.with_alphabet` puts in its place.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Name of the recipe and of its run folder."""
    description: str = ""
    """One line for the model's card."""
    licence: str = "Apache-2.0"
    """SPDX name of the weights' licence, for the model's card."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of all random choices."""
    alphabet: Annotated[
        Annotated[Literal["DIGITS", "PLATES", "PLATES_CN", "LABELS"], Tag("named")]
        | Annotated[OwnAlphabet, Tag("own")],
        Discriminator(lambda value: "own" if isinstance(value, dict | OwnAlphabet) else "named"),
    ]
    """DIGITS, PLATES or PLATES_CN; a table with the key characters; or LABELS, the characters of
    the training and validation labels."""
    grammar: str | None = None
    """Texts that the model may answer, such as plates or digits:5; training does not use it."""
    plates: Annotated[str | None, Field(json_schema_extra={"enum": [*SCHEMES]})] = None
    """Scheme of the plates that the pictures show: how labels are normalised and texts are shown.
    Not needed for the alphabet PLATES."""
    network: NetworkSettings
    """The network."""
    input: Input
    """The pictures that the network takes."""
    data: Annotated[
        DigitsData | RowsData | PlatesData | PlateViewsData | LabelledData,
        Field(discriminator="kind"),
    ]
    """The training data."""
    training: Training
    """How long and how to train."""

    @property
    def rectifier(self) -> str | None:
        """Run folder of the rectifier in front of the network; None without one."""
        behind = isinstance(self.data, PlateViewsData | LabelledData)
        return self.data.rectifier if behind else None  # type: ignore[union-attr]

    @property
    def characters(self) -> Alphabet:
        """The alphabet.

        Raises:
            InputError: it is ``LABELS``, and the labels were not read yet.
        """
        if isinstance(self.alphabet, OwnAlphabet):
            return Alphabet.of(self.alphabet.characters)
        if self.alphabet == "LABELS":
            raise InputError(
                f"recipe {self.name}: its alphabet is that of the training labels, which train "
                "reads; ask about the run folder, or name the characters in alphabet.characters"
            )
        return ALPHABETS[self.alphabet]

    @field_validator("plates")
    @classmethod
    def _known_scheme(cls, name: str | None) -> str | None:
        if name is not None and name not in SCHEMES:
            raise ValueError(f"no such plate scheme as {name}; give one of: {', '.join(SCHEMES)}")
        return name

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.data.kind == "plates" and self.alphabet != "PLATES":
            raise ValueError(
                "plates are spelt with alphabet PLATES; for another set data.kind to labelled"
            )
        if self.grammar is not None:
            open_grammar(self.grammar, self.characters)
        if self.data.kind in ("digits", "rows") and (
            self.alphabet == "LABELS" or not set(DIGITS.characters) <= set(self.characters.symbols)
        ):
            raise ValueError("digits need an alphabet that holds all ten: set it to DIGITS")
        if self.data.kind == "rows":
            if (self.input.height, self.input.channels) != (ROW_HEIGHT, 1):
                raise ValueError(f"rows are {ROW_HEIGHT} pixels high and grey: set input to that")
            if self.input.width % ROW_STEP or self.input.width < ROW_HEIGHT:
                raise ValueError(
                    f"rows are up to input.width pixels wide: a multiple of {ROW_STEP}, "
                    f"at least {ROW_HEIGHT}"
                )
        if self.data.kind == "digits":
            if (self.input.height, self.input.channels) != (32, 1):
                raise ValueError("digits are 32 pixels high and grey: set input to 32 and 1")
            if self.input.width != 32 * self.data.per_sequence:
                raise ValueError(
                    f"{self.data.per_sequence} digits of 32 pixels need input.width = "
                    f"{32 * self.data.per_sequence}, not {self.input.width}"
                )
        return self
