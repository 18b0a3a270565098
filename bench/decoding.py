"""Milliseconds a plate, network and decoding: the best path, search, a grammar, known plates.

python bench/decoding.py --model FILE [--pictures FOLDER] [--grammar plates] [--known 100000]

The pictures are a batch of 64 sampled from the folder, or synthetic without a folder. The worst
case is measured too: noise, where every picture must be searched. Known plates are drawn at random;
with "known" they include the pictures' plates, with "known, strangers" they do not.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnxruntime

from crnn_ctc import Reader
from crnn_ctc.decode.decoder import Decoder, tempered
from crnn_ctc.grammar import known_texts, open_grammar
from crnn_ctc.image import load
from timing import in_turn, milliseconds, report

BATCH = 64


def spent(work: Callable[[], object]) -> float:
    """CPU milliseconds of ``work``, which on one thread do not depend on other load."""
    return milliseconds(work, clock=time.process_time)


def pictures(reader: Reader, folder: Path | None) -> np.ndarray:
    """uint8 (64, H, W, C)."""
    if folder is None:
        from crnn_ctc.synthesis.synthesizer import PlateSynthesizer

        card = reader.card
        return PlateSynthesizer(0, height=card.height, width=card.width).batch(0, BATCH)[0]
    files = sorted(p for p in folder.iterdir() if p.suffix in {".png", ".jpg"})
    spread = [files[i * len(files) // BATCH] for i in range(BATCH)]
    return np.stack([reader.fit(load(path)) for path in spread])


def drawn_texts(count: int) -> list[str]:
    """Draw plate texts with five random characters."""
    random = np.random.default_rng(0)
    five = random.choice(list("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"), (count, 5))
    two = zip(
        random.choice(list("皖苏浙沪京"), count), random.choice(list("ABCDE"), count), strict=True
    )
    return [f"{a}{b}{''.join(rest)}" for (a, b), rest in zip(two, five.tolist(), strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="digits-tiny")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--grammar", default="plates")
    parser.add_argument("--known", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    reader = Reader(options.model)
    alphabet = reader.card.alphabet
    images = pictures(reader, options.pictures)
    grammar = open_grammar(options.grammar, alphabet)
    temperature = reader.card.temperature
    log_probs = reader.log_probs(images)
    own = [found.text for found in Decoder(alphabet, grammar)(log_probs) if found.text]
    listed = [text for text in drawn_texts(options.known) if text not in own]
    started = time.process_time()
    strangers = known_texts(listed, alphabet)
    building = time.process_time() - started
    known = known_texts([*listed, *own], alphabet)
    decoders = {
        "greedy": Decoder(alphabet, temperature=temperature),
        "search": Decoder(alphabet, search=True, temperature=temperature),
        "grammar": Decoder(alphabet, grammar, temperature=temperature),
        "grammar, 3 alternatives": Decoder(
            alphabet, grammar, alternatives=3, temperature=temperature
        ),
        "known": Decoder(alphabet, known, temperature=temperature),
        "known, strangers": Decoder(alphabet, strangers, temperature=temperature),
    }
    n, steps, classes = log_probs.shape
    noise = np.random.default_rng(1).normal(size=log_probs.shape).astype(np.float32)
    noise[:, :, alphabet.blank] += 6
    noise = tempered(noise, 1.0)

    contenders = {
        f"network, {name}": lambda d=decoder: spent(lambda: d(reader.log_probs(images))) / n  # type: ignore[misc]
        for name, decoder in decoders.items()
    }
    contenders |= {
        f"network, {name}, batch 1": lambda d=decoder: spent(
            lambda: d(reader.log_probs(images[:1]))
        )  # type: ignore[misc]
        for name, decoder in list(decoders.items())[::2]
    }
    contenders |= {
        f"{name} alone": lambda d=decoder: spent(lambda: d(log_probs)) / n  # type: ignore[misc]
        for name, decoder in decoders.items()
    }
    contenders |= {
        f"{name} alone, noise": lambda d=decoder: spent(lambda: d(noise)) / n  # type: ignore[misc]
        for name, decoder in decoders.items()
    }
    searched = sum(
        not grammar.accepts(best.text) or best.confidence <= 0.5
        for best in decoders["greedy"](log_probs)
    )
    facts = {
        "model": reader.card.name,
        "pictures": options.pictures.name if options.pictures else "drawn",
        "batch, time steps, classes": f"{n}, {steps}, {classes}",
        "grammar": f"{grammar.name}, {len(grammar.accepting)} states",
        "known": f"{options.known} plates, {len(strangers.accepting)} states",
        "building the list's automaton, processor s": round(building, 2),
        "searched with grammar": f"{searched} of {n}",
        "onnxruntime": onnxruntime.__version__,
        "threads": 1,
    }
    report(
        "decoding", "processor ms a picture", in_turn(contenders, options.rounds, warmup=2), facts
    )


if __name__ == "__main__":
    main()
