"""Pictures of printed texts for measurements without data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from crnn_ctc.drawing.typeface import HAN_FACES, HELD, typeface
from crnn_ctc.grammar import open_grammar
from crnn_ctc.model_file.card import Card

_LENGTH = 5
"""Length of a text without a grammar, in characters."""

_MOST = 40
"""Greatest length of a text of a grammar, in characters."""

_ENLARGED = 2
"""Size relative to the input: most crops are larger and are reduced."""

_NOISE = 4
"""Standard deviation of the noise, of 255 levels."""


def specimens(count: int, card: Card) -> list[NDArray[np.uint8]]:
    """Pictures to read, the same each time; noise would make the search of a grammar slow.

    Returns:
        RGB, uint8 (2H, 2W, 3), all of one width.
    """
    random, noise = np.random.default_rng(0), np.random.default_rng(1)
    pictures = [_drawn(_text(card, random), card, random) for _ in range(count)]
    # as of a camera: a perfectly flat ground would be taken for padding
    noisy = (picture + noise.normal(0, _NOISE, picture.shape) for picture in pictures)
    return [np.clip(picture, 0, 255).astype(np.uint8) for picture in noisy]


def fitted_specimens(count: int, card: Card) -> NDArray[np.uint8]:
    """The same pictures as inputs of the model: uint8 (N, H, W, C)."""
    return np.stack([card.fit(picture) for picture in specimens(count, card)])


def _text(card: Card, random: np.random.Generator) -> str:
    """A text of the card's grammar, by a walk through its automaton."""
    if card.grammar is None:
        return "".join(random.choice(list(card.alphabet.characters), _LENGTH))
    grammar = open_grammar(card.grammar, card.alphabet)
    state, classes = 0, [0] * 0
    while len(classes) < _MOST:
        ways = grammar.following(state)
        if not len(ways) or (len(classes) >= _LENGTH and grammar.accepting[state]):
            break
        classes.append(int(random.choice(ways)))
        state = grammar.after(state, classes[-1])
    return card.alphabet.decode(classes)


def _drawn(text: str, card: Card, random: np.random.Generator) -> NDArray[np.uint8]:
    # a row of free width: as wide as a few characters need
    across = 3 * card.height if card.width_step else card.width
    width, height = _ENLARGED * across, _ENLARGED * card.height
    # white on blue and filling the picture: a rectifier finds plates of a plate's colours
    ground = random.integers((0, 40, 120), (60, 100, 200))
    picture = Image.new("RGB", (width, height), tuple(ground.tolist()))
    draw = ImageDraw.Draw(picture)
    size = round(min(0.85 * height, 1.6 * width / max(1, len(text))))
    held = HELD.issuperset(text)
    font = typeface(HAN_FACES[1], size) if held else ImageFont.load_default(size)
    for place, character in enumerate(text):
        at = ((place + 0.5) * width / len(text), height / 2)
        draw.text(at, character, "white", font, anchor="mm")
    return np.asarray(picture, np.uint8)
