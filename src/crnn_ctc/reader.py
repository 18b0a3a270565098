"""Reader: one model file, pictures in, readings out. ONNX Runtime; no torch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from crnn_ctc import image as pictures
from crnn_ctc.card import KEY, Card
from crnn_ctc.decode import Alternative
from crnn_ctc.decode.decoder import Decoder, decoder_for
from crnn_ctc.decode.track import CANDIDATES, fuse_track
from crnn_ctc.errors import InputError
from crnn_ctc.image import Source
from crnn_ctc.reading import Character, Reading, TrackReading
from crnn_ctc.recognize import Seen, look, recognize

__all__ = [
    "Alternative",
    "Character",
    "Reader",
    "Reading",
    "TrackReading",
    "model_file",
    "open_session",
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
        threads: of ONNX Runtime; a small network is fastest on one, which is the default.
        grammar: what a text may be, by name (:func:`crnn_ctc.grammar.open_grammar`); ``none`` for
            any; None for what the model's card says.
        alternatives: how many other texts each reading gives; every picture is then searched.
        min_confidence: from 0 to 1; a reading whose :attr:`Reading.probability` is lower is not
            accepted. 0 accepts whatever is read.

    Raises:
        InputError: no such model, not a model file of this package, no such grammar, or a least
            confidence that is not from 0 to 1.
    """

    def __init__(
        self,
        model: str | Path = "plates-tiny",
        threads: int = 1,
        grammar: str | None = None,
        alternatives: int = 0,
        min_confidence: float = 0.0,
    ) -> None:
        if not 0 <= min_confidence <= 1:
            raise InputError(f"least confidence {min_confidence}: give one from 0 to 1")
        self.min_confidence = min_confidence
        self._session, self.card = _open(model, threads)
        self._decode = decoder_for(self.card, grammar=grammar, alternatives=alternatives)
        self._grammar, self._alternatives = grammar, alternatives

    def __call__(self, source: Source) -> Reading:
        """Read one picture.

        Raises:
            InputError: the picture cannot be read.
        """
        started = time.perf_counter()
        image = pictures.load(source)
        seen = recognize(self, self._decode, [image])[0]
        return self._reading(seen, image.shape[1], (time.perf_counter() - started) * 1e3)

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
        widths: list[int] = []
        errors: dict[int, str] = {}

        def images() -> Iterator[NDArray[np.uint8]]:
            for _, image in pictures.load_each(sources, errors):
                widths.append(image.shape[1])
                yield image

        seen = recognize(self, self._decode, images())
        ms = (time.perf_counter() - started) * 1e3 / len(sources)
        good = (self._reading(s, width, ms) for s, width in zip(seen, widths, strict=True))
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
        widths: list[int] = []
        seen: list[Seen] = []
        log_probs: list[NDArray[np.float32]] = []
        decode = self._track_decoder()
        waiting = pictures.load_each(sources, errors)
        while batch := list(islice(waiting, batch_size)):
            places += [place for place, _ in batch]
            widths += [image.shape[1] for _, image in batch]
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
        reading = self._reading(replace(seen[best], decoded=fused), widths[best], ms)
        return TrackReading(
            reading.text,
            reading.confidence,
            reading.characters,
            ms,
            alternatives=reading.alternatives,
            mass=reading.mass,
            accepted=reading.accepted,
            frames=len(seen),
            best=places[best],
            skipped=tuple(errors[place] for place in sorted(errors)),
        )

    def _track_decoder(self) -> Decoder:
        count = max(CANDIDATES, self._alternatives)
        return decoder_for(self.card, grammar=self._grammar, alternatives=count)

    def fit(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """RGB uint8 (H, W, 3) as the model takes it; see :func:`crnn_ctc.image.fit`."""
        card = self.card
        return pictures.fit(image, card.height, card.width, card.channels, card.ink)

    def log_probs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The network alone: uint8 (N, H, W, C) to float32 (N, T, K)."""
        out = self._session.run(["log_probs"], {"images": images})[0]
        return np.asarray(out, np.float32)

    def _reading(self, seen: Seen, width: int, ms: float) -> Reading:
        decoded, steps = seen.decoded, self.card.steps
        characters = []
        for text, span in zip(decoded.text, decoded.spans, strict=True):
            row, middle = seen.place((span.start + span.end) / 2, steps)
            # half the span to each side of its middle: it may reach over the end of its row
            half = seen.scale(row) * (span.end - span.start) / 2 / steps
            start, end = max(0.0, middle - half) * width, min(1.0, middle + half) * width
            characters.append(Character(text, span.confidence, start, end, row))
        return Reading(
            decoded.text,
            decoded.confidence,
            tuple(characters),
            ms,
            alternatives=decoded.alternatives,
            mass=decoded.mass,
            accepted=decoded.confidence * decoded.mass >= self.min_confidence,
        )


def open_session(model: str | bytes, threads: int) -> Any:
    """An ONNX Runtime session on the CPU, of a file or of its content.

    Raises:
        InputError: not a model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # threads that spin while they wait slow down whatever else runs on the machine
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base but Exception
        reason = str(error).strip().splitlines()[0][:160]
        name = model if isinstance(model, str) else "model"
        raise InputError(
            f"{name}: not a model file ({reason}); give a file that crnn-ctc export wrote"
        ) from None


@contextmanager
def model_file(model: str | Path) -> Iterator[Path]:
    """The file of a shipped model, or the one of that path.

    Raises:
        InputError: no such model.
    """
    name = str(model)
    if name in shipped():
        with as_file(files("crnn_ctc") / "models" / f"{name}.onnx") as path:
            yield path
    elif Path(model).is_file():
        yield Path(model)
    else:
        raise InputError(f"{name}: no such model; give a file or one of: {', '.join(shipped())}")


def _open(model: str | Path, threads: int) -> tuple[Any, Card]:
    name = str(model)
    with model_file(model) as path:
        session = open_session(str(path), threads)
    card = Card.from_json(session.get_modelmeta().custom_metadata_map.get(KEY), name)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    expected = [card.height, card.width, card.channels]
    if (
        [i.name for i in inputs] != ["images"]
        or [o.name for o in outputs] != ["log_probs"]
        or inputs[0].type != "tensor(uint8)"
        or list(inputs[0].shape[1:]) != expected
    ):
        raise InputError(f"{name}: its graph is not what its card says; export it again")
    return session, card
