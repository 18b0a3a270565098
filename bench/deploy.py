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
from crnn_ctc.image import fit

MODELS = ("plates-nano", "plates-small", "plates-tiny", "digits-nano", "digits-tiny")
PICTURES = 8
Arrays = dict[str, NDArray[np.float32]]
Compute = Callable[[Arrays], Arrays]
"""Maps inputs of one picture, float32 (1, C, H, W), to outputs, both by name."""


def signature(file: Path) -> tuple[dict[str, list[int]], list[str]]:
    """Names and shapes of a graph's inputs, and names of its outputs."""
    session = onnxruntime.InferenceSession(file)
    return {i.name: i.shape for i in session.get_inputs()}, [o.name for o in session.get_outputs()]


def opencv(file: Path, engine: str | None = None) -> Compute:
    import cv2

    net = cv2.dnn.readNetFromONNX(str(file), *([getattr(cv2.dnn, engine)] if engine else []))
    names = signature(file)[1]

    def compute(inputs: Arrays) -> Arrays:
        for name, value in inputs.items():
            net.setInput(value, name)
        return dict(zip(names, net.forward(names), strict=True))

    return compute


def ncnn(file: Path) -> Compute:
    import ncnn as runtime

    takes, gives = signature(file)
    pnnx = Path(sys.executable).with_name("pnnx")
    shapes = ",".join(str(shape).replace(" ", "") for shape in takes.values())
    arguments = [pnnx, file, f"inputshape={shapes}", "fp16=0"]
    subprocess.run(arguments, cwd=file.parent, check=True, capture_output=True)
    stem = file.stem.replace("-", "_")
    net = runtime.Net()
    net.opt.num_threads = 1
    if net.load_param(str(file.with_name(f"{stem}.ncnn.param"))):
        raise RuntimeError("ncnn takes no such param file")
    net.load_model(str(file.with_name(f"{stem}.ncnn.bin")))

    def compute(inputs: Arrays) -> Arrays:
        extractor = net.create_extractor()
        for place, name in enumerate(takes):
            values = np.ascontiguousarray(inputs[name][0])  # ncnn.Mat does not keep a reference
            extractor.input(f"in{place}", runtime.Mat(values).clone())
        outputs = [np.array(extractor.extract(f"out{i}")[1]) for i in range(len(gives))]
        return {n: np.nan_to_num(o, nan=-np.inf) for n, o in zip(gives, outputs, strict=True)}

    return compute


def mnn(file: Path) -> Compute:
    import MNN

    target = file.with_suffix(".mnn")
    convert = Path(sys.executable).with_name("mnnconvert")
    arguments = [convert, "-f", "ONNX", "--modelFile", file, "--MNNModel", target, "--bizCode", "c"]
    subprocess.run(arguments, check=True, capture_output=True)
    takes, gives = signature(file)
    net = MNN.nn.load_module_from_file(str(target), list(takes), gives)

    def compute(inputs: Arrays) -> Arrays:
        placed = [MNN.expr.placeholder(list(inputs[name].shape), MNN.expr.NCHW) for name in takes]
        for variable, name in zip(placed, takes, strict=True):
            variable.write(inputs[name])
        found = zip(gives, net.onForward(placed), strict=True)
        return {n: np.array(MNN.expr.convert(o, MNN.expr.NCHW).read()) for n, o in found}

    return compute


def runtimes() -> dict[str, tuple[str, Callable[[Path], Compute]]]:
    """Map names to the distribution and a function that opens a model."""
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
    """Largest difference in any probability, and share of time steps with the same class.

    With a rectifier, also the largest difference of a corner, as a fraction of the picture.
    """
    file = folder / f"{model}.onnx"
    to_float32(model, file)
    reader = Reader(model)
    images = fitted_specimens(PICTURES, reader.card)
    expected = {"log_probs": reader.log_probs(images)}
    inputs = {"images": images}
    if part := reader.card.rectifier:
        fitted = [fit(image, part.height, part.width, 3) for image in images]
        inputs["views"] = np.stack(fitted)
        expected["corners"] = reader.find_plates(inputs["views"]).corners
    planes = {name: x.transpose(0, 3, 1, 2).astype(np.float32) for name, x in inputs.items()}
    try:
        compute = opened(file)
        rows = [compute({n: x[i : i + 1] for n, x in planes.items()}) for i in range(PICTURES)]
        got = {
            n: np.stack([row[n].reshape(x[0].shape) for row in rows]) for n, x in expected.items()
        }
    except Exception as error:  # each runtime has its own errors
        return {"error": str(error).strip().splitlines()[0][:200]}
    log_probs, probable = expected["log_probs"], got["log_probs"]
    found = {
        "largest_difference": float(np.abs(np.exp(probable) - np.exp(log_probs)).max()),
        "same_class": float((probable.argmax(-1) == log_probs.argmax(-1)).mean()),
    }
    if "corners" in got:
        found["corners"] = float(np.abs(got["corners"] - expected["corners"]).max())
    return found


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
