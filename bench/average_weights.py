"""The mean of the averaged weights of two runs, as a run that export takes.

    python bench/average_weights.py RUN OTHER OUT [--share 0.5]

Interpolating the weights of a model and its fine-tuned version keeps most of the accuracy of both
on their data (Wortsman et al. 2022, arXiv 2109.01903). OUT is a copy of OTHER whose last checkpoint
has the averaged weights: ``crnn-ctc export OUT/last``.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

STATE = Path("last/state.safetensors")


def read(run: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors and metadata of a run's last checkpoint."""
    with safe_open(run / STATE, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the other run's weights")
    options = parser.parse_args()
    weights, _ = read(options.run)
    mean, facts = read(options.other)
    for name, value in mean.items():
        if name.startswith("averaged") and value.is_floating_point():
            mean[name] = weights[name].lerp(value, options.share)
    shutil.copytree(options.other, options.out, ignore=shutil.ignore_patterns("tensorboard"))
    save_file(mean, options.out / STATE, metadata=facts)


if __name__ == "__main__":
    main()
