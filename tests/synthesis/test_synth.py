"""Synthetic plates: a function of seed and index, of every kind, in the alphabet."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn_ctc.alphabet import PLATES, PLATES_CN
from crnn_ctc.errors import InputError
from crnn_ctc.image import fit, fit_two_rows
from helpers.data import shared_data

pytest.importorskip("cv2", reason="synthesis comes with the extra [train]")

from PIL import Image

from crnn_ctc.drawing.typeface import HAN_FACES, LATIN_FACES
from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.contact_sheet import contact_sheet
from crnn_ctc.synthesis.face import MARGIN, character_centres, draw_face
from crnn_ctc.synthesis.glyphs import (
    HAN,
    LATIN,
    SCALE,
    SLOTS,
    WEIGHTS,
    Style,
    glyph,
)
from crnn_ctc.synthesis.scene import Cut, _view
from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
from crnn_ctc.synthesis.text import ISSUERS, KIND_WEIGHTS, NEWER, PROVINCES, Draws, PlateText

TEXTS = "e8069b6f4252debe2301af63945086a1c2226120572cc4dab0e87b37ba52534f"

LENGTHS = dict.fromkeys(KIND_WEIGHTS, 7) | {
    **dict.fromkeys(("green", "green_large", "emergency", "armed_police", "farm"), 8),
    "armed_police_old": 9,
    "hazard": 3,
}
LAST = {
    "police": "警", "coach": "学", "trailer": "挂", "consulate": "领", "cross_border": "港澳",
    "green_large": LATIN[10:],
}  # fmt: skip


def test_a_sample_depends_on_seed_and_index_alone() -> None:
    forward = [PlateSynthesizer(3).sample(i) for i in range(12)]
    other = PlateSynthesizer(3)
    for i in reversed(range(12)):
        image, text, kind = other.sample(i)
        np.testing.assert_array_equal(image, forward[i][0])
        assert (text, kind) == forward[i][1:]
        assert other.text(i).text == text


def test_a_batch_is_its_samples_and_parts_are_its_parts() -> None:
    source = PlateSynthesizer(1)
    images, texts = source.batch(2, 8)
    assert images.shape == (8, 48, 168, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[5], source.sample(2 * 8 + 5)[0])
    upper, upper_texts = source.batch(2, 8, slice(4, 8))
    np.testing.assert_array_equal(upper, images[4:])
    assert upper_texts == texts[4:]


def test_pictures_differ_and_are_not_flat() -> None:
    images, texts = PlateSynthesizer(0).batch(0, 64)
    assert len(set(texts)) > 60
    assert len({image.tobytes() for image in images}) == 64
    assert images.std(axis=(1, 2, 3)).min() > 5


def test_the_seed_changes_everything() -> None:
    a, b = PlateSynthesizer(0).batch(0, 8), PlateSynthesizer(1).batch(0, 8)
    assert a[1] != b[1]
    assert not np.array_equal(a[0], b[0])


def test_texts_stay_what_they_were() -> None:
    source = PlateSynthesizer(7)
    texts = "\n".join(source.text(i).text for i in range(2_000))
    assert hashlib.sha256(texts.encode()).hexdigest() == TEXTS


def test_an_alphabet_leaves_out_what_it_cannot_spell() -> None:
    source = PlateSynthesizer(7, alphabet=PLATES)
    plates = [source.text(i) for i in range(3_000)]
    assert all(c in PLATES for plate in plates for c in plate.text)
    assert not {plate.kind for plate in plates} & set(NEWER)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**63), i=st.integers(0, 2**63))
def test_every_text_obeys_its_kind(seed: int, i: int) -> None:
    plate = PlateSynthesizer(seed).text(i)
    text, kind = plate.text, plate.kind
    assert len(text) == LENGTHS[kind]
    assert all(c in PLATES_CN for c in text)
    assert "I" not in text
    assert "O" not in text or text.index("O") == 1
    if kind in LAST:
        assert text[-1] in LAST[kind]
    if kind == "embassy":
        assert text.strip("使").isdigit()
        assert text.count("使") == 1
    elif kind == "armed_police":
        assert text[:2] == "WJ"
        assert text[2] in PROVINCES
    elif kind == "armed_police_old":
        assert text[:2] == "WJ"
        assert (text[2:4] + text[5:]).isdigit()
    elif kind == "army":
        assert set(text[:2]) <= set(LATIN[10:])
        assert text[2:].isdigit()
    elif kind == "farm":
        assert text[0] in PROVINCES
        assert text[1:3].isdigit()
    elif kind not in ("cross_border", "airport", "hazard"):
        assert text[0] in PROVINCES
        assert text[1] in LATIN[10:] + "O"
    if kind in ("blue", "yellow", "yellow_two_row", "foreign"):
        assert sum(c.isalpha() for c in text[2:]) <= 3
    if kind == "green":
        assert text[2].isalpha()
        assert text[4:].isdigit()
    if kind == "cross_border":
        assert text.startswith("粤Z")


def test_kinds_provinces_and_letters_come_as_asked() -> None:
    plates = [PlateSynthesizer(0).text(i) for i in range(6_000)]
    kinds = Counter(plate.kind for plate in plates)
    for kind, weight in KIND_WEIGHTS.items():
        share = weight / sum(KIND_WEIGHTS.values())
        assert abs(kinds[kind] / 6_000 - share) < 0.02
    blue = [plate.text for plate in plates if plate.kind == "blue"]
    provinces = Counter(text[0] for text in blue)
    assert set(provinces) == set(PROVINCES)
    assert min(provinces.values()) > len(blue) / len(PROVINCES) / 2
    assert set("".join(plate.text for plate in plates)) == set(PLATES_CN.characters)
    assert 0.7 < np.mean([text[1] in ISSUERS[text[0]] for text in blue]) < 1
    repeats = np.mean([any(map(str.__eq__, text, text[1:])) for text in blue])
    assert 0.15 < repeats < 0.5  # 28 % of real plates have a character twice in a row


def test_weights_choose_kinds_and_provinces() -> None:
    source = PlateSynthesizer(0, kinds={"police": 1, "coach": 1}, provinces={"藏": 2, "青": 1})
    plates = [source.text(i) for i in range(300)]
    assert {plate.kind for plate in plates} == {"police", "coach"}
    provinces = Counter(plate.text[0] for plate in plates)
    assert set(provinces) == {"藏", "青"}
    assert provinces["藏"] > provinces["青"]


def test_evenly_means_each_kind_of_each_province_in_turn() -> None:
    source = PlateSynthesizer(0, evenly=True)
    cells = len(KIND_WEIGHTS) * len(PROVINCES)
    for start in (0, 1_000):
        plates = [source.text(i) for i in range(start, start + cells)]
        assert set(Counter(plate.kind for plate in plates).values()) == {len(PROVINCES)}
        for kind in KIND_WEIGHTS.keys() - {
            *("cross_border", "embassy", "airport", "hazard", "army"),
            *("armed_police", "armed_police_old"),
        }:
            provinces = [plate.text[0] for plate in plates if plate.kind == kind]
            assert sorted(provinces) == sorted(PROVINCES)
    some = PlateSynthesizer(
        0, kinds={"green": 1, "police": 9, "blue": 0}, provinces={"藏": 1, "青": 5}, evenly=True
    )
    turn = [(some.text(i).kind, some.text(i).text[0]) for i in range(5)]
    # in the table's order, whatever the weights
    assert turn == [
        ("green", "藏"), ("police", "藏"), ("green", "青"), ("police", "青"), ("green", "藏")
    ]  # fmt: skip
    assert some.sample(3)[1:] == (some.text(3).text, "police")


def test_cross_border_plates_have_guangdongs_z_to_themselves() -> None:
    assert "Z" not in ISSUERS["粤"]
    assert "X" in ISSUERS["冀"]
    for letters in ISSUERS.values():
        assert list(letters) == sorted(set(letters))
        assert not set(letters) & set("IO")


def test_green_plates_have_the_energy_letters_of_ga36() -> None:
    energy: dict[str, Counter[str]] = {}
    for kind, place in (("green", 2), ("green_large", 7)):
        source = PlateSynthesizer(0, kinds={kind: 1})  # type: ignore[dict-item]
        energy[kind] = Counter(source.text(i).text[place] for i in range(1_500))
        assert set(energy[kind]) == set("DABCEFGHJK")
    large = PlateSynthesizer(0, kinds={"green_large": 1})
    assert all(large.text(i).text[2:7].isdigit() for i in range(100))
    small = PlateSynthesizer(0, kinds={"green": 1})
    seconds = [small.text(i).text[3].isalpha() for i in range(400)]
    assert 0.1 < np.mean(seconds) < 0.4


def test_letters_stand_in_any_place_of_a_serial() -> None:
    source = PlateSynthesizer(0, kinds={"blue": 1})
    serials = (source.text(i).text[2:] for i in range(6_000))
    shapes = {"".join("9A"[c.isalpha()] for c in serial) for serial in serials}
    # none, and all places of one, of two and of three among five
    assert Counter(shape.count("A") for shape in shapes) == {0: 1, 1: 5, 2: 10, 3: 10}


@pytest.mark.parametrize("kind", KIND_WEIGHTS)
def test_every_kind_can_be_drawn(kind: str) -> None:
    images, _ = PlateSynthesizer(0, kinds={kind: 1}).batch(0, 4)  # type: ignore[dict-item]
    assert images.std() > 5


@pytest.mark.parametrize(("height", "width"), [(32, 112), (64, 200)])
def test_the_size_can_be_chosen(height: int, width: int) -> None:
    images, _ = PlateSynthesizer(0, height=height, width=width).batch(0, 16)
    assert images.shape == (16, height, width, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": {"purple": 1}}, "'purple'"),
        ({"kinds": {"blue": 0}}, "above 0"),
        ({"kinds": {"blue": -1, "green": 2}}, "0 or more"),
        ({"provinces": {"台": 1}}, "'台'"),
        ({"height": 4}, "168x4"),
        ({"glyph_share": 2}, "glyph_share"),
    ],
)
def test_a_bad_option_says_what_is_wrong(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PlateSynthesizer(0, **options)


@pytest.mark.parametrize("slot", SLOTS)
def test_every_character_has_a_shape_of_its_own(slot: str) -> None:
    styles = [Style(weight=weight) for weight in WEIGHTS]
    styles += [Style(h, f) for h, f in zip(HAN_FACES, LATIN_FACES, strict=True)]
    for style in styles:
        masks = [glyph(style, c, slot) for c in HAN + LATIN]  # type: ignore[arg-type]
        assert len({mask.tobytes() for mask in masks}) == len(HAN + LATIN) == len(PLATES_CN) - 2
        # on plates, the letter O has the shape of the zero
        assert np.array_equal(glyph(style, "O", slot), glyph(style, "0", slot))  # type: ignore[arg-type]
        ink = np.array([mask.mean() / 255 for mask in masks])
        assert ink.min() > 0.1
        assert ink.max() < 0.85


def test_a_glyph_folder_changes_its_share_of_plates() -> None:
    glyphs = shared_data("glyphs/ga36")
    plain = PlateSynthesizer(0).batch(0, 32)
    always = PlateSynthesizer(0, glyphs=glyphs, glyph_share=1.0).batch(0, 32)
    never = PlateSynthesizer(0, glyphs=glyphs, glyph_share=0.0).batch(0, 32)
    assert plain[1] == always[1] == never[1]
    np.testing.assert_array_equal(plain[0], never[0])
    assert all(not np.array_equal(a, b) for a, b in zip(plain[0], always[0], strict=True))


def test_a_missing_glyph_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        PlateSynthesizer(0, glyphs=tmp_path / "nowhere")


def test_an_empty_glyph_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"140_0\.jpg"):
        PlateSynthesizer(0, glyphs=tmp_path)


def test_a_broken_glyph_is_named(tmp_path: Path) -> None:
    for character in LATIN:
        (tmp_path / f"140_{character}.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match="not a readable picture"):
        PlateSynthesizer(0, glyphs=tmp_path, glyph_share=1).batch(0, 4)


def test_a_blank_glyph_is_named(tmp_path: Path) -> None:
    for character in LATIN:
        Image.new("L", (40, 80), 255).save(tmp_path / f"140_{character}.png")
    with pytest.raises(InputError, match="no dark character"):
        PlateSynthesizer(0, glyphs=tmp_path, glyph_share=1).batch(0, 4)


def test_a_contact_sheet_shows_every_kind() -> None:
    sheet = contact_sheet(PlateSynthesizer(0), rows=2, columns=7, every_kind=True)
    assert sheet.shape == (2 * 74 + 6, 7 * 174 + 6, 3)
    assert sheet.dtype == np.uint8


def test_cut_and_perspective_change_where_the_plate_stands() -> None:
    mixed = PlateSynthesizer(4)
    by_corners, by_box = PlateSynthesizer(4, cut="corners"), PlateSynthesizer(4, cut="box")
    straight = PlateSynthesizer(4, perspective=0.0)
    for i in range(12):
        image, text, _ = mixed.sample(i)
        cuts = [by_corners.sample(i), by_box.sample(i)]
        assert [t for _, t, _ in cuts] == [text, text]
        # one of the two ways is the one that "mixed" took
        assert [np.array_equal(image, c) for c, _, _ in cuts].count(True) == 1
        assert not np.array_equal(image, straight.sample(i)[0])


@pytest.mark.parametrize("cut", ["corners", "box"])
def test_without_perspective_a_plate_fills_its_crop(cut: Cut) -> None:
    face = draw_face(PlateText("皖A12345", "blue"), Style(), Draws(uniforms(0, 0, (60,))))
    draws = Draws(np.full(400, 0.4))  # 0.4: no bent sheet
    x, y = _view(face, 48, 168, draws, cut, perspective=0.0)
    left, right = MARGIN * SCALE, (MARGIN + face.width) * SCALE
    top, bottom = MARGIN * SCALE, (MARGIN + face.height) * SCALE
    half = 0.5 * face.width * SCALE / 168  # centres of the outermost pixels
    np.testing.assert_allclose([x.min(), x.max()], [left + half, right - half], atol=0.01)
    half = 0.5 * face.height * SCALE / 48
    np.testing.assert_allclose([y.min(), y.max()], [top + half, bottom - half], atol=0.01)


def test_two_rows_are_drawn_as_they_stand_and_trained_on_side_by_side() -> None:
    plates = PlateSynthesizer(5, kinds={"trailer": 1.0})
    picture, text, kind = plates.picture(0)
    image, same, _ = plates.sample(0)
    assert (picture.shape, kind, text) == ((84, 168, 3), "trailer", same)
    np.testing.assert_array_equal(image, fit_two_rows(picture, 48, 168, 3))
    one_row = PlateSynthesizer(5, kinds={"blue": 1.0})
    np.testing.assert_array_equal(one_row.picture(0)[0], one_row.sample(0)[0])


def test_what_cannot_be_read_is_the_wrong_way_round_or_no_plate() -> None:
    one_row, two_rows = (
        PlateSynthesizer(6, kinds={kind: 1.0}) for kind in ("blue", "yellow_two_row")
    )
    picture = one_row.picture(1)[0]
    np.testing.assert_array_equal(one_row.unreadable(1), fit_two_rows(picture, 48, 168, 3))
    picture = two_rows.picture(2)[0]
    np.testing.assert_array_equal(two_rows.unreadable(2), fit(picture, 48, 168, 3))
    scenery = one_row.unreadable(3)
    assert (scenery.shape, scenery.dtype) == ((48, 168, 3), np.uint8)
    assert not np.array_equal(scenery, one_row.unreadable(6))


def test_small_characters_of_old_armed_police_plates_stand_low() -> None:
    centres = character_centres("WJ07X0230")
    x, y = zip(*centres, strict=True)
    assert list(x) == sorted(x)
    assert x[0] > 0.04
    assert x[-1] < 0.96
    assert [round(row - y[0], 2) for row in y] == [0, 0, 0.16, 0.16, 0, 0, 0, 0, 0]


def test_the_upper_row_of_agricultural_plates_varies_about_its_centres() -> None:
    centres = np.array(character_centres("皖1946673", two_rows=True))
    assert (centres[:3, 1] < 0.38).all()
    assert (centres[3:, 1] > 0.5).all()
    faces = [
        draw_face(PlateText("皖1946673", "farm"), Style(), Draws(uniforms(1, i, (60,))))
        for i in range(12)
    ]
    gaps = set()
    for face in faces:
        left, top = MARGIN * SCALE, MARGIN * SCALE
        upper = face.layers[round(top) + 8 : round(top + 78 * SCALE), :, 0].max(0) > 200
        inside = np.flatnonzero(upper[round(left) + 20 : -round(left) - 20]) + 20
        at = inside / (face.width * SCALE)
        gaps.add(round(float(np.diff(inside).max())))
        for centre in centres[:3, 0]:
            assert np.abs(at - centre).min() < 0.06
    assert len(gaps) > 4
