"""crnn-ctc bench: how fast models read on this machine."""

from __future__ import annotations

import platform
from dataclasses import asdict
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crnn_ctc.cli.output import write_json
from crnn_ctc.cli.progress import track
from crnn_ctc.errors import InputError

if TYPE_CHECKING:
    from crnn_ctc.benchmark.speed import Speed
    from crnn_ctc.image import Source
    from crnn_ctc.reader import Reader


def bench(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL...]",
            help="Names of shipped models, or model files.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Pictures to read: a folder, a CSV file or a picture; by default printed ones.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Inference threads.")] = 1,
    devices: Annotated[
        list[str] | None,
        typer.Option(
            "--device",
            metavar="NAME",
            help="Where the network is computed: cpu, cuda, directml, coreml, openvino, or auto; "
            "may be repeated.",
        ),
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="Measurements of each model and batch size.")
    ] = 9,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="File for the figures, as JSON.")
    ] = None,
) -> None:
    """Measure milliseconds per picture on this machine, by batch size; several models side by side.

    The last line is for pasting into an issue.
    """
    from crnn_ctc import __version__
    from crnn_ctc.benchmark.machine import peak_memory, processor
    from crnn_ctc.benchmark.speed import measure_speed
    from crnn_ctc.reader import Reader

    names = models or ["plates-small"]
    kinds = devices or ["cpu"]
    readers: dict[str, Reader] = {}
    for name, kind in product(names, kinds):
        reader = Reader(name, threads, device=kind)
        readers[_contender(name, reader, len(kinds))] = reader
    first = next(iter(readers.values()))
    sources = _pictures(data, first)
    total = rounds + 1
    speeds = measure_speed(
        readers, sources, rounds=rounds, watch=lambda r: track(r, "measuring", total)
    )
    memory = peak_memory()
    facts: dict[str, Any] = {
        "version": __version__,
        "models": names,
        "runtime": f"ONNX Runtime {first.runtime.version}",
        "devices": sorted({reader.runtime.device for reader in readers.values()}),
        "threads": threads,
        "processor": processor(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "pictures": f"{len(sources)} {'of ' + data.name if data else 'printed'}",
        "rounds": rounds,
        "peak_memory_mb": None if memory is None else round(memory, 1),
    }
    _print(speeds)
    print()
    print(_summary(speeds, facts))
    if json_file:
        write_json(json_file, {**facts, "rows": [_row(s, speeds) for s in speeds]})


_PICTURES = 128
"""Number of different pictures to read."""


def _contender(name: str, reader: Reader, devices: int) -> str:
    known = name if name == reader.card.name else Path(name).name
    return f"{known}, {reader.runtime.device}" if devices > 1 else known


def _pictures(data: Path | None, reader: Reader) -> list[Source]:
    """List the pictures to read; raise the InputError of the first unreadable one."""
    from crnn_ctc.benchmark.specimens import specimens
    from crnn_ctc.cli.inputs import expand
    from crnn_ctc.data.labelled import read_labelled
    from crnn_ctc.image import load

    if data is None:
        return list(specimens(_PICTURES, reader.card))
    if data.suffix.lower() in {".csv", ".tsv"}:
        found: list[Source] = [s.path for s in islice(read_labelled(data), _PICTURES)]
    else:
        found = []
        for named in islice(expand([str(data)]), _PICTURES):
            if isinstance(named.source, InputError):
                raise named.source
            found.append(named.source)
    if not found:
        raise InputError(f"{data}: lists no pictures; name others, or leave --data out")
    for source in found:
        load(source)
    return found


def _ratios(speed: Speed, speeds: list[Speed]) -> tuple[float, float]:
    """Time relative to batch size 1, and relative to the first model at the same batch size."""
    alone = next(s for s in speeds if s.contender == speed.contender)
    first = next(s for s in speeds if s.batch == speed.batch)
    return speed.ms / alone.ms, speed.ms / first.ms


def _row(speed: Speed, speeds: list[Speed]) -> dict[str, Any]:
    of_one, of_first = _ratios(speed, speeds)
    return {
        **{k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(speed).items()},
        "pictures_per_second": round(speed.pictures_per_second, 1),
        "ratio_to_batch_1": round(of_one, 3),
        "ratio_to_first": round(of_first, 3),
    }


def _print(speeds: list[Speed]) -> None:
    several = len({speed.contender for speed in speeds}) > 1
    wide = max(len(speed.contender) for speed in speeds)
    head = f"{'model':<{wide}}  batch  ms a picture  least   most  network  pictures/s  of batch 1"
    print(head + ("  of first" if several else ""))
    for s in speeds:
        of_one, of_first = _ratios(s, speeds)
        line = (
            f"{s.contender:<{wide}}  {s.batch:>5}  {s.ms:>12.2f}  {s.least:>5.2f}  {s.most:>5.2f}  "
            f"{s.network_ms:>7.2f}  {s.pictures_per_second:>10,.0f}  {of_one:>10.2f}"
        )
        print(line + (f"  {of_first:>8.2f}" if several else ""))


def _summary(speeds: list[Speed], facts: dict[str, Any]) -> str:
    contenders = dict.fromkeys(speed.contender for speed in speeds)
    parts = []
    for name in contenders:
        own = [s for s in speeds if s.contender == name]
        times = ", ".join(f"{s.ms:.2f} (batch {s.batch})" for s in own)
        parts.append(f"{name} {times} ms a picture, {own[-1].pictures_per_second:,.0f} pictures/s")
    memory = facts["peak_memory_mb"]
    tail = [
        f"{memory:.0f} MB at most" if memory else "",
        f"{facts['runtime']} on {' and '.join(facts['devices'])}",
        f"{facts['threads']} thread{'s' if facts['threads'] > 1 else ''}",
        facts["processor"],
        facts["system"],
    ]
    return f"crnn-ctc {facts['version']}: " + "; ".join([*parts, *(t for t in tail if t)])
