"""A model file as a network of torch again: what export did, undone but for the batch norms."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from pydantic import ValidationError
from torch import Tensor, nn

from crnn_ctc.errors import InputError
from crnn_ctc.model_file.card import Card
from crnn_ctc.model_file.runtime import open_session
from crnn_ctc.net.architectures import ARCHITECTURES
from crnn_ctc.net.network import Network, scale_pixels
from crnn_ctc.reader import Reader, model_path
from crnn_ctc.recipe import NetworkSettings

# the order of torch's gates (reset, update, new; input, forget, cell, output) in ONNX's, which is
# update, reset, hidden for a GRU, and input, output, forget, cell for an LSTM
_GATES = {"GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}

_SMALL = -6.0
_TOLERANCE = 0.1
"""The largest difference of a log-probability above ``_SMALL`` that rounding may make."""


def load_network(model: str) -> tuple[Network, Card]:
    """The network of a shipped model or a model file, on the CPU, in float32, for evaluation.

    Export multiplied its batch norms into the convolutions: they come back as norms that change
    nothing (gamma 1, beta 0, mean 0, variance 1 - epsilon). See
    :func:`crnn_ctc.training.finetune.settle_norms` before training goes on.

    Raises:
        InputError: no such model, or not a model file of this package.
    """
    reader = Reader(model)
    card = reader.card
    with model_path(model) as file:
        exported = onnx.load(file)
    try:
        settings = NetworkSettings.model_validate(card.recipe["network"])
        network = ARCHITECTURES[settings.architecture](
            card.channels, card.height, len(card.alphabet), settings.rnn
        )
        network.load_state_dict(_state(exported, network))
        if "int8" not in card.metrics:  # whose sums are rounded on the way
            _compare(network.eval(), reader)
    except (ValidationError, KeyError, ValueError, IndexError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{model}: its graph is not one that this version exports; give the run folder"
        ) from None
    return network.eval(), card


def _compare(network: Network, reader: Reader) -> None:
    """Whether both compute the same; the graph may hold what the network does not.

    Raises:
        ValueError: they do not.
    """
    card = reader.card
    rising = np.linspace(0, 255, card.height * card.width * card.channels).astype(np.uint8)
    images = rising.reshape(1, card.height, card.width, card.channels)
    with torch.inference_mode():
        ours = network(scale_pixels(torch.from_numpy(images))).numpy()
    # small ones are left out: rounding makes much of their logarithms
    difference = np.maximum(ours, _SMALL) - np.maximum(reader.log_probs(images), _SMALL)
    if not np.abs(difference).max() < _TOLERANCE:
        raise ValueError("another graph")


def _state(model: onnx.ModelProto, network: Network) -> dict[str, Tensor]:
    """The weights of ``model`` by the names of ``network``.

    They are what the nodes compute with, not what the initialisers are called: names are the
    exporter's own affair.
    """
    nodes = list(model.graph.node)
    convolutions = [n for n in nodes if n.op_type == "Conv"]
    recurrent = [n for n in nodes if n.op_type in _GATES]
    (product,) = (n for n in nodes if n.op_type == "MatMul")
    (plus,) = (n for n in nodes if n.op_type == "Add" and product.output[0] in n.input)
    (bias,) = (name for name in plus.input if name != product.output[0])
    values = _constants(
        model,
        [
            *(name for node in convolutions for name in node.input[1:3]),
            *(name for node in recurrent for name in node.input[1:4]),
            product.input[1],
            bias,
        ],
    )
    state = network.state_dict()
    layers = dict(network.named_modules())  # in the order that they run in
    places = [name for name, layer in layers.items() if isinstance(layer, nn.Conv2d)]
    for node, name in zip(convolutions, places, strict=True):
        state[f"{name}.weight"] = values[node.input[1]]
        state[f"{name}.bias"] = values[node.input[2]]
    for name, norm in layers.items():
        if isinstance(norm, nn.BatchNorm2d):  # the rest of it is so in a fresh network
            state[f"{name}.running_var"].fill_(1 - norm.eps)
    for layer, node in enumerate(recurrent):
        state |= _recurrent(node, layer, *(values[name] for name in node.input[1:4]))
    state["fc.weight"], state["fc.bias"] = values[product.input[1]].T, values[bias]
    return state


def _recurrent(
    node: onnx.NodeProto, layer: int, inner: Tensor, hidden: Tensor, bias: Tensor
) -> dict[str, Tensor]:
    """One bidirectional layer, as torch names and orders its gates.

    Args:
        node: the GRU or LSTM.
        layer: its number.
        inner: W, (2, gates * size, inputs).
        hidden: R, (2, gates * size, size).
        bias: both biases, (2, 2 * gates * size).
    """
    settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type == "GRU" and settings.get("linear_before_reset") != 1:
        raise ValueError("a GRU that torch has not")
    gates = list(_GATES[node.op_type])

    def ordered(weights: Tensor) -> Tensor:
        return weights.reshape(len(gates), -1, weights.shape[-1])[gates].reshape(weights.shape)

    state = {}
    for direction, suffix in enumerate(("", "_reverse")):
        end = f"l{layer}{suffix}"
        of_inner, of_hidden = bias[direction].chunk(2)
        state[f"rnn.weight_ih_{end}"] = ordered(inner[direction])
        state[f"rnn.weight_hh_{end}"] = ordered(hidden[direction])
        state[f"rnn.bias_ih_{end}"] = ordered(of_inner[:, None])[:, 0]
        state[f"rnn.bias_hh_{end}"] = ordered(of_hidden[:, None])[:, 0]
    return state


def _constants(model: onnx.ModelProto, names: list[str]) -> dict[str, Tensor]:
    """Values of ``model`` that depend on no picture, computed by ONNX Runtime."""
    graph = model.graph
    makers = {output: node for node in graph.node for output in node.output}
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    wanted, needed = list(names), set()
    while wanted:
        name = wanted.pop()
        if name in needed or not name:
            continue
        needed.add(name)
        if name not in initializers:
            wanted += makers[name].input  # a KeyError: it depends on the pictures
    part = helper.make_graph(
        [node for node in graph.node if needed.intersection(node.output)],
        "weights",
        [],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names],
        [tensor for name, tensor in initializers.items() if name in needed],
    )
    whole = helper.make_model(part, opset_imports=model.opset_import, ir_version=model.ir_version)
    session = open_session(whole.SerializeToString(), threads=1)
    values: list[NDArray[np.float32]] = session.run(names, {})
    return {n: torch.from_numpy(v.copy()) for n, v in zip(names, values, strict=True)}
