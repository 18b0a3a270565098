"""crnn-ctc export: a run folder in, a one-file model out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crnn_ctc.errors import InputError


def export(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Folder of a training run, for the weights that did best on validation; "
            "RUN/last for those at its end.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The model file: RUN's name + .onnx.")
    ] = None,
    card: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Set description, data, licence or grammar."),
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store weights as float16: half the size.")
    ] = False,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA",
            help="What confidences are to agree with: labelled pictures, not trained on; for "
            "digits also the files of EMNIST, of which what training held out is taken.",
        ),
    ] = None,
) -> None:
    """Write the model file of a run, checked against torch."""
    from crnn_ctc.cli.extras import needs

    with needs("train", "exporting"):
        from crnn_ctc import export as exporting

    changes: dict[str, str] = {}
    for entry in card or []:
        key, equals, value = entry.partition("=")
        if not equals:
            raise InputError(f"--card {entry}: write it as key=value")
        changes[key] = value
    file = out or Path(f"{run.resolve().name}.onnx")
    written, difference = exporting.export(run, file, changes, half, calibrate)
    print(written.line())
    if calibrate:
        print(f"temperature {written.temperature} by {calibrate.name}")
    print(f"{file}  {file.stat().st_size / 1e6:.2f} MB")
    print(
        f"differs from torch by at most {difference:.1e} in any probability "
        f"(limit {exporting.TOLERANCE:.0e}; batches of {', '.join(map(str, exporting.BATCHES))})"
    )
