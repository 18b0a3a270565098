"""crnn-ctc evaluate: a model and labelled data in, its accuracy out."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crnn_ctc.errors import InputError


class Protocol(StrEnum):
    """Fixed sets of rows of digits; see :mod:`crnn_ctc.data.sequences`."""

    CLEAN = "clean"
    DISTORTED = "distorted"


class Split(StrEnum):
    """Which part of the data."""

    TRAIN = "train"
    TEST = "test"


def evaluate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A shipped model, a model file or a run folder.")
    ],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Folder with the digits of EMNIST or MNIST.")
    ],
    protocol: Annotated[
        Protocol, typer.Option(help="Digits side by side, or each distorted first.")
    ] = Protocol.DISTORTED,
    split: Annotated[Split, typer.Option(help="Which digits.")] = Split.TEST,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the measures here.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures at once.")] = 64,
    threads: Annotated[int, typer.Option(min=1, help="Of the network.")] = 1,
) -> None:
    """Measure a model on 5,000 fixed rows of digits."""
    from rich.console import Console
    from rich.progress import track

    from crnn_ctc.cli.models import open_model
    from crnn_ctc.data import sequences
    from crnn_ctc.data.digits import load_digits
    from crnn_ctc.evaluation.evaluate import read_texts
    from crnn_ctc.evaluation.metrics import measure

    recognizer = open_model(model, threads)
    card = recognizer.card
    per_sequence = card.width // 32
    if (card.height, card.channels) != (32, 1) or not per_sequence:
        raise InputError(
            f"{model}: takes {card.width}x{card.height}x{card.channels} pictures, not rows of "
            "digits; evaluate a digits model"
        )
    digits = load_digits(data, split.value)
    images, texts = sequences.protocol(digits, protocol.value, per_sequence=per_sequence)
    started = time.perf_counter()
    console = Console(file=sys.stderr)
    batches = read_texts(recognizer, images, batch_size)
    total = -(-len(images) // batch_size)
    read = [
        text
        for batch in track(
            batches,
            "reading",
            total,
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        for text in batch
    ]
    ms = (time.perf_counter() - started) * 1e3 / len(texts)
    metrics = measure(read, texts)

    low, high = (100 * bound for bound in metrics.interval95)
    print(f"{card.name} on {split.value} digits, {protocol.value}: {metrics.n} rows")
    print(f"exact match       {100 * metrics.exact_match:.2f} %  (95 %: {low:.2f} to {high:.2f})")
    print(f"character errors  {100 * metrics.cer:.3f} %")
    print("by position       " + "  ".join(f"{100 * p:.2f}" for p in metrics.by_position) + " %")
    print(f"time              {ms:.2f} ms a picture, network and decoding, batch {batch_size}")
    if json_file:
        values = {
            "model": card.name,
            "split": split.value,
            "protocol": protocol.value,
            "digits": len(digits),
            **asdict(metrics),
        }
        write_json(json_file, values)


def write_json(path: Path, values: object) -> None:
    """Write a JSON file.

    Raises:
        InputError: it cannot be written.
    """
    try:
        path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); choose another file"
        ) from None
