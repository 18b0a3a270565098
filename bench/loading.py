"""What a batch of real crops costs to load from the packed file, next to a training step.

python bench/loading.py --data shared/data/plates/train.csv [--threads 1]

A batch is 128 crops sampled as in training, without augmentation: only loading is measured. The
packed file is in the page cache, as in training after the first few steps. Times are CPU times, as
wall time on a busy machine would favour short work such as loading. Ratios are relative to a
training step.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from numpy.typing import NDArray

from crnn_ctc.data.labelled import Labelled, read_labelled
from crnn_ctc.data.packed import Size, pack
from crnn_ctc.data.plates import PlateSource, Pool
from crnn_ctc.image import fit, load
from crnn_ctc.net.build import build
from crnn_ctc.net.network import scale_pixels
from crnn_ctc.plates.scheme import plate_label
from crnn_ctc.recipe import Recipe, load_recipe
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.training.loss import ctc_loss
from timing import in_turn, milliseconds, report

BATCH = 128
LOADS = 20  # batches per measurement, as one is too short


def training_step(
    recipe: Recipe, images: NDArray[np.uint8], texts: list[str]
) -> Callable[[], None]:
    """Create a float32 training step on a given batch, as in training/reader.py."""
    alphabet = recipe.characters
    network = build(recipe)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, fused=True)
    averaged = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.999), use_buffers=True
    )

    def step() -> None:
        log_probs = network(scale_pixels(torch.from_numpy(images)))
        ctc_loss(log_probs, texts, alphabet).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.training.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
        averaged.update_parameters(network)

    return step


def from_files(samples: list[Labelled], size: Size) -> Callable[[], None]:
    """Create a function that decodes the same number of crops from their files."""
    numbers = count()

    def compose() -> None:
        chosen = np.random.default_rng(next(numbers)).integers(len(samples), size=BATCH)
        pictures = [load(samples[i].path) for i in chosen]
        np.stack([fit(p, size.height, size.width, size.channels, size.ink) for p in pictures])

    return compose


def cost(work: Callable[[], object], repeats: int) -> float:
    return milliseconds(work, repeats, time.process_time)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="a manifest or folder of crops")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--note", default="", help="what else the machine was doing, say")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    recipe = load_recipe("plates-tiny")
    plan = recipe.input
    size = Size(plan.height, plan.width, plan.channels, recipe.data.ink)
    samples = list(read_labelled(options.data, normalise=plate_label))
    with tempfile.TemporaryDirectory() as cache:
        packed = pack(samples, size, Path(cache))
        drawn = PlateSynthesizer(0, plan.height, plan.width)
        pool = Pool(packed.images, packed.texts)
        source = PlateSource([pool], drawn, 0.0, 0.5, 0.0, seed=0)
        numbers = count()
        step = training_step(recipe, *source.batch(0, BATCH))
        decode = from_files(samples, size)
        rows = in_turn(
            {
                "training step, CRNN_Tiny, float32": lambda: cost(step, 1),
                "loading from the packed file": lambda: cost(
                    lambda: source.batch(next(numbers), BATCH), LOADS
                ),
                "decoding the files instead": lambda: cost(decode, 2),
            },
            options.rounds,
        )
    facts: dict[str, object] = {
        "batch": BATCH,
        "crops": len(packed.texts),
        "threads": options.threads,
        "torch": torch.__version__,
        "loading": f"{100 * rows[1].ratio:.2f} % of a step",
    }
    if options.note:
        facts["note"] = options.note
    report("loading", "processor ms a batch", rows, facts)


if __name__ == "__main__":
    main()
