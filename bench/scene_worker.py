"""A reader of whole photographs in a separate process, controlled over standard input.

bench/scenes.py starts it with the Python of the peers' environment, so it needs nothing of this
repository, only numpy, OpenCV and the peer. Each line of input is answered by a line, as JSON:
{"read": PATH} gives the texts and the CPU milliseconds from file to texts, {"facts": null} its
name.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np

Read = Callable[[np.ndarray], list[str]]


def rapidocr(threads: int) -> tuple[Read, str]:
    from rapidocr_onnxruntime import RapidOCR

    engine = RapidOCR(intra_op_num_threads=threads, inter_op_num_threads=1)

    def read(image: np.ndarray) -> list[str]:
        found, _ = engine(image)
        return [text for _, text, _ in found or []]

    return read, "rapidocr-onnxruntime"


def agentclpr(threads: int) -> tuple[Read, str]:
    del threads  # set by OMP_NUM_THREADS
    from agentclpr import CLPSystem

    system = CLPSystem()

    def read(image: np.ndarray) -> list[str]:
        return [text for _, (text, _) in system(image)]

    return read, "agentclpr"


PEERS = {"rapidocr": rapidocr, "agentclpr": agentclpr}


def main() -> None:
    import cv2

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the peer's output must not mix with answers
    read, package = PEERS[sys.argv[1]](int(sys.argv[2]))
    for line in sys.stdin:
        ((what, value),) = json.loads(line).items()
        if what == "facts":
            answer: object = f"{package} {importlib.metadata.version(package)}"
        else:
            started = time.process_time()
            # from bytes, for non-ASCII paths
            texts = read(cv2.imdecode(np.fromfile(value, np.uint8), cv2.IMREAD_COLOR))
            answer = [texts, (time.process_time() - started) * 1e3]
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
