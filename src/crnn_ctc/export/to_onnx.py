"""Export of a run to one ONNX file with its card; the graph is checked against torch."""

from __future__ import annotations

import copy
import logging
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from crnn_ctc.benchmark.specimens import fitted_specimens
from crnn_ctc.errors import InputError
from crnn_ctc.export.calibration import temperature
from crnn_ctc.files import write_atomically
from crnn_ctc.grammar import open_grammar
from crnn_ctc.image import fit
from crnn_ctc.model_file.card import Card
from crnn_ctc.model_file.runtime import open_session
from crnn_ctc.net.network import Network, scale_pixels
from crnn_ctc.net.rectifier import VIEW_HEIGHT, VIEW_WIDTH, Rectifier
from crnn_ctc.reader import Reader
from crnn_ctc.training.run_folder import Trained

TOLERANCE = 1e-4
"""Maximum difference in any probability to torch."""

BATCHES = (1, 2, 64)
"""Batch sizes of the check."""

_SMALL = 64
"""Minimum size of tensors that are stored as float16; smaller ones do not justify a Cast."""


class NetworkOnPixels(nn.Module):
    """A network with pixels as input, like the model file."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (N, H, W, C) to float32 (N, T, K)."""
        return self.network(scale_pixels(images))  # type: ignore[no-any-return]


class WithRectifier(nn.Module):
    """A network and its rectifier as one graph with two inputs.

    The plate is resampled between the two, outside the graph. Either batch may be empty.
    """

    def __init__(self, network: Network, rectifier: Rectifier) -> None:
        super().__init__()
        self.network = network
        self.rectifier = rectifier

    def forward(self, images: Tensor, views: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """uint8 (N, H, W, C) and (M, h, w, 3) to log-probabilities, corners, rows and colours."""
        corners, rows, colours = self.rectifier(scale_pixels(views))
        log_probs = self.network(scale_pixels(images))
        return log_probs, corners, rows.sigmoid(), colours.softmax(-1)


def export(
    run: Path,
    out: Path,
    changes: dict[str, str] | None = None,
    half: bool = False,
    calibrate: Path | None = None,
    negatives: Path | None = None,
) -> tuple[Card, float]:
    """Write the model file of a run.

    Args:
        run: folder of a training run, or the folder ``last`` in it.
        out: the file to write, ``NAME.onnx``; its name becomes the model's.
        changes: fields of the card to set: description, data, licence, grammar.
        half: store weights as float16, which halves the file; the arithmetic stays float32.
        calibrate: pictures for the temperature; see
            :func:`crnn_ctc.export.calibration.temperature`.
        negatives: pictures without text for the temperature.

    Returns:
        The card, and the largest difference to torch in any probability.

    Raises:
        InputError: the run has no weights, the file cannot be written, the exported graph differs
            from torch by more than 1e-4, or the reader rejects it.
    """
    if out.suffix != ".onnx":
        raise InputError(f"{out}: name the model file NAME.onnx")
    unknown = set(changes or {}) - {"description", "data", "licence", "grammar"}
    if unknown:
        raise InputError(f"--card {min(unknown)}: set description, data, licence or grammar")
    trained = Trained(run)
    card = replace(trained.card, name=out.stem, **(changes or {}))  # type: ignore[arg-type]
    if card.grammar:
        open_grammar(card.grammar, card.alphabet)
    if calibrate:
        card = replace(card, temperature=temperature(trained, calibrate, negatives).value)
    network = trained.network
    rectifier = trained.rectifier.network if trained.rectifier else None
    for part in (network, rectifier):
        if part is not None:
            fold_norms(part)
            if half:
                round_to_half(part)
    model = to_onnx(network, card, rectifier)
    if half:
        store_as_half(model)
    content = model.SerializeToString()
    difference = parity(network, card, content, rectifier)
    if not difference <= TOLERANCE:
        raise InputError(
            f"{out}: not written: the exported graph differs from torch by {difference:.1e} "
            f"(limit {TOLERANCE:.0e}); report this with the versions in {run / 'versions.toml'}"
        )
    check_readable(content, out)
    write_atomically(out, content)
    return card, difference


def check_readable(content: bytes, out: Path) -> None:
    """Check that this package's reader can open a model file, before writing it.

    Args:
        content: the bytes of the file.
        out: where it will be written.

    Raises:
        InputError: the reader rejects it.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / out.name
        file.write_bytes(content)
        try:
            Reader(file)
        except InputError as error:
            reason = str(error).removeprefix(f"{file}: ")
            raise InputError(f"{out}: not written: reading refuses it: {reason}") from None


def fold_norms(network: nn.Module) -> None:
    """Fold each batch norm into the convolution before it, in place."""
    for sequence in [m for m in network.modules() if isinstance(m, nn.Sequential)]:
        for place, layer in enumerate(sequence):
            if isinstance(layer, nn.BatchNorm2d):
                before = sequence[place - 1]
                assert isinstance(before, nn.Conv2d)
                sequence[place - 1] = fuse_conv_bn_eval(before, layer)
                sequence[place] = nn.Identity()


def round_to_half(network: nn.Module) -> None:
    """Round weights to float16, so that storing them as float16 is exact."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.copy_(parameter.half().float())


def to_onnx(network: Network, card: Card, rectifier: Rectifier | None = None) -> onnx.ModelProto:
    """Trace the network to ONNX, with its card in the metadata.

    The batch size is dynamic, and so is the width if the card says so.
    """
    examples = {"images": torch.zeros(2, card.height, card.width, card.channels, dtype=torch.uint8)}
    outputs = ["log_probs"]
    module: nn.Module = NetworkOnPixels(network)
    if rectifier is not None and card.rectifier is not None:
        part = card.rectifier
        examples["views"] = torch.zeros(3, part.height, part.width, 3, dtype=torch.uint8)
        outputs += ["corners", "rows", "colours"]
        module = WithRectifier(network, rectifier)
    batch: dict[str, dict[int, Any]] = {
        name: {0: torch.export.Dim(size, min=1, max=1 << 16)}
        for name, size in zip(examples, "NM", strict=False)
    }
    if step := card.width_step:
        batch["images"][2] = step * torch.export.Dim(
            "W", min=card.height // step, max=card.width // step
        )
    model = trace(module, examples, outputs, batch)
    model.doc_string = card.description
    card.put_into(model)
    return model


def trace(
    module: nn.Module,
    examples: dict[str, Tensor],
    outputs: list[str],
    sizes: dict[str, dict[int, Any]],
) -> onnx.ModelProto:
    """Trace a module to ONNX, without metadata about this machine.

    Args:
        module: module that takes pixels.
        examples: example inputs by name.
        outputs: names of the outputs.
        sizes: dynamic dimensions of each input.
    """
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the exporter's internals
            program = torch.onnx.export(
                module.eval(),
                tuple(examples.values()),
                dynamo=True,
                input_names=list(examples),
                output_names=outputs,
                dynamic_shapes=sizes,
                verbose=False,
            )
    finally:
        quiet.setLevel(level)
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    # the exporter's notes on the origin of nodes contain paths of this machine
    for node in model.graph.node:
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.initializer):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    return model


def store_as_half(model: onnx.ModelProto) -> None:
    """Store the weights as float16, each with a Cast that ONNX Runtime folds on loading."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _SMALL:
            continue
        if not np.array_equal(values.astype(np.float16).astype(np.float32), values):
            continue  # biases and norms are not rounded and stay float32
        wide = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{wide}_half"))
        casts.append(helper.make_node("Cast", [f"{wide}_half"], [wide], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def parity(
    network: Network, card: Card, content: bytes, rectifier: Rectifier | None = None
) -> float:
    """Largest difference between the graph and torch in any probability, or corner of a rectifier.

    Torch computes the network in float64, to exclude its own rounding. Probabilities are compared,
    as logarithms of small ones magnify rounding errors. The inputs are printed texts, as networks
    amplify rounding errors on noise.
    """
    session = open_session(content, threads=1)
    exact = copy.deepcopy(network).double().eval()
    worst = 0.0
    for n in BATCHES:
        images = fitted_specimens(n, card)
        with torch.inference_mode():
            expected = exact(scale_pixels(torch.from_numpy(images)).double()).exp().numpy()
        feeds = {"images": images}
        if rectifier is not None:
            views = np.stack([fit(image, VIEW_HEIGHT, VIEW_WIDTH, 3) for image in images])
            feeds["views"] = views
            corners: Any = session.run(["corners"], feeds)[0]
            with torch.inference_mode():
                true = rectifier.eval()(scale_pixels(torch.from_numpy(views)))[0].numpy()
            worst = max(worst, float(np.abs(corners - true).max()))
        got: Any = session.run(["log_probs"], feeds)[0]
        if got.shape != expected.shape:
            return float("inf")
        worst = max(worst, float(np.abs(np.exp(got) - expected).max()))
    return worst
