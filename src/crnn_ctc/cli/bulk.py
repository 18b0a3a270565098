"""crnn-ctc bulk: read many pictures into Parquet files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from crnn_ctc.cli.extras import needs
from crnn_ctc.cli.model_options import Device, Find, FindOption, Known, MinConfidence
from crnn_ctc.cli.output import REFUSED, counted
from crnn_ctc.cli.progress import track
from crnn_ctc.cli.str_enum import StrEnum
from crnn_ctc.errors import InputError

if TYPE_CHECKING:
    from crnn_ctc.bulk.shards import Shard
    from crnn_ctc.bulk.work import BulkJob, Done


class Engine(StrEnum):
    """Backend that runs the workers."""

    PROCESSES = "processes"
    RAY = "ray"


SHARD = 10_000
"""Pictures per shard: about a minute of reading."""


def bulk(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...", help="Folders, pictures, Parquet or tar files; paths or URIs."
        ),
    ],
    out: Annotated[
        str, typer.Option(metavar="DIR", help="Folder for the Parquet files: a path or a URI.")
    ],
    model: Annotated[
        str, typer.Option(help="Name of a shipped model, or a model file.")
    ] = "plates-small",
    workers: Annotated[int, typer.Option(min=0, help="Worker processes (0: one per core).")] = 0,
    engine: Annotated[
        Engine, typer.Option(help="What runs the workers: processes of this machine, or Ray.")
    ] = Engine.PROCESSES,
    shard_size: Annotated[
        int, typer.Option(min=1, help="Pictures per Parquet file, for folders.")
    ] = SHARD,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures per inference batch.")] = 32,
    threads: Annotated[int, typer.Option(min=1, help="Inference threads of each worker.")] = 1,
    device: Device = "cpu",
    grammar: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Allowed texts: plates, digits:5, re:PATTERN, or none for any text; "
            "by default those of the model.",
        ),
    ] = None,
    known: Known = None,
    min_confidence: MinConfidence = 0.0,
    find: Find = FindOption.AUTO,
) -> None:
    """Read very many pictures into Parquet files.

    The same command continues an interrupted run: parts that are complete are not read again. The
    exit code is 2 where pictures could not be read, and 3 where readings were refused.
    """
    with needs("bulk", "reading into Parquet"):
        from crnn_ctc.bulk.parts import prepare_output, stale_part
        from crnn_ctc.bulk.places import existing, place
        from crnn_ctc.bulk.shards import shards
        from crnn_ctc.bulk.work import BulkJob

    if "-" in sources:
        raise InputError("bulk reads files, folders and URIs, not standard input; leave - away")
    run = _engine(engine)
    found_at, missing, folder = [], list[InputError](), place(out)
    for source in sources:
        try:
            found_at.append(existing(source))
        except InputError as error:
            missing.append(error)
    if not found_at:
        raise missing[0]
    for absent in missing:
        print(f"error: {absent}", file=sys.stderr)
    how = BulkJob(folder, model, grammar, device, threads, min_confidence, batch_size, known)
    how = replace(how, find=find.value)
    how.reader()  # fail early, before the output folder is created
    prepare_output(folder, found_at)
    listed = 0

    def counting() -> Iterator[Shard]:
        nonlocal listed
        for shard in shards(found_at, shard_size):
            listed += 1
            yield shard

    errors: list[str] = []
    pictures = failed = refused = found = 0
    for report in track(run(how, counting(), workers), "reading shards"):
        pictures += report.pictures
        failed += report.failed
        refused += report.refused
        found += report.found
        if report.error is not None:
            errors.append(report.error)
            print(f"error: {report.error}", file=sys.stderr)
    left_over = stale_part(folder, listed)
    if left_over is not None:
        raise InputError(
            f"{left_over}: belongs to no shard of the source, which has become smaller, or was cut "
            "up otherwise (--shard-size); give another --out"
        )
    summary = f"{counted(pictures, 'picture')} in {counted(listed, 'part')} in {out}"
    if found:
        summary += f", {found} of them there before"
    if refused:
        summary += f"; {refused} refused"
    if failed:
        summary += f"; {failed} could not be read: column error says why"
    if errors:
        summary += f"; {counted(len(errors), 'part')} missing"
    if missing:
        summary += f"; {counted(len(missing), 'source')} missing"
    print(summary, file=sys.stderr)
    if failed or errors or missing:
        raise typer.Exit(2)
    if refused:
        raise typer.Exit(REFUSED)


def _engine(engine: Engine) -> Callable[[BulkJob, Iterator[Shard], int], Iterator[Done]]:
    if engine is Engine.PROCESSES:
        from crnn_ctc.bulk.process_pool import read_with_processes

        return read_with_processes
    with needs("ray", "--engine ray"):
        from crnn_ctc.bulk.ray_data import read_with_ray
    return read_with_ray
