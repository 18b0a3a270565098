"""Training of a locator: heat and corners of plates in synthetic and real street views."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from crnn_ctc.data.scenes import Scene, read_scenes
from crnn_ctc.evaluation.locating import LocatingCount
from crnn_ctc.find.decoding import STRIDE, LocatedPlate, decode
from crnn_ctc.image import load as load_picture
from crnn_ctc.image import names_picture
from crnn_ctc.net.locator import FromPixels, LocatorNetwork, locator_loss
from crnn_ctc.recipe import LocatorRecipe, Names
from crnn_ctc.synthesis.street import Street, StreetSynthesizer, StreetView
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.training import checkpoint
from crnn_ctc.training.finetune import settle_norms
from crnn_ctc.training.from_onnx import load_locator
from crnn_ctc.training.loop import train
from crnn_ctc.training.run_start import RANDOM, start_run

_VALIDATION_SEED = 2_000_003
"""Added to a run's seed for the validation views."""

_VALIDATION_SIDE = 640
"""Longer side of a validation photograph in pixels."""

_SETTLING = 64
"""Views that the batch norms of a model file are settled on."""

_THRESHOLD = 0.3
"""Least score of a plate in validation."""

_PLATE_SIZE = (64, 224)
"""Height and width of the synthetic plates in pixels, before they are pasted."""


def train_locator(
    recipe: LocatorRecipe, data: Path, run: Path, resume: bool = False, start: str | None = None
) -> float | None:
    """Train the locator of ``recipe`` on ``data`` into the folder ``run``.

    Args:
        recipe: the recipe.
        data: folder with the recipe's data.
        run: folder for the results; it must not hold a run yet, unless ``resume``.
        resume: go on from the run's last checkpoint, or begin where there is none yet.
        start: a locator to begin with: a run folder, of which the best weights are taken, a shipped
            locator or a model file.

    Returns:
        The best mean IoU on the validation set, from 0 to 1; None in a process that is not the
        main one.

    Raises:
        InputError: the data, the folder or the recipe cannot be used.
        ChangedRunError: the run was started with another recipe or with other photographs.
        Interrupted: after Ctrl-C; the state was saved.
    """
    cv2.setNumThreads(1)
    source, validation, photographs = _open(recipe, data)
    begin = Path(start).name if start else RANDOM
    accelerator, state = start_run(recipe, run, resume, photographs, begin)
    torch.manual_seed(recipe.seed)
    network = LocatorNetwork(recipe.own_light)
    if start is not None and state is None:
        _begin_with(network, start, source)
    network.to(accelerator.device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    task = LocatorTask(source, validation, accelerator.device)
    return train(task, network, recipe, run, accelerator, state, f"{photographs:,} photographs")


def _begin_with(network: LocatorNetwork, start: str, source: StreetSynthesizer) -> None:
    """Give a fresh network the weights of a run folder or of a model file."""
    if Path(start).is_dir():
        network.load_state_dict(checkpoint.load_tensors(Path(start) / checkpoint.BEST)[0])
        return
    network.load_state_dict(load_locator(start))
    views = np.stack([source.view(i).image for i in range(_SETTLING)])
    settle_norms(network, torch.from_numpy(views))


_Targets = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
_Batch = tuple[NDArray[np.uint8], _Targets]
_Validation = list[tuple[NDArray[np.uint8], StreetView]]


@dataclass(frozen=True)
class LocatorTask:
    """Training of a locator as a :class:`crnn_ctc.training.loop.Task`.

    Attributes:
        source: training views.
        validation: photographs and views, with their plates.
        device: device of the network.
    """

    source: StreetSynthesizer
    validation: _Validation
    device: torch.device
    measure = "mean_iou"

    def batch(self, step: int, size: int, part: slice) -> _Batch:
        """Views from number ``step * size``, uint8 (N, S, S, 3), and their targets."""
        views = [self.source.view(i) for i in range(step * size, (step + 1) * size)[part]]
        heat, corners, weights, care = (np.stack(p) for p in zip(*map(targets, views), strict=True))
        return np.stack([view.image for view in views]), (heat, corners, weights, care)

    def loss(self, model: nn.Module, batch: _Batch, step: int) -> Tensor:
        """See :func:`crnn_ctc.net.locator.locator_loss`."""
        del step
        images, wanted = batch
        maps = model(torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2) / 255)
        return locator_loss(maps, *(torch.from_numpy(t).to(self.device) for t in wanted))

    def validate(self, network: nn.Module) -> dict[str, float]:
        """See :func:`validate`."""
        return validate(network, self.validation, self.device)

    def score(self, numbers: dict[str, float]) -> tuple[float, ...]:
        """The mean IoU."""
        return (numbers["mean_iou"],)


def targets(view: StreetView) -> _Targets:
    """Targets of the maps of a view; see :func:`crnn_ctc.net.locator.locator_loss`."""
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


def _open(recipe: LocatorRecipe, data: Path) -> tuple[StreetSynthesizer, _Validation, int]:
    settings = recipe.data
    streets = [open_street(scene) for scene in _scenes(data, settings.train)]
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
    return source(recipe.seed), validation, len(streets)


def _several(names: Names | None) -> list[str]:
    return [] if names is None else [names] if isinstance(names, str) else names


def open_street(scene: Scene) -> Street:
    """A scene in memory.

    Raises:
        InputError: the picture cannot be read, or a plate lies outside of it.
    """
    image = load_picture(scene.path)
    scene.check(*image.shape[1::-1])
    return Street.of(image, [p.corners for p in scene.plates], [p.exact for p in scene.plates])


def _scenes(data: Path, names: Names) -> list[Scene]:
    return [scene for name in _several(names) for scene in read_scenes(data / name)]


def _small(scene: Scene) -> tuple[NDArray[np.uint8], StreetView]:
    """A validation photograph at search resolution, padded to multiples of 32."""
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
def validate(network: nn.Module, validation: _Validation, device: torch.device) -> dict[str, float]:
    """Measures of photographs, and of synthetic views with ``drawn_``; ``mean_iou`` of both."""
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
