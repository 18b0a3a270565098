"""crnn-ctc export: write a run as a model file, or convert a model file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from crnn_ctc.cli.str_enum import StrEnum
from crnn_ctc.errors import InputError


class ModelFormat(StrEnum):
    """Forms of a model file."""

    ONNX = "onnx"
    FLOAT32 = "float32"


def export_command(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|MODEL",
            help="Folder of a training run, for the weights that did best on validation; "
            "RUN/last for those at its end. With --int8 or --format float32 a model too.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Model file to write; by default the run's name with .onnx."
        ),
    ] = None,
    card: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Set a field of the card: description, data, licence or grammar; may be repeated.",
        ),
    ] = None,
    form: Annotated[
        ModelFormat,
        typer.Option(
            "--format",
            help="onnx: uint8 (N, H, W, C) input, any batch size. float32: (N, C, H, W) input, "
            "fixed batch size, opset 17; for ncnn, TensorRT, MNN and OpenCV.",
        ),
    ] = ModelFormat.ONNX,
    batch: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Batch size of --format float32; by default 1."),
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store weights as float16, which halves the file.")
    ] = False,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA",
            help="Labelled pictures that were not trained on, to calibrate confidences on; "
            "for digits also the files of EMNIST, of which the part that training "
            "held out is used.",
        ),
    ] = None,
    negatives: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="For --calibrate: folder of pictures without text, half of which are used.",
        ),
    ] = None,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Quantise convolutions to 8 bits; refused where that loses more than 0.3 "
            "points of exact match.",
        ),
    ] = False,
    calibrate_on: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA", help="For --int8: training pictures that scales are taken from."
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA", help="For --int8: other labelled pictures, to measure the loss on."
        ),
    ] = None,
) -> None:
    """Write the model file of a run, checked against torch."""
    from crnn_ctc.cli.extras import needs

    with needs("train", "exporting"):
        from crnn_ctc.export import to_onnx as exporting

    changes: dict[str, str] = {}
    for entry in card or []:
        key, equals, value = entry.partition("=")
        if not equals:
            raise InputError(f"--card {entry}: write it as key=value")
        changes[key] = value
    if _is_locator_run(run):
        if card or calibrate or int8 or form == ModelFormat.FLOAT32:
            raise InputError(f"{run}: a locator's run takes --out and --half alone; leave the rest")
        _export_locator(run, out, half)
        return
    if negatives and not calibrate:
        raise InputError("--negatives belongs to --calibrate; give that too")
    if form == ModelFormat.FLOAT32:
        if half or int8 or calibrate_on or check:
            raise InputError("--format float32: leave out --half and --int8")
        as_float32(run, out, changes, calibrate, batch or 1)
        return
    if batch:
        raise InputError("--batch belongs to --format float32; give that too")
    if int8:
        in_8_bits(run, out, changes, half, calibrate, negatives, calibrate_on, check)
        return
    if calibrate_on or check:
        raise InputError("--calibrate-on and --check belong to --int8; give that too")
    file = out or Path(f"{run.resolve().name}.onnx")
    written, difference = exporting.export(run, file, changes, half, calibrate, negatives)
    print(written.line())
    if calibrate:
        print(f"temperature {written.temperature} by {calibrate.name}")
    print(f"{file}  {file.stat().st_size / 1e6:.2f} MB")
    print(
        f"differs from torch by at most {difference:.1e} in any probability "
        f"(limit {exporting.TOLERANCE:.0e}; batches of {', '.join(map(str, exporting.BATCHES))})"
    )


def _is_locator_run(run: Path) -> bool:
    from crnn_ctc.recipe import TASK, read_values

    recipe = run / "recipe.toml"
    return recipe.is_file() and read_values(recipe).get("task") == TASK


def _export_locator(run: Path, out: Path | None, half: bool) -> None:
    """Write the model file of a locator's run."""
    from crnn_ctc.export.locator import TOLERANCE
    from crnn_ctc.export.locator import export_locator as write

    file = out or Path(f"{run.resolve().name}.onnx")
    card, difference = write(run, file, half)
    print(f"{card.name}: {card.parameters:,} parameters")
    print(f"{file}  {file.stat().st_size / 1e6:.2f} MB")
    print(f"differs from torch by at most {difference:.1e} in the heat (limit {TOLERANCE:.0e})")


def as_float32(
    source: Path, out: Path | None, changes: dict[str, str], calibrate: Path | None, batch: int
) -> None:
    """Write a run folder or a model for runtimes other than ONNX Runtime."""
    from crnn_ctc.export.float32 import OPSET, TOLERANCE, to_float32
    from crnn_ctc.export.to_onnx import export as export_run

    file = out or Path(f"{source.resolve().stem}-float32.onnx")
    if source.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / f"{source.resolve().name}.onnx"
            export_run(source, whole, changes, calibrate=calibrate)
            card, difference = to_float32(whole, file, batch)
    elif changes or calibrate:
        raise InputError(f"{source}: --card and --calibrate need a run folder; give one")
    else:
        card, difference = to_float32(str(source), file, batch)
    print(card.line())
    print(f"{file}  {file.stat().st_size / 1e6:.2f} MB, batch size {batch}, opset {OPSET}")
    print(
        f"differs from the given model by at most {difference:.1e} in any output "
        f"(limit {TOLERANCE:.0e})"
    )


def in_8_bits(
    source: Path,
    out: Path | None,
    changes: dict[str, str],
    half: bool,
    calibrate: Path | None,
    negatives: Path | None,
    calibrate_on: Path | None,
    check: Path | None,
) -> None:
    """Write a run folder or a model with 8-bit convolutions; measure the loss of accuracy."""
    from crnn_ctc.export.quantize import quantize
    from crnn_ctc.export.to_onnx import export as export_run

    if not calibrate_on or not check:
        raise InputError(
            "--int8: give training pictures as --calibrate-on and others as --check, "
            "such as DIR/train.csv and DIR/dev.csv"
        )
    if half:
        raise InputError("--half and --int8: one or the other")
    file = out or Path(f"{source.resolve().stem}-int8.onnx")
    if source.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / f"{source.resolve().name}.onnx"
            export_run(source, whole, changes, calibrate=calibrate, negatives=negatives)
            written = quantize(whole, file, calibrate_on, check)
    elif changes or calibrate:
        raise InputError(f"{source}: --card and --calibrate need a run folder; give one")
    else:
        written = quantize(str(source), file, calibrate_on, check)
    measured = written.metrics["int8"]
    before, after = measured["exact_match_float"], measured["exact_match_int8"]
    print(written.line())
    print(f"{file}  {file.stat().st_size / 1e6:.2f} MB")
    print(f"scales from {measured['calibrated_on']}")
    print(
        f"exact match {100 * after:.2f} % in 8 bits, {100 * before:.2f} % in float "
        f"({measured['checked_on']})"
    )
