"""Vehicles in synthetic videos: whether each gets one line with the correct text.

python bench/watch.py [--passes 100] [--model NAME] [--every 5]

Each pass is an H.264 file of 640x384 pixels, 25 frames per second: a synthetic plate on a dark car
approaches on a grey street with noise; in every fourth pass it stops for a second, in every third a
second vehicle passes at the same time. Counts lines with the correct text, wrong lines, vehicles
with more than one line, and vehicles without one. Synthetic plates are easier than filmed ones.
Writes bench/results/watch.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path

import av
import numpy as np
from PIL import Image

from crnn_ctc import Reader
from crnn_ctc.benchmark.machine import peak_memory, processor
from crnn_ctc.evaluation.metrics import wilson
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.watch.vehicles import Watcher
from crnn_ctc.watch.video import VideoFile

RESULTS = Path(__file__).parent / "results" / "watch.json"
WIDTH, HEIGHT, RATE = 640, 384, 25
KINDS = {"blue": 0.5, "green": 0.3, "yellow": 0.2}


class Car:
    """A plate that moves from one position to another while it grows."""

    def __init__(self, plates: PlateSynthesizer, i: int, lane: float, rng: np.random.Generator):
        image, _, self.text, _ = plates.front(i)
        self._plate = Image.fromarray(image)
        self._angle = float(rng.uniform(-8, 8))
        self._from = np.array([WIDTH * lane + rng.uniform(-60, 60), rng.uniform(60, 110), 70])
        self._to = np.array([WIDTH * lane + rng.uniform(-40, 40), rng.uniform(230, 300), 150])
        self._light = float(rng.uniform(0.6, 1.1))

    def draw(self, picture: Image.Image, share: float) -> None:
        x, y, wide = self._from + share * (self._to - self._from)
        half = round(0.75 * wide)
        picture.paste(
            (52, 54, 60), (round(x) - half, round(y) - half, round(x) + half, round(y + 0.5 * wide))
        )
        size = (round(wide), round(wide * self._plate.height / self._plate.width))
        plate = self._plate.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        plate = plate.point(lambda v: min(255, round(v * self._light)))
        mask = Image.new("L", size, 255).rotate(self._angle, Image.Resampling.BILINEAR, expand=True)
        plate = plate.rotate(self._angle, Image.Resampling.BILINEAR, expand=True)
        picture.paste(plate, (round(x - plate.width / 2), round(y - plate.height / 2)), mask)


def write_pass(path: Path, i: int, plates: PlateSynthesizer) -> list[str]:
    """Write pass ``i``; return the texts of its vehicles."""
    rng = np.random.default_rng([7, i])
    lanes = (0.28, 0.72) if i % 3 == 2 else (0.5,)
    cars = [Car(plates, 2 * i + k, lane, rng) for k, lane in enumerate(lanes)]
    shares = list(np.linspace(0, 1, int(rng.integers(30, 45))))
    if i % 4 == 3:
        middle = len(shares) // 2
        shares[middle:middle] = [shares[middle]] * RATE
    rows = np.linspace(90, 150, HEIGHT)[:, None, None] + np.zeros((1, WIDTH, 3))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "25"}
        stream.codec_context.thread_count = 1
        for n in range(-5, len(shares) + 5):
            picture = Image.fromarray(rows.astype(np.uint8))
            if 0 <= n < len(shares):
                for car in cars:
                    car.draw(picture, shares[n])
            noisy = np.asarray(picture, np.float32) + rng.normal(0, 4, (HEIGHT, WIDTH, 1))
            image = np.clip(noisy, 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return [car.text for car in cars]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--passes", type=int, default=100)
    parser.add_argument("--model", default="plates-small")
    parser.add_argument("--every", type=int, default=5)
    options = parser.parse_args()
    reader = Reader(options.model, find="always")
    plates = PlateSynthesizer(seed=2026, kinds=KINDS)
    count: Counter[str] = Counter()
    mistakes = []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(options.passes):
            path = Path(folder) / "pass.mkv"
            wanted = write_pass(path, i, plates)
            watcher = Watcher(reader)
            found = []
            for frame in VideoFile(path, options.every):
                count["frames"] += 1
                found += watcher.update(frame)
            read = Counter(v.reading.text for v in found + watcher.finish())
            count["vehicles"] += len(wanted)
            count["right"] += sum(read[text] > 0 for text in wanted)
            count["twice"] += sum(read[text] > 1 for text in wanted)
            count["lines"] += read.total()
            if read != Counter(wanted):
                mistakes.append({"pass": i, "wanted": wanted, "read": dict(read)})
            print(i, wanted, dict(read), flush=True)
    result = {
        "date": date.today().isoformat(),
        "machine": processor(),
        "data": "drawn by bench/watch.py: PlateSynthesizer seed 2026",
        "model": reader.card.name,
        "every": options.every,
        "passes": options.passes,
        **count,
        "right_interval": wilson(count["right"], count["vehicles"]),
        "peak_memory_mb": round(peak_memory() or 0),
        "mistakes": mistakes,
    }
    RESULTS.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()
