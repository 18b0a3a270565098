"""Model files for other runtimes: float32 (N, C, H, W) input, fixed batch, older opset.

Mobile and embedded runtimes (ncnn, TensorRT, MNN, OpenCV's DNN) need static shapes, planar float
input and few operators. ``docs/deploy.md`` lists what was tested.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, version_converter

from crnn_ctc.benchmark.specimens import specimens
from crnn_ctc.errors import InputError
from crnn_ctc.files import write_atomically
from crnn_ctc.image import fit
from crnn_ctc.model_file.card import Card
from crnn_ctc.model_file.opening import model_path
from crnn_ctc.model_file.runtime import open_session
from crnn_ctc.reader import Reader

OPSET = 17
"""ONNX opset of the file, supported by TensorRT 8.6, OpenCV 4.8 and ncnn; GridSample needs 16."""

_IR_VERSION = 8
"""ONNX IR version of that opset; older parsers reject newer ones."""

_HIDDEN = "hidden"

TOLERANCE = 1e-4
"""Maximum difference in any probability or coordinate."""


def to_float32(model: str | Path, out: Path, batch: int = 1) -> tuple[Card, float]:
    """Write a model file for other runtimes.

    The input ``images`` becomes float32 (batch, C, H, W), pixel values from 0 to 255 as before; so
    does ``views`` of a model with a rectifier. Outputs keep their names and shapes. The card stays
    in the metadata.

    Args:
        model: a shipped model or a model file, not quantized.
        out: the file to write, ``NAME.onnx``; its name becomes the model's.
        batch: pictures per inference, fixed in the file.

    Returns:
        The card, and the largest difference to the given model in any output, on synthetic
        pictures.

    Raises:
        InputError: no such model, it is quantized, its input width is not fixed, its graph cannot
            be converted, or the outputs of the result differ.
    """
    if out.suffix != ".onnx":
        raise InputError(f"{out}: name the model file NAME.onnx")
    if batch < 1:
        raise InputError(f"batch size {batch}: give 1 or more")
    card = replace(Reader(model).card, name=out.stem)
    if card.width_step:
        raise InputError(f"{model}: reads rows of any width; a file of static shapes has one")
    with model_path(model) as path:
        original = path.read_bytes()
    graph = onnx.load_model_from_string(original)
    if any(node.op_type == "DequantizeLinear" for node in graph.graph.node):
        raise InputError(
            f"{model}: is in 8 bits, which each runtime does in its own way; "
            "give the float model that it was made of"
        )
    _float_planes(graph, batch)
    try:
        graph = _converted(_folded(graph))
    except Exception as error:  # ONNX and ONNX Runtime raise many types
        reason = str(error).strip().splitlines()[0][:160]
        raise InputError(f"{model}: cannot be converted to opset {OPSET} ({reason})") from None
    card.put_into(graph)
    content = graph.SerializeToString()
    difference = _difference(original, content, card, batch)
    if not difference <= TOLERANCE:
        raise InputError(
            f"{out}: not written: it differs from {model} by {difference:.1e} "
            f"(limit {TOLERANCE:.0e}); report this with your versions of onnx and onnxruntime"
        )
    write_atomically(out, content)
    return card, difference


def _float_planes(model: onnx.ModelProto, batch: int) -> None:
    """Put a float32 (N, C, H, W) input in front of each uint8 (N, H, W, C) one, and fix N."""
    graph = model.graph
    names = {value.name for value in graph.input}
    for node in graph.node:
        node.input[:] = [f"{value}_uint8" if value in names else value for value in node.input]
    inputs, head = [], []
    for value in graph.input:
        name = value.name
        height, width, channels = (d.dim_value for d in value.type.tensor_type.shape.dim[1:])
        shape = (batch, channels, height, width)
        inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        head += [
            helper.make_node("Transpose", [name], [f"{name}_rows"], perm=[0, 2, 3, 1]),
            helper.make_node("Cast", [f"{name}_rows"], [f"{name}_uint8"], to=TensorProto.UINT8),
        ]
    nodes = [*head, *graph.node]
    del graph.node[:], graph.input[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.input.extend(inputs)
    for output in graph.output:
        output.type.tensor_type.shape.dim[0].Clear()
        output.type.tensor_type.shape.dim[0].dim_value = batch


def _folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants, cancel opposite transposes and remove casts of pixels."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        folded = onnx.load(options.optimized_model_filepath)
    graph = folded.graph
    pixels = {value.name: value.name for value in graph.input}
    nodes = []
    for node in graph.node:  # in topological order
        if node.op_type == "Cast" and node.input[0] in pixels:
            pixels[node.output[0]] = pixels[node.input[0]]
        else:
            node.input[:] = [pixels.get(value, value) for value in node.input]
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    return folded


def _converted(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convert to ``OPSET`` and check the model."""
    _keep_onnx_domain(model)  # ONNX Runtime lists all its domains, used or not
    samplers = [node for node in model.graph.node if node.op_type == "GridSample"]
    if samplers:
        # onnx 1.23 has no adapter for it; another domain hides the node from the converter
        model.opset_import.append(helper.make_opsetid(_HIDDEN, 1))
        for node in samplers:
            node.domain = _HIDDEN
    converted = version_converter.convert_version(model, OPSET)
    _keep_onnx_domain(converted)
    for node in converted.graph.node:
        if node.domain == _HIDDEN:
            node.domain = ""
            _rename_mode(node)
        _drop_new_attributes(node)
    converted.ir_version = _IR_VERSION
    onnx.checker.check_model(converted, full_check=True)
    return converted


def _drop_new_attributes(node: onnx.NodeProto) -> None:
    """Drop attributes that ``OPSET`` lacks; comparing outputs shows whether any mattered."""
    known = onnx.defs.get_schema(node.op_type, OPSET).attributes
    kept = [attribute for attribute in node.attribute if attribute.name in known]
    del node.attribute[:]
    node.attribute.extend(kept)


def _keep_onnx_domain(model: onnx.ModelProto) -> None:
    own = [entry for entry in model.opset_import if not entry.domain]
    del model.opset_import[:]
    model.opset_import.extend(own)


def _rename_mode(sampler: onnx.NodeProto) -> None:
    """Rename GridSample's interpolation modes to their names before opset 20."""
    names = {b"linear": b"bilinear", b"cubic": b"bicubic"}
    for attribute in sampler.attribute:
        if attribute.name == "mode":
            attribute.s = names.get(attribute.s, attribute.s)


def _difference(original: bytes, content: bytes, card: Card, batch: int) -> float:
    """Largest difference of two models in any output; log-probabilities as probabilities."""
    pictures = specimens(batch, card)
    feeds = {"images": np.stack([card.fit(picture) for picture in pictures])}
    if part := card.rectifier:
        feeds["views"] = np.stack([fit(one, part.height, part.width, 3) for one in pictures])
    planes = {name: v.transpose(0, 3, 1, 2).astype(np.float32) for name, v in feeds.items()}
    sessions = [open_session(file, threads=1) for file in (original, content)]
    worst = 0.0
    for output in sessions[0].get_outputs():
        expected, got = (
            _comparable(output.name, session.run([output.name], values)[0])
            for session, values in zip(sessions, (feeds, planes), strict=True)
        )
        worst = max(worst, float(np.abs(expected - got).max()))
    return worst


def _comparable(name: str, values: Any) -> Any:
    return np.exp(values) if name == "log_probs" else values
