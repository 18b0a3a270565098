"""Near-duplicates: pairs of 64-bit difference hashes a few bits apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.image import fit

NEAR = 4
"""Maximum Hamming distance of near-duplicates."""

_BANDS = 8  # of eight bits each


def difference_hash(image: NDArray[np.uint8]) -> int:
    """Compute the dHash of a picture, 64 bits (Krawetz 2013).

    Each bit tells whether a pixel of the grey picture at 9x8 pixels is brighter than its right
    neighbour.

    Args:
        image: RGB, uint8 (H, W, 3).
    """
    small = fit(image, 8, 9, 1)[..., 0]
    return int.from_bytes(np.packbits(small[:, :-1] > small[:, 1:]).tobytes(), "big")


def near_pairs(hashes: NDArray[np.uint64], distance: int = NEAR) -> NDArray[np.int64]:
    """Find all pairs of hashes that differ in at most ``distance`` bits.

    At least ``8 - distance`` of eight bands of eight bits are equal in such a pair, so only hashes
    that share that many bands are compared. Time is linear in the number of hashes and found pairs.

    Args:
        hashes: uint64 (N,), unique.
        distance: in bits, 0 to 7.

    Returns:
        int64 (P, 2), indices into ``hashes``, sorted, the lower index first.
    """
    if len(hashes) < 2:
        return np.empty((0, 2), np.int64)
    found = [np.empty((0, 2), np.int64)]
    for bands in combinations(range(_BANDS), _BANDS - distance):
        mask = np.uint64(sum(0xFF << (8 * band) for band in bands))
        keys = hashes & mask
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = np.arange(len(keys) - 1)
        step = 1
        while True:  # adjacent in sorted order, then two apart and so on, while keys agree
            starts = starts[: np.searchsorted(starts, len(keys) - step)]
            starts = starts[keys[starts] == keys[starts + step]]
            if len(starts) == 0:
                break
            a, b = order[starts], order[starts + step]
            near = _bits(hashes[a] ^ hashes[b]) <= distance
            pairs = np.stack([np.minimum(a, b)[near], np.maximum(a, b)[near]], axis=1)
            found.append(pairs.astype(np.int64))
            step += 1
    return np.asarray(np.unique(np.concatenate(found), axis=0), np.int64)


_COUNTS = np.array([n.bit_count() for n in range(256)], np.uint8)


def _bits(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Count the set bits; numpy has a function for it only since 2.0."""
    parts = np.ascontiguousarray(values).view(np.uint8).reshape(-1, 8)
    return np.asarray(_COUNTS[parts].sum(axis=1), np.int64)
