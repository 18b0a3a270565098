"""crnn-ctc calibrate: a model's confidences made to agree with labelled data."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer

from crnn_ctc.errors import InputError

_BATCH = 64


def calibrate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A shipped model, or a model file.")
    ],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Labelled pictures that it was not trained on, a folder or a CSV file; for a "
            "model of digits also the files of EMNIST: of those, what its training held out.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Write the model file here; it may be MODEL.")
    ],
    grammar: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What a text may be from now on: digits:5, ..."),
    ] = None,
    negatives: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Pictures without such text; half of them are fitted to, the other half measured.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="Other labelled pictures: only measured."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write what was measured here.")
    ] = None,
) -> None:
    """Fit a model's temperature to labelled data, say of your own cameras.

    The network stays as it is, and so do the texts of the best path: only confidences change. With
    --report or --negatives the calibrated model is measured on pictures it was not fitted to.
    """
    from crnn_ctc.cli.extras import needs

    with needs("train", "calibrating"):
        import onnx  # noqa: F401

    from crnn_ctc.cli.output import check_writable, write_json
    from crnn_ctc.export.calibration import calibrated, rewritten, temperature
    from crnn_ctc.files import write_atomically
    from crnn_ctc.model_file.opening import model_path
    from crnn_ctc.reader import Reader

    if out.suffix != ".onnx":
        raise InputError(f"{out}: name the model file NAME.onnx")
    if json_file is not None:
        check_writable(json_file)
    reader = Reader(model)
    if grammar is not None:
        calibrated(reader.card, 1.0, grammar)  # said before the pictures are read
    fitted = temperature(reader, data, negatives)
    found = fitted.value
    card = calibrated(reader.card, found, grammar)
    with model_path(model) as path:
        write_atomically(out, rewritten(path.read_bytes(), card))
    low, high = fitted.interval95
    print(
        f"{card.name}: temperature {found} by {data.name} (95 %: {low:g} to {high:g}), before "
        f"{reader.card.temperature}"
    )
    for line in fitted.warnings:
        print(f"warning: {line}", file=sys.stderr)
    print(f"{out}  {out.stat().st_size / 1e6:.2f} MB")
    if report is not None or json_file is not None:
        and_half = "" if negatives is None else f" and half of {negatives.name}"
        values: dict[str, Any] = {
            "temperature": found,
            "interval95": fitted.interval95,
            "fitted_to": data.name + and_half,
        }
        values |= _measured(out, data if report is None else report, negatives)
        if json_file is not None:
            write_json(json_file, values)


def _measured(model: Path, data: Path, negatives: Path | None) -> dict[str, Any]:
    """Print what a calibrated model's confidences are worth on ``data``, and give it for JSON."""
    from crnn_ctc.benchmark.machine import processor
    from crnn_ctc.cli.evaluate import read_and_measure
    from crnn_ctc.cli.evaluation_text import print_result
    from crnn_ctc.decode.decoder import decoder_for
    from crnn_ctc.evaluation.collection import open_collection, pictures_without_text
    from crnn_ctc.evaluation.result import Contender
    from crnn_ctc.reader import Reader

    reader = Reader(model)
    without = None if negatives is None else pictures_without_text(negatives, "report")
    contender = Contender(reader.card.name, reader, decoder_for(reader.card))
    collection = open_collection(data, [reader.card])
    result, ms = read_and_measure(contender, collection, without, _BATCH)
    print_result(result, ms, _BATCH)
    return {
        "reported_on": collection.title,
        "processor": processor(),
        "date": datetime.now(timezone.utc).date().isoformat(),
        **result.as_json(),
    }
