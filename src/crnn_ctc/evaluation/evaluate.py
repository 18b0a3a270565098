"""Measurement of a contender's readings of a collection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crnn_ctc.errors import InputError
from crnn_ctc.evaluation.collection import Collection
from crnn_ctc.evaluation.groups import by_group, confusions
from crnn_ctc.evaluation.metrics import text_metrics
from crnn_ctc.evaluation.read import Read
from crnn_ctc.evaluation.result import Contender, Result
from crnn_ctc.evaluation.trust import rejection, trust
from crnn_ctc.plates import PlateScheme, scheme_of

_ATTRIBUTES = ("colour", "kind", "subset")


def evaluate(
    contender: Contender,
    collection: Collection,
    reads: Iterable[Read],
    negatives: Sequence[Read] | None = None,
) -> Result:
    """Measure the readings of a contender.

    Args:
        contender: model and decoder of the readings.
        collection: pictures that were read.
        reads: readings of all pictures, in order.
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
    scheme = scheme_of(card.alphabet, card.plates)
    texts, labels = [read.text for read in good], [read.picture.label for read in good]
    measured = trust(good)
    return Result(
        name=contender.name,
        card=card,
        method=contender.decoder.method,
        collection=collection,
        reads=tuple(good),
        failed=tuple(failed),
        metrics=text_metrics(texts, labels),
        rest=text_metrics([t[1:] for t in texts], [t[1:] for t in labels])
        if scheme and scheme.regions
        else None,
        trust=measured,
        groups={
            name: groups
            for name, values in group_names(good, scheme).items()
            if len(groups := by_group(values, texts, labels)) > 1
        },
        confusions=confusions(texts, labels, most=None),
        rejection=rejection(good, negatives, measured) if negatives is not None else None,
    )


def group_names(reads: Sequence[Read], scheme: PlateScheme | None) -> dict[str, list[str]]:
    """Attribute values of each reading's picture, by attribute; empty for a missing value."""
    labels = [read.picture.label for read in reads]
    return {
        "length": [str(len(label)) for label in labels],
        **(
            {scheme.region_name: [scheme.region(label) for label in labels]}
            if scheme and scheme.regions
            else {}
        ),
        **{name: [read.picture.attributes.get(name, "") for read in reads] for name in _ATTRIBUTES},
    }
