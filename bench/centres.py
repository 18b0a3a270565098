"""How far a reading's characters are from where they stand, on views of synthetic plates.

python bench/centres.py [--model NAME ...] [--pictures 600] [--json FILE]

The synthesizer knows where each character stands. Of each plate that is read right, the distance of
the centre of every character's quadrilateral from the true one, as a share of a character's width.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from crnn_ctc import Reader, __version__
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.data.views import VIEW_DRAWS, Plate, levels, view
from crnn_ctc.rectify import UNIT, homography, project
from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.face import character_centres
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.synthesis.text import TWO_ROW, Draws

SEED = 4_000_037
_WIDTH = {False: 45 / 440, True: 65 / 440}
"""Character width over plate width, for two_rows False and True (GA36-2018)."""


def measure(model: str, count: int) -> dict[str, Any]:
    """Mean, median and 95th percentile of the distance, and the number of correct readings."""
    reader, synthesizer = Reader(model, find="never"), PlateSynthesizer(SEED)
    distances: list[float] = []
    right = 0
    for i in range(count):
        image, corners, text, kind = synthesizer.front(i)
        two_rows = kind in TWO_ROW
        plate = Plate(levels(image), corners, text, two_rows)
        seen = view(plate, Draws(uniforms(SEED, i, (VIEW_DRAWS,))), narrow=(80.0, 250.0))
        reading = reader(Image.fromarray(seen.image))
        if reading.text != text:
            continue
        right += 1
        pixels = seen.corners.astype(np.float64) * seen.image.shape[1::-1]
        to_picture = homography(UNIT, pixels)
        for character, centre in zip(
            reading.characters, character_centres(text, two_rows), strict=True
        ):
            found = np.asarray(np.mean(np.array(character.corners), axis=0), np.float64)
            on_plate = project(np.asarray(np.linalg.inv(to_picture), np.float64), found[None])[0]
            distances.append(abs(float(on_plate[0]) - centre[0]) / _WIDTH[two_rows])
    low, middle, high = np.percentile(distances, [50, 90, 95]).tolist()
    return {
        "plates": count,
        "read_right": right,
        "mean": round(float(np.mean(distances)), 3),
        "median": round(low, 3),
        "percentile_90": round(middle, 3),
        "percentile_95": round(high, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", nargs="+", default=["plates-small", "plates-nano"])
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    facts: dict[str, Any] = {
        "command": f"python bench/centres.py --pictures {options.pictures}",
        "version": __version__,
        "date": date.today().isoformat(),
        "processor": processor(),
        "unit": "widths of a character, along the plate",
        "models": {},
    }
    for name in options.model:
        facts["models"][Path(name).stem] = measure(name, options.pictures)
        print(name, facts["models"][Path(name).stem])
    if options.json:
        options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
