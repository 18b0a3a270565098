"""Training digits whose label two networks contradict that never saw them.

python bench/label_audit.py --data DIR writes bench/results/label-audit.json.

DIR holds EMNIST. The training digits are dealt into folds; for each, two networks of different
width are trained on the other folds, with the distortion of training, and read the fold. A digit is
contradicted where both read it alike, each with at least 0.95, and not as it is labelled
(Northcutt et al. 2021, arXiv 1911.00068, with two networks in place of a threshold by class).
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from crnn_ctc import __version__
from crnn_ctc.benchmark.machine import processor
from crnn_ctc.data.digits import Digits, load_digits
from crnn_ctc.data.sequences import SequenceSource, rows
from crnn_ctc.net.nano import CNN_Nano, CNN_Small

RESULTS = Path(__file__).parent / "results" / "label-audit.json"
FOLDS = 4
DIGITS = 300_000
"""Views of digits that a network is trained on."""
BATCH = 256
LEAST = 0.95
NETWORKS = (CNN_Nano, CNN_Small)


def scores(network: torch.nn.Module, images: NDArray[np.uint8]) -> torch.Tensor:
    """Log-probabilities of the ten digits, (N, 10), of uint8 (N, 32, 32)."""
    x = torch.from_numpy(rows(images[:, None]).transpose(0, 3, 1, 2).astype(np.float32) / 255)
    with torch.autocast("cpu", torch.bfloat16):
        steps = network(x.to(memory_format=torch.channels_last))  # (N, T, 11), blank first
    return steps.float()[..., 1:].mean(1).log_softmax(-1)


def trained(kind: type[CNN_Nano], digits: Digits, seed: int) -> torch.nn.Module:
    """A network that has learnt ``digits``."""
    torch.manual_seed(seed)
    network = kind(1, 32, 11).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = DIGITS // BATCH
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    source = SequenceSource(
        digits, 1, seed, clean=0.1, elastic=2.5, shear=0.3, bent=0.85, stretch=0.2, stroke=0.8
    )
    network.train()
    for step in range(steps):
        images, texts = source.batch(step, BATCH)
        loss = cross_entropy(
            scores(network, images[..., 0]), torch.tensor([int(text) for text in texts])
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.inference_mode()
def read(
    network: torch.nn.Module, images: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The digits (N,) and how probable each is (N,)."""
    parts = [scores(network, images[k : k + 1000]) for k in range(0, len(images), 1000)]
    best = torch.cat(parts).exp().max(-1)
    return best.indices.numpy(), best.values.double().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    digits = load_digits(parser.parse_args().data, "train")
    fold = np.random.default_rng(0).permutation(len(digits)) % FOLDS
    seen = np.zeros((len(NETWORKS), len(digits)), np.int64)
    sure = np.zeros(seen.shape)
    for held in range(FOLDS):
        others, own = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        for place, kind in enumerate(NETWORKS):
            network = trained(kind, digits.part(others), seed=held)
            seen[place, own], sure[place, own] = read(network, digits.images[own])
            wrong = int((seen[place, own] != digits.labels[own]).sum())
            print(f"fold {held}, {kind.__name__}: {wrong} of {len(own)} misread", flush=True)
    least = sure.min(0)
    alike = (seen == seen[0]).all(0) & (seen[0] != digits.labels)
    found = np.flatnonzero(alike & (least >= LEAST))
    facts = {
        "command": "python bench/label_audit.py --data DIR",
        "version": __version__,
        "date": date.today().isoformat(),
        "processor": processor(),
        "digits": len(digits),
        "folds": FOLDS,
        "networks": [kind.__name__ for kind in NETWORKS],
        "misread": [int((each != digits.labels).sum()) for each in seen],
        "misread_alike": int(alike.sum()),
        "contradicted": len(found),
        "found": [
            {
                "index": int(place),
                "label": int(digits.labels[place]),
                "read": int(seen[0, place]),
                "confidence": round(float(least[place]), 4),
            }
            for place in found
        ],
    }
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print({key: value for key, value in facts.items() if key != "found"})


if __name__ == "__main__":
    main()
