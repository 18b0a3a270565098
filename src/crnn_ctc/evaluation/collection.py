"""Pictures for evaluation: fixed rows of digits, or labelled pictures."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from crnn_ctc.data.digits import SPLITS, has_digits, load_digits
from crnn_ctc.data.label_tally import LabelTally
from crnn_ctc.data.labelled import LabelError, read_labelled
from crnn_ctc.data.sequences import PROTOCOL_DIGITS, Protocol, protocol
from crnn_ctc.decode.decoder import TextDecoder
from crnn_ctc.errors import InputError, printable_name
from crnn_ctc.evaluation.read import EvaluationPicture, Read, read_pictures
from crnn_ctc.image import names_picture
from crnn_ctc.model_file.card import Card
from crnn_ctc.plates import scheme_of
from crnn_ctc.plates.schemes import normaliser
from crnn_ctc.recognize import Recognizer
from crnn_ctc.synthesis.distortion import SIZE


@dataclass(frozen=True)
class Collection:
    """A set of labelled pictures.

    Attributes:
        title: description of the set.
        unit: name of an item: pictures, or rows.
        pictures: labelled pictures.
        fitted: whether the pictures are arrays of the model's input size.
        facts: further facts for the JSON output, by name.
        faults: one line per unusable label.
        notes: lines for the user: sources of labels, and warnings.
    """

    title: str
    unit: str
    pictures: Sequence[EvaluationPicture]
    fitted: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def read(self, model: Recognizer, decoder: TextDecoder, batch_size: int) -> Iterator[Read]:
        """Read each picture with ``model``, in order."""
        return read_pictures(model, self.pictures, batch_size, decoder, self.fitted)


def open_collection(
    data: Path,
    cards: Sequence[Card],
    distortion: Protocol = "distorted",
    split: str | None = None,
    subset: str | None = None,
) -> Collection:
    """Open labelled data for models with these cards.

    Args:
        data: a folder of EMNIST's or MNIST's files, a labelled folder, or a manifest.
        cards: cards of the models that are to read it.
        distortion: protocol that distorts digits.
        split: split to open; by default ``test`` of digits, and all pictures.
        subset: subset of CCPD; see :func:`in_subset`.

    Raises:
        InputError: there is nothing to read, or a model cannot read it.
    """
    if any(has_digits(data, part) for part in SPLITS):
        return _rows_of_digits(data, cards, distortion, split or "test")
    return _labelled_pictures(data, cards, split, subset)


def pictures_without_text(
    folder: Path, half: Literal["fit", "report"] | None = None
) -> list[EvaluationPicture]:
    """List the pictures without text in a folder, at any depth.

    Args:
        folder: folder of the pictures.
        half: None for all, else the half for fitting or the half for reporting. The first bit of
            the SHA-256 of the file name determines the half.

    Raises:
        InputError: the folder does not exist or has no pictures.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name one of pictures that show no such text")
    paths = sorted(path for path in folder.rglob("*") if names_picture(path.name))
    if not paths:
        raise InputError(f"{folder}: holds no pictures; name a folder that does")
    return [
        EvaluationPicture(_below(path, folder), "", path)
        for path in paths
        if half is None or half == _half(path.name)
    ]


def _half(name: str) -> Literal["fit", "report"]:
    first = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[0]
    return "report" if first >= 128 else "fit"


def in_subset(name: str, wanted: str) -> bool:
    """Tell whether CCPD's subset ``name`` belongs to the value ``wanted`` of ``--subset``."""
    green, known = name == "green", bool(name)
    match wanted:
        case "ccpd2019":
            return known and not green
        case "ccpd2020":
            return green
        case "others":
            return not known
        case _:
            return name == wanted


def _rows_of_digits(
    data: Path, cards: Sequence[Card], distortion: Protocol, split: str
) -> Collection:
    fixed = [card for card in cards if not card.width_step]
    for card in fixed:
        if (card.height, card.channels) != (SIZE, 1) or card.width < SIZE:
            raise InputError(
                f"{card.name}: takes {card.width}x{card.height}x{card.channels} pictures, not rows "
                "of digits; evaluate a digits model"
            )
        if card.width != fixed[0].width:
            raise InputError(
                f"{card.name}: reads {card.width // SIZE} digits at once, {fixed[0].name} "
                f"{fixed[0].width // SIZE}; compare models of the same rows"
            )
    part = next((known for known in SPLITS if known == split), None)
    if part is None:
        raise InputError(f"--split {split}: digits have the splits {' and '.join(SPLITS)}")
    digits = load_digits(data, part)
    count = fixed[0].width // SIZE if fixed else PROTOCOL_DIGITS
    images, texts = protocol(digits, distortion, per_sequence=count)
    return Collection(
        title=f"{split} digits, {distortion}",
        unit="rows",
        pictures=[
            EvaluationPicture(f"row {place}", text, image)
            for place, (image, text) in enumerate(zip(images, texts, strict=True))
        ],
        fitted=len(fixed) == len(cards),
        facts={"split": split, "protocol": distortion, "digits": len(digits)},
    )


def _labelled_pictures(
    data: Path, cards: Sequence[Card], split: str | None, subset: str | None
) -> Collection:
    # if either model reads plates, both are measured on plate labels
    reads_plates = (card for card in cards if scheme_of(card.alphabet, card.plates))
    card = next(reads_plates, cards[0])
    normalise = normaliser(card.alphabet, card.plates)
    root = data if data.is_dir() else data.parent
    tally = LabelTally()
    faults: list[LabelError] = []
    pictures = [
        EvaluationPicture(_below(sample.path, root), sample.text, sample.path, sample.attributes)
        for sample in tally.watch(data, read_labelled(data, faults.append, normalise))
        if (split is None or sample.attributes.get("split") == split)
        and (subset is None or in_subset(sample.attributes.get("subset", ""), subset))
    ]
    if not pictures:
        raise InputError(f"{data}: no labelled picture is of that split or subset; leave one out")
    warnings = tally.warnings() + [
        line for card in cards if (line := _unspelled(card, pictures)) is not None
    ]
    return Collection(
        title=data.resolve().name,
        unit="pictures",
        pictures=pictures,
        faults=tuple(map(str, faults)),
        notes=(*tally.sources(), *(f"warning: {line}" for line in warnings)),
    )


def _unspelled(card: Card, pictures: Sequence[EvaluationPicture]) -> str | None:
    """Describe labels with characters outside a model's alphabet, if any."""
    alphabet = card.alphabet
    wrong = [p.label for p in pictures if any(c not in alphabet for c in p.label)]
    if not wrong:
        return None
    unknown = sorted({c for label in wrong for c in label if c not in alphabet})
    shown = " ".join(map(repr, unknown[:10])) + (" ..." if len(unknown) > 10 else "")
    line = (
        f"{len(wrong):,} of {len(pictures):,} labels hold characters that {card.name} cannot read "
        f"({shown}) and count as wrong"
    )
    for change, name in ((str.upper, "upper"), (str.lower, "lower")):
        if all(all(c in alphabet for c in change(label)) for label in wrong):
            return f"{line}: its alphabet has them in {name} case; write the labels so"
    return f"{line}; its alphabet: crnn-ctc info {card.name}"


def _below(path: Path, root: Path) -> str:
    """Path of a file relative to the root of its set."""
    below = os.path.relpath(path, root) if path.is_relative_to(root) else path.name
    return printable_name(below)
