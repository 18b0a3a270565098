"""crnn-ctc evaluate: measure models on labelled data."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crnn_ctc.cli.extras import needs
from crnn_ctc.cli.model_options import Device, open_model
from crnn_ctc.cli.output import check_writable, write_json, write_text
from crnn_ctc.cli.progress import track
from crnn_ctc.cli.str_enum import StrEnum
from crnn_ctc.errors import InputError

if TYPE_CHECKING:
    from crnn_ctc.evaluation.collection import Collection
    from crnn_ctc.evaluation.read import EvaluationPicture, Read
    from crnn_ctc.evaluation.result import Contender, Result


class Protocol(StrEnum):
    """Fixed sets of rows of digits; see :mod:`crnn_ctc.data.sequences`."""

    CLEAN = "clean"
    DISTORTED = "distorted"


_BATCH = 64
"""Pictures per inference batch."""


def evaluate_command(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="A shipped model, a model file or a run folder; or two, to compare them.",
        ),
    ],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Labelled pictures as a folder or a CSV file, or the files of EMNIST or MNIST.",
        ),
    ],
    protocol: Annotated[
        Protocol, typer.Option(help="Fixed set of rows of digits: clean, or distorted.")
    ] = Protocol.DISTORTED,
    split: Annotated[
        str | None,
        typer.Option(
            help="Split to evaluate, where the data has several; for EMNIST and MNIST "
            "train or test (the default)."
        ),
    ] = None,
    subset: Annotated[
        str | None,
        typer.Option(help="Subset of CCPD: ccpd2019, ccpd2020, others, or a subset's own name."),
    ] = None,
    negatives: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of pictures without text, to measure how many of them are refused.",
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="File for the measures, as JSON.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File for an HTML report with curves and the worst errors."
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Inference threads.")] = 1,
    device: Device = "cpu",
    decode: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Decoder: greedy (the best path), search (the most probable text) or grammar (the "
            "most probable text that the grammar allows); by default grammar where there is one.",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Compare with the same model and another decoder."),
    ] = None,
    grammar: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Allowed texts: plates, digits:5, re:PATTERN, or none for any text.",
        ),
    ] = None,
) -> None:
    """Measure a model, or compare two: on fixed rows of digits, or on labelled pictures.

    A locator is measured on photographs with the corners or boxes of their plates, and end to end
    with a reader if one is named after it: evaluate plates-find plates-nano DATA.
    """
    for file in (json_file, report):
        if file is not None:
            check_writable(file)
    from crnn_ctc.model_file.opening import is_locator

    if locators := [model for model in models if is_locator(model)]:
        others = {
            "--split": split,
            "--subset": subset,
            "--negatives": negatives,
            "--report": report,
            "--decode": decode,
            "--against": against,
            "--grammar": grammar,
        }
        if given := [name for name, value in others.items() if value is not None]:
            raise InputError(f"{given[0]}: not for a locator; leave it out")
        readers = [model for model in models if model not in locators]
        _evaluate_locator(locators, readers, data, json_file, threads, device)
        return
    if report is not None:
        with needs("report", "evaluate --report"):
            from crnn_ctc.evaluation.report.page import comparison_page, result_page
    from crnn_ctc.evaluation.collection import open_collection, pictures_without_text
    from crnn_ctc.evaluation.compare import compare

    contenders = open_contenders(
        models,
        threads,
        decode,
        against,
        grammar,
        device,
    )
    without = None if negatives is None else pictures_without_text(negatives)
    cards = [contender.model.card for contender in contenders]
    collection = open_collection(data, cards, protocol.value, split, subset)
    for note in collection.notes:
        print(note, file=sys.stderr)
    found = [read_and_measure(c, collection, without) for c in contenders]
    results = [result for result, _ in found]
    for line in dict.fromkeys(line for result in results for line in result.errors):
        print(f"error: {line}", file=sys.stderr)
    if len(results) == 1:
        from crnn_ctc.cli.evaluation_text import print_result

        print_result(*found[0])
        values = results[0].as_json()
        page = result_page(results[0]) if report else ""
    else:
        from crnn_ctc.cli.evaluation_text import print_comparison

        comparison = compare(*results)
        print_comparison(comparison)
        values = comparison.as_json()
        page = comparison_page(comparison) if report else ""
    if json_file:
        write_json(json_file, values)
    if report:
        write_text(report, page)
        print(f"report            {report}")
    if any(result.errors for result in results):
        raise typer.Exit(2)


def read_and_measure(
    contender: Contender,
    collection: Collection,
    without: Sequence[EvaluationPicture] | None,
) -> tuple[Result, float]:
    """Read and measure a collection; return the result and milliseconds per picture."""
    from crnn_ctc.evaluation.evaluate import evaluate as measure
    from crnn_ctc.evaluation.read import read_pictures

    model, decoder = contender.model, contender.decoder
    total = len(collection.pictures)
    started = time.perf_counter()
    reads = list(track(collection.read(model, decoder, _BATCH), "reading", total))
    ms = (time.perf_counter() - started) * 1e3 / total
    rejected: list[Read] | None = None
    if without is not None:
        readings = read_pictures(model, without, _BATCH, decoder)
        rejected = list(track(readings, "reading those without text", len(without)))
        if all(read.error for read in rejected):
            raise InputError("--negatives: none of its pictures can be read; name another folder")
    return measure(contender, collection, reads, rejected), ms


def open_contenders(
    models: Sequence[str],
    threads: int = 1,
    decode: str | None = None,
    against: str | None = None,
    grammar: str | None = None,
    device: str = "cpu",
) -> list[Contender]:
    """Open one contender, or two to compare.

    Args:
        models: one or two models, as a user names them.
        threads: number of inference threads.
        decode: decoder of the output; see :func:`decoder_for`.
        against: second decoder, to compare with on one model.
        grammar: name of the grammar, for decoders that use one.
        device: device of model files.

    Raises:
        InputError: there are not one or two, they are the same, or one cannot be used.
    """
    from crnn_ctc.decode.decoder import decoder_for
    from crnn_ctc.evaluation.result import Contender

    if len(models) > 2:
        raise InputError(f"{models[2]}: two models can be compared; name one or two, then the data")
    if len(models) == 2 and against is not None:
        raise InputError(
            "--against compares two ways of reading one model's output; name one model, or leave "
            "it out"
        )
    if len(models) == 2 and Path(models[0]).resolve() == Path(models[1]).resolve():
        raise InputError(
            f"{models[0]}: named twice; name another model, or compare two ways of decoding with "
            "--against"
        )
    opened = [open_model(name, threads, device) for name in models]
    decoders = [decoder_for(model.card, decode, grammar) for model in opened]
    if against is not None:
        opened *= 2
        decoders.append(decoder_for(opened[0].card, against, grammar))
        if decoders[0].method == decoders[1].method:
            raise InputError(
                f"--against {against}: the model is decoded so already; give --decode another way"
            )
        names = [f"{opened[0].card.name}, {decoder.method}" for decoder in decoders]
    else:
        names = [model.card.name for model in opened]
        if len(set(names)) < len(names):
            names = list(models)  # two files from the same recipe
    return [
        Contender(name, model, decoder)
        for name, model, decoder in zip(names, opened, decoders, strict=True)
    ]


def _evaluate_locator(
    locators: list[str],
    readers: list[str],
    data: Path,
    json_file: Path | None,
    threads: int,
    device: str,
) -> None:
    """Evaluate a locator, and a reader if one is named, on photographs; print the measures."""
    from crnn_ctc.data.scenes import read_scenes
    from crnn_ctc.evaluation.scenes import evaluate_scenes
    from crnn_ctc.reader import Reader

    locator = locators[0]
    if len(locators) + len(readers) > 2:
        raise InputError(f"{locator}: a locator is measured with one reader; name one, or none")
    if len(locators) > 1:
        raise InputError(f"{locators[1]}: a second locator; name a reader after the first, or none")
    reader = Reader(
        readers[0] if readers else "plates-small",
        threads=threads,
        device=device,
        find="always",
        locator=locator,
    )
    failed: list[str] = []
    scenes = list(read_scenes(data))
    counts = evaluate_scenes(reader, track(scenes, "searching"), failed.append)
    if len(failed) == len(scenes):
        raise InputError(failed[0] if failed else f"{data}: no photographs; check the path")
    measures = {name: count.summary() for name, count in counts.items()}
    columns = ("photographs", "plates", "recall_0.5", "recall_0.7", "precision_0.5", "read")
    print(f"{'subset':<10}" + "".join(f"{name:>15}" for name in columns) + "   95 % interval")
    for name, values in measures.items():
        cells = [values.get(column) for column in columns]
        shown = ["" if v is None else f"{v:.3f}" if isinstance(v, float) else str(v) for v in cells]
        low, high = values.get("read_interval95", (0.0, 0.0))
        interval = f"   {low:.3f} to {high:.3f}" if "read" in values else ""
        print(f"{name:<10}" + "".join(f"{text:>15}" for text in shown) + interval)
        if "without_plate" in values:
            claims, of = values["claims_without_plate"], values["without_plate"]
            print(f"{'':<10}{claims} of {of} photographs without a plate claimed to have one")
    if json_file is not None:
        facts = {"locator": locator, "reader": reader.card.name, "data": data.name}
        write_json(json_file, facts | {"measures": measures})
    for error in failed:
        print(f"error: {error}", file=sys.stderr)
    if failed:
        raise typer.Exit(2)
