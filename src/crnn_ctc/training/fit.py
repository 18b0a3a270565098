"""The training loop, from top to bottom.

AdamW (Loshchilov and Hutter 2019) on a one-cycle schedule (Smith and Topin 2018), gradients
clipped, weights averaged exponentially; what is chosen and exported are the averaged weights.
Every random choice is a function of the seed and the step, so that a run goes on after a kill as if
nothing had been, with any number of processes.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import accelerate
import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.data.source import (
    Places,
    Source,
    Validation,
    open_training_data,
    with_alphabet,
    with_images,
)
from crnn_ctc.decode import greedy_texts
from crnn_ctc.errors import InputError
from crnn_ctc.evaluation.metrics import text_metrics
from crnn_ctc.net.build import build
from crnn_ctc.net.network import scale_pixels
from crnn_ctc.recipe import PlateViewsData, Recipe
from crnn_ctc.training import checkpoint, precision
from crnn_ctc.training.distillation import Teacher
from crnn_ctc.training.distributed import PATIENCE, missing_is_an_error
from crnn_ctc.training.early_stopping import EarlyStopping
from crnn_ctc.training.finetune import (
    Resize,
    begin_with,
    check_start,
    open_start,
    settle_norms,
    united,
    widened,
)
from crnn_ctc.training.loss import align_loss, ctc_loss, distillation_loss, flat_start_loss
from crnn_ctc.training.memory import keep_memory
from crnn_ctc.training.optimization import exponential_average, one_cycle, parameter_groups
from crnn_ctc.training.run_log import NullRecord, Record, Window
from crnn_ctc.training.run_start import RANDOM, beginning, check_run, open_run
from crnn_ctc.training.trained_rectifier import open_rectifier

_SETTLING = 128
"""Pictures that the norms of a model file are measured on."""


Batch = TypeVar("Batch")


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or a polite kill: the state is saved, the run can go on.

    Without a message in a process that is not the main one.
    """


@missing_is_an_error()
def train_reader(
    recipe: Recipe,
    data: Path,
    run: Path,
    resume: bool = False,
    start: str | Path | None = None,
    resize: Resize = "new",
) -> float | None:
    """Train the network of ``recipe`` on ``data`` into the folder ``run``.

    Args:
        recipe: what to train.
        data: folder with the recipe's data.
        run: folder for the results; it must not hold a run yet, unless ``resume``.
        resume: go on from ``run``'s last checkpoint, or begin where there is none yet.
        start: a run folder, a model file or a shipped model whose weights to begin with, instead of
            random ones.
        resize: ``union`` adds to the recipe's alphabet the characters that ``start`` knows.

    Returns:
        The best exact match on the validation set, a fraction; None in a process that is not the
        main one.

    Raises:
        InputError: the data, the folder or the recipe cannot be used, or another process is lost.
        ChangedRunError: the run was begun with another recipe or with other pictures.
        Interrupted: after Ctrl-C; the state was saved.
    """
    recipe = with_images(with_alphabet(recipe, data), data)
    known = open_start(start) if start is not None else None
    if known is not None:
        recipe = united(recipe, known) if resize == "union" else recipe
        known = widened(known, recipe)
        check_start(recipe, known)
    steps = build(recipe).steps(recipe.input.width)  # before the data: if it fails, at once
    source, validation = open_training_data(recipe, data)
    plan, alphabet = recipe.training, recipe.characters
    teacher = Teacher(plan.teacher, recipe, steps) if plan.teacher is not None else None
    state = (
        checkpoint.load_tensors(run / checkpoint.STATE)
        if resume and (run / checkpoint.STATE).exists()
        else None
    )

    # without this, several processes on CPUs would each train alone
    on_cpu = not torch.accelerator.is_available()
    state_of_all = accelerate.PartialState(cpu=on_cpu, timeout=PATIENCE)
    device: torch.device = state_of_all.device
    accelerator = Accelerator(mixed_precision=precision.resolve(plan.precision, device))
    size, rank, world = plan.batch_size, accelerator.process_index, accelerator.num_processes
    if size % world:
        raise InputError(
            f"batch of {size} cannot be shared by {world} processes; "
            "set training.batch_size to a multiple"
        )
    check_run(run, recipe, source.pictures, resume)
    begin = beginning(run, known.name if known else RANDOM, state is not None)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        open_run(run, recipe, accelerator, begin, source.pictures)
        if isinstance(recipe.data, PlateViewsData):
            weights = open_rectifier(recipe.data.rectifier).network.state_dict()
            checkpoint.save_tensors(run / checkpoint.RECTIFIER, weights, {})
    keep_memory()
    torch.set_flush_denormal(True)  # numbers below 1e-38 cost a CPU a hundred times the others

    torch.manual_seed(recipe.seed)
    network = build(recipe)
    fresh = state is None and known is not None
    init_note = begin_with(network, recipe, known) if fresh and known else ""
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if fresh and known and known.folded:
        images = source.batch(0, _SETTLING)[0]
        settle_norms(network, torch.from_numpy(images).to(device))
    optimizer = torch.optim.AdamW(parameter_groups(network, plan), plan.learning_rate, fused=True)
    averaged = AveragedModel(
        network, multi_avg_fn=exponential_average(plan.ema_decay), use_buffers=True
    )
    model, optimizer = accelerator.prepare(network, optimizer)
    step, best, window, stopping_early = 0, -1.0, Window(), EarlyStopping(plan.patience)
    if state is not None:
        step, best = _restore(state, network, averaged, optimizer, accelerator)
        window.load(state[1]["window"])
        if "early_stopping" in state[1]:  # 0.1 had none
            stopping_early.load(state[1]["early_stopping"])
    schedule = one_cycle(optimizer, plan, step)

    is_main = accelerator.is_main_process

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
            f"{source.pictures:,} pictures; {plan.steps:,} steps of {size}, {len(ahead):,} to go, "
            f"on {device.type}"
        )
        if init_note:
            record.note(init_note)
        for images, texts, places, targets in training_batches(source, ahead, size, part, teacher):
            torch.manual_seed((recipe.seed + step * world + rank) % 2**63)  # dropout's
            model.train()
            log_probs = model(scale_pixels(torch.from_numpy(images).to(device)))
            loss = ctc_loss(log_probs, texts, alphabet)
            if (guessed := plan.guessed(step)) > 0:
                flat_loss = flat_start_loss(log_probs, texts, alphabet)
                loss = (1 - guessed) * loss + guessed * flat_loss
            if plan.aligned and places is not None:
                loss = loss + plan.aligned * align_loss(log_probs, texts, places, alphabet)
            if targets is not None:
                distill_loss = distillation_loss(log_probs, torch.from_numpy(targets).to(device))
                loss = (1 - plan.taught(step)) * loss + plan.taught(step) * distill_loss
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
                    numbers = validate(averaged.module, validation, alphabet, device)
                    record.write("validation", step, **numbers)
                    stopping_early.add(**numbers)
                    if numbers["exact_match"] >= best:
                        best = numbers["exact_match"]
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
                note = f"stopped at step {step} of {plan.steps}; the state is saved"
                raise Interrupted(*[note] if is_main else [])
    return best if is_main else None


def training_batches(
    source: Source, steps: range, size: int, part: slice, teacher: Teacher | None = None
) -> Iterator[tuple[NDArray[np.uint8], list[str], Places | None, NDArray[np.float32] | None]]:
    """Batches of ``steps``, each composed in a thread while the one before trains.

    With each come the places of the characters, where the source knows them, and the targets that
    ``teacher`` gives, if there is one.
    """

    def compose(
        step: int,
    ) -> tuple[NDArray[np.uint8], list[str], Places | None, NDArray[np.float32] | None]:
        images, texts, *places = source.batch(step, size, part)
        targets = teacher.targets(images, texts) if teacher else None
        return images, texts, places[0] if places else None, targets

    return batches_ahead(compose, steps)


def batches_ahead(compose: Callable[[int], Batch], steps: range) -> Iterator[Batch]:
    """The batches of ``steps``, each composed in a thread while the one before trains."""
    with ThreadPoolExecutor(1) as pool:
        coming = None
        for step in steps:
            batch = (coming or pool.submit(compose, step)).result()
            if step + 1 < steps.stop:
                coming = pool.submit(compose, step + 1)
            yield batch


@torch.inference_mode()
def validate(
    network: nn.Module,
    validation: Validation,
    alphabet: Alphabet,
    device: torch.device,
    batch_size: int = 250,
) -> dict[str, float]:
    """Exact match and CER of ``network`` on a fixed set, in float32, read as the product reads."""
    network.eval()
    read: list[str] = []
    labels: list[str] = []
    for images, texts in validation.batches(batch_size):
        log_probs = network(scale_pixels(torch.from_numpy(images).to(device))).cpu().numpy()
        read += greedy_texts(log_probs, alphabet)
        labels += texts
    metrics = text_metrics(read, labels)
    return {"exact_match": metrics.exact_match, "cer": metrics.cer}


def _agreed(reached: bool, device: torch.device, world: int) -> bool:
    """What the main process says of it, in all processes."""
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
    state: tuple[dict[str, Tensor], dict[str, Any]],
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
    run: Path, network: nn.Module, recipe: Recipe, step: int, numbers: dict[str, float]
) -> None:
    facts = {"recipe": recipe.model_dump(), "step": step, "validation": numbers}
    checkpoint.save_tensors(run / checkpoint.BEST, network.state_dict(), facts)


@contextmanager
def signals() -> Iterator[list[int]]:
    """Collect Ctrl-C and termination instead of dying in the middle of a step.

    A second one is not waited for.
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
