"""Layers, parameters, gradients and GFLOPs of a network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from crnn_ctc.net.network import Network


@dataclass(frozen=True)
class Layer:
    """One module that does arithmetic.

    Attributes:
        name: its place in the network.
        kind: its class.
        shape: shape of the layer's output for one picture.
        parameters: count.
        macs: multiply-add operations for one picture; None where they cannot be counted.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    macs: int | None


@dataclass(frozen=True)
class NetworkSummary:
    """A network in numbers.

    Attributes:
        layers: modules that do arithmetic, in the order they run.
        modules: count of all modules, containers included, as upstream crnn-ctc counts layers.
        parameters: count.
        gradients: number of trainable parameters.
    """

    layers: tuple[Layer, ...]
    modules: int
    parameters: int
    gradients: int

    @property
    def macs(self) -> int:
        """Multiply-add operations for one picture, in the layers that can be counted."""
        return sum(layer.macs or 0 for layer in self.layers)

    @property
    def uncounted(self) -> tuple[str, ...]:
        """Classes of the layers whose operations cannot be counted, each named once."""
        return tuple(dict.fromkeys(layer.kind for layer in self.layers if layer.macs is None))

    @property
    def gflops(self) -> float:
        """Two operations a multiplication, in units of 10^9."""
        return 2 * self.macs / 1e9


def summarize(network: Network, channels: int, height: int, width: int) -> NetworkSummary:
    """Run one blank picture through ``network`` and count."""
    layers: list[Layer] = []

    def note(name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        out = output[0] if isinstance(output, tuple) else output
        assert isinstance(out, Tensor)
        layers.append(
            Layer(
                name,
                type(module).__name__,
                tuple(out.shape[1:]),
                sum(p.numel() for p in module.parameters(recurse=not list(module.children()))),
                _macs(module, inputs[0], out),
            )
        )

    hooks = [
        module.register_forward_hook(lambda m, i, o, name=name: note(name, m, i, o))
        for name, module in network.named_modules()
        # a container with weights of its own computes with them
        if not list(module.children()) or list(module.parameters(recurse=False))
    ]
    training = network.training
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        network(torch.zeros(1, channels, height, width, device=device))
    network.train(training)
    for hook in hooks:
        hook.remove()
    parameters = list(network.parameters())
    return NetworkSummary(
        tuple(layers),
        len(list(network.modules())),
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
    )


_FREE = (
    nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.BatchNorm2d, nn.Dropout, nn.Flatten, nn.GELU,
    nn.Hardsigmoid, nn.Hardswish, nn.Identity, nn.LayerNorm, nn.MaxPool2d, nn.ReLU, nn.SiLU,
    nn.Sigmoid, nn.Tanh,
)  # fmt: skip
"""Layers without matrix products, whose few operations per element are not counted."""


def _macs(module: nn.Module, inputs: Tensor, output: Tensor) -> int | None:
    if isinstance(module, nn.Conv2d):
        kernel = module.weight[0].numel()
        return kernel * output[0].numel()
    if isinstance(module, nn.RNNBase):
        weights = sum(p.numel() for name, p in module.named_parameters() if "weight" in name)
        return weights * inputs.shape[1]
    if isinstance(module, nn.Linear):
        return module.weight.numel() * (output[0].numel() // module.out_features)
    return 0 if isinstance(module, _FREE) else None
