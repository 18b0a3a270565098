"""Which small network reads plates best for its time: parameters, MACs, milliseconds, accuracy.

    python bench/designs.py --data DIR [--glyphs DIR] [--seeds 1] [--images 48000]

Each design is trained for a few minutes in the same way (recipe plates-nano, batches of 64) and
evaluated with its averaged weights at the end; existing runs are not repeated. Times are of ONNX
Runtime at batch 1 on one thread, measured in turn with the shipped plates-tiny, relative to it.
Writes results/designs.json; ``--plot`` draws it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from torch import Tensor, nn

from crnn_ctc import Reader
from crnn_ctc.data.source import open_training_data
from crnn_ctc.decode import greedy_texts
from crnn_ctc.errors import InputError
from crnn_ctc.export.to_onnx import fold_norms, to_onnx
from crnn_ctc.model_file.runtime import open_session
from crnn_ctc.net import nano
from crnn_ctc.net.build import build
from crnn_ctc.net.nano import CNN_Nano
from crnn_ctc.net.network import Network, convolution
from crnn_ctc.net.summary import summarize
from crnn_ctc.recipe import Recipe, load_recipe
from crnn_ctc.training.reader import train_reader
from crnn_ctc.training.run_folder import Trained, make_card
from short_run import RECIPE, changes
from timing import Row, in_turn, milliseconds

HEIGHT = 48  # of the pictures, in pixels
DRAWN = 1000  # synthetic plates to evaluate on besides dev


class Two(CNN_Nano):
    residuals = 2


class Slim(CNN_Nano):
    widths = (16, 24, 32, 48, 96)


class Patch(CNN_Nano):
    """A first convolution with a 4x4 kernel, then residual blocks on few rows."""

    residuals = 2

    @classmethod
    def convolutions(cls, channels: int, height: int) -> list[nn.Module]:
        assert height == HEIGHT
        return [
            *convolution(channels, 16, 4, (4, 2), (0, 1)),
            *convolution(16, 32, stride=2),
            Block(32),
            *convolution(32, 64, stride=(2, 1)),
            Block(64),
            *convolution(64, 96, padding=(0, 1)),
        ]


class Separable(CNN_Nano):
    """Inverted residuals (Sandler et al. 2018) and depthwise separable convolutions."""

    residuals = 2

    @classmethod
    def convolutions(cls, channels: int, height: int) -> list[nn.Module]:
        assert height == HEIGHT
        return [
            *convolution(channels, 16, stride=2),
            *convolution(16, 32, stride=2),
            Inverted(32, 3),
            *depthwise(32, 64),
            Inverted(64, 3),
            *depthwise(64, 96),
            Inverted(96, 3),
            *convolution(96, 96, (3, 1), padding=0),
        ]


class Recurrent(CNN_Nano):
    """One bidirectional GRU."""

    residuals = 0

    def __init__(self, *args: int | str) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.rnn = nn.GRU(96, 64, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(128, self.fc.out_features)

    def sequence(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0]  # type: ignore[no-any-return]


class Attentive(CNN_Nano):
    """One self-attention layer (Vaswani et al. 2017) after a convolution along the line."""

    residuals = 1

    def __init__(self, *args: int | str) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.place = nn.Parameter(torch.zeros(1, 42, 96))
        self.attention = nn.TransformerEncoderLayer(
            96, 4, 192, 0.0, batch_first=True, norm_first=True
        )

    def sequence(self, x: Tensor) -> Tensor:
        return self.attention(x + self.place)  # type: ignore[no-any-return]


class Block(nn.Module):
    """A residual block of two 3x3 convolutions (He et al. 2015)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = convolution(channels, channels), convolution(channels, channels)
        self.block = nn.Sequential(*first, *second[:2])

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.block(x))


class Inverted(nn.Module):
    """A residual block: depthwise convolution, expansion, projection."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels),
            nn.BatchNorm2d(channels),
            *convolution(channels, 2 * channels, 1, padding=0),
            *convolution(2 * channels, channels, 1, padding=0)[:2],
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)  # type: ignore[no-any-return]


def depthwise(inputs: int, outputs: int) -> list[nn.Module]:
    """Depthwise separable convolution that halves the rows."""
    return [
        nn.Conv2d(inputs, inputs, 3, (2, 1), 1, groups=inputs),
        nn.BatchNorm2d(inputs),
        *convolution(inputs, outputs, 1, padding=0),
    ]


DESIGNS: dict[str, type[Network]] = {
    "CNN_Nano: 3 convolutions along the line": CNN_Nano,
    "2 convolutions along the line": Two,
    "slim: 24, 32, 48 channels": Slim,
    "patch: 4x4 first, residual blocks": Patch,
    "separable: inverted residuals": Separable,
    "one bidirectional GRU of 64": Recurrent,
    "one convolution, one attention": Attentive,
}


def recipe_of(seed: int, options: argparse.Namespace) -> Recipe:
    ours = ["training.validations=2", f"data.validation_drawn={DRAWN}"]
    return load_recipe(RECIPE, [*changes(seed, options.images, options.glyphs), *ours])


def accuracy(name: str, seed: int, options: argparse.Namespace) -> tuple[float, float]:
    """Exact match on dev and on synthetic plates, in %; train the run if it does not exist."""
    recipe = recipe_of(seed, options)
    run = options.runs / f"{DESIGNS[name].__name__}-{seed}"
    try:
        train_reader(recipe, options.data, run, resume=True)
    except InputError as error:
        raise SystemExit(str(error)) from None
    _, held = open_training_data(recipe, options.data)
    model = Trained(run / "last")
    texts = greedy_texts(model.log_probs(held.images), model.card.alphabet)
    right = [text == label for text, label in zip(texts, held.texts, strict=True)]
    return 100 * float(np.mean(right[:-DRAWN])), 100 * float(np.mean(right[-DRAWN:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="holds train.csv and dev.csv")
    parser.add_argument("--glyphs", type=Path, help="pictures of characters to draw with")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--images", type=int, default=48_000, help="that a run trains on")
    parser.add_argument("--runs", type=Path, default=Path("runs/designs"))
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw accuracy against time")
    parser.add_argument("--plot-only", action="store_true", help="from results/designs.json")
    options = parser.parse_args()
    file = Path(__file__).parent / "results" / "designs.json"
    torch.set_num_threads(1)
    if not options.plot_only:
        file.write_text(json.dumps(measure(options), indent=2) + "\n", encoding="utf-8")
    values = json.loads(file.read_text(encoding="utf-8"))
    print(f"{'':<42} {'param.':>8} {'MMAC':>5} {'ms':>6} {'ratio':>6} {'dev':>6} {'drawn':>6}")
    for row in values["rows"]:
        print(
            f"{row['name']:<42} {row['parameters']:>8,} {row['mmac']:>5.1f} {row['ms']:>6.3f} "
            f"{row['times_faster']:>6.1f} {row['dev']:>6.1f} {row['drawn']:>6.1f}"
        )
    if options.plot:
        plot(values, options.plot)


def measure(options: argparse.Namespace) -> dict[str, object]:
    rows = []
    works: dict[str, Callable[[], object]] = {}
    tiny = Reader("plates-tiny")
    picture = np.random.default_rng(0).integers(0, 256, (1, 48, 168, 3), np.uint8)
    works["plates-tiny"] = lambda: tiny.log_probs(picture)
    for name, kind in DESIGNS.items():
        nano.CNN_Nano = kind  # type: ignore[misc]  # replaces the recipe's network
        each = [accuracy(name, seed, options) for seed in range(1, options.seeds + 1)]
        recipe = recipe_of(1, options)
        network = build(recipe).eval()
        summary = summarize(network, 3, 48, 168)
        card = make_card(recipe, network, {"step": 0, "validation": {}})
        fold_norms(network)
        session = open_session(to_onnx(network, card).SerializeToString(), threads=1)
        works[name] = lambda session=session: session.run(None, {"images": picture})  # type: ignore[misc]
        rows.append(
            {
                "name": name,
                "parameters": summary.parameters,
                "mmac": summary.macs / 1e6,
                "dev": statistics.mean(dev for dev, _ in each),
                "drawn": statistics.mean(drawn for _, drawn in each),
                "each": each,
            }
        )
        print(f"{name}: dev, drawn {each}", flush=True)
    timed: dict[str, Row] = {
        row.name: row
        for row in in_turn(
            {name: lambda work=work: milliseconds(work, 5) for name, work in works.items()},  # type: ignore[misc]
            rounds=100,
        )
    }
    for row in rows:
        time = timed[str(row["name"])]
        row |= {"ms": time.median, "times_faster": 1 / time.ratio}
    return {"images": options.images, "seeds": options.seeds, "rows": rows}


def plot(values: dict[str, object], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    rows = sorted(values["rows"], key=lambda row: row["ms"])  # type: ignore[call-overload]
    for place, row in enumerate(rows):
        (point,) = axes.plot(row["ms"], row["drawn"], "o", markersize=8)
        axes.annotate(
            row["name"].split(":")[0],
            (row["ms"], row["drawn"]),
            (8, (-11, 4)[place % 2]),  # alternate above and below
            textcoords="offset points",
            color=point.get_color(),
        )
    axes.set_xlabel("ms a picture, batch 1, one thread")
    axes.set_ylabel("synthetic plates read right, %")
    axes.set_title(f"Small networks after {values['images']:,} pictures")
    axes.set_xlim(rows[0]["ms"] * 0.95, rows[-1]["ms"] * 1.25)
    axes.grid(alpha=0.3)
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    main()
