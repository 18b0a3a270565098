"""Pictures a second in training CRNN_Tiny on digits: ours against upstream crnn-ctc's way.

python bench/training.py --data DIR [--threads 2]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from torch.utils.data import DataLoader

from crnn_ctc.data.digits import load_digits
from crnn_ctc.data.sequences import SequenceSource
from crnn_ctc.net.build import build
from crnn_ctc.net.crnn import CRNN
from crnn_ctc.net.network import scale_pixels
from crnn_ctc.recipe import load_recipe
from crnn_ctc.training.loss import ctc_loss
from model_project import Sequences
from timing import in_turn, report

BATCH = 128
STEPS = 6  # per measurement


def theirs(images: np.ndarray, labels: np.ndarray) -> Callable[[], float]:  # type: ignore[type-arg]
    """Upstream's training: Adam, float32, default memory layout, a loader with four workers."""
    network = CRNN.__subclasses__()[0](1, 32, 11)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, weight_decay=1e-5)
    loss_of = torch.nn.CTCLoss(blank=10)
    loader = DataLoader(
        Sequences(images, labels, 10**6), BATCH, num_workers=4, pin_memory=False,
        persistent_workers=True,
    )  # fmt: skip
    batches: Iterator[list[torch.Tensor]] = iter(loader)

    def step() -> None:
        pictures, targets = next(batches)
        outputs = network(pictures)
        n, steps = outputs.shape[:2]
        lengths = torch.full((n,), steps), torch.full((n,), targets.shape[1])
        loss = loss_of(outputs.permute(1, 0, 2), targets, *lengths)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return rate(step)


def ours(source: SequenceSource, precision: torch.dtype | None) -> Callable[[], float]:
    """Our training step as in training/reader.py, including composition."""
    recipe = load_recipe("digits-tiny")
    alphabet = recipe.characters
    network = build(recipe)
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, fused=True)
    averaged = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.999), use_buffers=True
    )
    number = iter(range(10**9))

    def step() -> None:
        images, texts = source.batch(next(number), BATCH)
        with torch.autocast("cpu", precision or torch.bfloat16, enabled=precision is not None):
            log_probs = network(scale_pixels(torch.from_numpy(images)))
        ctc_loss(log_probs, texts, alphabet).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        optimizer.zero_grad()
        averaged.update_parameters(network)

    return rate(step)


def rate(step: Callable[[], None]) -> Callable[[], float]:
    """Create a function that measures pictures per second over a few steps."""

    def measure() -> float:
        started = time.perf_counter()
        for _ in range(STEPS):
            step()
        return STEPS * BATCH / (time.perf_counter() - started)

    return measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    digits = load_digits(options.data, "train")
    plan = load_recipe("digits-tiny").data
    source = SequenceSource(digits, 5, 0, plan.clean, plan.elastic, plan.shear)
    small = np.ascontiguousarray(digits.images[:, 2:30, 2:30])  # enough pixels for timing

    composing = []
    for step in range(20):
        started = time.perf_counter()
        source.batch(step, BATCH)
        composing.append(time.perf_counter() - started)
    rows = in_turn(
        {
            "upstream crnn-ctc: float32, Pillow, 4 workers": theirs(small, digits.labels),
            "crnn-ctc, float32": ours(source, None),
            "crnn-ctc, bf16 (auto where the CPU has it)": ours(source, torch.bfloat16),
        },
        options.rounds,
    )
    best = max(row.median for row in rows)
    share = float(np.median(composing)) / (BATCH / best)
    facts = {
        "threads": options.threads,
        "torch": torch.__version__,
        "composing a batch": f"{1e3 * float(np.median(composing)):.1f} ms, "
        f"{100 * share:.1f} % of the fastest step",
    }
    report("training", "pictures/s", rows, facts)


if __name__ == "__main__":
    main()
