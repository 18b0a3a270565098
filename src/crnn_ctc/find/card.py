"""The card of a locator: its description as JSON in the ONNX metadata."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from crnn_ctc.errors import InputError
from crnn_ctc.model_file.card import KEY

TASK = "find"
"""Value of a locator's task field."""

FORMAT = 1
"""Raised when older versions could no longer read a card."""


@dataclass(frozen=True)
class LocatorCard:
    """Description of a locator.

    Attributes:
        name: name of the model.
        architecture: name of the network.
        parameters: number of parameters.
        description: one line.
        data: training data.
        licence: SPDX name of the weights' licence.
        version: version of the package that wrote the file.
        recipe: the resolved recipe.
        metrics: measures on the validation set at the end of training.
    """

    name: str
    architecture: str
    parameters: int
    description: str = ""
    data: str = ""
    licence: str = ""
    version: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Serialize the card for the file's metadata."""
        return json.dumps({"format": FORMAT, "task": TASK, **asdict(self)}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | None, name: str) -> LocatorCard:
        """Parse the card in a file's metadata.

        Raises:
            InputError: there is none, it is a reader's, or it cannot be parsed.
        """
        remedy = "give a locator's model file, or plates-find"
        if text is None:
            raise InputError(f"{name}: not a locator of crnn-ctc (its card is missing); {remedy}")
        try:
            values = json.loads(text)
            if values.pop("task", None) != TASK:
                raise InputError(f"{name}: reads text and finds no plates; {remedy}")
            if values.pop("format") != FORMAT:
                raise InputError(
                    f"{name}: its card has another format than this version reads; "
                    "upgrade with: pip install --upgrade crnn-ctc"
                )
            card = cls(**values)
            texts = (card.name, card.architecture, card.description, card.data, card.licence)
            if not all(isinstance(t, str) and t.isprintable() for t in (*texts, card.version)):
                raise ValueError("a text with control characters")
            if type(card.parameters) is not int:
                raise ValueError("parameters: not a number")
        except InputError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            reason = str(error)[:160]
            raise InputError(f"{name}: its card is damaged ({reason}); {remedy}") from None
        return card


__all__ = ["KEY", "LocatorCard"]
