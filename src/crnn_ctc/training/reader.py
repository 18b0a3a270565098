"""Training of a reader: a network that turns pictures of text into log-probabilities for CTC."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.data.completed import with_alphabet, with_images
from crnn_ctc.data.source import Places, Source, Validation, open_training_data
from crnn_ctc.decode import greedy_texts
from crnn_ctc.evaluation.metrics import text_metrics
from crnn_ctc.net.build import build, time_steps
from crnn_ctc.net.network import scale_pixels
from crnn_ctc.recipe import Recipe, Training
from crnn_ctc.training import checkpoint
from crnn_ctc.training.distillation import Teacher
from crnn_ctc.training.distributed import missing_is_an_error
from crnn_ctc.training.finetune import (
    Resize,
    begin_with,
    check_start,
    open_start,
    settle_norms,
    united,
    widened,
)
from crnn_ctc.training.loop import train
from crnn_ctc.training.loss import align_loss, ctc_loss, distillation_loss, flat_start_loss
from crnn_ctc.training.run_start import RANDOM, start_run
from crnn_ctc.training.trained_rectifier import open_rectifier

_SETTLING = 128
"""Pictures for :func:`crnn_ctc.training.finetune.settle_norms`."""

Batch = tuple[NDArray[np.uint8], list[str], Places | None, NDArray[np.float32] | None]
"""Images uint8 (N, H, W, C), their texts, places of their characters if known, and the targets of
a teacher, if any."""


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
        recipe: the recipe.
        data: folder with the recipe's data.
        run: folder of the results; it must not hold a run, unless ``resume``.
        resume: continue from the last checkpoint of ``run``, or start if there is none.
        start: run folder, model file or shipped model with the initial weights; random by default.
        resize: ``union`` adds to the recipe's alphabet the characters that ``start`` knows.

    Returns:
        The best exact match on the validation set, a fraction; None in a process that is not the
        main one.

    Raises:
        InputError: the data, the folder or the recipe cannot be used, or another process is lost.
        ChangedRunError: the run was started with another recipe or with other pictures.
        Interrupted: after Ctrl-C; the state was saved.
    """
    recipe = with_images(with_alphabet(recipe, data), data)
    known = open_start(start) if start is not None else None
    if known is not None:
        recipe = united(recipe, known) if resize == "union" else recipe
        known = widened(known, recipe)
        check_start(recipe, known)
    steps = time_steps(recipe)  # before the data: if it fails, at once
    rectifier = open_rectifier(recipe.rectifier) if recipe.rectifier else None
    source, validation = open_training_data(recipe, data, rectifier)
    plan = recipe.training
    teacher = Teacher(plan.teacher, recipe, steps) if plan.teacher is not None else None
    begin = known.name if known else RANDOM
    accelerator, state = start_run(recipe, run, resume, source.pictures, begin)
    device = accelerator.device
    if rectifier is not None and accelerator.is_main_process:
        checkpoint.save_tensors(run / checkpoint.RECTIFIER, rectifier.network.state_dict(), {})

    torch.manual_seed(recipe.seed)
    network = build(recipe)
    note = begin_with(network, recipe, known) if known and state is None else ""
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if known and known.folded and state is None:
        images = source.batch(0, _SETTLING)[0]
        settle_norms(network, torch.from_numpy(images).to(device))
    task = ReaderTask(source, validation, plan, recipe.characters, device, teacher)
    pictures = f"{source.pictures:,} pictures"
    return train(task, network, recipe, run, accelerator, state, pictures, note)


@dataclass(frozen=True)
class ReaderTask:
    """Training of a reader as a :class:`crnn_ctc.training.loop.Task`.

    Attributes:
        source: training pictures.
        validation: validation pictures.
        plan: weights of the losses beside CTC.
        alphabet: characters of the network's classes.
        device: device of the network.
        teacher: model whose outputs are distilled; None for none.
    """

    source: Source
    validation: Validation
    plan: Training
    alphabet: Alphabet
    device: torch.device
    teacher: Teacher | None = None
    measure = "exact_match"

    def batch(self, step: int, size: int, part: slice) -> Batch:
        """See :meth:`crnn_ctc.training.loop.Task.batch`."""
        images, texts, *places = self.source.batch(step, size, part)
        targets = self.teacher.targets(images, texts) if self.teacher else None
        return images, texts, places[0] if places else None, targets

    def loss(self, model: nn.Module, batch: Batch, step: int) -> Tensor:
        """CTC plus the recipe's losses: flat start, places of characters, distillation."""
        images, texts, places, targets = batch
        plan, alphabet = self.plan, self.alphabet
        log_probs = model(scale_pixels(torch.from_numpy(images).to(self.device)))
        loss = ctc_loss(log_probs, texts, alphabet)
        if (guessed := plan.guessed(step)) > 0:
            flat_loss = flat_start_loss(log_probs, texts, alphabet)
            loss = (1 - guessed) * loss + guessed * flat_loss
        if plan.aligned and places is not None:
            loss = loss + plan.aligned * align_loss(log_probs, texts, places, alphabet)
        if targets is not None:
            distill_loss = distillation_loss(log_probs, torch.from_numpy(targets).to(self.device))
            loss = (1 - plan.taught(step)) * loss + plan.taught(step) * distill_loss
        return loss

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Exact match and CER, both fractions."""
        return validate(network, self.validation, self.alphabet, self.device)

    def score(self, numbers: dict[str, float]) -> tuple[float, ...]:
        """Exact match, then character accuracy."""
        return numbers["exact_match"], -numbers["cer"]


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
