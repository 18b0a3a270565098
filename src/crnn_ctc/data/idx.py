"""IDX files of MNIST and EMNIST: a header with type and shape, then the numbers.

Format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", file formats.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.errors import InputError

_UNSIGNED_BYTE = 0x08

MOST_BYTES = 1_000_000_000
"""Maximum size, checked before the file fills the memory; EMNIST's largest has 640 MB."""


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzipped or not.

    Args:
        path: the file; gzip is recognised by content, not by name.
        dimensions: required number of dimensions: 3 for images, 1 for labels.

    Returns:
        uint8 array with the shape in the header.

    Raises:
        InputError: the file is missing, is not IDX of unsigned bytes, or is truncated.
    """
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(raw)) as file:
                raw = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; fetch it with: crnn-ctc data emnist DIR") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: broken gzip ({error}); download it again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None

    if len(raw) > MOST_BYTES:
        raise InputError(
            f"{path}: over {MOST_BYTES // 1_000_000} MB unpacked, no set of digits is as large; "
            "download it again"
        )
    expected = (_UNSIGNED_BYTE << 8) | dimensions
    if len(raw) < 4 or (magic := struct.unpack(">I", raw[:4])[0]) != expected:
        found = f"{magic:#010x}" if len(raw) >= 4 else f"{len(raw)} bytes"
        raise InputError(
            f"{path}: not an IDX file of {dimensions} dimensions "
            f"(magic {found}, not {expected:#010x}); download it again"
        )
    start = 4 + 4 * dimensions
    if len(raw) < start:
        raise InputError(f"{path}: its header is cut short; download it again")
    shape = struct.unpack(f">{dimensions}I", raw[4:start])
    if max(shape) > MOST_BYTES:  # with a 0 in another dimension the size would be 0
        raise InputError(f"{path}: its header promises a side of {max(shape)}; download it again")
    size = 1
    for extent in shape:  # Python integers: a malicious header cannot overflow them
        size *= extent
    if len(raw) - start != size:
        raise InputError(
            f"{path}: holds {len(raw) - start} bytes of data where its header promises {size}; "
            "download it again"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)
