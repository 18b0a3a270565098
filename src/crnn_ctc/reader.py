"""Reader: one model file, pictures in, readings out. No torch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crnn_ctc import image as pictures
from crnn_ctc.decode import Alternative
from crnn_ctc.decode.decoder import decoder_for
from crnn_ctc.decode.track import CANDIDATES, fuse_track
from crnn_ctc.errors import InputError
from crnn_ctc.image import Source
from crnn_ctc.model_file.card import KEY, Card
from crnn_ctc.model_file.runtime import Found, Runtime, RuntimeName, open_runtime
from crnn_ctc.plates.rules import named_kind
from crnn_ctc.reading import Character, Quad, Reading, TrackReading
from crnn_ctc.recognize import Seen, look, recognize

__all__ = [
    "Alternative",
    "Character",
    "Reader",
    "Reading",
    "TrackReading",
    "model_path",
    "shipped",
]


def shipped() -> list[str]:
    """Names of the models that come with the package."""
    folder = files("crnn_ctc") / "models"
    return sorted(
        f.name.removesuffix(".onnx") for f in folder.iterdir() if f.name.endswith(".onnx")
    )


class Reader:
    """Reads pictures with one model.

    Args:
        model: name of a shipped model, or a model file.
        threads: of the runtime; a small network is fastest on one, which is the default.
        grammar: what a text may be, by name (:func:`crnn_ctc.grammar.open_grammar`); ``none`` for
            any; None for what the model's card says.
        alternatives: how many other texts each reading gives; every picture is then searched.
        runtime: what computes the network: ``onnxruntime``, or ``openvino`` with the extra of that
            name; the readings are the same.
        min_confidence: from 0 to 1; a reading whose :attr:`Reading.probability` is lower is not
            accepted. 0 accepts whatever is read.

    Raises:
        InputError: no such model, not a model file of this package, no such grammar or runtime, or
            a least confidence that is not from 0 to 1.
        MissingExtraError: the runtime is not installed.
    """

    def __init__(
        self,
        model: str | Path = "plates-tiny",
        threads: int = 1,
        grammar: str | None = None,
        alternatives: int = 0,
        runtime: RuntimeName = "onnxruntime",
        min_confidence: float = 0.0,
    ) -> None:
        if not 0 <= min_confidence <= 1:
            raise InputError(f"least confidence {min_confidence}: give one from 0 to 1")
        self.min_confidence = min_confidence
        self.runtime, self.card = _open(model, threads, runtime)
        self._decode = decoder_for(self.card, grammar=grammar, alternatives=alternatives)
        self._alternatives = alternatives

    def giving(self, alternatives: int) -> Reader:
        """A reader of the same model, opened once for both, with other texts in each reading."""
        other = copy(self)
        other._decode = self._decode.giving(alternatives)
        other._alternatives = alternatives
        return other

    def __call__(self, source: Source) -> Reading:
        """Read one picture.

        Raises:
            InputError: the picture cannot be read.
        """
        started = time.perf_counter()
        image = pictures.load(source)
        seen = recognize(self, self._decode, [image])[0]
        return self._reading(seen, image.shape, (time.perf_counter() - started) * 1e3)

    def read(self, sources: Iterable[Source], batch_size: int = 32) -> Iterator[Reading]:
        """Read many pictures, one reading each, in order.

        A picture that cannot be read yields a reading with its ``error``; the rest is read. No more
        than ``batch_size`` pictures are in memory at once.
        """
        if batch_size < 1:
            raise InputError(f"batch size {batch_size}: give 1 or more")
        waiting = iter(sources)
        while batch := list(islice(waiting, batch_size)):
            yield from self._read_batch(batch)

    def _read_batch(self, sources: list[Source]) -> list[Reading]:
        started = time.perf_counter()
        shapes: list[tuple[int, ...]] = []
        errors: dict[int, str] = {}

        def images() -> Iterator[NDArray[np.uint8]]:
            for _, image in pictures.load_each(sources, errors):
                shapes.append(image.shape)
                yield image

        seen = recognize(self, self._decode, images())
        ms = (time.perf_counter() - started) * 1e3 / len(sources)
        good = (self._reading(s, shape, ms) for s, shape in zip(seen, shapes, strict=True))
        return [
            Reading.failed(errors[place], ms) if place in errors else next(good)
            for place in range(len(sources))
        ]

    def read_track(self, sources: Iterable[Source], batch_size: int = 32) -> TrackReading:
        """Read one plate from several pictures of it, frames of a video say, in any order.

        What the pictures say together, by their probabilities: see
        :func:`crnn_ctc.decode.fuse.fuse`. A picture that cannot be read is left out; its error is
        in the reading.

        Args:
            sources: pictures of the same plate.
            batch_size: pictures in memory at once.

        Raises:
            InputError: there are no pictures, or none of them can be read.
        """
        started = time.perf_counter()
        if batch_size < 1:
            raise InputError(f"batch size {batch_size}: give 1 or more")
        errors: dict[int, str] = {}
        places: list[int] = []
        shapes: list[tuple[int, ...]] = []
        seen: list[Seen] = []
        log_probs: list[NDArray[np.float32]] = []
        decode = self._decode.giving(max(CANDIDATES, self._alternatives))
        waiting = pictures.load_each(sources, errors)
        while batch := list(islice(waiting, batch_size)):
            places += [place for place, _ in batch]
            shapes += [image.shape for _, image in batch]
            for one, of_one in look(self, decode, [image for _, image in batch]):
                seen.append(one)
                log_probs.append(of_one)
        if not seen:
            first = errors[min(errors)] if errors else "a track without pictures; give some"
            others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            raise InputError(first + others)
        fused, best = fuse_track(
            decode, [one.decoded for one in seen], log_probs, self._alternatives
        )
        ms = (time.perf_counter() - started) * 1e3
        reading = self._reading(replace(seen[best], decoded=fused), shapes[best], ms)
        return TrackReading(
            reading.text,
            reading.confidence,
            reading.characters,
            ms,
            alternatives=reading.alternatives,
            mass=reading.mass,
            accepted=reading.accepted,
            corners=reading.corners,
            colour=reading.colour,
            kind=reading.kind,
            frames=len(seen),
            best=places[best],
            skipped=tuple(errors[place] for place in sorted(errors)),
        )

    def fit(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """RGB uint8 (H, W, 3) as the model takes it; see :func:`crnn_ctc.image.fit`."""
        card = self.card
        return pictures.fit(image, card.height, card.width, card.channels, card.ink)

    def log_probs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The network alone: uint8 (N, H, W, C) to float32 (N, T, K).

        Raises:
            InputError: what comes out is not what the card says, or no numbers.
        """
        out = self.runtime.log_probs(images)
        if out.shape != (len(images), self.card.steps, len(self.card.alphabet)) or np.isnan(
            out.sum()
        ):
            raise InputError(
                f"{self.card.name}: its graph computes no log-probabilities; "
                "export it again with: crnn-ctc export"
            )
        return out

    def find_plates(self, views: NDArray[np.uint8]) -> Found:
        """The rectifier alone, of a model that has one: views uint8 (N, h, w, 3) to plates.

        Raises:
            InputError: what comes out is not what the card says, or no numbers.
        """
        found, n = self.runtime.find(views), len(views)
        part = self.card.rectifier
        assert part is not None
        shapes = ((n, 4, 2), (n,), (n, len(part.colours)))
        values = (found.corners, found.rows, found.colours)
        if tuple(v.shape for v in values) != shapes or any(np.isnan(v.sum()) for v in values):
            raise InputError(
                f"{self.card.name}: its graph finds no corners; "
                "export it again with: crnn-ctc export"
            )
        return found

    def _reading(self, seen: Seen, shape: tuple[int, ...], ms: float) -> Reading:
        decoded, steps = seen.decoded, self.card.steps
        characters = []
        for text, span in zip(decoded.text, decoded.spans, strict=True):
            row, quad = seen.place(span.start, span.end, steps)
            if seen.plate is None:
                quad = quad * (shape[1], shape[0])
            x = quad[:, 0]
            characters.append(
                Character(text, span.confidence, float(x.min()), float(x.max()), row, _points(quad))
            )
        return Reading(
            decoded.text,
            decoded.confidence,
            tuple(characters),
            ms,
            alternatives=decoded.alternatives,
            mass=decoded.mass,
            corners=_points(seen.plate.corners) if seen.plate else (),
            colour=seen.plate.colour if seen.plate else "",
            kind=(named_kind(decoded.text) or seen.plate.colour) if seen.plate else "",
        ).judged(self.min_confidence)


def _points(quad: NDArray[np.floating]) -> Quad:
    return tuple((float(x), float(y)) for x, y in quad)


@contextmanager
def model_path(model: str | Path) -> Iterator[Path]:
    """The file of a shipped model, or of one of the user's.

    Raises:
        InputError: there is neither.
    """
    name = str(model)
    if name in shipped():
        with as_file(files("crnn_ctc") / "models" / f"{name}.onnx") as path:
            yield path
    elif Path(model).is_file():
        yield Path(model)
    else:
        raise InputError(f"{name}: no such model; give a file or one of: {', '.join(shipped())}")


def _open(model: str | Path, threads: int, runtime: str) -> tuple[Runtime, Card]:
    name = str(model)
    with model_path(model) as path:
        opened = open_runtime(str(path), threads, runtime)
    card = Card.from_json(opened.metadata(KEY), name)
    takes = [("images", "uint8", (card.height, card.width, card.channels))]
    gives: list[tuple[str, tuple[int, ...]]] = [("log_probs", (card.steps, len(card.alphabet)))]
    if part := card.rectifier:
        takes.append(("views", "uint8", (part.height, part.width, 3)))
        gives += [("corners", (4, 2)), ("rows", ()), ("colours", (len(part.colours),))]
    if [(t.name, t.dtype, t.shape[1:]) for t in opened.inputs] != takes or [
        (t.name, t.shape[1:]) for t in opened.outputs
    ] != gives:
        raise InputError(
            f"{name}: its graph is not what its card says; export it again with: crnn-ctc export"
        )
    return opened, card
