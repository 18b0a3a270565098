"""What the reader's own light and dark, blurred training views are worth: short runs, three seeds.

python bench/light_ablation.py --data DIR --rectifier RUN --out FOLDER [--images 24000]

Each variant trains ``plates-nano`` from its shipped weights of 0.2 or the model that ``--start``
names, and reads ``ccpd_subsets/dev`` and hard views of ``plates/dev`` and ``scenes/dev``, which no
training sees. Writes bench/results/light-ablation.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

from PIL import Image

from crnn_ctc import Reader, __version__
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.data.labelled import read_labelled
from crnn_ctc.data.plate_pictures import backgrounds, crop_plates, scene_plates
from crnn_ctc.data.plate_views import ViewSource
from crnn_ctc.plates.scheme import plate_label
from crnn_ctc.training.trained_rectifier import open_rectifier

VARIANTS = {
    "both": [],
    "without own_light": ["network.own_light=false"],
    "sharp, well-lit views": ["data.light=0"],
}
SEEDS = (31, 32, 33)
VIEWS = 800
RESULTS = Path(__file__).parent / "results" / "light-ablation.json"


def hard_views(data: Path, rectifier: str) -> list[tuple[Image.Image, str]]:
    """Draw hard views of plates that training does not see, with their texts."""
    crops = list(read_labelled(data / "plates" / "dev.csv", normalise=plate_label))
    plates = crop_plates(crops, open_rectifier(rectifier)) + scene_plates(data / "scenes/dev.csv")
    grounds = backgrounds(data / "scenes" / "dev.csv")
    source = ViewSource(plates, None, grounds, 0.0, 0.3, seed=777)
    return [
        (Image.fromarray(view.image), plate.text) for view, plate in map(source.view, range(VIEWS))
    ]


def dev_pictures(data: Path, name: str) -> list[tuple[Any, str]]:
    """Load the pictures of a data set's ``dev`` split, with their texts."""
    samples = read_labelled(data / name / "dev.csv", normalise=plate_label)
    return [(sample.path, sample.text) for sample in samples]


def percent_right(model: Path, pictures: list[tuple[Any, str]]) -> float:
    """Exact match in percent."""
    readings = Reader(model, find="never").read([picture for picture, _ in pictures])
    right = sum(r.text == text for r, (_, text) in zip(readings, pictures, strict=True))
    return round(100 * right / len(pictures), 2)


def record(
    results: Path,
    facts: dict[str, Any],
    seed: int,
    name: str,
    model: Path,
    sets: dict[str, list[tuple[Any, str]]],
) -> None:
    """Measure a variant's ``model`` on ``sets`` and write ``facts`` with the means over seeds."""
    found = facts["variants"].setdefault(name, {key: [] for key in sets})
    for key, pictures in sets.items():
        found[key].append(percent_right(model, pictures))
    print(seed, name, {key: found[key][-1] for key in sets}, flush=True)
    for variant in facts["variants"].values():
        for key in sets:
            measured = variant[key]
            variant[f"{key}, mean"] = round(statistics.mean(measured), 2) if measured else None
    results.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rectifier", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", default="plates-nano")
    parser.add_argument("--images", type=int, default=24_000)
    options = parser.parse_args()
    command = [sys.executable, "-W", "ignore", "-m", "crnn_ctc"]
    sets: dict[str, list[tuple[Any, str]]] = {
        "hard views": hard_views(options.data, options.rectifier),
        "ccpd_subsets/dev": dev_pictures(options.data, "ccpd_subsets"),
    }
    facts: dict[str, Any] = {
        "command": f"python bench/light_ablation.py --images {options.images}",
        "version": __version__,
        "date": date.today().isoformat(),
        "processor": processor(),
        "pictures": {name: len(pictures) for name, pictures in sets.items()},
        "seeds": SEEDS,
        "variants": {},
    }
    for seed in SEEDS:  # in turn, so that an interrupted run has equally many of each
        for name, own in VARIANTS.items():
            run = options.out / f"{name} {seed}".replace(" ", "-").replace(",", "")
            changes = [f"seed={seed}", f"training.images={options.images}", *own]
            changes += [f"data.rectifier={options.rectifier}", "training.validations=1"]
            changes += ["training.learning_rate=1e-3"]
            words = [word for change in changes for word in ("--set", change)]
            place = ["--data", options.data, "--run", run, "--from", options.start]
            subprocess.run(
                [*command, "train", "plates-nano", "--processes", "1", *place, *words], check=True
            )
            file = run.with_suffix(".onnx")
            subprocess.run([*command, "export", run / "last", "--out", file], check=True)
            record(RESULTS, facts, seed, name, file, sets)


if __name__ == "__main__":
    main()
