"""Reader: one model file, pictures in, readings out. No torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.decode import Alternative
from crnn_ctc.decode.decoder import NO_GRAMMAR, UNRESTRICTED, decoder_for
from crnn_ctc.decode.track import CANDIDATES, fuse_track
from crnn_ctc.errors import InputError
from crnn_ctc.find.cutout import Cutout, cut_out
from crnn_ctc.find.decoding import LocatedPlate
from crnn_ctc.find.photo import FLOOR, Find, Photograph, PlateFinder
from crnn_ctc.grammar import known_texts
from crnn_ctc.image import MAX_PIXELS, WARNING, ChannelOrder, Source, load_each, open_picture
from crnn_ctc.jpeg import full_size
from crnn_ctc.model_file.opening import lasting_name, open_model, open_model_once
from crnn_ctc.model_file.runtime import CPU, RectifierOutput
from crnn_ctc.plates import scheme_of
from crnn_ctc.plates.china import CHINA
from crnn_ctc.reading import MOST_ALTERNATIVES, Character, Reading, TrackReading
from crnn_ctc.recognize import Recognition, recognize
from crnn_ctc.stream import batches

__all__ = ["Alternative", "Character", "Reader", "Reading", "TrackReading"]

_AT_ONCE = 64
"""Crops per network batch; a batch of photographs may have many more plates."""


class Reader:
    """Reads pictures with one model.

    Args:
        model: name of a shipped model, or a model file.
        threads: inference threads; a small network is fastest on one, which is the default.
        grammar: name of the grammar of valid texts (:func:`crnn_ctc.grammar.open_grammar`);
            ``none`` for no restriction; None for the grammar of the model's card.
        known: list of known texts: a UTF-8 file with one text per line, or the texts
            (:func:`crnn_ctc.grammar.known_texts`). The answer is the listed text that is most
            probable in the picture, with its P(text | picture), or none if no listed text reaches
            1 %.
        rule: function that says whether a text is valid, such as a check digit's. The answer is
            the most probable text for which it returns True, or none.
        decode: name of a decoder (:data:`crnn_ctc.decode.decoder.DECODERS`); None for ``grammar``
            where there is one, else ``greedy``.
        alternatives: number of other texts in each reading.
        device: device of the network: ``cpu``, ``cuda``, ``directml``, ``coreml`` or ``openvino``,
            with a build of ONNX Runtime that supports it; ``auto`` for the first of ``cuda``,
            ``directml`` and ``coreml`` that works, else the CPU.
        min_confidence: from 0 to 1; a reading whose confidence is lower is not accepted. 0 accepts
            every text that is read.
        channel_order: channel order of arrays: ``rgb``, or ``bgr`` as in OpenCV.
        max_pixels: greatest width times height of a picture; larger ones are rejected.
        find: which pictures are searched for plates: ``auto`` searches photographs and reads crops
            directly, ``always`` searches all, ``never`` none. Models that do not read plates
            search none.
        locator: name of a shipped locator, or its model file; loaded on first use.

    Raises:
        InputError: unknown model, grammar, channel order or device; not a model file of this
            package; an unusable list of known texts; ``min_confidence`` outside 0 to 1; or
            ``always`` with a model that does not read plates.
    """

    def __init__(
        self,
        model: str | Path = "plates-small",
        threads: int = 1,
        grammar: str | None = None,
        alternatives: int = 0,
        device: str = CPU,
        min_confidence: float = 0.0,
        channel_order: ChannelOrder = "rgb",
        max_pixels: int = MAX_PIXELS,
        known: str | Path | Iterable[str] | None = None,
        rule: Callable[[str], bool] | None = None,
        decode: str | None = None,
        find: Find = "auto",
        locator: str | Path = "plates-find",
    ) -> None:
        if not 0 <= min_confidence <= 1:
            raise InputError(f"least confidence {min_confidence}: give one from 0 to 1")
        if not 0 <= alternatives <= MOST_ALTERNATIVES or threads < 1:
            raise InputError(f"give 0 to {MOST_ALTERNATIVES} alternatives, and 1 or more threads")
        self.min_confidence, self._alternatives = min_confidence, alternatives
        self._opened = (lasting_name(model), threads, device)
        self.runtime, self.card = open_model(model, threads, device)
        if known is not None and grammar is not None:
            raise InputError("known texts and a grammar: give one or the other")
        if decode in UNRESTRICTED and (known is not None or grammar not in (None, NO_GRAMMAR)):
            raise InputError(
                f"decoder {decode} answers any text; leave it out, or the grammar and known texts"
            )
        allowed = (
            grammar if known is None else known_texts(known, self.card.alphabet, self.card.plates)
        )
        self._decode = decoder_for(self.card, decode, allowed, alternatives, rule)
        self._channel_order = _checked(channel_order)
        self._max_pixels = max_pixels
        self._scheme = scheme_of(self.card.alphabet, self.card.plates)
        # what the shipped locator was trained to find
        finds = self._scheme is CHINA
        if find == "always" and not finds:
            raise InputError(f"{self.card.name}: reads no plates, so it finds none; leave find out")
        self._finder = PlateFinder(find if finds else "never", locator, threads, device)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "runtime"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        model = self._opened[0]
        written = model.stat().st_mtime_ns if isinstance(model, Path) and model.exists() else 0
        self.runtime, card = open_model_once(*self._opened, written)
        if card != self.card:
            raise InputError(f"{model}: another model than the reader was made with; make it again")

    def with_alternatives(self, alternatives: int) -> Reader:
        """A reader with alternatives in each reading, which shares the opened model."""
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        other._decode = self._decode.with_alternatives(alternatives)
        other._alternatives = alternatives
        return other

    def with_find(self, find: Find) -> Reader:
        """A reader of the same models, opened once for both, that searches other pictures."""
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        if self._scheme:
            other._finder = self._finder.with_find(find)
        return other

    def __call__(self, source: Source, channel_order: ChannelOrder | None = None) -> Reading:
        """Read one picture.

        For a photograph this is the most confident plate; ``plates`` holds all of them.

        Args:
            source: the picture, see :data:`crnn_ctc.image.Source`.
            channel_order: channel order of an array; None for the reader's.

        Raises:
            InputError: the picture cannot be read.
            TypeError: an object of another type, such as None.
        """
        started = time.perf_counter()
        searched = self._finder.find != "never"
        picture = open_picture(source, self._max_pixels, self._order(channel_order), searched)
        (reading,) = self._read_pictures([picture], self._finder)
        assert isinstance(reading, Reading)
        return reading.with_ms((time.perf_counter() - started) * 1e3)

    def find(
        self, source: Source, channel_order: ChannelOrder | None = None, turned: bool = True
    ) -> list[Reading]:
        """Read every plate of a photograph, from left to right, whatever the picture looks like.

        Args:
            source: the photograph, see :data:`crnn_ctc.image.Source`.
            channel_order: channel order of an array; None for the reader's.
            turned: whether a photograph without a sure plate is also searched turned.

        Returns:
            One reading per plate, with ``corners`` in pixels of the photograph.

        Raises:
            InputError: the picture cannot be read, or the model does not read plates.
        """
        picture = open_picture(source, self._max_pixels, self._order(channel_order), reduce=True)
        return self.find_and_read(picture, turned)[1]

    def find_and_read(
        self, photo: Image.Image, turned: bool = True
    ) -> tuple[list[LocatedPlate], list[Reading]]:
        """As :meth:`find`, with all that the locator found, also what shows no text.

        Args:
            photo: in mode RGB.
            turned: see :meth:`find`.

        Raises:
            InputError: the model reads no plates.
        """
        if self._scheme is None:
            raise InputError(f"{self.card.name}: reads no plates; take plates-small or plates-nano")
        started = time.perf_counter()
        searched = self._finder.search(photo, turned)
        (reading,) = self._read_pictures([photo], lambda _: searched)
        assert isinstance(reading, Reading)
        ms = (time.perf_counter() - started) * 1e3
        return searched.whole_plates, [plate.with_ms(ms) for plate in reading.plates or ()]

    def read(
        self,
        sources: Iterable[Source | InputError],
        batch_size: int = 32,
        channel_order: ChannelOrder | None = None,
    ) -> Iterator[Reading]:
        """Read many pictures, one reading each, in order.

        A picture that cannot be read yields a reading with its ``error``. A list or another sized
        collection is read in batches of ``batch_size``. From an iterator, such as a generator of
        camera frames, a batch is what has arrived, up to ``batch_size``, so no frame waits for a
        batch to fill. The iterator runs in a thread of its own, at most ``batch_size`` pictures
        ahead.

        Args:
            sources: pictures, see :data:`crnn_ctc.image.Source`; or errors, which become the
                ``error`` of their reading.
            batch_size: largest number of pictures per batch.
            channel_order: channel order of arrays; None for the reader's.

        Raises:
            InputError: the batch size is below 1.
            TypeError: one picture instead of several, or not an iterable.
        """
        return self._read(batches(sources, batch_size), self._order(channel_order))

    def _read(
        self, waiting: Iterable[list[Source | InputError]], channel_order: ChannelOrder
    ) -> Iterator[Reading]:
        for batch in waiting:
            started = time.perf_counter()
            searched = self._finder.find != "never"
            pictures = load_each(batch, self._max_pixels, channel_order, searched)
            found = self._read_pictures(pictures, self._finder)
            ms = (time.perf_counter() - started) * 1e3 / len(batch)
            for one in found:
                reading = Reading.failed(str(one)) if isinstance(one, InputError) else one
                yield reading.with_ms(ms)

    def _read_pictures(
        self,
        pictures: Iterable[Image.Image | InputError],
        finder: Callable[[Image.Image], Photograph | None],
    ) -> list[Reading | InputError]:
        """One reading per crop or photograph, in order, without its ``ms``.

        Args:
            pictures: pictures in mode RGB, or errors, which are passed on. Each is released after
                it was read.
            finder: returns a picture with its plates; None for a crop.
        """
        # of each photograph the ways in which each plate was cut out, and its warning; crops: None
        photos: list[tuple[list[list[Cutout]], str | None] | None] = []

        def cutouts() -> Iterator[Image.Image | InputError]:
            for picture in pictures:
                photo = None if isinstance(picture, InputError) else finder(picture)
                if isinstance(picture, InputError) or photo is None:
                    photos.append(None)
                    yield picture if isinstance(picture, InputError) else full_size(picture)
                    continue
                of_each = [cut_out(photo, one, self.card) for one in photo.plates]
                # the pictures of the cut-outs are not needed twice
                places = [[way._replace(picture=_NONE) for way in ways] for ways in of_each]
                photos.append((places, picture.info.get(WARNING)))
                yield from (way.picture for ways in of_each for way in ways)

        waiting, recognitions = cutouts(), list[Recognition | InputError]()
        while some := recognize(self, self._decode, islice(waiting, _AT_ONCE)):
            recognitions += some
        results, readings = iter(recognitions), list[Reading | InputError]()
        for entry in photos:
            if entry is None:
                readings.append(self._reading(next(results)))
                continue
            read = [
                max((self._placed(next(results), way) for way in ways), key=lambda r: r.confidence)
                for ways in entry[0]
            ]
            photograph = Reading.of_photograph([p for p in read if p.confidence >= FLOOR])
            readings.append(replace(photograph, warning=entry[1]))
        return readings

    def _placed(self, recognition: Recognition | InputError, cutout: Cutout) -> Reading:
        """The reading of a crop, in pixels of its photograph."""
        reading = self._reading(recognition)
        assert isinstance(reading, Reading)
        return reading.in_photo(cutout.to_photo, cutout.found.corners)

    def _reading(self, found: Recognition | InputError) -> Reading | InputError:
        if isinstance(found, InputError):
            return found
        return Reading.recognized(found, self._scheme, self.min_confidence)

    def read_track(
        self,
        sources: Iterable[Source | InputError],
        batch_size: int = 32,
        channel_order: ChannelOrder | None = None,
    ) -> TrackReading:
        """Read one plate from several pictures of it, such as frames of a video, in any order.

        The probabilities of the pictures are combined (:func:`crnn_ctc.decode.fuse.fuse`). A
        picture that cannot be read is left out; its error is in the reading.

        Args:
            sources: pictures of the same plate, as for :meth:`read`.
            batch_size: largest number of pictures per batch.
            channel_order: channel order of arrays; None for the reader's.

        Raises:
            InputError: there are no pictures, or none of them can be read.
            TypeError: one picture instead of several, or not an iterable.
        """
        started = time.perf_counter()
        order = self._order(channel_order)
        decode = self._decode.with_alternatives(max(CANDIDATES, self._alternatives))
        errors: list[str] = []
        places: list[int] = []
        recognitions: list[Recognition] = []
        for batch in batches(sources, batch_size):
            pictures = load_each(batch, self._max_pixels, order)
            for found in recognize(self, decode, pictures):
                if isinstance(found, InputError):
                    errors.append(str(found))
                else:
                    places.append(len(errors) + len(recognitions))
                    recognitions.append(found)
        if not recognitions:
            first = errors[0] if errors else "a track without pictures; give some"
            others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            raise InputError(first + others)
        decoded = [one.decoded for one in recognitions]
        log_probs = [one.log_probs for one in recognitions]
        fused, best = fuse_track(decode, decoded, log_probs, self._alternatives)
        ms = (time.perf_counter() - started) * 1e3
        return TrackReading.recognized(
            replace(recognitions[best], decoded=fused),
            self._scheme,
            self.min_confidence,
            ms=ms,
            frames=len(recognitions),
            best=places[best],
            skipped=tuple(errors),
        )

    def _order(self, given: ChannelOrder | None) -> ChannelOrder:
        return self._channel_order if given is None else _checked(given)

    def fit(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """RGB uint8 (H, W, 3) as the model takes it; see :func:`crnn_ctc.image.fit`."""
        return self.card.fit(image)

    def log_probs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The network alone: uint8 (N, H, W, C) to float32 (N, T, K).

        Raises:
            InputError: the output does not match the card, or is not finite.
        """
        out = self.runtime.log_probs(images)
        steps = self.card.steps * images.shape[2] // self.card.width
        if out.shape != (len(images), steps, len(self.card.alphabet)) or np.isnan(out.sum()):
            raise InputError(
                f"{self.card.name}: its graph computes no log-probabilities; "
                "export it again with: crnn-ctc export"
            )
        return out

    def find_plates(self, views: NDArray[np.uint8]) -> RectifierOutput:
        """The rectifier alone, if the model has one: views uint8 (N, h, w, 3) to plates.

        Raises:
            InputError: the output does not match the card, or is not finite.
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


_NONE = Image.new("RGB", (1, 1))


def _checked(order: ChannelOrder) -> ChannelOrder:
    if order not in get_args(ChannelOrder):
        raise InputError(f"channel order {order!r}: give {' or '.join(get_args(ChannelOrder))}")
    return order
