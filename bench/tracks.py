"""Plates read from several frames: accuracy and confidence by the number of frames.

python bench/tracks.py [--model plates-nano] [--tracks 400] [--strangers 0.05]
python bench/tracks.py --choose    # how far apart frames must be, on the tracks of seed 7001
python bench/tracks.py --save FOLDER    # the frames of ten tracks

The tracks are those of synthetic_tracks.py, with frames correlated like those of one camera. A
share of the frames, the strangers, show another plate, as after a tracking error.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PIL import Image

from crnn_ctc import Reader
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.decode import Decoded, fuse
from crnn_ctc.decode.decoder import Decoder, decoder_for
from crnn_ctc.decode.track import CANDIDATES, fuse_track
from crnn_ctc.evaluation.confidence import at_threshold, expected_calibration_error, reliability
from crnn_ctc.evaluation.metrics import wilson
from crnn_ctc.recognize import Recognition, recognize
from crnn_ctc.rng import uniforms
from synthetic_tracks import CHOSEN_ON, FRAMES, REPORTED, DrawnTracks

COUNTS = (1, 2, 3, 4, 8)
SCALES = (0.01, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
"""Candidates for :data:`crnn_ctc.decode.fuse.SCALE`; the first treats frames as independent."""
STRANGERS = 500_000
"""First index of a seed's plates that are used as strangers."""
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Track:
    """A track's true text, its frames, and its frames with strangers among them."""

    text: str
    own: list[Recognition]
    mixed: list[Recognition]


def read(
    reader: Reader, decode: Decoder, seed: int, count: int, strangers: float
) -> Iterator[Track]:
    """Draw and read tracks."""
    tracks = DrawnTracks(seed)
    for track in range(count):
        strange = np.flatnonzero(uniforms(1_000 * seed + 300, track, (FRAMES,)) < strangers)
        images = list(tracks.frames(track))
        for _ in strange.tolist():
            images += tracks.frames(track + STRANGERS, 1)
        looks = recognize(reader, decode, (Image.fromarray(image) for image in images))
        found = [one for one in looks if isinstance(one, Recognition)]
        own, mixed = found[:FRAMES], found[:FRAMES]
        for frame, other in zip(strange.tolist(), found[FRAMES:], strict=True):
            mixed[frame] = other
        yield Track(tracks.text(track), own, mixed)


def surest(frames: Sequence[Recognition]) -> str:
    return max(frames, key=lambda frame: frame.decoded.confidence).decoded.text


def majority(frames: Sequence[Recognition]) -> str:
    """The most frequent text of the frames; ties are broken by total confidence."""
    votes, sums = Counter[str](), Counter[str]()
    for frame in frames:
        if frame.decoded.text:
            votes[frame.decoded.text] += 1
            sums[frame.decoded.text] += frame.decoded.confidence
    return max(votes, key=lambda text: (votes[text], sums[text]), default="")


def by_position(frames: Sequence[Recognition]) -> str:
    """Majority vote per position, among the frames with the most frequent length."""
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


def fused(decode: Decoder, frames: Sequence[Recognition]) -> Decoded:
    return fuse_track(decode, [f.decoded for f in frames], [f.log_probs for f in frames])[0]


def confidence(readings: list[Decoded], truths: Sequence[str]) -> dict[str, object]:
    """Count correct readings, and measure their confidences."""
    right = [reading.text == text for reading, text in zip(readings, truths, strict=True)]
    sure = [reading.confidence for reading in readings]
    point = at_threshold(sure, right, 0.9)
    return {
        "right": sum(right),
        "ece": round(expected_calibration_error(sure, right), 4),
        "mean_confidence": round(float(np.mean(sure)), 4),
        "accepted_at_0.9": point.answered,
        "wrong_at_0.9": point.wrong,
        "reliability": [asdict(row) for row in reliability(sure, right)],
    }


def measure(
    decode: Decoder, truths: list[str], tracks: list[list[Recognition]]
) -> list[dict[str, object]]:
    """Count correct tracks, by method and number of frames."""
    ways: dict[str, Callable[[Sequence[Recognition]], str]] = {
        "surest frame": surest,
        "vote of texts": majority,
        "vote by position": by_position,
    }
    rows: list[dict[str, object]] = []
    for count in COUNTS:
        for name, way in ways.items():
            right = sum(
                way(frames[:count]) == text for text, frames in zip(truths, tracks, strict=True)
            )
            rows.append({"way": name, "frames": count, "right": right})
        readings = [fused(decode, frames[:count]) for frames in tracks]
        rows.append({"way": "fused", "frames": count, **confidence(readings, truths)})
    copies = [fused(decode, [frames[0]] * FRAMES) for frames in tracks]
    rows.append({"way": "copies", "frames": FRAMES, **confidence(copies, truths)})
    for row in rows:
        row["interval95"] = [round(v, 4) for v in wilson(int(str(row["right"])), len(tracks))]
    return rows


def choose(decode: Decoder, truths: list[str], tracks: list[list[Recognition]]) -> None:
    """Print the measures of each scale, with mean confidence minus accuracy."""
    for scale in SCALES:
        fuse.SCALE = scale
        print(f"scale {scale:g}")
        for count in (3, 8):
            row = confidence([fused(decode, frames[:count]) for frames in tracks], truths)
            excess = float(str(row["mean_confidence"])) - int(str(row["right"])) / len(tracks)
            print(f"  {count} frames: {excess:+.3f}", {k: row[k] for k in list(row)[:-1]})


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
    parser.add_argument("--model", default="plates-nano")
    parser.add_argument("--tracks", type=int, default=400)
    parser.add_argument("--strangers", type=float, default=0.05)
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--save", type=Path, help="write the frames of ten tracks here")
    options = parser.parse_args()
    seed = CHOSEN_ON if options.choose else REPORTED
    if options.save:
        tracks = DrawnTracks(seed)
        for track in range(10):
            folder = options.save / tracks.text(track)
            folder.mkdir(parents=True, exist_ok=True)
            for number, frame in enumerate(tracks.frames(track), 1):
                Image.fromarray(frame).save(folder / f"{number}.png")
        return
    reader = Reader(options.model)
    decode = decoder_for(reader.card, alternatives=CANDIDATES)
    found = list(read(reader, decode, seed, options.tracks, options.strangers))
    truths = [track.text for track in found]
    if options.choose:
        choose(decode, truths, [track.own for track in found])
        return
    sets = {
        "frames of one plate": measure(decode, truths, [track.own for track in found]),
        f"{100 * options.strangers:g} % strangers": measure(
            decode, truths, [track.mixed for track in found]
        ),
    }
    for title, rows in sets.items():
        print(title)
        for row in rows:
            print("  ", {k: v for k, v in row.items() if k != "reliability"})
    facts = {
        "model": reader.card.name,
        "temperature": reader.card.temperature,
        "tracks": options.tracks,
        "seed": seed,
        "processor": processor(),
        "date": datetime.now(timezone.utc).date().isoformat(),
    }
    text = json.dumps({**facts, "sets": sets}, indent=1, ensure_ascii=False)
    (HERE / "results" / "tracks.json").write_text(text + "\n", encoding="utf-8")
    plot(sets, options.tracks, HERE.parent / "docs" / "images" / "tracks.png")


if __name__ == "__main__":
    main()
