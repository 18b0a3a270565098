"""Static quantization of a model file: convolutions in 8-bit integers.

By ONNX Runtime (Jacob et al. 2018, arXiv 1712.05877): scales of activations from pictures, scales
of weights per channel, stored as QuantizeLinear and DequantizeLinear pairs. Recurrent layers stay
in float: integers save no time there, and errors accumulate along the sequence.

Weights have 7 bits. AVX2 and AVX-512 without VNNI add pairs of products of unsigned and signed
bytes in 16 bits, which saturates with 8-bit weights; with 7 bits the largest sum,
2 * 255 * 64 = 32,640, fits, so results are the same on every processor.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from crnn_ctc.data.labelled import Labelled, read_labelled
from crnn_ctc.decode.decoder import decoder_for
from crnn_ctc.errors import InputError
from crnn_ctc.evaluation.metrics import text_metrics
from crnn_ctc.evaluation.read import EvaluationPicture, read_pictures
from crnn_ctc.export.to_onnx import store_as_half
from crnn_ctc.files import write_atomically
from crnn_ctc.image import fit, load, open_picture
from crnn_ctc.model_file.card import Card
from crnn_ctc.model_file.opening import model_path
from crnn_ctc.model_file.runtime import open_session
from crnn_ctc.plates.schemes import normaliser
from crnn_ctc.reader import Reader
from crnn_ctc.recognize import network_inputs
from crnn_ctc.training.from_onnx import rectifier_nodes

MOST_LOST = 0.003
"""Maximum loss of exact match; a quantised model that loses more is rejected."""

WEIGHT_BITS = 7
"""Bits of a quantised weight; see above."""

PICTURES = 512
"""Number of pictures for the scales; more make little difference."""

_BATCH = 16

# operators between two convolutions are quantised too, so that values stay integers
_OPERATORS = ["Conv", "Relu", "MaxPool"]


def quantize(model: str | Path, out: Path, calibrate_on: Path, check: Path) -> Card:
    """Quantize a model file and measure the loss of accuracy.

    Args:
        model: a shipped model or a model file.
        out: the file to write, ``NAME.onnx``; its name becomes the model's.
        calibrate_on: pictures for the scales, a folder or a manifest, like those of training.
        check: other labelled pictures, on which both models are measured.

    Returns:
        The card, with the measurement in ``metrics["int8"]``.

    Raises:
        InputError: no such model or pictures, pictures of a test split, the model is already
            quantised, its input width is not fixed, or it loses more than 0.3 points of exact
            match.
    """
    if out.suffix != ".onnx":
        raise InputError(f"{out}: name the model file NAME.onnx")
    reader = Reader(model)
    if "int8" in reader.card.metrics:
        raise InputError(f"{model}: is in 8 bits already; give the model that it was made of")
    if reader.card.width_step:
        raise InputError(f"{model}: reads rows of any width, of which no 8-bit model is made")
    if calibrate_on.resolve() == check.resolve():
        raise InputError(
            f"{check}: calibrated on the same pictures; check on others, which it has not seen"
        )
    seen, held_out = _samples(calibrate_on, reader.card), _samples(check, reader.card)
    shown = seen[:: -(-len(seen) // PICTURES)]
    inputs = {"images": _fitted(reader, shown)}
    if (views := _views(reader, shown)) is not None:
        inputs["views"] = views
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "int8.onnx"
        with model_path(model) as source:
            _write(source, file, inputs)
        before, after = _accuracy(reader, held_out), _accuracy(_with_card(file, reader), held_out)
        if (difference := saturation(file, inputs)) > _MOST_SATURATION:
            raise InputError(
                f"{out}: not written: 8-bit products saturate on this processor (probabilities "
                f"differ by {difference:.2f} from exact products); report this with the output of "
                "crnn-ctc bench"
            )
        measured = {
            "weights": f"{WEIGHT_BITS} bits a channel, static QDQ",
            "calibrated_on": f"{calibrate_on.name}, {len(shown)} pictures",
            "checked_on": f"{check.name}, {len(held_out)} pictures",
            "exact_match_float": before,
            "exact_match_int8": after,
        }
        if before - after > MOST_LOST:
            raise InputError(
                f"{out}: not written: in 8 bits it reads {100 * after:.2f} % of {check.name}, "
                f"{100 * (before - after):.2f} points less than before (limit "
                f"{100 * MOST_LOST:.1f}); calibrate on more pictures, or keep the float model"
            )
        card = replace(reader.card, name=out.stem)
        card = replace(card, metrics={**card.metrics, "int8": measured})
        _set_card(file, card)
        write_atomically(out, file.read_bytes())
    return card


_MOST_SATURATION = 0.05
"""Maximum difference of a probability between exact and fast products; above any rounding error."""


def saturation(file: Path, inputs: dict[str, NDArray[np.uint8]]) -> float:
    """Measure saturation: the largest difference of a probability to exact products.

    Args:
        file: the quantised model.
        inputs: inputs of the graph by name, each uint8 (N, H, W, C).
    """
    content = file.read_bytes()
    fast, exact = (
        np.exp(open_session(content, 1, precise=precise).run(["log_probs"], inputs)[0])
        for precise in (False, True)
    )
    return float(np.abs(fast - exact).max())


def _samples(source: Path, card: Card) -> list[Labelled]:
    samples = list(read_labelled(source, normalise=normaliser(card.alphabet, card.plates)))
    if not samples:
        raise InputError(f"{source}: lists no pictures; give labelled ones")
    if any(sample.attributes.get("split") == "test" for sample in samples):
        raise InputError(
            f"{source}: pictures of a test split, which are for reporting alone; "
            "give others, such as training and dev pictures"
        )
    return samples


def _fitted(reader: Reader, samples: list[Labelled]) -> NDArray[np.uint8]:
    return np.stack(network_inputs(reader, (open_picture(sample.path) for sample in samples)))


def _views(reader: Reader, samples: list[Labelled]) -> NDArray[np.uint8] | None:
    """Rectifier inputs of the pictures, uint8 (N, h, w, 3); None without a rectifier."""
    if (part := reader.card.rectifier) is None:
        return None
    return np.stack([fit(load(sample.path), part.height, part.width, 3) for sample in samples])


def _accuracy(reader: Reader, samples: list[Labelled]) -> float:
    pictures = [EvaluationPicture(str(sample.path), sample.text, sample.path) for sample in samples]
    read = list(read_pictures(reader, pictures, decoder=decoder_for(reader.card)))
    if errors := [item.error for item in read if item.error]:
        raise InputError(f"{errors[0]} ({len(errors)} such pictures)")
    return text_metrics([item.text for item in read], [s.text for s in samples]).exact_match


class _Batches(CalibrationDataReader):  # type: ignore[misc]  # untyped
    """Calibration pictures: one batch per call, then None."""

    def __init__(self, inputs: dict[str, NDArray[np.uint8]]) -> None:
        starts = range(0, len(inputs["images"]), _BATCH)
        self._batches = (
            {name: values[i : i + _BATCH] for name, values in inputs.items()} for i in starts
        )

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self._batches, None)


def _write(source: Path, target: Path, inputs: dict[str, NDArray[np.uint8]]) -> None:
    with _quiet():
        # folds computed weights, such as casts from float16, into plain weights
        quant_pre_process(str(source), str(target), skip_symbolic_shape=True)
        quantize_static(
            onnx.load(target),
            str(target),
            _Batches(inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_OPERATORS,
            # corners need more than 8 bits
            nodes_to_exclude=[node.name for node in rectifier_nodes(onnx.load(target).graph)],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=True,  # WEIGHT_BITS
        )
    model = onnx.load(target)
    nodes = rectifier_nodes(model.graph)
    store_as_bytes(model, [*nodes, *store_as_factors(model, nodes)])
    store_as_half(model)  # the remaining float weights
    onnx.save(model, target)


ENERGY = 0.96
"""Share of a matrix's squared singular values that its factors keep. On plates/dev and
ccpd_subsets/dev, a model whose rectifier keeps 95 % reads as many texts as the full one."""


_LEAST = 64
"""Minimum number of rows and columns of a matrix to factorize."""


def store_as_factors(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Factorize the matrices of some nodes into two, if that is smaller.

    The truncated singular value decomposition has the lowest rank that keeps :data:`ENERGY`; ONNX
    Runtime multiplies the factors on loading.

    Returns:
        The new MatMul nodes.
    """
    read = {name for node in nodes for name in node.input}
    products = []
    for tensor in list(model.graph.initializer):
        matrix = numpy_helper.to_array(tensor)
        if tensor.name not in read or matrix.ndim != 2 or matrix.dtype != np.float32:
            continue
        if min(matrix.shape) < _LEAST:  # may be the small layer that outputs the corners
            continue
        u, values, v = np.linalg.svd(matrix, full_matrices=False)
        kept = np.cumsum(values**2) / max(float((values**2).sum()), 1e-12)
        rank = min(int(np.searchsorted(kept, ENERGY)) + 1, len(values))
        if rank * sum(matrix.shape) >= matrix.size:
            continue
        root, name = np.sqrt(values[:rank]), tensor.name
        left, right = u[:, :rank] * root, root[:, None] * v[:rank]
        model.graph.initializer.remove(tensor)
        model.graph.initializer.extend(
            numpy_helper.from_array(np.ascontiguousarray(part, np.float32), f"{name}_{side}")
            for part, side in ((left, "left"), (right, "right"))
        )
        products.append(helper.make_node("MatMul", [f"{name}_left", f"{name}_right"], [name]))
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*products, *rest])
    return products


def store_as_bytes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    """Store the weights of some nodes as 8-bit integers; the arithmetic stays in float.

    A Cast and a Mul by a scale per output channel, which ONNX Runtime folds on loading, convert
    them back to float. Weights with fewer than two dimensions are unchanged.
    """
    read = {name for node in nodes for name in node.input}
    widening, scales = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.name not in read or values.dtype != np.float32 or values.ndim < 2:
            continue
        axes = tuple(range(1, values.ndim))
        scale = np.maximum(np.abs(values).max(axes, keepdims=True) / 127, 1e-12).astype(np.float32)
        small, wide = np.rint(values / scale).astype(np.int8), tensor.name
        tensor.CopyFrom(numpy_helper.from_array(small, f"{wide}_bytes"))
        scales.append(numpy_helper.from_array(scale, f"{wide}_scale"))
        widening += [
            helper.make_node("Cast", [f"{wide}_bytes"], [f"{wide}_cast"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{wide}_cast", f"{wide}_scale"], [wide]),
        ]
    model.graph.initializer.extend(scales)
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*widening, *rest])


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the quantizer's messages to the root logger."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def _with_card(file: Path, reader: Reader) -> Reader:
    _set_card(file, reader.card)
    return Reader(file)


def _set_card(file: Path, card: Card) -> None:
    model = onnx.load(file)
    del model.metadata_props[:]
    card.put_into(model)
    onnx.save(model, file)
