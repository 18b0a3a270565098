"""Training the rectifier: corners of plates in random views of them.

AdamW on one cycle, exponentially averaged weights, one process; every batch is a function of the seed
and its step, so that a run that was stopped goes on as if it had not been.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from crnn_ctc.data.plate_views import ViewSource
from crnn_ctc.image import fit
from crnn_ctc.net.network import scale_pixels
from crnn_ctc.net.rectifier import VIEW_HEIGHT, VIEW_WIDTH, Rectifier
from crnn_ctc.training import checkpoint


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train; see the recipe's keys of the same names."""

    images: int
    batch_size: int = 128
    learning_rate: float = 2.5e-3
    weight_decay: float = 0.02
    warmup: float = 0.03
    ema_decay: float = 0.999
    checkpoint_steps: int = 300

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return max(1, self.images // self.batch_size)


def corner_loss(found: Tensor, corners: Tensor) -> Tensor:
    """Mean distance of the corners from where they are, as a share of the plate's height.

    Args:
        found: float32 (N, 4, 2), shares of the view.
        corners: float32 (N, 4, 2), the true ones.

    Returns:
        float32 (N,).
    """
    size = corners.new_tensor([VIEW_WIDTH, VIEW_HEIGHT])
    true = corners * size
    height = ((true[:, 3] - true[:, 0]).norm(dim=-1) + (true[:, 2] - true[:, 1]).norm(dim=-1)) / 2
    distance = ((found * size - true).square().sum(-1) + 1e-4).sqrt().mean(-1)
    return distance / height.clamp(min=6.0)


Batch = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


def _batches(source: ViewSource, steps: range, size: int) -> Iterator[Batch]:
    """Views uint8 (N, 48, 96, 3), corners float32 (N, 4, 2), two rows float32, colours int64 (N,)."""

    def compose(step: int) -> Batch:
        seen = source.views(range(step * size, (step + 1) * size))
        images = np.stack([fit(v.image, VIEW_HEIGHT, VIEW_WIDTH, 3) for v, _ in seen])
        corners = np.stack([v.corners for v, _ in seen])
        rows = np.array([plate.two_rows for _, plate in seen], np.float32)
        return images, corners, rows, np.array([plate.colour for _, plate in seen], np.int64)

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(compose, steps.start)
        for step in steps:
            batch = coming.result()
            if step + 1 < steps.stop:
                coming = pool.submit(compose, step + 1)
            yield batch


def fit_rectifier(
    source: ViewSource, plan: Plan, run: Path, seed: int = 0, start: Path | None = None
) -> Rectifier:
    """Train a rectifier into the folder ``run``, or go on with the one that it holds.

    Returns:
        The network with averaged weights, for evaluation.
    """
    torch.manual_seed(seed)
    network = Rectifier()
    if start is not None:
        network.load_state_dict(checkpoint.load_tensors(start)[0])
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(plan.ema_decay),
        use_buffers=True,
    )  # fmt: skip
    groups = [
        {
            "params": [p for p in network.parameters() if p.ndim > 1],
            "weight_decay": plan.weight_decay,
        },
        {"params": [p for p in network.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, plan.learning_rate, fused=True)
    step = 0
    if (run / checkpoint.STATE).exists():
        tensors, facts = checkpoint.load_tensors(run / checkpoint.STATE)
        network.load_state_dict(checkpoint.under("network", tensors))
        averaged.load_state_dict(checkpoint.under("averaged", tensors))
        checkpoint.load_optimizer(optimizer, checkpoint.under("optimizer", tensors))
        step = int(facts["step"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan.learning_rate, plan.steps, pct_start=plan.warmup
    )
    for _ in range(step):
        schedule.step()
    losses, since, seen = [], time.perf_counter(), 0
    for images, corners, rows, colours in _batches(
        source, range(step, plan.steps), plan.batch_size
    ):
        network.train()
        found, two, colour = network(scale_pixels(torch.from_numpy(images)))
        loss = corner_loss(found, torch.from_numpy(corners)).mean()
        asked = nn.functional.binary_cross_entropy_with_logits(two, torch.from_numpy(rows))
        named = nn.functional.cross_entropy(colour, torch.from_numpy(colours), ignore_index=-1)
        (loss + 0.3 * asked + 0.2 * named).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step + 1 < plan.steps:
            schedule.step()
        averaged.update_parameters(network)
        step += 1
        seen += len(images)
        losses.append((loss.item(), asked.item(), named.item()))
        if step % 100 == 0:
            mean = np.mean(losses, axis=0)
            speed = seen / (time.perf_counter() - since)
            print(
                f"{step} of {plan.steps}: corners {mean[0]:.4f}, rows {mean[1]:.4f}, colours {mean[2]:.4f}, "
                f"{speed:.0f} pictures/s",
                flush=True,
            )
            losses, since, seen = [], time.perf_counter(), 0
        if step % plan.checkpoint_steps == 0 or step == plan.steps:
            tensors = {
                **checkpoint.prefixed("network", network.state_dict()),
                **checkpoint.prefixed("averaged", averaged.state_dict()),
                **checkpoint.prefixed("optimizer", checkpoint.optimizer_tensors(optimizer)),
            }
            (run / checkpoint.STATE).parent.mkdir(parents=True, exist_ok=True)
            checkpoint.save_tensors(run / checkpoint.STATE, tensors, {"step": step})
            checkpoint.save_tensors(
                run / checkpoint.BEST, averaged.module.state_dict(), {"step": step}
            )
    result: Rectifier = averaged.module
    return result.eval()


class TrainedRectifier:
    """A trained rectifier on the CPU, for training readers behind it."""

    def __init__(self, network: Rectifier) -> None:
        self.network = network.eval()

    def __call__(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Views uint8 (N, 48, 96, 3) to corners float32 (N, 4, 2), shares of the view."""
        return self.with_rows(views)[0]

    @torch.inference_mode()
    def with_rows(
        self, views: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The corners, and the probability of two rows, float32 (N,)."""
        corners, rows, _ = self.network(scale_pixels(torch.from_numpy(views)))
        return corners.numpy(), rows.sigmoid().numpy()


def open_rectifier(source: str | Path) -> TrainedRectifier:
    """The rectifier of a run folder.

    Raises:
        InputError: no such run.
    """
    network = Rectifier()
    network.load_state_dict(checkpoint.load_tensors(Path(source) / checkpoint.BEST)[0])
    return TrainedRectifier(network)
