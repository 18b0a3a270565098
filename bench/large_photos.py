"""Photographs of 12 megapixels: accuracy, time and memory, decoded whole and at a fraction.

python bench/large_photos.py --data DIR [--photographs 40]

DIR is shared/data. scenes/dev is enlarged to 12 megapixels with noise (``near``: plates about 1,000
pixels wide), and reduced so that the plate is 120 pixels wide on a blurred background of 4000 x
3000 pixels (``far``). Both are JPEG files of quality 90, read by plates-small in turn on one
thread, from file to text. The peak memory is that of a process that reads one way only. Writes
bench/results/large-photos.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from crnn_ctc import Reader
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.cli.progress import track
from crnn_ctc.data.scenes import Scene, read_scenes
from crnn_ctc.evaluation.metrics import wilson
from crnn_ctc.image import open_picture

RESULTS = Path(__file__).parent / "results" / "large-photos.json"
PIXELS = 12_000_000
FAR_SIZE, FAR_PLATE = (4000, 3000), 120


def near(scene: Scene, rng: np.random.Generator) -> Image.Image:
    with Image.open(scene.path) as image:
        factor = (PIXELS / (image.width * image.height)) ** 0.5
        size = (round(image.width * factor), round(image.height * factor))
        return noisy(image.convert("RGB").resize(size, Image.Resampling.BICUBIC), rng)


def far(scene: Scene, rng: np.random.Generator) -> Image.Image:
    with Image.open(scene.path) as image:
        photo = image.convert("RGB")
    ground = photo.filter(ImageFilter.GaussianBlur(60)).resize(FAR_SIZE, Image.Resampling.BILINEAR)
    factor = FAR_PLATE / float(np.ptp(scene.plates[0].corners[:, 0]))
    size = (round(photo.width * factor), round(photo.height * factor))
    place = [int(rng.integers(0, FAR_SIZE[k] - size[k])) for k in range(2)]
    ground.paste(photo.resize(size, Image.Resampling.BICUBIC), (place[0], place[1]))
    return noisy(ground, rng)


def noisy(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    noise = rng.integers(-5, 6, (picture.height, picture.width, 1), np.int8)
    return Image.fromarray(np.clip(np.asarray(picture, np.int16) + noise, 0, 255).astype(np.uint8))


def texts(reader: Reader, path: Path, whole: bool) -> tuple[list[str], float]:
    """Texts of a photograph, and CPU milliseconds from file to texts."""
    started = time.process_time()
    reading = reader(open_picture(path) if whole else path)
    return [p.text for p in reading.plates or ()], (time.process_time() - started) * 1e3


def peak(folder: Path, whole: bool) -> int:
    """Peak memory in MB of a process that reads a folder's pictures, decoded ``whole`` or not."""
    command = [sys.executable, __file__, "--data", folder, *(["--whole"] if whole else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="shared/data")
    parser.add_argument("--photographs", type=int, default=40)
    parser.add_argument("--whole", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not (options.data / "scenes").is_dir():  # the child process that measures memory
        reader = Reader()
        for path in sorted(options.data.glob("*.jpg")):
            texts(reader, path, options.whole)
        # ru_maxrss would be the parent's if that is larger
        status = Path("/proc/self/status").read_text()
        print(int(status.partition("VmHWM:")[2].split()[0]) * 1024 // 10**6)
        return
    scenes = list(islice(read_scenes(options.data / "scenes" / "dev.csv"), options.photographs))
    results: dict[str, dict[str, Any]] = {}
    for name, draw in (("near", near), ("far", far)):
        with tempfile.TemporaryDirectory() as made:
            folder, rng = Path(made), np.random.default_rng(0)
            paths = [folder / scene.path.name for scene in scenes]
            for path, scene in zip(paths, scenes, strict=True):
                draw(scene, rng).save(path, quality=90)
            reader = Reader()
            texts(reader, paths[0], whole=False)  # loads the models
            for whole in (True, False):
                results[f"{name}, {'whole' if whole else 'reduced'}"] = {"right": 0, "ms": []}
            for path, scene in track(list(zip(paths, scenes, strict=True)), name):
                for whole in (True, False):
                    row = results[f"{name}, {'whole' if whole else 'reduced'}"]
                    read, ms = texts(reader, path, whole)
                    row["ms"].append(ms)
                    row["right"] += scene.plates[0].text in read
            for path in paths[5:]:
                path.unlink()
            for whole in (True, False):
                results[f"{name}, {'whole' if whole else 'reduced'}"]["MB"] = peak(folder, whole)
    n = len(scenes)
    facts = {
        "what": "photographs of 12 megapixels, plates-small, one thread, from file to text",
        "command": f"python bench/large_photos.py --data DIR --photographs {n}",
        "data": f"scenes/dev, the first {n}, enlarged",
        "rows": {
            name: {
                "right": row["right"] / n,
                "interval95": wilson(row["right"], n),
                "processor ms": round(statistics.median(row["ms"]), 1),
                "least processor ms": round(min(row["ms"]), 1),
                "peak memory, MB": row["MB"],
            }
            for name, row in results.items()
        },
        "processor": processor(),
        "date": date.today().isoformat(),
    }
    RESULTS.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(facts["rows"], indent=2))


if __name__ == "__main__":
    main()
