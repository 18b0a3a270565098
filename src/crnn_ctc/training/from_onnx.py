"""From a model file back to a network of torch; batch norms stay folded."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from pydantic import ValidationError
from torch import Tensor, nn

from crnn_ctc.errors import InputError
from crnn_ctc.find.locator import Locator
from crnn_ctc.model_file.card import Card
from crnn_ctc.model_file.opening import locator_path, model_path
from crnn_ctc.model_file.runtime import open_session
from crnn_ctc.net.build import make_network
from crnn_ctc.net.locator import LocatorNetwork
from crnn_ctc.net.network import Network, scale_pixels
from crnn_ctc.reader import Reader
from crnn_ctc.recipe import NetworkSettings

# the order of torch's gates (reset, update, new; input, forget, cell, output) in ONNX's, which is
# update, reset, hidden for a GRU, and input, output, forget, cell for an LSTM
_GATES = {"GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}

_SMALL = -6.0
_TOLERANCE = 0.1
"""Largest rounding difference of a log-probability above ``_SMALL``."""


def load_network(model: str) -> tuple[Network, Card]:
    """The network of a shipped model or a model file, on the CPU, in float32, for evaluation.

    Export folded the batch norms into the convolutions, so they become identities (gamma 1, beta 0,
    mean 0, variance 1 - epsilon). Call :func:`crnn_ctc.training.finetune.settle_norms` before
    training.

    Raises:
        InputError: no such model, or not a model file of this package.
    """
    reader = Reader(model)
    card = reader.card
    with model_path(model) as file:
        exported = onnx.load(file)
    try:
        settings = NetworkSettings.model_validate(card.recipe["network"])
        network = make_network(settings, card.channels, card.height, len(card.alphabet))
        network.load_state_dict(_state(exported, network, card))
        if "int8" not in card.metrics:  # whose sums are rounded on the way
            _compare(network.eval(), reader)
    except (ValidationError, KeyError, ValueError, IndexError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{model}: its graph is not one that this version exports; give the run folder"
        ) from None
    return network.eval(), card


def load_locator(model: str) -> dict[str, Tensor]:
    """The state of a :class:`LocatorNetwork` that computes as a locator's model file does.

    Its batch norms change nothing, as those of :func:`load_network`.

    Raises:
        InputError: no such locator, or not a locator's model file.
    """
    Locator(model)  # which checks the file
    with locator_path(model) as file:
        exported = onnx.load(file)
    network = LocatorNetwork()
    state = network.state_dict()
    layers = [
        (name, layer) for name, layer in network.named_modules() if not list(layer.children())
    ]
    convolutions = _nodes(exported.graph, {"Conv", "ConvTranspose"}, _fixed(exported.graph))
    weights: dict[str, str] = {}
    doubled: set[str] = set()
    try:
        for node, (name, layer) in zip(convolutions, _of(layers, nn.Conv2d), strict=True):
            weights[f"{name}.weight"] = node.input[1]
            place = name if layer.bias is not None else _norm_after(name, layers)
            weights[f"{place}.bias"] = node.input[2]
            doubled |= {f"{name}.weight"} if node.op_type == "ConvTranspose" else set()
        values = _constants(exported, list(weights.values()))
        for name, value in weights.items():
            tensor = values[value]
            if name in doubled:  # a 1x1 convolution and each cell four times
                tensor = tensor[:, :, :1, :1].transpose(0, 1)
            state[name].copy_(tensor)  # a RuntimeError: another shape
    except (ValueError, KeyError, IndexError, RuntimeError):
        raise InputError(
            f"{model}: its graph is not one that this version exports; give the run folder"
        ) from None
    for name, norm in layers:
        if isinstance(norm, nn.BatchNorm2d):
            state[f"{name}.running_var"].fill_(1 - norm.eps)
    return state


def _compare(network: Network, reader: Reader) -> None:
    """Check that graph and network compute the same.

    Raises:
        ValueError: they differ.
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


def _state(model: onnx.ModelProto, network: Network, card: Card) -> dict[str, Tensor]:
    """The weights of ``model`` by the names of ``network``.

    Nodes and layers of a kind are matched in execution order, because names of initialisers are the
    exporter's choice.

    Raises:
        ValueError: a layer has no node, a node has no layer, or the network has weights of another
            kind.
    """
    graph = _without_rectifier(model.graph)
    fixed = _fixed(graph)
    layers = _layers_as_run(network, card)
    weights: dict[str, str] = {}  # of a parameter: the value of the graph that holds it

    convolutions = _nodes(graph, {"Conv"}, fixed)
    for node, (name, layer) in zip(convolutions, _of(layers, nn.Conv2d), strict=True):
        weights[f"{name}.weight"] = node.input[1]
        if len(node.input) > 2:  # without a bias of its own, it has its norm's
            place = name if layer.bias is not None else _norm_after(name, layers)
            weights[f"{place}.bias"] = node.input[2]
    products = _nodes(graph, {"MatMul", "Gemm"}, fixed)
    turned = set()
    for node, (name, layer) in zip(products, _of(layers, nn.Linear), strict=True):
        weights[f"{name}.weight"] = node.input[1]
        if node.op_type == "MatMul" or not _settings(node).get("transB"):
            turned.add(f"{name}.weight")
        if layer.bias is not None:
            weights[f"{name}.bias"] = _bias(node, graph, fixed)
    scalings = _nodes(graph, {"LayerNormalization"}, fixed)
    for node, (name, _) in zip(scalings, _of(layers, nn.LayerNorm), strict=True):
        weights[f"{name}.weight"], weights[f"{name}.bias"] = node.input[1:3]
    recurrent = _nodes(graph, set(_GATES), fixed)
    stacks = [
        (name, depth) for name, rnn in _of(layers, nn.RNNBase) for depth in range(rnn.num_layers)
    ]
    parts = [name for node in recurrent for name in node.input[1:4]]

    values = _constants(model, [*weights.values(), *parts])
    state = network.state_dict()
    for name, norm in layers:
        if isinstance(norm, nn.BatchNorm2d):  # the rest of it is so in a fresh network
            state[f"{name}.running_var"].fill_(1 - norm.eps)
    found = {
        name: values[value].T if name in turned else values[value]
        for name, value in weights.items()
    }
    for node, (name, depth) in zip(recurrent, stacks, strict=True):
        found |= _recurrent(node, name, depth, *(values[part] for part in node.input[1:4]))
    norms = {name for name, layer in layers if isinstance(layer, nn.BatchNorm2d)}
    for name, _ in network.named_parameters():
        if name not in found and name.rpartition(".")[0] not in norms:
            raise ValueError(f"{name} is not in the graph")
    return state | found


def _without_rectifier(graph: onnx.GraphProto) -> onnx.GraphProto:
    """The graph without the rectifier, the nodes that depend on ``views``."""
    rectifier = {node.output[0] for node in rectifier_nodes(graph)}  # no value has two makers
    if not rectifier:
        return graph
    rest = onnx.GraphProto()
    rest.CopyFrom(graph)
    del rest.node[:]
    rest.node.extend(node for node in graph.node if node.output[0] not in rectifier)
    return rest


def rectifier_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that depend on the input ``views``, in execution order."""
    reached, nodes = {"views"}, []
    for node in graph.node:
        if reached.intersection(node.input):
            reached.update(node.output)
            nodes.append(node)
    return nodes


def _layers_as_run(network: Network, card: Card) -> list[tuple[str, nn.Module]]:
    """Modules without children and their names, in execution order."""
    order: list[tuple[str, nn.Module]] = []
    hooks = [
        module.register_forward_pre_hook(lambda m, _, name=name: order.append((name, m)))
        for name, module in network.named_modules()
        if not list(module.children())
    ]
    with torch.inference_mode():
        network.eval()(torch.zeros(1, card.channels, card.height, card.width))
    for hook in hooks:
        hook.remove()
    return order


def _of(layers: list[tuple[str, nn.Module]], kind: type[nn.Module]) -> list[tuple[str, Any]]:
    return [(name, layer) for name, layer in layers if isinstance(layer, kind)]


def _norm_after(name: str, layers: list[tuple[str, nn.Module]]) -> str:
    """The name of the batch norm that follows a convolution."""
    place = [known for known, _ in layers].index(name) + 1
    if place == len(layers) or not isinstance(layers[place][1], nn.BatchNorm2d):
        raise ValueError(f"{name}: a bias that no layer has")
    return layers[place][0]


def _fixed(graph: onnx.GraphProto) -> set[str]:
    """Names of the values that depend on no picture."""
    fixed = {tensor.name for tensor in graph.initializer}
    for node in graph.node:  # in the order that they run in
        if all(name in fixed for name in node.input if name):
            fixed.update(node.output)
    return fixed


def _nodes(graph: onnx.GraphProto, operators: set[str], fixed: set[str]) -> list[onnx.NodeProto]:
    """The nodes that apply weights to picture-dependent values, in execution order."""
    return [
        node
        for node in graph.node
        if node.op_type in operators and node.input[1] in fixed and node.output[0] not in fixed
    ]


def _bias(product: onnx.NodeProto, graph: onnx.GraphProto, fixed: set[str]) -> str:
    """The bias of a matrix product.

    Raises:
        ValueError: there is not exactly one.
    """
    if product.op_type == "Gemm":
        return str(product.input[2])
    (plus,) = (n for n in graph.node if n.op_type == "Add" and product.output[0] in n.input)
    (bias,) = (str(name) for name in plus.input if name in fixed)
    return bias


def _settings(node: onnx.NodeProto) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _recurrent(
    node: onnx.NodeProto, name: str, depth: int, inner: Tensor, hidden: Tensor, bias: Tensor
) -> dict[str, Tensor]:
    """One recurrent layer, as torch names and orders its gates.

    Args:
        node: the GRU or LSTM.
        name: the module's name.
        depth: number of the layer within the module, from 0.
        inner: W, (directions, gates * size, inputs).
        hidden: R, (directions, gates * size, size).
        bias: both biases, (directions, 2 * gates * size).
    """
    if node.op_type == "GRU" and _settings(node).get("linear_before_reset") != 1:
        raise ValueError("torch has no such GRU")
    gates = list(_GATES[node.op_type])

    def ordered(weights: Tensor) -> Tensor:
        return weights.reshape(len(gates), -1, weights.shape[-1])[gates].reshape(weights.shape)

    state = {}
    for direction, suffix in enumerate(("", "_reverse")[: len(inner)]):
        end = f"l{depth}{suffix}"
        of_inner, of_hidden = bias[direction].chunk(2)
        state[f"{name}.weight_ih_{end}"] = ordered(inner[direction])
        state[f"{name}.weight_hh_{end}"] = ordered(hidden[direction])
        state[f"{name}.bias_ih_{end}"] = ordered(of_inner[:, None])[:, 0]
        state[f"{name}.bias_hh_{end}"] = ordered(of_hidden[:, None])[:, 0]
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
