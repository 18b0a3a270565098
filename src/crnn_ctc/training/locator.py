"""Training of a locator, from top to bottom.

As in :mod:`crnn_ctc.training.fit`, every random choice is a function of the seed and the step, so
that a run goes on after a kill as if nothing had been.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tomli_w
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from crnn_ctc import __version__
from crnn_ctc.data.scenes import Scene, read_scenes
from crnn_ctc.errors import InputError
from crnn_ctc.evaluation.locating import LocatingCount
from crnn_ctc.files import write_atomically
from crnn_ctc.find.decoding import STRIDE, LocatedPlate, decode
from crnn_ctc.image import load as load_picture
from crnn_ctc.image import names_picture
from crnn_ctc.net.locator import FromPixels, LocatorNetwork, locator_loss
from crnn_ctc.recipe import LocatorRecipe, Names
from crnn_ctc.synthesis.street import Street, StreetSynthesizer, StreetView
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.training import checkpoint, precision
from crnn_ctc.training.fit import Interrupted, batches_ahead, signals
from crnn_ctc.training.memory import keep_memory
from crnn_ctc.training.optimization import exponential_average, one_cycle, parameter_groups
from crnn_ctc.training.run_log import Record, Window
from crnn_ctc.training.run_start import VERSIONS

_VALIDATION_SEED = 2_000_003
"""Added to a run's seed, for views that its training does not draw."""

_VALIDATION_SIDE = 640
"""Pixels, the longer side of a validation photograph."""

_THRESHOLD = 0.3
"""Least score of a plate while validating."""

_PLATE_SIZE = (64, 224)
"""Height and width of the synthetic plates in pixels, before they are pasted."""


def fit_locator(
    recipe: LocatorRecipe, data: Path, run: Path, resume: bool = False, start: Path | None = None
) -> float:
    """Train the locator of ``recipe`` on ``data`` into the folder ``run``.

    Args:
        recipe: what to train.
        data: folder with the recipe's data.
        run: folder for the results; it must not hold a run yet, unless ``resume``.
        resume: go on from the run's last checkpoint, or begin where there is none yet.
        start: a run folder of a locator whose best weights to begin with.

    Returns:
        The best mean IoU on the validation set, from 0 to 1.

    Raises:
        InputError: the data, the folder or the recipe cannot be used.
        Interrupted: after Ctrl-C; the state was saved.
    """
    if (run / checkpoint.RECIPE).exists() and not resume:
        raise InputError(f"{run}: holds a run already; give --resume to go on, or another --run")
    plan, device = recipe.training, torch.accelerator.current_accelerator() or torch.device("cpu")
    kind = precision.resolve(plan.precision, device)
    source, validation = _open(recipe, data)
    keep_memory()
    torch.set_flush_denormal(True)
    cv2.setNumThreads(1)

    torch.manual_seed(recipe.seed)
    network = LocatorNetwork()
    if start is not None:
        network.load_state_dict(checkpoint.load_tensors(start / checkpoint.BEST)[0])
    network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(parameter_groups(network, plan), plan.learning_rate, fused=True)
    averaged = AveragedModel(
        network, multi_avg_fn=exponential_average(plan.ema_decay), use_buffers=True
    )
    step, best, window = 0, -1.0, Window()
    if resume and (run / checkpoint.STATE).exists():
        tensors, facts = checkpoint.load_tensors(run / checkpoint.STATE)
        network.load_state_dict(checkpoint.under("network", tensors))
        averaged.load_state_dict(checkpoint.under("averaged", tensors))
        checkpoint.load_optimizer(optimizer, checkpoint.under("optimizer", tensors))
        step, best = int(facts["step"]), float(facts["best"])
        window.load(facts["window"])
    _describe(run, recipe, device, kind, start)
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
            lambda at: _batch(source, at, plan.batch_size), range(step, plan.steps)
        )
        for images, wanted in composed:
            network.train()
            x = torch.from_numpy(images).to(device).permute(0, 3, 1, 2) / 255
            with torch.autocast(device.type, _DTYPES[kind], enabled=kind != "no"):
                maps = network(x)
            loss = locator_loss(maps, *(torch.from_numpy(t).to(device) for t in wanted))
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
                numbers = _validate(averaged.module, validation, device)
                record.write("validation", step, **numbers)
                if numbers["mean_iou"] >= best:
                    best = numbers["mean_iou"]
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


_DTYPES = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

_Targets = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def targets(view: StreetView) -> _Targets:
    """What the maps of a view should be; see :func:`crnn_ctc.net.locator.locator_loss`."""
    cells = view.image.shape[0] // STRIDE
    ys, xs = np.mgrid[:cells, :cells].astype(np.float32) + np.float32(0.5)
    heat, weights = np.zeros((2, cells, cells), np.float32)
    corners = np.zeros((8, cells, cells), np.float32)
    care = np.ones((cells, cells), np.float32)
    for quad in view.ignored:
        low, high = (quad.min(0) / STRIDE).astype(int), np.ceil(quad.max(0) / STRIDE).astype(int)
        care[max(low[1], 0) : max(high[1], 0), max(low[0], 0) : max(high[0], 0)] = 0
    for quad, exact in zip(view.plates / STRIDE, view.exact, strict=True):
        x, y = quad.mean(0)
        sides = np.linalg.norm(np.roll(quad, -1, 0) - quad, axis=1)
        size = float(np.sqrt((sides[0] + sides[2]) * (sides[1] + sides[3])) / 2)
        sigma = max(0.7, 0.14 * size)
        spot = np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * sigma**2))
        cell = min(max(int(y), 0), cells - 1), min(max(int(x), 0), cells - 1)
        spot[cell] = 1
        mine = (spot > 0.4) & (spot >= heat)
        weights[mine] = exact / (max(size, 1.0) * mine.sum())
        for j, (cx, cy) in enumerate(quad):
            corners[2 * j][mine] = (cx - xs)[mine]
            corners[2 * j + 1][mine] = (cy - ys)[mine]
        np.maximum(heat, spot, out=heat)
    return heat, corners, weights, care


def _batch(source: StreetSynthesizer, step: int, size: int) -> tuple[NDArray[np.uint8], _Targets]:
    """Views ``step * size`` and on, uint8 (size, S, S, 3), and their targets."""
    views = [source.view(i) for i in range(step * size, (step + 1) * size)]
    heat, corners, weights, care = (np.stack(p) for p in zip(*map(targets, views), strict=True))
    return np.stack([view.image for view in views]), (heat, corners, weights, care)


_Validation = list[tuple[NDArray[np.uint8], StreetView]]


def _open(recipe: LocatorRecipe, data: Path) -> tuple[StreetSynthesizer, _Validation]:
    settings = recipe.data
    streets = [Street.open(scene) for scene in _scenes(data, settings.train)]
    foreign = [
        load_picture(path)
        for name in _several(settings.distractors)
        for path in sorted(p for p in (data / name).iterdir() if names_picture(p.name))[::2]
    ]

    def source(seed: int) -> StreetSynthesizer:
        height, width = _PLATE_SIZE
        plates = PlateSynthesizer(seed, height, width, cut="corners", perspective=0.0)
        return StreetSynthesizer(streets, seed, settings.size, plates, foreign, settings.widths)

    drawn = source(recipe.seed + _VALIDATION_SEED)
    validation = [(view.image, view) for view in map(drawn.view, range(settings.validation_views))]
    validation += [_small(scene) for scene in _scenes(data, settings.validation)]
    return source(recipe.seed), validation


def _several(names: Names | None) -> list[str]:
    return [] if names is None else [names] if isinstance(names, str) else names


def _scenes(data: Path, names: Names) -> list[Scene]:
    return [scene for name in _several(names) for scene in read_scenes(data / name)]


def _small(scene: Scene) -> tuple[NDArray[np.uint8], StreetView]:
    """A validation photograph at the size it is searched in, filled up to multiples of 32."""
    image = load_picture(scene.path)
    factor = _VALIDATION_SIDE / max(image.shape[:2])
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    h, w = small.shape[:2]
    filled = np.full((-(-h // 32) * 32, -(-w // 32) * 32, 3), 110, np.uint8)
    filled[:h, :w] = small
    plates = [plate.corners * np.float32(factor) for plate in scene.plates]
    exact = np.array([plate.exact for plate in scene.plates], np.bool_)
    none = np.zeros((0, 4, 2), np.float32)
    return filled, StreetView(filled, np.array(plates, np.float32).reshape(-1, 4, 2), exact, none)


@torch.inference_mode()
def _validate(
    network: nn.Module, validation: _Validation, device: torch.device
) -> dict[str, float]:
    """Numbers of photographs, and with ``drawn_`` of synthetic views; ``mean_iou`` is of both."""
    model = FromPixels(network).eval()  # type: ignore[arg-type]
    counts = {"": LocatingCount(), "drawn_": LocatingCount()}
    for image, view in validation:
        heat, corners = model(torch.from_numpy(image[None]).to(device))
        found = _decoded(heat, corners)
        count = counts["drawn_" if view.image.shape[0] == view.image.shape[1] else ""]
        count.add(found, list(view.plates), list(view.exact), list(view.ignored))
    numbers: dict[str, float] = {
        f"{name}{key}": value for name, c in counts.items() for key, value in c.numbers.items()
    }
    means = [c.numbers["mean_iou"] for c in counts.values() if c.plates]
    return numbers | {"photo_iou": numbers["mean_iou"], "mean_iou": float(np.mean(means))}


def _decoded(heat: Tensor, corners: Tensor) -> list[LocatedPlate]:
    return decode(heat[0].cpu().numpy(), corners[0].cpu().numpy(), _THRESHOLD)


def _describe(
    run: Path, recipe: LocatorRecipe, device: torch.device, kind: str, start: Path | None
) -> None:
    facts: dict[str, Any] = {
        "crnn_ctc": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "device": str(device),
        "threads": torch.get_num_threads(),
        "precision": kind,
        "from": start.name if start else "random weights",
    }
    values = recipe.model_dump(exclude_none=True)
    write_atomically(run / checkpoint.RECIPE, tomli_w.dumps(values).encode())
    write_atomically(run / VERSIONS, tomli_w.dumps(facts).encode())
