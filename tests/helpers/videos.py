"""Videos for tests: plates of the examples that move on a synthetic street."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.streets import street

SIZE = (640, 384)


def passing(
    *plates: tuple[str, tuple[float, float], tuple[float, float], int], frames: int
) -> Iterator[Image.Image]:
    """Frames in which plates move evenly, each (name, first place, last place, width in pixels).

    A place is the plate's left upper corner.
    """
    for n in range(frames):
        share = n / max(frames - 1, 1)
        places = [
            (
                name,
                (
                    round(start[0] + share * (end[0] - start[0])),
                    round(start[1] + share * (end[1] - start[1])),
                ),
                wide,
            )
            for name, start, end, wide in plates
        ]
        yield street(*places, size=SIZE)


def write_video(path: Path, pictures: Iterable[Image.Image], rate: int = 25) -> None:
    """An H.264 file; the test is skipped where PyAV, or its encoder, is not there."""
    av = pytest.importorskip("av", reason="PyAV is not installed (extra [video])")
    with av.open(str(path), "w") as container:
        try:
            stream = container.add_stream("libx264", rate=rate)
        except av.error.FFmpegError:
            pytest.skip("this PyAV has no H.264 encoder")
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "23", "g": "12"}
        stream.codec_context.thread_count = 1
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
