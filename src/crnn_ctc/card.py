"""The card of a model: what its one file says of itself, as JSON in ONNX metadata."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.errors import InputError
from crnn_ctc.image import Ink

KEY = "crnn_ctc"
"""The ONNX metadata entry that holds the card."""

FORMAT = 1
"""Raised when older readers could no longer read a card."""


@dataclass(frozen=True)
class Card:
    """All that reading needs to know of a model, and what a person asks of it.

    Attributes:
        name: of the model.
        alphabet: K classes.
        height: of the input, in pixels.
        width: of the input, in pixels.
        channels: 1 for grey, 3 for RGB.
        ink: see :data:`crnn_ctc.image.Ink`.
        steps: T, time steps of the output.
        architecture: network and kind of recurrent layer.
        layers: count of modules, as the model project counts them.
        parameters: count.
        gflops: of one picture; two operations a multiplication with its addition.
        description: a line.
        grammar: name of what a text can be; None for any.
        two_rows: whether plates of two rows can be read, side by side.
        temperature: divides the log-probabilities before the confidence; 1 leaves them.
        data: what it was trained on.
        licence: SPDX name, of the weights.
        version: of the package that wrote the file.
        recipe: as resolved.
        metrics: as measured when it was trained.
    """

    name: str
    alphabet: Alphabet
    height: int
    width: int
    channels: int
    ink: Ink
    steps: int
    architecture: str
    layers: int
    parameters: int
    gflops: float
    description: str = ""
    grammar: str | None = None
    two_rows: bool = False
    temperature: float = 1.0
    data: str = ""
    licence: str = ""
    version: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """The line that users of the model project know."""
        return (
            f"{self.name} summary: {self.layers} layers, {self.parameters} parameters, "
            f"{self.parameters} gradients, {self.gflops:.1f} GFLOPs"
        )

    def to_json(self) -> str:
        """As it stands in the file."""
        values = asdict(self)
        values["alphabet"] = {"symbols": self.alphabet.symbols, "blank": self.alphabet.blank}
        return json.dumps({"format": FORMAT, **values}, ensure_ascii=False)

    def put_into(self, model: Any) -> None:
        """Make this the card of an ``onnx.ModelProto``; its other metadata stay."""
        model.producer_name, model.producer_version = "crnn-ctc", self.version
        for entry in [e for e in model.metadata_props if e.key == KEY]:
            model.metadata_props.remove(entry)
        model.metadata_props.add(key=KEY, value=self.to_json())

    @classmethod
    def from_json(cls, text: str | None, name: str) -> Card:
        """The card that a file's metadata holds.

        Raises:
            InputError: there is none, it is cut short, or a newer version wrote it.
        """
        remedy = "export it again with: crnn-ctc export"
        if text is None:
            raise InputError(f"{name}: not a model of crnn-ctc (its card is missing); {remedy}")
        try:
            values = json.loads(text)
            written = values.pop("format")
            if written != FORMAT:
                raise InputError(
                    f"{name}: its card has format {written}, this version reads {FORMAT}; "
                    "upgrade with: pip install --upgrade crnn-ctc"
                )
            values["alphabet"] = Alphabet(**values["alphabet"])
            card = cls(**values)
            sizes = (card.height, card.width, card.channels, card.steps)
            if not all(isinstance(n, int) and n > 0 for n in sizes):
                raise ValueError("sizes")
            if card.channels not in {1, 3} or card.ink not in {"light", "any"}:
                raise ValueError("input")
        except InputError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InputError(f"{name}: its card is damaged; {remedy}") from None
        return card
