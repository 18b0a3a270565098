"""Frames of video files, streams and cameras, decoded by PyAV."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error
from PIL import Image

from crnn_ctc.errors import InputError
from crnn_ctc.watch.frame import Frame
from crnn_ctc.watch.sources import Live

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

_TIMEOUT = 10.0
"""Seconds without data after which a stream counts as broken."""

_STREAM = re.compile(r"(rtsps?|rtmps?|srt|udp|rtp|https?)://", re.IGNORECASE)

_CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}:none")}

_SHORT = 1.0
"""Seconds by which a file may end before the duration in its header."""


def is_stream(source: str) -> bool:
    """Tell whether a source is the address of a stream."""
    return bool(_STREAM.match(source))


def without_password(source: str) -> str:
    """Remove the password of an address, for display."""
    return re.sub(r"//[^/@]*@", "//", source)


class VideoFile:
    """Every n-th frame of a video file.

    Undecodable parts are skipped and reported in ``error``, as are truncated files.

    Args:
        path: the file.
        every: n, 1 for all frames.

    Raises:
        InputError: no such file, no video, or one that cannot be opened.
    """

    live = False
    dropped = 0

    def __init__(self, path: Path, every: int) -> None:
        self.error: str | None = None
        self._path = path
        self._every = every
        _open(str(path.absolute()), str(path)).close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order, with times from the start of the file."""
        name = str(self._path)
        broken = number = 0
        start: float | None = None
        at = 0.0
        with _open(str(self._path.absolute()), name) as container:
            stream = container.streams.video[0]
            rate = float(stream.average_rate or 25)
            length = container.duration / av.time_base if container.duration else 0.0
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets)
                    frames = packet.decode()
                except StopIteration:
                    break
                except av.error.EOFError:
                    break
                except av.error.InvalidDataError:
                    broken += 1
                    continue
                except av.error.FFmpegError as error:
                    self.error = f"{name}: broken after {at:.1f} s ({error.strerror})"
                    break
                for frame in frames:
                    seconds = number / rate if frame.time is None else float(frame.time)
                    start = seconds if start is None else start
                    at = max(at, seconds - start)
                    if frame.is_corrupt:  # the decoder has made up what it could not read
                        broken += 1
                    elif number % self._every == 0:
                        yield Frame(number, at, _picture(frame))
                    number += 1
        if start is None:
            self.error = f"{name}: a video without frames; copy or record it again"
        elif broken and not self.error:
            self.error = f"{name}: damaged, {broken} frames or more were left out; copy it again"
        elif at + _SHORT < length and not self.error:
            self.error = f"{name}: cut short, {at:.1f} of {length:.1f} s are there; copy it again"


class Camera:
    """Every n-th frame of a stream or a camera, or fewer if reading is slower.

    Args:
        source: address of a stream, or the number of a camera.
        every: n, 1 for all frames.
        say: reports in one line that the stream broke.

    Raises:
        InputError: it cannot be opened.
    """

    live = True

    def __init__(self, source: str, every: int, say: Callable[[str], None]) -> None:
        self.error: str | None = None
        self._name = without_password(source)
        self._every = every
        self._format: str | None = None
        self._file = source
        if source.isdecimal():
            known = _CAMERAS.get(sys.platform)
            if known is None:
                raise InputError(
                    f"{source}: cameras by number are known on Linux and macOS alone; "
                    "give the address of a stream"
                )
            self._format, pattern = known
            self._file = pattern.format(source)
        # a wrong address fails at once; later failures are retried
        self._first: InputContainer | None = self._open()
        self._live = Live(self._name, self._frames, say)

    @property
    def dropped(self) -> int:
        """Number of dropped frames among the n-th ones."""
        return self._live.dropped

    def __iter__(self) -> Iterator[Frame | None]:
        """Yield the newest frame each time, with its time of arrival."""
        for item in self._live:
            if item is None:
                yield None
            else:
                number, arrived, frame = item
                yield Frame(number, arrived, _picture(frame))

    def _open(self) -> InputContainer:
        return _open(self._file, self._name, self._format)

    def _frames(self) -> Iterator[tuple[int, float, VideoFrame]]:
        container, self._first = self._first or self._open(), None
        with container, _errors(self._name):
            for number, frame in enumerate(container.decode(video=0)):
                if number % self._every == 0:
                    yield number, time.time(), frame


def _picture(frame: VideoFrame) -> Image.Image:
    return Image.fromarray(frame.to_ndarray(format="rgb24"))


def _open(file: str, name: str, form: str | None = None) -> InputContainer:
    options = {"rtsp_transport": "tcp"} if file.lower().startswith("rtsp") else {}
    with _errors(name):
        container = av.open(file, format=form, options=options, timeout=_TIMEOUT)
    if not container.streams.video:
        container.close()
        raise InputError(f"{name}: no video in it; give a video file")
    container.streams.video[0].thread_type = "AUTO"
    return container


@contextmanager
def _errors(name: str) -> Iterator[None]:
    """Convert an error of PyAV to one line."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise InputError(
            f"{name}: cannot be read as a video ({error.strerror}); check that it plays elsewhere"
        ) from None
