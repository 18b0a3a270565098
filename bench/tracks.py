"""Plates read from several frames: accuracy by the number of frames, for four ways of joining them.

python bench/tracks.py [--seed 7002] [--strangers 0.05] [--save FOLDER]
python bench/tracks.py --choose    # what guards against bad frames, on the tracks of seed 7001

A track is one drawn plate that drives away: each frame has its own view, light, blur, noise and
JPEG, and is smaller and less sharp than the one before. Of a plate's dirt, too, each frame has its
own, so that frames are more independent than those of a real camera: real gains are smaller. A
share of the frames, the strangers, show another plate, as where a tracker errs.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import product
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc import Reader
from crnn_ctc.decode import Decoded
from crnn_ctc.decode.decoder import Decoder, decoder_for
from crnn_ctc.decode.fuse import PRIOR, SHARPNESS
from crnn_ctc.decode.track import CANDIDATES, fuse_track
from crnn_ctc.drawing.typeface import HAN_FACES
from crnn_ctc.evaluation.confidence import expected_calibration_error
from crnn_ctc.evaluation.metrics import wilson
from crnn_ctc.recognize import look
from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.camera import expose
from crnn_ctc.synthesis.face import draw_face
from crnn_ctc.synthesis.glyphs import WEIGHTS, Style
from crnn_ctc.synthesis.scene import see
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.synthesis.text import KIND_WEIGHTS, Draws

CHOSEN_ON, REPORTED = 7001, 7002
"""Seeds; no model of ours was trained on either."""
FRAMES = 8
NEAR, FAR = 13.0, 8.0
"""Height of a plate of one row in the first and the last frame, in pixels of the camera."""
PRIORS = (1e-4, 1e-6, 1e-8)
SHARPNESSES = (0.0, 0.5, 1.0, 2.0)
"""To choose from, see :mod:`crnn_ctc.decode.fuse`."""
STRANGERS = 500_000
"""Where a seed's plates begin that are strangers to its tracks."""
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Frame:
    """What was read in one frame: the best texts, and the log-probabilities (T, K) behind them."""

    decoded: Decoded
    log_probs: NDArray[np.float32]

    @property
    def probability(self) -> float:
        """P(text | frame); of an empty text, none."""
        return self.decoded.confidence * self.decoded.mass if self.decoded.text else 0.0


def picture(plates: PlateSynthesizer, track: int, frame: int) -> NDArray[np.uint8]:
    """Frame ``frame`` of a track's plate, RGB."""
    plate = plates.text(track)
    base = 1_000 * plates.seed  # no two tracks, frames or seeds share their numbers
    look_of_face = Draws(uniforms(base, track, (400,)))
    style = Style(HAN_FACES[look_of_face.below(2)], None, WEIGHTS[1], None)
    face = draw_face(plate, style, look_of_face)
    draws = Draws(uniforms(base + 100 + frame, track, (400,)))
    height = plates.picture_height(plate.kind)
    scene = see(face, plate.kind, height, plates.width, draws, "mixed", 1.0)
    image = expose(scene, draws, plates.height / 48)
    share = (NEAR + (FAR - NEAR) * frame / (FRAMES - 1)) / plates.height
    soft = cv2.GaussianBlur(image, (0, 0), 0.35 / share * (1 + frame / FRAMES))
    noise = (uniforms(base + 200 + frame, track, soft.shape) - 0.5) * 24
    small = cv2.resize(soft + noise, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return np.asarray(small.clip(0, 255), np.uint8)


def read(
    reader: Reader, decode: Decoder, seed: int, tracks: int, strangers: float
) -> Iterator[tuple[str, list[Frame], list[Frame]]]:
    """Of each track its true text, its frames, and the same with strangers among them."""
    plates = PlateSynthesizer(seed, kinds=dict.fromkeys(KIND_WEIGHTS, 1.0), evenly=True)
    for track in range(tracks):
        strange = np.flatnonzero(uniforms(1_000 * seed + 300, track, (FRAMES,)) < strangers)
        images = [picture(plates, track, frame) for frame in range(FRAMES)]
        images += [picture(plates, track + STRANGERS, frame) for frame in strange.tolist()]
        found = [Frame(seen.decoded, rows.copy()) for seen, rows in look(reader, decode, images)]
        own, mixed = found[:FRAMES], found[:FRAMES]
        for frame, other in zip(strange.tolist(), found[FRAMES:], strict=True):
            mixed[frame] = other
        yield plates.text(track).text, own, mixed


def surest(frames: Sequence[Frame]) -> str:
    return max(frames, key=lambda frame: frame.probability).decoded.text


def majority(frames: Sequence[Frame]) -> str:
    """The text that most frames have; of several, the one that is more probable in sum."""
    votes, sums = Counter[str](), Counter[str]()
    for frame in frames:
        if frame.decoded.text:
            votes[frame.decoded.text] += 1
            sums[frame.decoded.text] += frame.probability
    return max(votes, key=lambda text: (votes[text], sums[text]), default="")


def by_position(frames: Sequence[Frame]) -> str:
    """The length that most frames have, then at each place the character that most of those do."""
    texts = [frame for frame in frames if frame.decoded.text]
    if not texts:
        return ""
    lengths = Counter(len(frame.decoded.text) for frame in texts)
    length = max(lengths, key=lambda n: (lengths[n], n))
    read = ""
    for place in range(length):
        votes, sums = Counter[str](), Counter[str]()
        for frame in texts:
            if len(frame.decoded.text) == length:
                votes[frame.decoded.text[place]] += 1
                sums[frame.decoded.text[place]] += frame.decoded.spans[place].confidence
        read += max(votes, key=lambda c: (votes[c], sums[c]))
    return read


def fused(decode: Decoder, frames: Sequence[Frame], *guards: float) -> Decoded:
    rows = [frame.log_probs for frame in frames]
    return fuse_track(decode, [frame.decoded for frame in frames], rows, 0, *guards)[0]


def choose(decode: Decoder, tracks: list[tuple[str, list[Frame]]]) -> None:
    """Print how each pair of guards does."""
    truths = np.array([truth for truth, _ in tracks])
    print("prior    sharpness      right of 2, 4, 8 frames, %     ECE of 2, 4, 8")
    for guards in product(PRIORS, SHARPNESSES):
        rights, errors = [], []
        for count in (2, 4, 8):
            readings = [fused(decode, frames[:count], *guards) for _, frames in tracks]
            right = np.array([reading.text for reading in readings]) == truths
            rights.append(100 * right.mean())
            errors.append(expected_calibration_error([r.confidence for r in readings], right))
        numbers = "  ".join(f"{r:6.1f}" for r in rights) + "     "
        numbers += "  ".join(f"{e:.3f}" for e in errors)
        print(f"{guards[0]:<7g}  {guards[1]:<10g}  {numbers}")


def measure(decode: Decoder, tracks: list[tuple[str, list[Frame]]]) -> list[dict[str, object]]:
    """Of each way and number of frames: how many tracks are read right."""
    ways: dict[str, Callable[[Sequence[Frame]], str]] = {
        "surest frame": surest,
        "vote of texts": majority,
        "vote by position": by_position,
    }
    rows: list[dict[str, object]] = []
    for count in range(1, FRAMES + 1):
        for name, way in ways.items():
            right = sum(way(frames[:count]) == truth for truth, frames in tracks)
            rows.append({"way": name, "frames": count, "right": right})
        readings = [fused(decode, frames[:count]) for _, frames in tracks]
        good = [r.text == truth for r, (truth, _) in zip(readings, tracks, strict=True)]
        error = expected_calibration_error([r.confidence for r in readings], good)
        alone = [surest(frames[:count]) == truth for truth, frames in tracks]
        sure = [ok for r, ok in zip(readings, good, strict=True) if r.confidence * r.mass >= 0.9]
        rows.append(
            {
                "way": "fused",
                "frames": count,
                "right": sum(good),
                "gained_on_surest": sum(g and not a for g, a in zip(good, alone, strict=True)),
                "lost_to_surest": sum(a and not g for g, a in zip(good, alone, strict=True)),
                "ece": round(error, 4),
                "accepted_at_0.9": len(sure),
                "wrong_at_0.9": len(sure) - sum(sure),
            }
        )
    for row in rows:
        row["interval95"] = [round(v, 4) for v in wilson(int(str(row["right"])), len(tracks))]
    return rows


def plot(sets: dict[str, list[dict[str, object]]], n: int, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(sets), figsize=(9, 3.6), sharey=True, squeeze=False)
    colours = {
        "fused": "#2f80ed",
        "surest frame": "#0a7d33",
        "vote by position": "#b06a00",
        "vote of texts": "#7a7f87",
    }
    for axis, (title, rows) in zip(axes[0], sets.items(), strict=True):
        for way, colour in colours.items():
            own = [row for row in rows if row["way"] == way]
            share = [100 * int(str(row["right"])) / n for row in own]
            axis.plot([row["frames"] for row in own], share, "o-", color=colour, label=way, ms=4)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("frames")
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("tracks read right, %")
    axes[0][0].legend(frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="plates-tiny")
    parser.add_argument("--tracks", type=int, default=500)
    parser.add_argument("--seed", type=int, default=REPORTED)
    parser.add_argument("--strangers", type=float, default=0.05)
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--save", type=Path, help="write the frames of ten tracks here")
    options = parser.parse_args()
    seed = CHOSEN_ON if options.choose else options.seed
    reader = Reader(options.model)
    decode = decoder_for(reader.card, alternatives=CANDIDATES)
    if options.save:
        plates = PlateSynthesizer(seed, kinds=dict.fromkeys(KIND_WEIGHTS, 1.0), evenly=True)
        for track in range(10):
            folder = options.save / plates.text(track).text
            folder.mkdir(parents=True, exist_ok=True)
            for frame in range(FRAMES):
                image = Image.fromarray(picture(plates, track, frame))
                image.save(folder / f"{frame + 1}.png")
        return
    found = list(read(reader, decode, seed, options.tracks, options.strangers))
    if options.choose:
        choose(decode, [(truth, frames) for truth, _, frames in found])
        return
    sets = {
        "one plate": measure(decode, [(truth, own) for truth, own, _ in found]),
        "strangers among the frames": measure(
            decode, [(truth, frames) for truth, _, frames in found]
        ),
    }
    for title in sets:
        print(f"\n{title}: tracks read right of {options.tracks}, %")
        print(f"{'':<18}" + "".join(f"{count:>7}" for count in range(1, FRAMES + 1)))
        for way in dict.fromkeys(row["way"] for row in sets[title]):
            own = [row for row in sets[title] if row["way"] == way]
            shares = [100 * int(str(row["right"])) / options.tracks for row in own]
            print(f"{way:<18}" + "".join(f"{share:>7.1f}" for share in shares))
        for row in sets[title]:
            if row["way"] == "fused":
                print({key: value for key, value in row.items() if key != "way"})
    values = {
        "name": "tracks",
        "date": datetime.now(timezone.utc).date().isoformat(),
        "model": reader.card.name,
        "tracks": options.tracks,
        "seed": seed,
        "strangers": options.strangers,
        "text_prior": PRIOR,
        "sharpness": SHARPNESS,
        "sets": sets,
    }
    (HERE / "results" / "tracks.json").write_text(json.dumps(values, indent=1) + "\n", "utf-8")
    plot(sets, options.tracks, HERE.parent / "docs" / "images" / "tracks.png")


if __name__ == "__main__":
    main()
