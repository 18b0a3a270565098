"""All that one evaluation found: what is printed, written as JSON and shown in the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from crnn_ctc.alphabet import PLATES
from crnn_ctc.decode.decoder import Decoder
from crnn_ctc.errors import InputError
from crnn_ctc.evaluation.collection import Collection
from crnn_ctc.evaluation.groups import by_group, confusions
from crnn_ctc.evaluation.metrics import Metrics, measure
from crnn_ctc.evaluation.read import Read
from crnn_ctc.evaluation.trust import NamedPoint, Rejection, Trust, rejection, trust
from crnn_ctc.model_file.card import Card
from crnn_ctc.recognize import Recognizer
from crnn_ctc.synthesis.text import PROVINCES

_ATTRIBUTES = ("colour", "kind", "subset")


@dataclass(frozen=True)
class Contender:
    """A model with a way of reading its output.

    Attributes:
        name: what tells it from another.
        model: to read with.
        decoder: how to read its output.
    """

    name: str
    model: Recognizer
    decoder: Decoder


@dataclass(frozen=True)
class Result:
    """What one contender read in a collection, and how well.

    Attributes:
        name: of the contender.
        card: of its model.
        method: of its decoder.
        collection: that was read.
        reads: the pictures that could be read, at least one.
        failed: those that could not.
        metrics: of the texts.
        rest: of the texts without their first character; None where that is no province.
        trust: of the confidences.
        groups: measures by attribute and its value, where there is more than one value.
        confusions: what was read for what, how often, the worst first.
        rejection: of pictures without text; None where none were given.
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
        """A line each that says which picture could not be read, and why."""
        failed = (*self.failed, *(self.rejection.failed if self.rejection else ()))
        return [str(read.error) for read in failed]

    def as_json(self, confusions: int = 10) -> dict[str, Any]:
        """As ``--json`` writes it, with the worst ``confusions``."""
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
        }
        if self.rejection:
            values["negatives"] = {
                "n": self.rejection.n,
                "auroc": self.rejection.auroc,
                "accepted": self.rejection.accepted,
            }
        return values


def evaluate(
    contender: Contender,
    collection: Collection,
    reads: Iterable[Read],
    negatives: Sequence[Read] | None = None,
) -> Result:
    """Measure what a contender read.

    Args:
        contender: whose readings they are.
        collection: the pictures that were read.
        reads: of all of them, in order.
        negatives: readings of pictures without text.

    Raises:
        InputError: no picture could be read.
    """
    good: list[Read] = []
    failed: list[Read] = []
    for read in reads:
        (good if read.error is None else failed).append(read)
    if not good:
        raise InputError(
            f"{collection.title}: none of its {len(failed)} pictures could be read; check them "
            "with: crnn-ctc data check"
        )
    card = contender.model.card
    plates = card.alphabet == PLATES
    texts, labels = [read.text for read in good], [read.picture.label for read in good]
    measured = trust(good)
    return Result(
        name=contender.name,
        card=card,
        method=contender.decoder.method,
        collection=collection,
        reads=tuple(good),
        failed=tuple(failed),
        metrics=measure(texts, labels),
        rest=measure([t[1:] for t in texts], [t[1:] for t in labels]) if plates else None,
        trust=measured,
        groups={
            name: groups
            for name, values in group_names(good, plates).items()
            if len(groups := by_group(values, texts, labels)) > 1
        },
        confusions=confusions(texts, labels, most=None),
        rejection=rejection(good, negatives, measured) if negatives is not None else None,
    )


def group_names(reads: Sequence[Read], plates: bool) -> dict[str, list[str]]:
    """The value that each reading's picture has of each attribute; empty for none."""
    labels = [read.picture.label for read in reads]
    return {
        "length": [str(len(label)) for label in labels],
        **({"province": [province(label) for label in labels]} if plates else {}),
        **{name: [read.picture.attributes.get(name, "") for read in reads] for name in _ATTRIBUTES},
    }


def province(label: str) -> str:
    """A plate's province; ``other`` on plates that have none, such as an embassy's."""
    return label[0] if label[0] in PROVINCES else "other"


def _point(named: NamedPoint) -> dict[str, Any]:
    return {"rule": named.rule, **(asdict(named.point) if named.point else {})}
