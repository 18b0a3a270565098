"""Training of a rectifier: corners, rows and colours of plates in random views of them.

As in :mod:`crnn_ctc.training.fit`, every random choice is a function of the seed and the step, so
that a run goes on after a kill as if nothing had been.
"""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import tomli_w
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from crnn_ctc import __version__
from crnn_ctc.data.plate_views import ViewSource, backgrounds, ccpd_plates, scene_plates
from crnn_ctc.errors import InputError
from crnn_ctc.files import write_atomically
from crnn_ctc.image import fit as fit_picture
from crnn_ctc.net.network import scale_pixels
from crnn_ctc.net.rectifier import VIEW_HEIGHT, VIEW_WIDTH, Rectifier
from crnn_ctc.recipe.rectifier import CornersData, RectifierRecipe
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.synthesis.text import KIND_WEIGHTS
from crnn_ctc.training import checkpoint
from crnn_ctc.training.fit import Interrupted, batches_ahead, signals
from crnn_ctc.training.memory import keep_memory
from crnn_ctc.training.optimization import exponential_average, one_cycle, parameter_groups
from crnn_ctc.training.run_log import Record, Window
from crnn_ctc.training.run_start import VERSIONS

_ROWS_WEIGHT, _COLOURS_WEIGHT = 0.3, 0.2
"""Of their losses, beside the corners'."""

Batch = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]
"""Views uint8 (N, 48, 96, 3), corners float32 (N, 4, 2), two rows float32 (N,), colours (N,)."""


def corner_errors(found: Tensor, corners: Tensor) -> Tensor:
    """Mean distance of four corners from where they are, as a share of the plate's height.

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
    # of a plate of a few pixels, a pixel must not count more than all else
    errors: Tensor = distance / height.clamp(min=6.0)
    return errors


def fit_rectifier(
    recipe: RectifierRecipe, data: Path, run: Path, resume: bool = False, start: Path | None = None
) -> float:
    """Train the rectifier of ``recipe`` on ``data`` into the folder ``run``.

    Args:
        recipe: what to train.
        data: folder with the recipe's data.
        run: folder for the results; it must not hold a run yet, unless ``resume``.
        resume: go on from the run's last checkpoint, or begin where there is none yet.
        start: a run folder of a rectifier whose best weights to begin with.

    Returns:
        The least mean corner error on the validation views, as a share of the plate's height.

    Raises:
        InputError: the data, the folder or the recipe cannot be used.
        Interrupted: after Ctrl-C; the state was saved.
    """
    if (run / checkpoint.RECIPE).exists() and not resume:
        raise InputError(f"{run}: holds a run already; give --resume to go on, or another --run")
    plan = recipe.training
    source, held = _open(recipe, data)
    keep_memory()
    torch.set_flush_denormal(True)
    torch.manual_seed(recipe.seed)
    network = Rectifier()
    if start is not None:
        network.load_state_dict(checkpoint.load_tensors(start / checkpoint.BEST)[0])
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(parameter_groups(network, plan), plan.learning_rate, fused=True)
    averaged = AveragedModel(
        network, multi_avg_fn=exponential_average(plan.ema_decay), use_buffers=True
    )
    step, best, window = 0, float("inf"), Window()
    if resume and (run / checkpoint.STATE).exists():
        tensors, facts = checkpoint.load_tensors(run / checkpoint.STATE)
        network.load_state_dict(checkpoint.under("network", tensors))
        averaged.load_state_dict(checkpoint.under("averaged", tensors))
        checkpoint.load_optimizer(optimizer, checkpoint.under("optimizer", tensors))
        step, best = int(facts["step"]), float(facts["best"])
        window.load(facts["window"])
    _describe(run, recipe, start)
    schedule = one_cycle(optimizer, plan, step)
    every = max(1, plan.steps // plan.validations)

    def save() -> None:
        tensors = {
            **checkpoint.prefixed("network", network.state_dict()),
            **checkpoint.prefixed("averaged", averaged.state_dict()),
            **checkpoint.prefixed("optimizer", checkpoint.optimizer_tensors(optimizer)),
        }
        facts = {"step": step, "best": best, "window": window.state()}
        checkpoint.save_tensors(run / checkpoint.STATE, tensors, facts)

    with signals() as stopped, Record(run, plan.steps, step, plan.batch_size) as record:
        composed = batches_ahead(
            lambda at: _batch(source, range(at * plan.batch_size, (at + 1) * plan.batch_size)),
            range(step, plan.steps),
        )
        for images, corners, rows, colours in composed:
            network.train()
            found, two, named = network(scale_pixels(torch.from_numpy(images)))
            loss = corner_errors(found, torch.from_numpy(corners)).mean()
            loss = loss + _ROWS_WEIGHT * nn.functional.binary_cross_entropy_with_logits(
                two, torch.from_numpy(rows)
            )
            loss = loss + _COLOURS_WEIGHT * nn.functional.cross_entropy(
                named, torch.from_numpy(colours), ignore_index=-1
            )
            loss.backward()  # type: ignore[no-untyped-call]
            norm = nn.utils.clip_grad_norm_(network.parameters(), plan.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            rate = float(schedule.get_last_lr()[0])
            step += 1
            if step in plan.cycles:
                schedule = one_cycle(optimizer, plan, step)
            else:
                schedule.step()
            averaged.update_parameters(network)
            window.add(loss.detach(), len(images))
            record.advance(step)
            if step % plan.log_steps == 0:
                numbers = window.take()
                record.write(
                    "train", step, **numbers, learning_rate=rate, gradient_norm=float(norm)
                )
            if step % every == 0 or step == plan.steps:
                numbers = validate(averaged.module, held)
                record.write("validation", step, **numbers)
                if numbers["corner_error"] <= best:
                    best = numbers["corner_error"]
                    facts = {"recipe": recipe.model_dump(), "step": step, "validation": numbers}
                    weights = averaged.module.state_dict()
                    checkpoint.save_tensors(run / checkpoint.BEST, weights, facts)
                window.restart()
                save()
            elif step % plan.checkpoint_steps == 0:
                save()
            if stopped:
                save()
                raise Interrupted(f"stopped at step {step} of {plan.steps}; the state is saved")
    return best


@torch.inference_mode()
def validate(network: nn.Module, held: Batch) -> dict[str, float]:
    """Mean corner error, and the shares of rows and of colours that are right."""
    images, corners, rows, colours = held
    found, two, named = network.eval()(scale_pixels(torch.from_numpy(images)))
    known = colours >= 0
    return {
        "corner_error": float(corner_errors(found, torch.from_numpy(corners)).mean()),
        "rows": float(((two.numpy() > 0) == (rows > 0.5)).mean()),
        "colours": float((named.numpy().argmax(1) == colours)[known].mean()),
    }


def _open(recipe: RectifierRecipe, folder: Path) -> tuple[ViewSource, Batch]:
    data: CornersData = recipe.data
    synthesizer = PlateSynthesizer(
        recipe.seed,
        glyphs=folder / data.glyphs if data.glyphs else None,
        glyph_share=data.glyph_share,
        kinds=data.kinds or KIND_WEIGHTS,
    )
    scenes = folder / data.scenes
    plates = scene_plates(scenes) + (ccpd_plates(folder / data.ccpd) if data.ccpd else [])
    source = ViewSource(
        plates, synthesizer, backgrounds(scenes), data.synthetic, data.balance, recipe.seed
    )
    held = scene_plates(folder / data.validation)
    other = ViewSource(held, synthesizer, source.grounds, 0.5, 0.0, recipe.seed + _HELD_SEED)
    return source, _batch(other, range(2 * data.validation_views * len(held)))


_HELD_SEED = 2_000_003
"""Added to a run's seed, for views that its training does not draw."""


def _batch(source: ViewSource, indices: range) -> Batch:
    seen = source.views(indices)
    images = np.stack([fit_picture(v.image, VIEW_HEIGHT, VIEW_WIDTH, 3) for v, _ in seen])
    corners = np.stack([v.corners for v, _ in seen])
    rows = np.array([plate.two_rows for _, plate in seen], np.float32)
    return images, corners, rows, np.array([plate.colour for _, plate in seen], np.int64)


def _describe(run: Path, recipe: RectifierRecipe, start: Path | None) -> None:
    facts = {
        "crnn_ctc": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "device": "cpu",
        "threads": torch.get_num_threads(),
        "precision": "no",
        "from": start.name if start else "random weights",
    }
    values = recipe.model_dump(exclude_none=True)
    write_atomically(run / checkpoint.RECIPE, tomli_w.dumps(values).encode())
    write_atomically(run / VERSIONS, tomli_w.dumps(facts).encode())
