from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crnn_ctc.data.digits import Digits, enlarge, load_digits
from crnn_ctc.data.sequences import Protocol, SequenceSource, protocol
from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.distortion import distort, thicken, warp
from helpers.data import printed_digits

#: SHA-256 of the pictures and texts of both protocols on the real test digits.
HASHES: dict[Protocol, str] = {
    "clean": "7dad2b77fd170afeb0b465524829c4338c3a4036b35933743ebcccb81b937109",
    "distorted": "f29e3bfaf4fb40bccd56a70b3be8aab0f32d84980b1b676c5367f7a9eb709d47",
}


@pytest.fixture(scope="module")
def digits() -> Digits:
    images, labels = printed_digits(200)
    return Digits(enlarge(images), labels)


@pytest.mark.parametrize("name", ["clean", "distorted"])
def test_protocols_are_the_same_on_every_machine(emnist: Path, name: Protocol) -> None:
    images, texts = protocol(load_digits(emnist, "test"), name)
    assert images.shape == (5000, 32, 160, 1)
    digest = hashlib.sha256(images.tobytes() + "".join(texts).encode()).hexdigest()
    assert digest == HASHES[name]


def test_uniforms_never_change() -> None:
    numbers = uniforms(1, 2, (3, 4))
    assert numbers.shape == (3, 4)
    assert ((numbers >= 0) & (numbers < 1)).all()
    np.testing.assert_array_equal(numbers, uniforms(1, 2, (3, 4)))
    assert not np.array_equal(numbers, uniforms(1, 3, (3, 4)))
    assert not np.array_equal(numbers, uniforms(2, 2, (3, 4)))
    assert uniforms(1, 2, (2,)).tolist() == [0.30931491118583454, 0.3569562367935075]


def test_both_protocols_hold_the_same_digits(digits: Digits) -> None:
    clean, clean_texts = protocol(digits, "clean", 50)
    distorted, distorted_texts = protocol(digits, "distorted", 50)
    assert clean_texts == distorted_texts
    assert not np.array_equal(clean, distorted)
    first = digits.images[digits.labels == int(clean_texts[0][0])]
    assert any(np.array_equal(clean[0, :, :32, 0], image) for image in first)


def test_distortion_agrees_with_pillow(digits: Digits) -> None:
    """The rotation that torchvision's RandomRotation asks of Pillow, nearest pixel."""
    angles = np.linspace(-15, 15, 31)
    got = warp(digits.images[:31], -angles)  # Pillow turns the other way
    expected = np.stack(
        [
            np.asarray(Image.fromarray(i).rotate(a))
            for i, a in zip(digits.images, angles, strict=False)
        ]
    )
    same = (got == expected).mean()
    assert same > 0.998  # fixed point and floats part where a coordinate falls between pixels


def test_distortion_stays_within_its_limits(digits: Digits) -> None:
    images = digits.images[:1]
    middle = np.full((1, 5), 0.5)
    np.testing.assert_array_equal(distort(images, middle), images)
    for column, value in ((0, 0.0), (1, 0.999), (2, 0.999), (3, 0.0), (4, 0.0)):
        u = middle.copy()
        u[0, column] = value
        assert not np.array_equal(distort(images, u), images)
    u = middle.copy()
    u[0, 2] = 0.999
    np.testing.assert_array_equal(distort(images, u)[0, :, 3:], images[0, :, :-3])  # 3 pixels


def test_warp_without_change_is_the_identity(digits: Digits) -> None:
    zeros = np.zeros(len(digits))
    np.testing.assert_array_equal(warp(digits.images, zeros), digits.images)


def test_warp_leaves_black_outside(digits: Digits) -> None:
    white = np.full((1, 32, 32), 255, np.uint8)
    moved = warp(white, np.zeros(1), shift=np.array([[5, -2]]))
    assert (moved[0, :, :5] == 0).all()
    assert (moved[0, -2:] == 0).all()
    assert (moved[0, :-2, 5:] == 255).all()


def test_a_batch_depends_on_seed_and_step_alone(digits: Digits) -> None:
    source = SequenceSource(digits, 5, 7, clean=0.2, elastic=1.5, shear=0.2)
    images, texts = source.batch(3, 16)
    source.batch(4, 16)
    again, again_texts = source.batch(3, 16)
    assert images.shape == (16, 32, 160, 1)
    np.testing.assert_array_equal(images, again)
    assert texts == again_texts
    assert not np.array_equal(images, source.batch(4, 16)[0])


def test_processes_share_a_batch(digits: Digits) -> None:
    source = SequenceSource(digits, 5, 7, clean=0.2, elastic=1.5, shear=0.2)
    whole, texts = source.batch(0, 16)
    parts = [source.batch(0, 16, slice(start, start + 4)) for start in range(0, 16, 4)]
    np.testing.assert_array_equal(np.concatenate([p[0] for p in parts]), whole)
    assert [text for p in parts for text in p[1]] == texts


def test_pens_change_strokes_and_nothing_else_of_a_batch(digits: Digits) -> None:
    plain = SequenceSource(digits, 5, 7, clean=0.2, elastic=1.5, shear=0.2)
    other = replace(plain, bent=1.0, stretch=0.2, stroke=0.8)
    images, texts = plain.batch(3, 16)
    redrawn, same = other.batch(3, 16)
    assert same == texts
    assert not np.array_equal(redrawn, images)
    parts = [other.batch(3, 16, slice(start, start + 8))[0] for start in (0, 8)]
    np.testing.assert_array_equal(np.concatenate(parts), redrawn)


def test_strokes_become_thicker_and_thinner(digits: Digits) -> None:
    still, thick, thin = (
        thicken(digits.images, np.full(len(digits), amount, np.float32)) for amount in (0, 1, -1)
    )
    np.testing.assert_array_equal(still, digits.images)
    assert (thick >= still).all()
    assert (thin <= still).all()
    assert thin.sum() < still.sum() < thick.sum()


def test_labels_are_those_of_the_pictures(digits: Digits) -> None:
    images, texts = SequenceSource(digits, 5, 7, clean=1.0).batch(0, 20)
    for row, text in zip(images, texts, strict=True):
        for place, label in enumerate(text):
            single = row[:, 32 * place : 32 * place + 32, 0]
            own = digits.images[digits.labels == int(label)]
            assert any(np.array_equal(single, image) for image in own)


def test_share_of_clean_rows(digits: Digits) -> None:
    half = SequenceSource(digits, 1, 0, clean=0.5).batch(0, 400)[0]
    clean = [any(np.array_equal(i[..., 0], d) for d in digits.images) for i in half]
    assert 0.42 < np.mean(clean) < 0.6
