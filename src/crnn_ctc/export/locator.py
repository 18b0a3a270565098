"""Export of a locator's run to a model file: pictures to heat map and corners."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch

from crnn_ctc import __version__
from crnn_ctc.errors import InputError
from crnn_ctc.export.to_onnx import fold_norms, round_to_half, store_as_half, trace
from crnn_ctc.files import write_atomically
from crnn_ctc.find.card import KEY, LocatorCard
from crnn_ctc.find.locator import MULTIPLE
from crnn_ctc.model_file.guard import check_model
from crnn_ctc.model_file.runtime import open_session
from crnn_ctc.net.locator import FromPixels, LocatorNetwork
from crnn_ctc.training import checkpoint

TOLERANCE = 1e-3
"""Maximum difference of the heat map to torch."""

_SIZES = ((1, 64, 96), (2, 128, 224))
"""Batch sizes, heights and widths of the check."""


def export_locator(run: Path, out: Path, half: bool = False) -> tuple[LocatorCard, float]:
    """Write the model file of a locator's run.

    Args:
        run: folder of the run.
        out: the file to write, ``NAME.onnx``; its name becomes the model's.
        half: store weights as float16; the arithmetic stays float32.

    Returns:
        The card, and the largest difference of the heat map to torch.

    Raises:
        InputError: the run has no weights, the file cannot be written, or the exported graph
            differs from torch.
    """
    if out.suffix != ".onnx":
        raise InputError(f"{out}: name the model file NAME.onnx")
    tensors, facts = checkpoint.load_tensors(run / checkpoint.BEST)
    recipe = facts["recipe"]
    network = LocatorNetwork(recipe.get("own_light", False))
    network.load_state_dict(tensors)
    network.eval()
    card = LocatorCard(
        name=out.stem,
        architecture="CenterNet with corners, stride 8",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        description=recipe["description"],
        data=recipe["data"]["trained_on"],
        licence=recipe["licence"],
        version=__version__,
        recipe=recipe,
        metrics={"step": facts["step"], "validation": facts["validation"]},
    )
    fold_norms(network)
    if half:
        round_to_half(network)
    model = _to_onnx(network)
    if half:
        store_as_half(model)
    model.doc_string = card.description
    model.producer_name, model.producer_version = "crnn-ctc", card.version
    model.metadata_props.add(key=KEY, value=card.to_json())
    content = model.SerializeToString()
    check_model(content, str(out))
    difference = _difference(network, content)
    if not difference <= TOLERANCE:
        raise InputError(
            f"{out}: not written: the exported graph differs from torch by {difference:.1e} "
            f"(limit {TOLERANCE:.0e}); report this with the versions in {run / 'versions.toml'}"
        )
    write_atomically(out, content)
    return card, difference


def _to_onnx(network: LocatorNetwork) -> Any:
    # state that the sides are multiples of 32; otherwise the exporter would derive constraints
    cells = {name: torch.export.Dim(name, min=1, max=256) for name in ("h", "w")}
    sizes: dict[int, Any] = {
        0: torch.export.Dim("N", min=1, max=1 << 12),
        1: MULTIPLE * cells["h"],
        2: MULTIPLE * cells["w"],
    }
    example = torch.zeros(2, 2 * MULTIPLE, 3 * MULTIPLE, 3, dtype=torch.uint8)
    outputs = ["heat", "corners"]
    return trace(FromPixels(network), {"images": example}, outputs, {"images": sizes})


def _difference(network: LocatorNetwork, content: bytes) -> float:
    """Largest difference of the heat map to torch in float64."""
    session = open_session(content, threads=1)
    exact = copy.deepcopy(network).double().eval()
    generator = np.random.default_rng(0)
    worst = 0.0
    for shape in _SIZES:
        images = generator.integers(0, 256, (*shape, 3), np.uint8)
        with torch.inference_mode():
            pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
            expected = exact(pixels.double() / 255).heat.sigmoid()
        got: Any = session.run(["heat"], {"images": images})[0]
        if got.shape != tuple(expected.shape):
            return float("inf")
        worst = max(worst, float(np.abs(got - expected.numpy()).max()))
    return worst
