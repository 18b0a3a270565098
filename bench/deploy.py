"""What other runtimes compute with ``crnn-ctc export --format float32``, against ONNX Runtime.

    pip install ncnn pnnx MNN opencv-python-headless onnx
    python bench/deploy.py [--out FILE]

Runtimes that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from crnn_ctc import Reader
from crnn_ctc.benchmark.specimens import fitted_specimens
from crnn_ctc.export.float32 import to_float32

MODELS = ("plates-nano", "plates-tiny", "digits-nano", "digits-tiny")
PICTURES = 8
Compute = Callable[[NDArray[np.float32]], Any]
"""float32 (1, C, H, W) to log-probabilities."""


def opencv(file: Path, engine: str | None = None) -> Compute:
    import cv2

    net = cv2.dnn.readNetFromONNX(str(file), *([getattr(cv2.dnn, engine)] if engine else []))

    def compute(image: NDArray[np.float32]) -> Any:
        net.setInput(image, "images")
        return net.forward("log_probs")

    return compute


def ncnn(file: Path) -> Compute:
    import ncnn as runtime

    shape = onnxruntime.InferenceSession(file).get_inputs()[0].shape
    pnnx = Path(sys.executable).with_name("pnnx")
    arguments = [pnnx, file, f"inputshape={shape}".replace(" ", ""), "fp16=0"]
    subprocess.run(arguments, cwd=file.parent, check=True, capture_output=True)
    stem = file.stem.replace("-", "_")
    net = runtime.Net()
    net.opt.num_threads = 1
    net.load_param(str(file.with_name(f"{stem}.ncnn.param")))
    net.load_model(str(file.with_name(f"{stem}.ncnn.bin")))

    def compute(image: NDArray[np.float32]) -> Any:
        values = np.ascontiguousarray(image[0])  # ncnn.Mat does not keep it alive
        extractor = net.create_extractor()
        extractor.input("in0", runtime.Mat(values).clone())
        return np.nan_to_num(np.array(extractor.extract("out0")[1]), nan=-np.inf)

    return compute


def mnn(file: Path) -> Compute:
    import MNN

    target = file.with_suffix(".mnn")
    convert = Path(sys.executable).with_name("mnnconvert")
    arguments = [convert, "-f", "ONNX", "--modelFile", file, "--MNNModel", target, "--bizCode", "c"]
    subprocess.run(arguments, check=True, capture_output=True)
    net = MNN.nn.load_module_from_file(str(target), ["images"], ["log_probs"])

    def compute(image: NDArray[np.float32]) -> Any:
        placed = MNN.expr.placeholder(list(image.shape), MNN.expr.NCHW)
        placed.write(image)
        return np.array(MNN.expr.convert(net.onForward([placed])[0], MNN.expr.NCHW).read())

    return compute


def runtimes() -> dict[str, tuple[str, Callable[[Path], Compute]]]:
    """Name to the distribution and what opens a model."""
    found: dict[str, tuple[str, Callable[[Path], Compute]]] = {}
    if importlib.util.find_spec("cv2"):
        import cv2

        for engine in (
            ("ENGINE_CLASSIC", "ENGINE_NEW") if hasattr(cv2.dnn, "ENGINE_NEW") else (None,)
        ):
            name = f"OpenCV {engine or ''}".strip()
            found[name] = ("opencv-python-headless", lambda file, e=engine: opencv(file, e))
    for name, opened in (("ncnn", ncnn), ("MNN", mnn)):
        if importlib.util.find_spec(name):
            found[name] = (name, opened)
    return found


def compare(model: str, opened: Callable[[Path], Compute], folder: Path) -> dict[str, Any]:
    """The largest difference in any probability, and the share of time steps of the same class."""
    file = folder / f"{model}.onnx"
    to_float32(model, file)
    reader = Reader(model)
    images = fitted_specimens(PICTURES, reader.card)
    expected = reader.log_probs(images)
    planes = images.transpose(0, 3, 1, 2).astype(np.float32)
    try:
        compute = opened(file)
        got = np.stack([np.asarray(compute(p[None])).reshape(expected[0].shape) for p in planes])
    except Exception as error:  # each runtime has errors of its own
        return {"error": str(error).strip().splitlines()[0][:200]}
    return {
        "largest_difference": float(np.abs(np.exp(got) - np.exp(expected)).max()),
        "same_class": float((got.argmax(-1) == expected.argmax(-1)).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("bench/results/deploy.json"))
    out = parser.parse_args().out
    results: list[dict[str, Any]] = []
    for name, (distribution, opened) in runtimes().items():
        version = importlib.metadata.version(distribution)
        for model in MODELS:
            with tempfile.TemporaryDirectory() as folder:
                measured = compare(model, opened, Path(folder))
            results.append({"runtime": name, "version": version, "model": model, **measured})
            print(results[-1], flush=True)
    document = {"onnxruntime": onnxruntime.__version__, "pictures": PICTURES, "results": results}
    out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
