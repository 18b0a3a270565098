"""One row or two: which way a picture is read, and where its characters then stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.decode.decoder import Decoder
from crnn_ctc.errors import InputError
from crnn_ctc.model_file.card import Card
from crnn_ctc.recognize import Recognition, recognize

ALPHABET = Alphabet("#ab", 0)
CARD = Card("test", ALPHABET, 48, 168, 3, "any", 6, "none", 0, 0, 0.0, two_rows=True)


class ByUpperLeft:
    """Reads ``a`` where the upper left is red, ``b``, less surely, where it is blue."""

    def __init__(self, card: Card = CARD) -> None:
        self.card = card
        self.shown: list[int] = []

    def log_probs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.shown.append(len(images))
        out = np.full((len(images), 6, 3), 1e-6, np.float32)
        out[..., 0] = 1
        for row, image in zip(out, images, strict=True):
            red, _, blue = image[10, 4]
            if red > 128:
                row[1] = (0.05, 0.95, 1e-6)
            elif blue > 128:
                row[1] = (0.3, 1e-6, 0.7)
        return np.log(out / out.sum(-1, keepdims=True))


def picture(height: int, corner: tuple[int, int, int], upper: tuple[int, int, int]) -> Image.Image:
    """A corner that one row begins with, and what an upper row, further in, begins with."""
    image = np.zeros((height, 200, 3), np.uint8)
    image[: height // 2, :20] = corner
    image[: height // 2, 26:60] = upper
    return Image.fromarray(image)


def read(model: ByUpperLeft, *pictures: Image.Image) -> list[Recognition]:
    found = recognize(model, Decoder(ALPHABET), pictures)
    assert all(isinstance(one, Recognition) for one in found)
    return found  # type: ignore[return-value]


RED, BLUE, BLACK = (255, 0, 0), (0, 0, 255), (0, 0, 0)


@pytest.mark.parametrize(
    ("height", "corner", "upper", "text", "two_rows"),
    [
        (100, RED, BLUE, "a", False),  # both read something: the surer one counts
        (100, BLUE, RED, "a", True),
        (100, BLACK, BLUE, "b", True),  # an empty text does not count, however sure
        (100, BLACK, BLACK, "", False),
        (60, BLUE, RED, "b", False),  # too wide for two rows
    ],
)
def test_the_way_in_which_a_text_is_more_probable_counts(
    height: int,
    corner: tuple[int, int, int],
    upper: tuple[int, int, int],
    text: str,
    two_rows: bool,
) -> None:
    model = ByUpperLeft()
    (seen,) = read(model, picture(height, corner, upper))
    assert (seen.decoded.text, seen.two_rows) == (text, two_rows)
    assert model.shown == [1 if height == 60 else 2]


def test_pictures_keep_their_order_and_go_through_the_network_together() -> None:
    model = ByUpperLeft()
    pictures = [picture(60, RED, BLACK), picture(100, BLACK, BLUE), picture(60, BLACK, BLACK)]
    assert [seen.decoded.text for seen in read(model, *pictures)] == ["a", "b", ""]
    assert model.shown == [4]
    assert read(model) == []


def test_errors_keep_their_places_and_the_network_does_not_see_them() -> None:
    model, failed = ByUpperLeft(), [InputError("one"), InputError("two")]
    pictures = [failed[0], picture(60, RED, BLACK), failed[1], picture(60, BLUE, BLACK)]
    found = recognize(model, Decoder(ALPHABET), pictures)
    assert [one.decoded.text if isinstance(one, Recognition) else one for one in found] == [
        failed[0], "a", failed[1], "b",
    ]  # fmt: skip
    assert model.shown == [2]
    assert recognize(model, Decoder(ALPHABET), failed) == failed
    assert model.shown == [2]  # not asked


def test_a_model_of_one_row_is_shown_one_row() -> None:
    model = ByUpperLeft(replace(CARD, two_rows=False))
    (seen,) = read(model, picture(100, BLUE, RED))
    assert (seen.decoded.text, seen.two_rows, model.shown) == ("b", False, [1])


def test_where_a_step_lies() -> None:
    log_probs = np.zeros((6, 3), np.float32)
    decoded = Decoder(ALPHABET)(log_probs[None])[0]
    one, two = Recognition(decoded, log_probs), Recognition(decoded, log_probs, two_rows=True)

    def place(seen: Recognition, step: float) -> tuple[int, float]:
        rows, quads = seen.places([(step, step)])
        return rows[0], float(quads[0, 0, 0])

    assert place(one, 3) == (0, 0.5)
    # a third of the steps for the upper row, from 0.15 to 0.85 of the picture's width
    assert place(two, 0) == (0, pytest.approx(0.15))
    assert place(two, 1) == (0, pytest.approx(0.5))
    assert place(two, 2) == (1, pytest.approx(0))
    assert place(two, 4) == (1, pytest.approx(0.5))
    assert place(two, 6) == (1, pytest.approx(1))
    rows, quads = two.places([(0, 2), (2, 6)])
    assert rows == [0, 1]
    assert quads.shape == (2, 4, 2)
    assert one.places([])[1].shape == (0, 4, 2)
