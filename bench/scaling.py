"""What reading costs as things grow: pictures at once, their size, classes of the alphabet.

python bench/scaling.py

Processor time on one thread, the sizes of a row in turn. A table, bench/results/scaling.json and
docs/images/scaling.png, where what grows in proportion is as steep as the dotted line.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from crnn_ctc import Alphabet, Reader
from crnn_ctc.decode.decoder import Decoder, tempered
from crnn_ctc.grammar import open_grammar
from crnn_ctc.machine import processor
from crnn_ctc.specimens import specimens
from timing import Row, in_turn, milliseconds, report

PLOT = Path(__file__).parents[1] / "docs" / "images" / "scaling.png"
CLASSES = (78, 300, 1000, 3000, 7000)
BATCHES = (1, 4, 16, 64)
WIDTHS = (200, 400, 800, 1600, 3200)
Works = dict[int, Callable[[], object]]


def alphabet(classes: int) -> Alphabet:
    """Chinese characters, and a blank at 0."""
    return Alphabet("#" + "".join(chr(0x4E00 + i) for i in range(classes - 1)), 0)


def spelt(classes: int, certain: bool) -> np.ndarray:
    """Log-probabilities (4, 83, K) of seven characters, or of seven times one of two: a search."""
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
    """What a model's alphabet and grammar cost before the first picture."""
    open_grammar.cache_clear()
    letters = alphabet(classes)
    return Decoder(letters, open_grammar("re:.{7}", letters))


def series() -> dict[str, tuple[str, Works]]:
    """Name to what grows, and the work at each size."""
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
        "opening, with a grammar": ("classes", {k: lambda k=k: opening(k) for k in CLASSES}),
        "best path": ("classes", decoding(False, None, True)),
        "beam search, unsure": ("classes", decoding(True, None, False)),
        "in a grammar": ("classes", decoding(True, "re:.{7}", True)),
        "in a grammar, unsure": ("classes", decoding(True, "re:.{7}", False)),
    }


def plot(measured: dict[str, tuple[str, list[Row]]]) -> None:
    import matplotlib.pyplot as plt

    kinds = list(dict.fromkeys(kind for kind, _ in measured.values()))
    figure, all_axes = plt.subplots(1, len(kinds), figsize=(12, 4), layout="constrained")
    for axes, kind in zip(all_axes, kinds, strict=True):
        sizes: list[int] = []
        for name, (own, rows) in measured.items():
            if own == kind:
                sizes = [int(row.name.split()[-1].replace(",", "")) for row in rows]
                axes.plot(sizes, [row.ratio for row in rows], "o-", label=name)
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
    for name, (kind, works) in series().items():
        contenders = {
            f"{name}, {kind} {size:,}": lambda w=work: milliseconds(w, clock=time.process_time)  # type: ignore[misc]
            for size, work in works.items()
        }
        measured[name] = (kind, in_turn(contenders, options.rounds))
    facts: dict[str, object] = {"processor": processor(), "threads": 1}
    rows = [row for _, own in measured.values() for row in own]
    report("scaling", "processor ms a call; ratio to the row's smallest", rows, facts)
    plot(measured)


if __name__ == "__main__":
    main()
