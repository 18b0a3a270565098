"""Optimiser: weight decay, learning rate schedule, and weight averaging."""

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
    """The scheduler of the cycle that contains ``step``, advanced to it.

    The rate is a closed form of the step, so its state need not be saved.
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
    """Exponential averaging with a decay that grows as (1 + n) / (10 + n).

    As in TensorFlow's ExponentialMovingAverage, so that short runs forget their initial weights.
    """

    @torch.no_grad()
    def update(averages: list[Tensor], values: list[Tensor], n: Tensor | int) -> None:
        share = 1 - min(decay, (1 + int(n)) / (10 + int(n)))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, values, share)
        else:
            torch._foreach_copy_(averages, values)  # counters

    return update
