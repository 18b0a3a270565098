"""Variants of training a reader that training_ablations.py compares, one function each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from crnn_ctc.decode import greedy_texts
from crnn_ctc.net.network import scale_pixels
from crnn_ctc.rectify import MARGIN, UNIT
from crnn_ctc.training.loss import align_loss, ctc_loss
from crnn_ctc.training.reader import ReaderTask
from crnn_ctc.training.rectifier import corner_errors

VIEW = (96, 192)
"""Height and width of the pictures from which :func:`joint` samples plates."""
LONGEST = 9
"""Maximum number of characters of a plate."""


@dataclass(frozen=True)
class Pictures:
    """Training pictures of a seed.

    Attributes:
        images: inputs of the reader, uint8 (N, 48, 168, 3).
        texts: N labels.
        places: N times the character centres, as fractions of the width.
        synthetic: whether the plate is synthetic, bool (N,).
        sampled: whether ``views`` has a one-row plate, bool (N,).
        views: crops, uint8 (N, 96, 192, 3); 0 if not ``sampled``.
        corners: true corners, as fractions of ``views``, float32 (N, 4, 2).
        teacher: log-probabilities of plates-small, float16 (N, T, K).
    """

    images: NDArray[np.uint8]
    texts: list[str]
    places: list[tuple[float, ...]]
    synthetic: NDArray[np.bool_]
    sampled: NDArray[np.bool_]
    views: NDArray[np.uint8]
    corners: NDArray[np.float32]
    teacher: NDArray[np.float16]


def sample(views: Tensor, corners: Tensor, height: int, width: int) -> Tensor:
    """Sample one-row plates from their crops, differentiable with respect to the corners.

    Args:
        views: float32 (N, 3, H, W).
        corners: float32 (N, 4, 2), fractions of the view.
        height: height of the result, in pixels.
        width: width of the result, in pixels.

    Returns:
        float32 (N, 3, height, width); see :func:`crnn_ctc.rectify.rectify`.
    """
    x, y = torch.tensor(UNIT, dtype=torch.float32).T.expand(len(views), 2, 4).unbind(1)
    u, v = (2 * corners - 1).unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    upper = torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], -1)
    lower = torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], -1)
    h = torch.linalg.solve(torch.cat([upper, lower], 1), torch.cat([u, v], 1))
    h = torch.cat([h, torch.ones(len(h), 1)], 1).reshape(-1, 3, 3)
    across = ((torch.arange(width) + 0.5) / width) * (1 + 2 * MARGIN) - MARGIN
    down = ((torch.arange(height) + 0.5) / height) * (1 + 2 * MARGIN) - MARGIN
    points = torch.cartesian_prod(down, across).flip(1)
    found = torch.cat([points, torch.ones(len(points), 1)], 1) @ h.transpose(1, 2)
    grid = (found[..., :2] / found[..., 2:].clamp(min=0.05)).reshape(-1, height, width, 2)
    grid = grid.nan_to_num().clamp(-3, 3)  # otherwise torch's sampler reads out of bounds
    return nn.functional.grid_sample(
        views.contiguous(), grid, padding_mode="border", align_corners=False
    )


class Guide(nn.Module):
    """An attention head beside CTC, with one query per position (GTC, arXiv 2002.01276)."""

    def __init__(self, features: int, steps: int, classes: int) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.randn(steps, features) * 0.1)
        self.queries = nn.Parameter(torch.randn(LONGEST + 1, features))
        self.attention = nn.MultiheadAttention(features, 4, batch_first=True)
        self.out = nn.Linear(features, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, T, F) to logits (N, 10, K)."""
        queries = self.queries.expand(len(x), -1, -1)
        keys = x + self.places
        return self.out(queries + self.attention(queries, keys, x, need_weights=False)[0])  # type: ignore[no-any-return]


def _usual(log_probs: Tensor, texts: list[str], places: list[Any], task: Student) -> Tensor:
    loss = ctc_loss(log_probs, texts, task.alphabet)
    return loss + task.plan.aligned * align_loss(log_probs, texts, places, task.alphabet)


def baseline(model: Any, rows: slice, task: Student) -> Tensor:
    """CTC loss and the loss of character positions, as in the recipe."""
    log_probs = model(task.inputs(rows))
    return _usual(log_probs, task.pictures.texts[rows], task.pictures.places[rows], task)


_BOUND = 0.002
"""Maximum gradient of the recognition loss per coordinate, about that of the corner loss."""


def joint(model: Any, rows: slice, task: Student) -> Tensor:
    """Backpropagate the recognition loss through the sampler into the rectifier.

    A loss on the true corners regularizes the rectifier.
    """
    made, images = task.pictures, task.inputs(rows)
    at = torch.from_numpy(np.flatnonzero(made.sampled[rows]))
    views = scale_pixels(torch.from_numpy(made.views[rows][made.sampled[rows]]))
    model.rectifier.eval()
    with torch.autocast("cpu", enabled=False):
        corners = model.rectifier(nn.functional.avg_pool2d(views, 2))[0]
        through = corners.clone()  # its gradient is unbounded for nearly degenerate quadrilaterals
        through.register_hook(lambda g: g.nan_to_num(0, 0, 0).clamp(-_BOUND, _BOUND))
        images = images.index_copy(0, at, sample(views, through, *images.shape[2:]))
    log_probs = model(images.contiguous(memory_format=torch.channels_last))
    true = torch.from_numpy(made.corners[rows][made.sampled[rows]])
    return (
        _usual(log_probs, made.texts[rows], made.places[rows], task)
        + 0.5 * corner_errors(corners, true).mean()
    )


def spans(model: Any, rows: slice, task: Student) -> Tensor:
    """Distil a teacher's character probabilities, averaged over each character's span."""
    log_probs = model(task.inputs(rows))
    teacher, texts = task.pictures.teacher[rows].astype(np.float32), task.pictures.texts[rows]
    blank, steps = task.alphabet.blank, teacher.shape[1]
    members = np.zeros((len(texts), LONGEST, steps), np.float32)
    read = greedy_texts(teacher, task.alphabet)
    for row, path in enumerate(teacher.argmax(-1)):
        begins = np.flatnonzero((path != blank) & (path != np.append(blank, path[:-1])))
        if read[row] == texts[row] and len(begins):
            ends = np.append((begins[:-1] + begins[1:] + 1) // 2, steps)
            for k, (first, last) in enumerate(zip(np.append(0, ends[:-1]), ends, strict=True)):
                members[row, k, first:last] = 1 / (last - first)
    over = torch.from_numpy(members)
    told, said = (over @ p.exp() for p in (torch.from_numpy(teacher), log_probs))
    shares = []
    for averaged in (told, said):
        characters = torch.cat([averaged[..., :blank], averaged[..., blank + 1 :]], -1) + 1e-6
        shares.append(characters / characters.sum(-1, keepdim=True))
    used = over.sum(-1) > 0
    loss = -(shares[0] * shares[1].log()).sum(-1)[used].mean()
    return _usual(log_probs, texts, task.pictures.places[rows], task) + 0.5 * loss


def self_distilled(model: Any, rows: slice, task: Student) -> Tensor:
    """Cross-entropy against the most probable alignment of the label (arXiv 2308.08806)."""
    log_probs = model(task.inputs(rows))
    texts = task.pictures.texts[rows]
    given = log_probs.detach().requires_grad_()
    labels = [task.alphabet.encode(text) for text in texts]
    total = nn.functional.ctc_loss(
        given.transpose(0, 1),
        torch.tensor([c for label in labels for c in label]),
        torch.full((len(texts),), given.shape[1]),
        torch.tensor([len(label) for label in labels]),
        blank=task.alphabet.blank,
        reduction="sum",
        zero_infinity=True,
    )
    # torch returns the gradient of the logits: probabilities minus alignment posteriors
    alignment = (given.exp() - torch.autograd.grad(total, given)[0]).argmax(-1)
    loss = nn.functional.nll_loss(log_probs.flatten(0, 1), alignment.flatten())
    return _usual(log_probs, texts, task.pictures.places[rows], task) + 0.25 * loss


def guided(model: Any, rows: slice, task: Student) -> Tensor:
    """Add the loss of an attention head on the same features, in training only."""
    kept: list[Tensor] = []
    hook = model.fc.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
    log_probs = model(task.inputs(rows))
    hook.remove()
    blank, texts = task.alphabet.blank, task.pictures.texts[rows]
    labels = [task.alphabet.encode(text) for text in texts]
    targets = torch.tensor([[*la, *[blank] * (LONGEST + 1 - len(la))] for la in labels])
    logits = model.guide(kept[0].float())
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    return _usual(log_probs, texts, task.pictures.places[rows], task) + 0.3 * loss


def skipping(model: Any, rows: slice, task: Student) -> Tensor:
    """Skip synthetic plates read with more than 0.95, and those that plates-small misreads."""
    log_probs = model(task.inputs(rows))
    made, texts = task.pictures, task.pictures.texts[rows]
    with torch.no_grad():
        sure = [-float(ctc_loss(p[None], [t], task.alphabet)) * max(len(t), 1) for p, t in zip(
            log_probs, texts, strict=True)]  # fmt: skip
    read = greedy_texts(made.teacher[rows].astype(np.float32), task.alphabet)
    keep = [
        k
        for k, text in enumerate(texts)
        if not made.synthetic[rows][k] or (np.exp(sure[k]) <= 0.95 and read[k] == text)
    ]
    places = made.places[rows]
    return _usual(log_probs[keep], [texts[k] for k in keep], [places[k] for k in keep], task)


VARIANTS: dict[str, Callable[[Any, slice, Any], Tensor]] = {
    "baseline": baseline,
    "loss through the sampler": joint,
    "teacher averaged over spans": spans,
    "self-distillation": self_distilled,
    "attention head as a guide": guided,
    "skipping easy and unreadable": skipping,
}


@dataclass(frozen=True)
class Student(ReaderTask):
    """Training of one of ``VARIANTS`` on composed pictures."""

    pictures: Any = None
    variant: Callable[[Any, slice, Any], Tensor] = baseline

    def inputs(self, rows: slice) -> Tensor:
        """Inputs of the network, float32 (N, 3, H, W)."""
        return scale_pixels(torch.from_numpy(self.pictures.images[rows]))

    def batch(self, step: int, size: int, part: slice) -> Any:
        """Slice of the pictures for a step."""
        del part
        return slice(step * size, (step + 1) * size)

    def loss(self, model: nn.Module, batch: Any, step: int) -> Tensor:
        """Loss of the variant."""
        del step
        return self.variant(model, batch, self)
