"""Random numbers that are a function of (seed, stream) alone.

The batch of a step depends only on the seed and the step. Resuming therefore needs no loader state,
processes need no coordination, and a protocol is the same on every machine.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def uniforms(seed: int, stream: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Numbers uniform on [0, 1).

    They come from Philox's raw output (Salmon et al. 2011), which numpy promises never to change;
    the streams of its distributions may change with a release.

    Args:
        seed: random seed of the run or of the protocol, 0 or more.
        stream: number of the stream, such as the step.
        shape: shape of the result.
    """
    generator = np.random.Philox(key=np.array([seed, stream], np.uint64))
    raw = np.asarray(generator.random_raw(math.prod(shape)), np.uint64)
    return np.asarray((raw >> np.uint64(11)) * 2.0**-53, np.float64).reshape(shape)
