"""crnn-ctc evaluate: a model and labelled data in, its accuracy out."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crnn_ctc.cli.json_file import write_json
from crnn_ctc.cli.models import Runtime, open_model
from crnn_ctc.cli.progress import track
from crnn_ctc.errors import InputError

if TYPE_CHECKING:
    from crnn_ctc.decode.decoder import Decoder
    from crnn_ctc.evaluation.evaluate import Read
    from crnn_ctc.evaluation.metrics import Metrics
    from crnn_ctc.recognize import Recognizer


class Protocol(StrEnum):
    """Fixed sets of rows of digits; see :mod:`crnn_ctc.data.sequences`."""

    CLEAN = "clean"
    DISTORTED = "distorted"


class Decode(StrEnum):
    """How the network's output is read; see :mod:`crnn_ctc.decode.decoder`."""

    GREEDY = "greedy"
    BEAM = "beam"
    GRAMMAR = "grammar"


def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A shipped model, a model file or a run folder.")
    ],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="The digits of EMNIST or MNIST; or labelled pictures, a folder or a CSV file.",
        ),
    ],
    protocol: Annotated[
        Protocol, typer.Option(help="Digits side by side, or each distorted first.")
    ] = Protocol.DISTORTED,
    split: Annotated[
        str | None, typer.Option(help="Which part: of digits train or test (which it is).")
    ] = None,
    subset: Annotated[
        str | None,
        typer.Option(help="Of CCPD: ccpd2019, ccpd2020, others, or a subset's own name."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the measures here.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures at once.")] = 64,
    threads: Annotated[int, typer.Option(min=1, help="Of the network.")] = 1,
    runtime: Annotated[
        Runtime, typer.Option(help="What computes a model file; torch computes run folders.")
    ] = Runtime.ONNXRUNTIME,
    decode: Annotated[
        Decode | None,
        typer.Option(
            help="The best path, the best text, or the best that the grammar allows; without it, "
            "grammar if the model or --grammar names one, else greedy."
        ),
    ] = None,
    grammar: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What a text may be: plates, digits:5, re:PATTERN, ...; none for anything.",
        ),
    ] = None,
) -> None:
    """Measure a model: on fixed rows of digits, or on labelled pictures."""
    from crnn_ctc.data.digits import SPLITS, has_digits
    from crnn_ctc.decode.decoder import decoder_for

    recognizer = open_model(model, threads, runtime)
    decoder = decoder_for(recognizer.card, decode.value if decode else None, grammar)
    if any(has_digits(data, part) for part in SPLITS):
        values = on_digits(recognizer, data, protocol, split or "test", batch_size, decoder)
    else:
        values = on_pictures(recognizer, data, split, subset, batch_size, decoder)
    if json_file:
        write_json(json_file, values)
    if values.get("errors"):
        raise typer.Exit(2)


def on_digits(
    model: Recognizer,
    data: Path,
    protocol: Protocol,
    split: str,
    batch_size: int,
    decoder: Decoder,
) -> dict[str, Any]:
    """Measure on 5,000 fixed rows of digits, and print."""
    from crnn_ctc.data import sequences
    from crnn_ctc.data.digits import SPLITS, load_digits
    from crnn_ctc.evaluation.evaluate import read_texts
    from crnn_ctc.evaluation.metrics import measure

    card = model.card
    per_sequence = card.width // 32
    if (card.height, card.channels) != (32, 1) or not per_sequence:
        raise InputError(
            f"{card.name}: takes {card.width}x{card.height}x{card.channels} pictures, not rows of "
            "digits; evaluate a digits model"
        )
    part = next((known for known in SPLITS if known == split), None)
    if part is None:
        raise InputError(f"--split {split}: digits have the splits {' and '.join(SPLITS)}")
    digits = load_digits(data, part)
    images, texts = sequences.protocol(digits, protocol.value, per_sequence=per_sequence)
    started = time.perf_counter()
    total = -(-len(images) // batch_size)
    batches = track(read_texts(model, images, batch_size, decoder), "reading", total)
    read = [text for batch in batches for text in batch]
    ms = (time.perf_counter() - started) * 1e3 / len(texts)
    metrics = measure(read, texts)
    print(f"{card.name} on {split} digits, {protocol.value}: {metrics.n} rows")
    print(f"decoded by        {decoder.method}")
    print_metrics(metrics)
    print(f"time              {ms:.2f} ms a picture, network and decoding, batch {batch_size}")
    return {
        "model": card.name,
        "split": split,
        "protocol": protocol.value,
        "decode": decoder.method,
        "digits": len(digits),
        **asdict(metrics),
    }


def on_pictures(
    model: Recognizer,
    data: Path,
    split: str | None,
    subset: str | None,
    batch_size: int,
    decoder: Decoder,
) -> dict[str, Any]:
    """Measure on labelled pictures, and print; those that cannot be read are said and left out."""
    from crnn_ctc.alphabet import PLATES
    from crnn_ctc.data.labelled import normaliser, read_labelled
    from crnn_ctc.evaluation.evaluate import read_labelled_pictures
    from crnn_ctc.evaluation.groups import by_group, confusions
    from crnn_ctc.evaluation.metrics import measure

    alphabet = model.card.alphabet
    plates = alphabet == PLATES
    samples = [
        sample
        for sample in read_labelled(data, normalise=normaliser(alphabet))
        if (split is None or sample.attributes.get("split") == split)
        and (subset is None or in_subset(sample.attributes.get("subset", ""), subset))
    ]
    if not samples:
        raise InputError(f"{data}: no labelled picture is of that split or subset; leave one out")
    readings = read_labelled_pictures(model, samples, batch_size, decoder)
    all_read = list(track(readings, "reading", len(samples)))
    good: list[Read] = []
    errors = []
    for item in all_read:
        if item.error is None:
            good.append(item)
        else:
            errors.append(item.error)
            print(f"error: {item.error}", file=sys.stderr)
    if not good:
        raise InputError(f"{data}: none of its {len(samples)} pictures could be read")
    texts, labels = [r.text for r in good], [r.sample.text for r in good]
    metrics = measure(texts, labels)
    print(f"{model.card.name} on {data.name}: {metrics.n} pictures")
    print(f"decoded by        {decoder.method}")
    print_metrics(metrics)
    values: dict[str, Any] = {
        "model": model.card.name,
        "decode": decoder.method,
        "errors": errors,
        **asdict(metrics),
    }
    if plates:
        rest = measure([t[1:] for t in texts], [label[1:] for label in labels])
        print(f"without province  {100 * rest.exact_match:.2f} %")
        values["exact_match_without_province"] = rest.exact_match
    keys = {
        "length": [str(len(label)) for label in labels],
        **({"province": [province(label) for label in labels]} if plates else {}),
        **{
            name: [r.sample.attributes.get(name, "") for r in good]
            for name in ("colour", "kind", "subset")
        },
    }
    for name, groups in keys.items():
        measured = by_group(groups, texts, labels)
        if len(measured) > 1:
            values[f"by_{name}"] = {key: asdict(m) for key, m in measured.items()}
            parts = (f"{key} {100 * m.exact_match:.1f} ({m.n})" for key, m in measured.items())
            print(f"by {name:<14} " + "  ".join(parts))
    worst = confusions(texts, labels)
    values["confusions"] = [{"truth": t, "read": r, "count": n} for t, r, n in worst]
    if worst:
        parts = (f"{t or 'nothing'} as {r or 'nothing'} {n}" for t, r, n in worst)
        print("worst confusions  " + ", ".join(parts))
    if errors:
        print(f"not read          {len(errors)}")
    return values


def province(label: str) -> str:
    """A plate's province; ``other`` on plates that have none, such as an embassy's."""
    from crnn_ctc.synthesis.text import PROVINCES

    return label[0] if label[0] in PROVINCES else "other"


def in_subset(name: str, wanted: str) -> bool:
    """Whether a picture of CCPD's subset ``name`` is of the part that ``--subset`` asks for."""
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


def print_metrics(metrics: Metrics) -> None:
    """The measures that every evaluation has."""
    low, high = (100 * bound for bound in metrics.interval95)
    print(f"exact match       {100 * metrics.exact_match:.2f} %  (95 %: {low:.2f} to {high:.2f})")
    print(f"character errors  {100 * metrics.cer:.3f} %")
    print("by position       " + "  ".join(f"{100 * p:.2f}" for p in metrics.by_position) + " %")
