"""crnn-ctc calibrate: a model's confidences made to agree with labelled data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
) -> None:
    """Fit a model's temperature to labelled data, say of your own cameras.

    The network stays as it is, and so do the texts of the best path: only confidences change.
    """
    from crnn_ctc.cli.extras import needs

    with needs("train", "calibrating"):
        import onnx  # noqa: F401

    from crnn_ctc.export.calibration import calibrated, rewritten, temperature
    from crnn_ctc.files import write_atomically
    from crnn_ctc.reader import Reader, model_path

    if out.suffix != ".onnx":
        raise InputError(f"{out}: name the model file NAME.onnx")
    reader = Reader(model)
    if grammar is not None:
        calibrated(reader.card, 1.0, grammar)  # said before the pictures are read
    found = temperature(reader, data)
    card = calibrated(reader.card, found, grammar)
    with model_path(model) as path:
        write_atomically(out, rewritten(path.read_bytes(), card))
    print(f"{card.name}: temperature {found} by {data.name}, before {reader.card.temperature}")
    print(f"{out}  {out.stat().st_size / 1e6:.2f} MB")
