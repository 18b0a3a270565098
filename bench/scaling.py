"""What reading costs as things grow: pictures, their size, classes, threads, folders.

python bench/scaling.py

CPU time on one thread, with the sizes of a row measured in turn; for several threads, the minimum
wall time of many measurements, to exclude other load. plates-nano's graph is given wider inputs and
more classes. Writes a table, bench/results/scaling.json and docs/images/scaling.png, where the
dotted line shows linear growth.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from crnn_ctc import Alphabet, Reader
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.benchmark.specimens import specimens
from crnn_ctc.decode.decoder import Decoder, tempered
from crnn_ctc.grammar import open_grammar
from crnn_ctc.model_file.opening import model_path
from crnn_ctc.model_file.runtime import open_session
from timing import Row, in_turn, milliseconds, report

PLOT = Path(__file__).parents[1] / "docs" / "images" / "scaling.png"
CLASSES = (78, 300, 1000, 3000, 7000)
BATCHES = (1, 4, 16, 64)
WIDTHS = (200, 400, 800, 1600, 3200)
INPUTS = (84, 168, 336, 672, 1344)
THREADS = (1, 2)
TRIES = 60  # with threads, a round
FOLDERS = (100, 300, 900)
NETWORK = "plates-nano"
INPUTS = (84, 168, 336, 672, 1344)
THREADS = (1, 2)
TRIES = 60  # with threads, a round
FOLDERS = (100, 300, 900)
Works = dict[int, Callable[[], object]]


def alphabet(classes: int) -> Alphabet:
    """Create an alphabet of Chinese characters with the blank at 0."""
    return Alphabet("#" + "".join(chr(0x4E00 + i) for i in range(classes - 1)), 0)


def spelt(classes: int, certain: bool) -> np.ndarray:
    """Log-probabilities (4, 83, K) of seven characters, ambiguous unless ``certain``."""
    sure = np.log(classes) + 8
    random = np.random.default_rng(classes)
    scores = random.normal(size=(4, 83, classes)).astype(np.float32)
    scores[:, :, 0] += sure
    for row in scores:
        for place, c in enumerate(random.integers(1, classes, 7)):
            row[10 * place + 8, c] += 2 * sure
            if not certain:
                row[10 * place + 8, c % (classes - 1) + 1] += 2 * sure
    return tempered(scores, 1.0)


def decoding(search: bool, grammar: str | None, certain: bool) -> Works:
    works: Works = {}
    for k in CLASSES:
        letters = alphabet(k)
        opened = open_grammar(grammar, letters) if grammar else None
        decode, log_probs = Decoder(letters, opened, search=search), spelt(k, certain)
        works[k] = lambda d=decode, lp=log_probs: d(lp)  # type: ignore[misc]
    return works


def opening(classes: int) -> Decoder:
    """Open a decoder as before the first picture, with alphabet and grammar."""
    open_grammar.cache_clear()
    letters = alphabet(classes)
    return Decoder(letters, open_grammar("re:.{7}", letters))


def network(width: int, classes: int) -> Callable[[], object]:
    """Create a function that runs ``NETWORK`` on one picture, with given width and classes."""
    import onnx
    from onnx import numpy_helper

    with model_path(NETWORK) as path:
        model = onnx.load(path)
    graph = model.graph
    by_name = {tensor.name: tensor for tensor in graph.initializer}
    product, bias, _ = graph.node[-3:]
    features = by_name[product.input[1]].dims[0]
    random = np.random.default_rng(classes)
    weights = random.normal(size=(features, classes)).astype(np.float32)
    by_name[product.input[1]].CopyFrom(numpy_helper.from_array(weights, product.input[1]))
    zeros = np.zeros(classes, np.float32)
    by_name[bias.input[1]].CopyFrom(numpy_helper.from_array(zeros, bias.input[1]))
    # the reshape before it has a fixed number of time steps
    shape = graph.node[-4].input[1]
    free = np.array([1, -1, features], np.int64)
    by_name[shape].CopyFrom(numpy_helper.from_array(free, shape))
    graph.input[0].type.tensor_type.shape.dim[2].dim_value = width
    for place in (1, 2):
        graph.output[0].type.tensor_type.shape.dim[place].dim_param = f"free{place}"
    del graph.value_info[:]
    session = open_session(model.SerializeToString(), 1)
    height = graph.input[0].type.tensor_type.shape.dim[1].dim_value
    images = random.integers(0, 256, (1, height, width, 3), np.uint8)
    return lambda: session.run(["log_probs"], {"images": images})


def threaded(pictures: int) -> Works:
    """Run the network on batches of ``pictures``, by number of threads."""
    works: Works = {}
    for count in THREADS:
        reader = Reader(NETWORK, count)
        images = np.stack([reader.fit(plate) for plate in specimens(pictures, reader.card)])
        works[count] = lambda r=reader, i=images: r.log_probs(i)  # type: ignore[misc]
    return works


def folders(place: Path) -> Works:
    """Read folders of JPEG files with ``NETWORK``, by number of files."""
    reader = Reader(NETWORK)
    for i, plate in enumerate(specimens(100, reader.card)):
        Image.fromarray(plate).save(place / f"{i}.jpg")
    files = sorted(place.iterdir())
    return {
        n: lambda n=n: sum(1 for _ in reader.read(files[i % len(files)] for i in range(n)))
        for n in FOLDERS
    }


def series(place: Path) -> dict[str, tuple[str, Works]]:
    """Map names to the varied quantity, and the work at each size."""
    reader = Reader()
    plates = specimens(64, reader.card)
    images = np.stack([reader.fit(plate) for plate in plates])
    large = {w: np.tile(plates[0], (w // 200 + 1, w // 200 + 1, 1))[: w // 3, :w] for w in WIDTHS}
    return {
        "network": (
            "pictures at once",
            {n: lambda n=n: reader.log_probs(images[:n]) for n in BATCHES},
        ),
        "reading": (
            "pictures at once",
            {n: lambda n=n: list(reader.read(plates[:n], batch_size=n)) for n in BATCHES},
        ),
        "fitting": (
            "pixels of a picture",
            {w * (w // 3): lambda w=w: reader.fit(large[w]) for w in WIDTHS},
        ),
        "network of wider input": ("pixels it takes", {48 * w: network(w, 78) for w in INPUTS}),
        "network with more classes": ("classes", {k: network(168, k) for k in CLASSES}),
        "network, 1 picture": ("threads", threaded(1)),
        "network, 8 pictures": ("threads", threaded(8)),
        "a folder": ("pictures of a folder", folders(place)),
        "opening, with a grammar": ("classes", {k: lambda k=k: opening(k) for k in CLASSES}),
        "best path": ("classes", decoding(False, None, True)),
        "search, unsure": ("classes", decoding(True, None, False)),
        "in a grammar": ("classes", decoding(True, "re:.{7}", True)),
        "in a grammar, unsure": ("classes", decoding(True, "re:.{7}", False)),
    }


def plot(measured: dict[str, tuple[str, list[Row]]]) -> None:
    import matplotlib.pyplot as plt

    kinds = list(dict.fromkeys(kind for kind, _ in measured.values()))
    figure, all_axes = plt.subplots(2, 3, figsize=(12, 7.6), layout="constrained")
    for axes, kind in zip(all_axes.flat, kinds, strict=True):
        sizes: list[int] = []
        for name, (own, rows) in measured.items():
            if own == kind:
                sizes = [int(row.name.split()[-1].replace(",", "")) for row in rows]
                axes.plot(sizes, [row.ratio for row in rows], "o-", label=name)
        if kind == "threads":
            axes.plot(sizes, [sizes[0] / size for size in sizes], "k:", label="shared evenly")
        else:
            axes.plot(sizes, [size / sizes[0] for size in sizes], "k:", label="in proportion")
        axes.set(xscale="log", yscale="log", xlabel=kind, ylabel="times the smallest's time")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(PLOT, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    measured: dict[str, tuple[str, list[Row]]] = {}
    with tempfile.TemporaryDirectory() as place:
        for name, (kind, works) in series(Path(place)).items():
            clock = time.perf_counter if kind == "threads" else time.process_time
            contenders = {
                f"{name}, {kind} {size:,}": lambda w=work, c=clock: milliseconds(w, clock=c)  # type: ignore[misc]
                for size, work in works.items()
            }
            rounds = options.rounds * (TRIES if kind == "threads" else 1)
            rows = in_turn(contenders, rounds)
            if kind == "threads":
                rows = [replace(r, median=r.least, ratio=r.least / rows[0].least) for r in rows]
            measured[name] = (kind, rows)
    facts: dict[str, object] = {"processor": processor(), "threads": "1 but where they grow"}
    rows = [row for _, own in measured.values() for row in own]
    report(
        "scaling",
        "processor ms a call, of threads the least wall ms; ratio to the row's smallest",
        rows,
        facts,
    )
    plot(measured)


if __name__ == "__main__":
    main()
