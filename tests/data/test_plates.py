from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("cv2")

from crnn_ctc.data.augment import DRAWS, augment
from crnn_ctc.data.plates import PlateSource, Pool, cumulative_weights
from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.synthesis.text import Draws


@pytest.fixture(scope="module")
def crops() -> tuple[NDArray[np.uint8], list[str]]:
    """Crops whose texts no synthesizer draws."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (20, 6, 21, 3), np.uint8).repeat(8, 1).repeat(8, 2)
    return images, [f"{'皖' if i < 16 else '藏'}X{i:05}" for i in range(20)]


def source(crops: tuple[NDArray[np.uint8], list[str]], **options: float) -> PlateSource:
    settings = {"synthetic": 0.5, "balance": 0.5, "strength": 1.0} | options
    return PlateSource([Pool(*crops)], PlateSynthesizer(3), seed=3, **settings)  # type: ignore[arg-type]


def test_a_batch_depends_on_seed_and_step_alone(crops: tuple[NDArray[np.uint8], list[str]]) -> None:
    plates = source(crops)
    images, texts = plates.batch(5, 16)
    plates.batch(6, 16)
    again, again_texts = source(crops).batch(5, 16)
    assert (images.shape, images.dtype) == ((16, 48, 168, 3), np.uint8)
    np.testing.assert_array_equal(images, again)
    assert texts == again_texts
    parts = [plates.batch(5, 16, slice(start, start + 8)) for start in (0, 8)]
    np.testing.assert_array_equal(np.concatenate([p[0] for p in parts]), images)
    assert not np.array_equal(images, plates.batch(6, 16)[0])


def test_one_source_has_the_samples_that_it_always_had(
    crops: tuple[NDArray[np.uint8], list[str]],
) -> None:
    """A recipe is a promise: its samples are numbers 1 and up of streams from 2^48 on."""
    images, texts = crops
    plates = source(crops, synthetic=0.0)
    cumulative = cumulative_weights(texts, 0.5)
    for i in range(50):
        u = uniforms(3, (1 << 48) + i, (2 + DRAWS,))
        chosen = int(np.searchsorted(cumulative, u[1], side="right"))
        image, text = plates.sample(i)
        assert text == texts[chosen]
        np.testing.assert_array_equal(image, augment(images[chosen], 1.0, Draws(u[2:])))


@pytest.mark.parametrize("weight", [0.1, 0.6])
def test_sources_are_drawn_by_their_weights(
    crops: tuple[NDArray[np.uint8], list[str]], weight: float
) -> None:
    images, texts = crops
    pools = [Pool(images[:16], texts[:16], weight), Pool(images[16:], texts[16:], 1 - weight)]
    plates = PlateSource(pools, None, 0.0, 0.0, 0.0, 3)
    drawn = [plates.sample(i) for i in range(600)]
    share = np.mean([text[0] == "皖" for _, text in drawn])
    assert abs(share - weight) < 0.06
    for image, text in drawn[:100]:
        np.testing.assert_array_equal(image, images[texts.index(text)])


def test_grey_crops_are_augmented_and_stay_grey(
    crops: tuple[NDArray[np.uint8], list[str]],
) -> None:
    grey = crops[0][0][..., :1]
    made = augment(grey, 1.0, Draws(uniforms(0, 0, (DRAWS,))))
    assert (made.shape, made.dtype) == (grey.shape, np.uint8)
    assert not np.array_equal(made, grey)
    np.testing.assert_array_equal(augment(grey, 0.0, Draws(uniforms(0, 0, (DRAWS,)))), grey)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_share_of_synthetic_plates(
    crops: tuple[NDArray[np.uint8], list[str]], share: float
) -> None:
    texts = [source(crops, synthetic=share).sample(i)[1] for i in range(200)]
    drawn = np.mean([text not in crops[1] for text in texts])
    assert abs(drawn - share) < 0.1


@pytest.mark.parametrize(("balance", "expected"), [(0.0, 0.2), (0.5, 1 / 3), (1.0, 0.5)])
def test_balance_of_provinces(
    crops: tuple[NDArray[np.uint8], list[str]], balance: float, expected: float
) -> None:
    cumulative = cumulative_weights(crops[1], balance)
    assert cumulative[-1] == pytest.approx(1)
    assert 1 - cumulative[15] == pytest.approx(expected)  # 4 of the 20 are of the rare province


def test_no_augmentation_leaves_the_crop_bit_for_bit(
    crops: tuple[NDArray[np.uint8], list[str]],
) -> None:
    plates = source(crops, synthetic=0.0, strength=0.0)
    for i in range(20):
        image, text = plates.sample(i)
        np.testing.assert_array_equal(image, crops[0][crops[1].index(text)])


def test_augmented_crops_differ_but_stay_alike(
    crops: tuple[NDArray[np.uint8], list[str]],
) -> None:
    image = crops[0][0]
    made = [augment(image, 1.0, Draws(uniforms(0, i, (DRAWS,)))) for i in range(60)]
    assert all(m.shape == image.shape and m.dtype == np.uint8 for m in made)
    assert len({m.tobytes() for m in made}) == 60
    # most still show the crop: their brightness goes with the crop's
    alike = [np.corrcoef(m.ravel(), image.ravel())[0, 1] for m in made]
    assert np.median(alike) > 0.3
    gentle = [augment(image, 0.1, Draws(uniforms(0, i, (DRAWS,)))) for i in range(60)]
    assert np.median([np.corrcoef(m.ravel(), image.ravel())[0, 1] for m in gentle]) > 0.9


def test_what_cannot_be_read_has_an_empty_text_and_leaves_the_rest_as_it_was(
    crops: tuple[NDArray[np.uint8], list[str]],
) -> None:
    images, texts = source(crops).batch(0, 200)
    mixed_images, mixed_texts = source(crops, unreadable=0.3).batch(0, 200)
    empty = np.array([not text for text in mixed_texts])
    assert 0.2 < empty.mean() < 0.4
    assert all(a == b for a, b in zip(texts, mixed_texts, strict=True) if b)
    same = (images == mixed_images).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(same, ~empty)
