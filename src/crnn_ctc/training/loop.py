"""The training loop, from top to bottom.

AdamW (Loshchilov and Hutter 2019) on a one-cycle schedule (Smith and Topin 2018), gradients
clipped, weights averaged exponentially; the averaged weights are validated and exported. Every
random choice is a function of the seed and the step, so a resumed run gives the same result with
any number of processes.

Readers, locators and rectifiers are each a :class:`Task`: composition of batches, loss, and
validation.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from crnn_ctc.errors import InputError
from crnn_ctc.recipe import AnyRecipe
from crnn_ctc.training import checkpoint
from crnn_ctc.training.checkpoint import State
from crnn_ctc.training.early_stopping import EarlyStopping
from crnn_ctc.training.optimization import exponential_average, one_cycle, parameter_groups
from crnn_ctc.training.run_log import MEASURES, NullRecord, Record, Window

Batch = TypeVar("Batch")


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM: the state is saved, the run can be resumed.

    The message is empty except in the main process.
    """


class Task(Protocol[Batch]):
    """The part of training that depends on the kind of network.

    Attributes:
        measure: key of :data:`crnn_ctc.training.run_log.MEASURES` that selects the best weights.
    """

    measure: str

    def batch(self, step: int, size: int, part: slice) -> Batch:
        """A batch; a function of the seed and the step.

        Args:
            step: number of the step, from 0.
            size: pictures in the global batch.
            part: indices of this process.
        """

    def loss(self, model: nn.Module, batch: Batch, step: int) -> Tensor:
        """The loss of a batch, float32 ()."""

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Measures of a network on the validation set, including ``measure``."""

    def score(self, numbers: dict[str, float]) -> tuple[float, ...]:
        """Score for early stopping: greater is better, 0 if nothing is learnt."""


def train(
    task: Task[Batch],
    network: nn.Module,
    recipe: AnyRecipe,
    run: Path,
    accelerator: Accelerator,
    state: State | None,
    data: str,
    note: str = "",
) -> float | None:
    """Train a network.

    Args:
        task: data, loss and validation.
        network: network with its initial weights, on the device of ``accelerator``.
        recipe: recipe with the schedule.
        run: folder of the run.
        accelerator: the processes, their device and the precision.
        state: checkpoint (:data:`crnn_ctc.training.checkpoint.STATE`) to resume from.
        data: description of the training data, for the user.
        note: another line for the user.

    Returns:
        The best ``task.measure``; None in a process that is not the main one.

    Raises:
        InputError: the state is of another network, or the loss is not finite.
        Interrupted: after Ctrl-C; the state was saved.
    """
    plan, device, is_main = recipe.training, accelerator.device, accelerator.is_main_process
    size, rank, world = plan.batch_size, accelerator.process_index, accelerator.num_processes
    optimizer = torch.optim.AdamW(parameter_groups(network, plan), plan.learning_rate, fused=True)
    averaged = AveragedModel(
        network, multi_avg_fn=exponential_average(plan.ema_decay), use_buffers=True
    )
    model, optimizer = accelerator.prepare(network, optimizer)
    greater_is_better = MEASURES[task.measure][1] > 0
    step, best = 0, -1.0 if greater_is_better else float("inf")
    window, stopping_early = Window(), EarlyStopping(plan.patience)
    if state is not None:
        step, best = _restore(state, network, averaged, optimizer, accelerator)
        window.load(state[1]["window"])
        if "early_stopping" in state[1]:  # 0.1 had none, nor had locators before 0.3
            stopping_early.load(state[1]["early_stopping"])
    schedule = one_cycle(optimizer, plan, step)

    def save() -> None:
        if is_main:
            facts = {
                "step": step,
                "best": best,
                "window": window.state(),
                "early_stopping": stopping_early.state(),
            }
            _save(run, network, averaged, optimizer, accelerator, facts)

    part = slice(rank * size // world, (rank + 1) * size // world)
    every = max(1, plan.steps // plan.validations)
    stop_requested = torch.zeros((), device=device)
    ahead = range(step, step if stopping_early.reached else plan.steps)
    log = Record(run, plan.steps, step, size) if is_main else NullRecord()
    with signals() as stopped, log as record:
        record.note(
            f"{data}; {plan.steps:,} steps of {size}, {len(ahead):,} to go, on {device.type}"
        )
        if note:
            record.note(note)
        for batch in batches_ahead(lambda at: task.batch(at, size, part), ahead):
            torch.manual_seed((recipe.seed + step * world + rank) % 2**63)  # dropout's
            model.train()
            loss = task.loss(model, batch, step)
            accelerator.backward(loss)
            norm = accelerator.clip_grad_norm_(model.parameters(), plan.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            rate = float(schedule.get_last_lr()[0])
            step += 1
            if step in plan.cycles:
                schedule = one_cycle(optimizer, plan, step)
            else:
                schedule.step()
            averaged.update_parameters(network)

            stopping = loss.new_tensor(float(len(stopped)))
            shared = accelerator.reduce(torch.stack([loss.detach(), stopping]), "mean")
            window.add(shared[0], size)
            record.advance(step)
            if step % plan.log_steps == 0:
                record.write(
                    "train", step, **window.take(), learning_rate=rate, gradient_norm=float(norm)
                )
            if step % every == 0 or step == plan.steps:
                if is_main:
                    numbers = task.validate(averaged.module)
                    record.write("validation", step, **numbers)
                    stopping_early.add(*task.score(numbers))
                    found = numbers[task.measure]
                    if found >= best if greater_is_better else found <= best:
                        best = found
                        _save_best(run, averaged.module, recipe, step, numbers)
                accelerator.wait_for_everyone()
                window.restart()
                save()
                if _agreed(stopping_early.reached, device, world):
                    record.note(
                        f"stopped early at step {step:,} of {plan.steps:,}: the last "
                        f"{plan.patience} validations were no better"
                    )
                    break
            elif step % plan.checkpoint_steps == 0:
                save()
            # several must stop at the same step: once any has told the others to, the step before,
            # as a GPU would have to be waited for to know what was told in this one
            stop_requested_before, stop_requested = stop_requested, shared[1]
            if stopped if world == 1 else bool(stop_requested_before):
                save()
                said = f"stopped at step {step} of {plan.steps}; the state is saved"
                raise Interrupted(*[said] if is_main else [])
    return best if is_main else None


def batches_ahead(compose: Callable[[int], Batch], steps: range) -> Iterator[Batch]:
    """The batches of ``steps``, composed in a thread one step ahead."""
    with ThreadPoolExecutor(1) as pool:
        coming = None
        for step in steps:
            batch = (coming or pool.submit(compose, step)).result()
            if step + 1 < steps.stop:
                coming = pool.submit(compose, step + 1)
            yield batch


def _agreed(reached: bool, device: torch.device, world: int) -> bool:
    """Broadcast a value from the main process."""
    if world == 1:
        return reached
    agreed = broadcast(torch.tensor(float(reached), device=device))
    return bool(agreed)


def _save(
    run: Path,
    network: nn.Module,
    averaged: AveragedModel,
    optimizer: torch.optim.Optimizer,
    accelerator: Accelerator,
    facts: dict[str, Any],
) -> None:
    tensors = {
        **checkpoint.prefixed("network", network.state_dict()),
        **checkpoint.prefixed("averaged", averaged.state_dict()),
        **checkpoint.prefixed("optimizer", checkpoint.optimizer_tensors(optimizer)),
    }
    scaler = accelerator.scaler.state_dict() if accelerator.scaler else None
    checkpoint.save_tensors(run / checkpoint.STATE, tensors, {**facts, "scaler": scaler})


def _restore(
    state: State,
    network: nn.Module,
    averaged: AveragedModel,
    optimizer: torch.optim.Optimizer,
    accelerator: Accelerator,
) -> tuple[int, float]:
    tensors, facts = state
    try:
        network.load_state_dict(checkpoint.under("network", tensors))
        averaged.load_state_dict(checkpoint.under("averaged", tensors))
        checkpoint.load_optimizer(optimizer, checkpoint.under("optimizer", tensors))
        begun = int(facts["step"]), float(facts["best"])
    except (RuntimeError, ValueError, KeyError, IndexError, TypeError):
        raise InputError(
            "the checkpoint is of another network; resume with the recipe it was begun with"
        ) from None
    if accelerator.scaler and facts.get("scaler"):
        accelerator.scaler.load_state_dict(facts["scaler"])
    return begun


def _save_best(
    run: Path, network: nn.Module, recipe: AnyRecipe, step: int, numbers: dict[str, float]
) -> None:
    facts = {"recipe": recipe.model_dump(), "step": step, "validation": numbers}
    checkpoint.save_tensors(run / checkpoint.BEST, network.state_dict(), facts)


@contextmanager
def signals() -> Iterator[list[int]]:
    """Defer Ctrl-C and SIGTERM to the end of a step.

    A second signal ends the process at once.
    """
    caught: list[int] = []
    before: dict[signal.Signals, Any] = {}

    def catch(number: int, _: FrameType | None) -> None:
        caught.append(number)
        for known, handler in before.items():
            signal.signal(known, handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, catch)
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
