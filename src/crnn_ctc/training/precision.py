"""Which number format multiplies fastest on a device without losing accuracy."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["no", "bf16", "fp16"]


def resolve(wanted: str, device: torch.device) -> Precision:
    """Accelerate's name of a recipe's precision.

    ``auto`` is bf16 if the hardware supports it, fp16 on older GPUs, else float32: a CPU without
    bf16 instructions emulates them, several times slower.
    """
    if wanted == "float32":
        return "no"
    if wanted == "bf16":
        return "bf16"
    if wanted == "fp16":
        return "fp16"
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.type == "cpu":
        known = torch.cpu.get_capabilities()
        return "bf16" if known.get("avx512_bf16") or known.get("amx_bf16") else "no"
    return "no"
