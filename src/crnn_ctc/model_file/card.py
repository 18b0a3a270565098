"""The card of a model: its description as JSON in the ONNX metadata."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.errors import InputError
from crnn_ctc.image import MOST_SIDE, Ink, fit, free_width
from crnn_ctc.plates.schemes import SCHEMES

KEY = "crnn_ctc"
"""The ONNX metadata entry that holds the card."""

FORMAT = 2
"""Raised when older readers could no longer read a card: 2 has rectifiers and plate schemes."""

_NEWER = ("plates", "rectifier", "width_step")
"""Fields that format 1 lacks."""

MOST_CLASSES = 1 << 16
"""K. Larger alphabets are refused; nobody reads all of Unicode."""

MOST_STEPS = 1 << 14
"""T."""

TEMPERATURES = (1e-3, 1e3)
"""The lowest and the highest that dividing by makes sense."""


@dataclass(frozen=True)
class RectifierCard:
    """Inputs and outputs of the rectifier in a model's graph.

    Attributes:
        height: height of ``views``, in pixels.
        width: width of ``views``, in pixels.
        margin: margin around the plate when it is sampled, as a share of its size.
        colours: names of the colours, in the order of the output ``colours``.
    """

    height: int
    width: int
    margin: float
    colours: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """Everything that reading needs to know about a model, and its description for users.

    Attributes:
        name: name of the model.
        alphabet: K classes.
        height: height of the input, in pixels.
        width: width of the input, in pixels; the greatest width if ``width_step`` is not 0.
        channels: 1 for grey, 3 for RGB.
        ink: see :data:`crnn_ctc.image.Ink`.
        steps: T, time steps of the output, for an input of ``width``.
        architecture: network and kind of recurrent layer.
        layers: count of modules, as upstream crnn-ctc counts them.
        parameters: count.
        gflops: GFLOPs for one picture; a multiplication with its addition counts as two.
        description: a line.
        grammar: name of the grammar of valid texts; None for any text.
        plates: name of the plate scheme, if the alphabet does not imply it; see
            :func:`crnn_ctc.plates.scheme_of`.
        two_rows: whether the model reads the two rows of a plate side by side.
        rectifier: the rectifier in the graph; None for a model without one.
        width_step: 0 if all inputs have the same width; otherwise the width depends on the picture
            and is a multiple of this many pixels, with T in proportion.
        temperature: divides the log-probabilities before the confidence is computed.
        data: what it was trained on.
        licence: SPDX name, of the weights.
        version: version of the package that wrote the file.
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
    plates: str | None = None
    two_rows: bool = False
    rectifier: RectifierCard | None = None
    width_step: int = 0
    temperature: float = 1.0
    data: str = ""
    licence: str = ""
    version: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    def fit(self, image: Image.Image | NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture as input of the model; see :func:`crnn_ctc.image.fit`.

        Args:
            image: PIL's, or RGB, uint8 (H, W, 3).

        Returns:
            uint8 (height, W, channels).
        """
        width = self.width
        if self.width_step:
            width = free_width(image, self.height, self.width, self.width_step)
        return fit(image, self.height, width, self.channels, self.ink)

    def line(self) -> str:
        """The line that users of upstream crnn-ctc know."""
        return (
            f"{self.name} summary: {self.layers} layers, {self.parameters} parameters, "
            f"{self.parameters} gradients, {self.gflops:.1f} GFLOPs"
        )

    def to_json(self) -> str:
        """As it stands in the file."""
        values = asdict(self)
        values["alphabet"] = {"symbols": self.alphabet.symbols, "blank": self.alphabet.blank}
        unused = [name for name in _NEWER if not values[name]]
        for name in unused:  # as 0.1 reads it
            del values[name]
        written = 1 if len(unused) == len(_NEWER) else FORMAT
        return json.dumps({"format": written, **values}, ensure_ascii=False)

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
            InputError: there is none, it is truncated, a newer version wrote it, or it has invalid
                values.
        """
        remedy = "export it again with: crnn-ctc export"
        if text is None:
            raise InputError(f"{name}: not a model of crnn-ctc (its card is missing); {remedy}")
        try:
            values = json.loads(text)
            if values.get("task") == "find":
                raise InputError(
                    f"{name}: finds plates and reads no text; give a reader, such as plates-small"
                )
            written = values.pop("format")
            if written not in range(1, FORMAT + 1):
                raise InputError(
                    f"{name}: its card has format {written}, this version reads {FORMAT}; "
                    "upgrade with: pip install --upgrade crnn-ctc"
                )
            values["alphabet"] = Alphabet(**values["alphabet"])
            if values.get("rectifier"):
                part = values["rectifier"]
                values["rectifier"] = RectifierCard(**{**part, "colours": tuple(part["colours"])})
            card = cls(**values)
            wrong = card._wrong()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            if isinstance(error, InputError) and str(error).startswith(name):
                raise
            wrong = str(error)[:200] if isinstance(error, InputError) else "it cannot be read"
        if wrong:
            raise InputError(f"{name}: its card is damaged ({wrong}); {remedy}")
        return card

    def _wrong(self) -> str:
        """The first invalid value, in words; empty if all are valid. The file is not trusted."""
        wanted = [
            ("input size", (self.height, self.width), 1, MOST_SIDE),
            ("time steps", (self.steps,), 1, MOST_STEPS),
            ("classes", (len(self.alphabet),), 2, MOST_CLASSES),
            ("temperature", (self.temperature,), *TEMPERATURES),
            ("width step", (self.width_step,), 0, MOST_SIDE),
            ("numbers", (self.layers, self.parameters, self.gflops), 0, 1e12),
        ]
        for what, values, least, most in wanted:
            whole = what not in {"temperature", "numbers"}
            for value in values:
                if type(value) is not int and (whole or type(value) is not float):
                    return f"{what}: not a number"
                if not least <= value <= most:  # nor is NaN
                    return f"{what}: {str(value)[:20]}, not from {least:g} to {most:g}"
        if part := self.rectifier:
            sizes = (part.height, part.width)
            if not all(type(n) is int and 1 <= n <= MOST_SIDE for n in sizes):
                return "rectifier"
            if type(part.margin) not in {int, float} or not 0 <= part.margin <= 1:
                return "rectifier"
            if self.channels != 3 or not all(
                isinstance(c, str) and not any(_unfit(x) for x in c) for c in part.colours
            ):
                return "rectifier"
        if step := self.width_step:
            if self.width % step or self.height % step or self.height > self.width:
                return "width step: not a divisor of height and width"
            if self.steps * step % self.width:
                return "width step: not a whole number of time steps"
        if self.channels not in {1, 3} or self.ink not in {"light", "any"}:
            return "colours"
        if any(_unfit(character) for character in self.alphabet.symbols):
            return "an alphabet with control characters"
        texts = (
            self.name, self.architecture, self.description, self.data, self.licence, self.version,
            self.grammar or "",
        )  # fmt: skip
        for text in texts:
            if not isinstance(text, str) or any(_unfit(c) for c in text if c not in "\n\t"):
                return "a text with control characters"
        if self.plates is not None and self.plates not in SCHEMES:
            return f"plate scheme {str(self.plates)[:20]!r}"
        if type(self.two_rows) is not bool or not isinstance(self.recipe, dict):
            return "recipe"
        return "" if isinstance(self.metrics, dict) else "metrics"


def _unfit(character: str) -> bool:
    """Whether it may move a terminal's cursor, or cannot be written as UTF-8."""
    return unicodedata.category(character) in {"Cc", "Cs"}
