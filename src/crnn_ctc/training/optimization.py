"""Which parameters decay, the learning rate's schedule, and the average of the weights."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from crnn_ctc.recipe import Training


def parameter_groups(network: nn.Module, plan: Training) -> list[dict[str, Any]]:
    """Weights decay; biases and norms do not."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": plan.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def one_cycle(
    optimizer: torch.optim.Optimizer, plan: Training, step: int
) -> torch.optim.lr_scheduler.OneCycleLR:
    """The schedule of the cycle that ``step`` lies in, as if it had run up to there.

    The rate is a closed form of the step, so no state of it need be kept.
    """
    cycle = min(bisect_right(plan.cycles, step), len(plan.cycles) - 1) - 1
    first, last = plan.cycles[cycle : cycle + 2]
    # torch divides by zero where the warm-up is one step exactly
    warmup = plan.warmup if plan.warmup * (last - first) != 1 else plan.warmup / 2
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan.learning_rate / 2**cycle, last - first, pct_start=warmup
    )
    if first < step < last:
        schedule.last_epoch = step - first - 1
        with warnings.catch_warnings():
            # torch warns of a schedule ahead of its optimiser; here both have run before
            warnings.simplefilter("ignore")
            schedule.step()
    return schedule


def exponential_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """Exponential averaging that forgets the first, bad weights soon.

    The decay grows as (1 + n) / (10 + n), as in TensorFlow's ExponentialMovingAverage: a short run
    would else be judged by what it began with.
    """

    @torch.no_grad()
    def update(averages: list[Tensor], values: list[Tensor], n: Tensor | int) -> None:
        share = 1 - min(decay, (1 + int(n)) / (10 + int(n)))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, values, share)
        else:
            torch._foreach_copy_(averages, values)  # counters

    return update
