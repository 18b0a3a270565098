"""crnn-ctc calibrate: calibrate a model's confidences on labelled data."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer

from crnn_ctc.errors import InputError


def calibrate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A shipped model, or a model file.")
    ],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Labelled pictures that the model was not trained on, as a folder or a "
            "CSV file; for digits also the files of EMNIST, of which the part that "
            "training held out is used.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Model file to write; it may be MODEL itself.")
    ],
    grammar: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Grammar of the new model file, such as digits:5."),
    ] = None,
    negatives: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of pictures without text; half of them are used, the others are measured.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="Other labelled pictures, which are only measured."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="File for the measures, as JSON.")
    ] = None,
) -> None:
    """Fit a model's temperature to labelled data, such as pictures of your own cameras.

    The network and the texts of the best path stay the same; only confidences change. With --report
    or --negatives the calibrated model is measured on pictures that were not used to fit it.
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
        calibrated(reader.card, 1.0, grammar)  # raises before the pictures are read
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
    """Measure a calibrated model's confidences on ``data``; print the measures and return them."""
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
    result, ms = read_and_measure(contender, collection, without)
    print_result(result, ms)
    return {
        "reported_on": collection.title,
        "processor": processor(),
        "date": datetime.now(timezone.utc).date().isoformat(),
        **result.as_json(),
    }
