"""crnn-ctc predict --out: very many pictures, into Parquet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import typer

from crnn_ctc.cli.extras import needs
from crnn_ctc.cli.output import counted
from crnn_ctc.cli.progress import track
from crnn_ctc.cli.str_enum import StrEnum
from crnn_ctc.errors import InputError

if TYPE_CHECKING:
    from crnn_ctc.bulk.places import Place
    from crnn_ctc.bulk.shards import Shard
    from crnn_ctc.bulk.work import Done, Job


class Engine(StrEnum):
    """Who reads the shards."""

    PROCESSES = "processes"
    RAY = "ray"


def read_bulk(
    sources: list[str],
    out: str,
    engine: Engine,
    workers: int,
    shard_size: int,
    job: Callable[[Place], Job],
) -> int:
    """Read pictures into a folder of parts, and say what became of them.

    Args:
        sources: files, folders and URIs.
        out: the folder.
        engine: who reads.
        workers: how many of them; 0: as many as there are cores.
        shard_size: pictures that are written to one part.
        job: how to read, for a folder.

    Returns:
        Readings that were refused.

    Raises:
        InputError: there is nothing to read, the folder has other parts, or an option is wrong.
        typer.Exit: pictures could not be read; the code is 2.
    """
    with needs("bulk", "reading into Parquet"):
        from crnn_ctc.bulk.parts import prepare, superfluous
        from crnn_ctc.bulk.places import place
        from crnn_ctc.bulk.shards import shards

    if "-" in sources:
        raise InputError("--out reads files, folders and URIs; leave - away")
    run = _engine(engine)
    found_at, folder = [place(source) for source in sources], place(out)
    how = job(folder)
    how.reader()  # a model that cannot be opened fails here, once, and leaves no folder behind
    prepare(folder, found_at)
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
    left_over = superfluous(folder, listed)
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
        summary += f"; {counted(len(errors), 'part')} missing: the same command tries again"
    print(summary, file=sys.stderr)
    if failed or errors:
        raise typer.Exit(2)
    return refused


def _engine(engine: Engine) -> Callable[[Job, Iterator[Shard], int], Iterator[Done]]:
    if engine is Engine.PROCESSES:
        from crnn_ctc.bulk.processes import read_with_processes

        return read_with_processes
    with needs("ray", "--engine ray"):
        from crnn_ctc.bulk.on_ray import read_with_ray
    return read_with_ray
