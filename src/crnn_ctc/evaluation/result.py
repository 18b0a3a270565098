"""Result of one evaluation, for console, JSON and report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from crnn_ctc.decode.decoder import TextDecoder
from crnn_ctc.evaluation.collection import Collection
from crnn_ctc.evaluation.metrics import Metrics
from crnn_ctc.evaluation.read import Read
from crnn_ctc.evaluation.trust import NamedPoint, Rejection, Trust
from crnn_ctc.model_file.card import Card
from crnn_ctc.recognize import Recognizer

_ATTRIBUTES = ("colour", "kind", "subset")


@dataclass(frozen=True)
class Contender:
    """A model with a decoder.

    Attributes:
        name: unique name.
        model: the model.
        decoder: decoder of its output.
    """

    name: str
    model: Recognizer
    decoder: TextDecoder


@dataclass(frozen=True)
class Result:
    """Readings of a collection by one contender, and their measures.

    Attributes:
        name: name of the contender.
        card: card of its model.
        method: method of its decoder.
        collection: pictures that were read.
        reads: pictures that could be read, at least one.
        failed: pictures that could not be read.
        metrics: measures of the texts.
        rest: measures of the texts without their first character; None if that is not a province.
        trust: measures of the confidences.
        groups: measures by attribute and value, for attributes with several values.
        confusions: character confusions and their counts, most frequent first.
        rejection: measures on pictures without text; None if none were given.
    """

    name: str
    card: Card
    method: str
    collection: Collection
    reads: tuple[Read, ...]
    failed: tuple[Read, ...]
    metrics: Metrics
    rest: Metrics | None
    trust: Trust
    groups: dict[str, dict[str, Metrics]]
    confusions: list[tuple[str, str, int]]
    rejection: Rejection | None = None

    @property
    def errors(self) -> list[str]:
        """One line per unusable label or picture, with the reason."""
        failed = (*self.failed, *(self.rejection.failed if self.rejection else ()))
        return [*self.collection.faults, *(str(read.error) for read in failed)]

    def as_json(self, confusions: int = 10) -> dict[str, Any]:
        """Return the output of ``--json``, with the ``confusions`` most frequent confusions."""
        values: dict[str, Any] = {
            "model": self.card.name,
            **self.collection.facts,
            "decode": self.method,
            "errors": self.errors,
            **asdict(self.metrics),
        }
        if self.rest is not None:
            values["exact_match_without_province"] = self.rest.exact_match
        for name, measured in self.groups.items():
            values[f"by_{name}"] = {key: asdict(metrics) for key, metrics in measured.items()}
        values["confusions"] = [
            {"truth": truth, "read": read, "count": count}
            for truth, read, count in self.confusions[:confusions]
        ]
        values["confidence"] = {
            "ece": self.trust.ece,
            "aurc": self.trust.aurc,
            "operating_points": [_point(named) for named in self.trust.points],
            "reliability": [asdict(row) for row in self.trust.reliability],
        }
        if self.rejection:
            values["negatives"] = {
                "n": self.rejection.n,
                "auroc": self.rejection.auroc,
                "accepted": self.rejection.accepted,
                "highest": self.rejection.most_confident[0].confidence,
            }
        return values


def _point(named: NamedPoint) -> dict[str, Any]:
    return {"rule": named.rule, **(asdict(named.point) if named.point else {})}
