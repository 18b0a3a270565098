"""What five ways of training a reader are worth: short runs of plates-nano, three seeds each.

python bench/training_ablations.py --data DIR --rectifier RUN --from MODEL --work FOLDER

Every variant of a seed sees the same pictures, which are composed once and kept in FOLDER. Reads
``plates/dev``, ``ccpd_subsets/dev`` and hard views of held-out plates.
Writes bench/results/training-ablations.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from crnn_ctc import Reader, __version__
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.data.plate_views import RectifiedSource, ViewSource
from crnn_ctc.data.source import Validation, open_training_data
from crnn_ctc.data.views import Plate, View
from crnn_ctc.export.to_onnx import export
from crnn_ctc.net.build import build
from crnn_ctc.recipe import Recipe, load_recipe
from crnn_ctc.training import checkpoint
from crnn_ctc.training.finetune import begin_with, open_start, settle_norms
from crnn_ctc.training.loop import train
from crnn_ctc.training.run_start import start_run
from crnn_ctc.training.trained_rectifier import open_rectifier
from light_ablation import dev_pictures, hard_views, percent_right, record
from training_variants import VARIANTS, VIEW, Guide, Pictures, Student

SEEDS = (51, 52, 53)
BATCH = 64
VIEWS = 500
RESULTS = Path(__file__).parent / "results" / "training-ablations.json"


class Recorded:
    """A source of views that keeps its last result."""

    def __init__(self, source: ViewSource) -> None:
        self.seed, self.grounds, self._source = source.seed, source.grounds, source
        self.given: dict[int, tuple[View, Plate]] = {}

    def view(self, i: int) -> tuple[View, Plate]:
        self.given[i] = self._source.view(i)
        return self.given[i]


def compose(source: RectifiedSource, count: int, teacher: Reader) -> Pictures:
    """Compose the first ``count`` training pictures of ``source``."""
    recorded = Recorded(source.views)
    source = replace(source, views=recorded)  # type: ignore[arg-type]
    images, texts, places, targets = [], [], [], []
    synthetic, sampled = np.zeros(count, bool), np.zeros(count, bool)
    views = np.zeros((count, *VIEW, 3), np.uint8)
    corners = np.zeros((count, 4, 2), np.float32)
    for step in range(count // BATCH):
        recorded.given.clear()
        part, part_texts, part_places = source.batch(step, BATCH)
        images.append(part)
        texts += part_texts
        places += part_places
        targets.append(teacher.log_probs(part).astype(np.float16))
        for i in range(step * BATCH, (step + 1) * BATCH):
            seen, plate = recorded.given.get(i, (None, None))
            if seen is None or plate is None:
                synthetic[i] = bool(texts[i])
                continue
            synthetic[i] = plate.colour >= 0 and not plate.scene
            if not plate.two_rows:
                sampled[i] = True
                views[i] = cv2.resize(seen.image, VIEW[::-1], interpolation=cv2.INTER_AREA)
                corners[i] = seen.corners
    made = np.concatenate(images), texts, places, synthetic, sampled, views, corners
    return Pictures(*made, np.concatenate(targets))


def open_pictures(folder: Path, source: RectifiedSource, count: int, teacher: Reader) -> Pictures:
    """Open the pictures of a seed, from ``folder`` if they have been composed already."""
    file, names = folder / "arrays.npz", folder / "texts.json"
    if not names.exists():
        folder.mkdir(parents=True, exist_ok=True)
        made = compose(source, count, teacher)
        arrays = {k: v for k, v in vars(made).items() if k not in ("texts", "places")}
        np.savez(file, **arrays)
        names.write_text(json.dumps([made.texts, made.places]), encoding="utf-8")
        return made
    texts, places = json.loads(names.read_text(encoding="utf-8"))
    return Pictures(texts=texts, places=[tuple(p) for p in places], **np.load(file))


def train_variant(
    name: str, recipe: Recipe, pictures: Pictures, validation: Validation, start: str, run: Path
) -> None:
    """Train one variant into ``run``, and export it beside that folder."""
    known = open_start(start)
    shutil.rmtree(run, ignore_errors=True)
    accelerator, _ = start_run(recipe, run, False, len(pictures.texts), known.name)
    torch.manual_seed(recipe.seed)
    network = build(recipe)
    begin_with(network, recipe, known)
    settle_norms(network, torch.from_numpy(pictures.images[:128]))
    rectifier = open_rectifier(str(recipe.rectifier)).network
    own = set(network.state_dict())
    if name == "loss through the sampler":
        network.rectifier = rectifier
    elif name == "attention head as a guide":
        steps = pictures.teacher.shape[1]
        network.guide = Guide(network.fc.in_features, steps, network.fc.out_features)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    device = torch.device("cpu")
    task = Student(
        None, validation, recipe.training, recipe.characters, device, None,  # type: ignore[arg-type]
        pictures, VARIANTS[name],
    )  # fmt: skip
    train(task, network, recipe, run, accelerator, None, "composed pictures")
    state, facts = checkpoint.load_tensors(run / checkpoint.BEST)
    found = checkpoint.under("rectifier", state) or rectifier.state_dict()
    checkpoint.save_tensors(run / checkpoint.RECTIFIER, found, {})
    shutil.rmtree(run / "last")
    checkpoint.save_tensors(run / checkpoint.BEST, {k: state[k] for k in own}, facts)
    export(run, run.with_suffix(".onnx"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rectifier", required=True)
    parser.add_argument("--from", dest="start", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--images", type=int, default=8_192)
    options = parser.parse_args()
    sets: dict[str, list[tuple[Any, str]]] = {
        "hard views": hard_views(options.data, options.rectifier)[:VIEWS]
    }
    for name in ("plates", "ccpd_subsets"):
        sets[f"{name}/dev"] = dev_pictures(options.data, name)
    facts: dict[str, Any] = {
        "command": f"python bench/training_ablations.py --images {options.images}",
        "version": __version__,
        "date": date.today().isoformat(),
        "processor": processor(),
        "start": Path(options.start).name,
        "pictures": {name: len(pictures) for name, pictures in sets.items()},
        "seeds": [],
        "variants": {"start": {}, **{name: {key: [] for key in sets} for name in VARIANTS}},
    }
    for key, pictures in sets.items():
        facts["variants"]["start"][key] = [percent_right(options.start, pictures)]
    teacher = Reader("plates-small")
    for seed in SEEDS:  # in turn, so that an interrupted run has equally many of each
        changes = [f"seed={seed}", f"training.images={options.images}", "training.validations=1"]
        changes += [f"training.batch_size={BATCH}", "training.learning_rate=1e-3"]
        changes += [f"data.rectifier={options.rectifier}", "network.own_light=true"]
        recipe = load_recipe("plates-nano", changes)
        source, validation = open_training_data(recipe, options.data)
        assert isinstance(source, RectifiedSource)
        composed = open_pictures(options.work / str(seed), source, options.images, teacher)
        facts["seeds"].append(seed)
        for name in VARIANTS:
            run = options.work / f"{name} {seed}".replace(" ", "-")
            file = run.with_suffix(".onnx")
            if not file.exists():  # resumes an interrupted run
                train_variant(name, recipe, composed, validation, options.start, run)
            record(RESULTS, facts, seed, name, file, sets)


if __name__ == "__main__":
    main()
