"""Synthetic pictures of Chinese plates, as a function of (seed, index)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.alphabet import PLATES_CN, Alphabet
from crnn_ctc.drawing.typeface import HAN_FACES, LATIN_FACES
from crnn_ctc.errors import InputError
from crnn_ctc.image import fit, fit_two_rows
from crnn_ctc.rng import uniforms
from crnn_ctc.synthesis.camera import expose
from crnn_ctc.synthesis.face import draw_face
from crnn_ctc.synthesis.glyphs import WEIGHTS, Style, folder_glyphs
from crnn_ctc.synthesis.scene import Cut, render_scene, scenery
from crnn_ctc.synthesis.text import (
    KIND_WEIGHTS,
    NEWER,
    PROVINCES,
    TEXT_DRAWS,
    TWO_ROW,
    Draws,
    Kind,
    PlateText,
    draw_text,
    pick,
    shares,
)

_PICTURE_DRAWS = 320
_FRONT, _FRONT_TWO_ROW = (84, 240), (130, 240)
_INSET = np.array([(0.05, 0.12), (0.95, 0.12), (0.95, 0.88), (0.05, 0.88)], np.float32)
"""Corners of a frontal plate, as fractions of its picture: leaves room for the frame."""

_EVENLY = dict.fromkeys(PROVINCES, 1.0)


@dataclass(frozen=True)
class PlateSynthesizer:
    """Unlimited plates; sample i depends only on the seed and i.

    Args:
        seed: random seed of the run, 0 or more.
        height: height of a picture, pixels.
        width: width of a picture, pixels.
        kinds: sampling weight of each kind; a missing kind is never drawn.
        provinces: sampling weight of each province, likewise.
        glyphs: folder of character pictures; see :func:`.glyphs.folder_glyphs`.
        glyph_share: share of the plates whose characters come from that folder.
        cut: how plates are cropped: rectified by ``corners``, as a bounding ``box``, or ``mixed``.
        perspective: strength of the crop's distortion; at 0 every plate is frontal and fills its
            picture, 1 is the default.
        alphabet: alphabet of the texts; ``PLATES`` excludes the letter O and the kinds ``NEWER``.
        evenly: cycle through kinds and provinces instead of sampling them: any run of
            ``kinds * provinces`` samples contains each pair once. All weights above 0 then count
            the same, and kinds without a province are as frequent as the others.

    Raises:
        InputError: an option is invalid.
    """

    seed: int
    height: int = 48
    width: int = 168
    kinds: Mapping[Kind, float] | Mapping[str, float] = field(default_factory=lambda: KIND_WEIGHTS)
    provinces: Mapping[str, float] = field(default_factory=lambda: _EVENLY)
    glyphs: Path | None = None
    glyph_share: float = 0.5
    cut: Cut = "mixed"
    perspective: float = 1.0
    alphabet: Alphabet = PLATES_CN
    evenly: bool = False
    _kind_shares: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _province_shares: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.height < 16 or self.width < 32:
            raise InputError(
                f"synthesis: {self.width}x{self.height} cannot hold a plate; give 32x16 or more"
            )
        if not 0 <= self.glyph_share <= 1:
            raise InputError(f"synthesis: glyph_share {self.glyph_share} is not from 0 to 1")
        if self.glyphs is not None:
            folder_glyphs(self.glyphs)
        if "O" not in self.alphabet:
            spelt = {str(k): w for k, w in self.kinds.items() if k not in NEWER}
            object.__setattr__(self, "kinds", spelt)
        kinds = shares(self.kinds, tuple(KIND_WEIGHTS), "kind")
        provinces = shares(self.provinces, tuple(PROVINCES), "province")
        object.__setattr__(self, "_kind_shares", kinds)
        object.__setattr__(self, "_province_shares", provinces)

    def text(self, i: int) -> PlateText:
        """Text and kind of sample ``i``, without the picture."""
        return self._text(i, Draws(uniforms(self.seed, i, (TEXT_DRAWS,))))

    def picture(self, i: int) -> tuple[NDArray[np.uint8], str, Kind]:
        """Draw plate ``i``, 0 or more, as a detector would crop it.

        Returns:
            image uint8 RGB (height, width, 3), or (width / 2, width, 3) for a plate with two rows;
            its text, and the kind of plate.
        """
        u = uniforms(self.seed, i, (TEXT_DRAWS + _PICTURE_DRAWS,))
        plate = self._text(i, Draws(u[:TEXT_DRAWS]))
        draws = Draws(u[TEXT_DRAWS:])
        face = draw_face(plate, self._style(draws), draws)
        scene = render_scene(
            face,
            plate.kind,
            self.picture_height(plate.kind),
            self.width,
            draws,
            self.cut,
            self.perspective,
        )
        return expose(scene, draws, self.height / 48), plate.text, plate.kind

    def front(self, i: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], str, Kind]:
        """Draw a frontal view of plate ``i`` with its frame, without camera effects.

        Returns:
            image uint8 RGB (H, W, 3); the plate's corners in it, float32 (4, 2) in pixels: top
            left, top right, bottom right, bottom left; its text, and the kind of plate.
        """
        u = uniforms(self.seed, i, (TEXT_DRAWS + _PICTURE_DRAWS,))
        plate = self._text(i, Draws(u[:TEXT_DRAWS]))
        draws = Draws(u[TEXT_DRAWS:])
        face = draw_face(plate, self._style(draws), draws)
        height, width = _FRONT_TWO_ROW if plate.kind in TWO_ROW else _FRONT
        scene = render_scene(face, plate.kind, height, width, draws, corners=_INSET)
        image = np.asarray(np.clip(np.rint(scene), 0, 255), np.uint8)
        return image, _INSET * np.array([width, height], np.float32), plate.text, plate.kind

    def picture_height(self, kind: Kind) -> int:
        """Height of a :meth:`picture`, in pixels."""
        return self.width // 2 if kind in TWO_ROW else self.height

    def sample(self, i: int) -> tuple[NDArray[np.uint8], str, Kind]:
        """Draw plate ``i`` as network input: two rows are placed side by side.

        Returns:
            image uint8 RGB (height, width, 3), its text, and the kind of plate.
        """
        image, text, kind = self.picture(i)
        if kind in TWO_ROW:
            image = fit_two_rows(image, self.height, self.width, 3)
        return image, text, kind

    def unreadable(self, i: int) -> NDArray[np.uint8]:
        """Draw network input without readable text, uint8 RGB (height, width, 3).

        Plate ``i`` in the wrong layout: one row split into two, or two rows squeezed into one.
        Every third sample is background only.
        """
        if i % 3 == 0:
            draws = Draws(uniforms(self.seed, i, (_PICTURE_DRAWS,)))
            return expose(scenery(self.height, self.width, draws), draws)
        image, _, kind = self.picture(i)
        wrong = fit if kind in TWO_ROW else fit_two_rows
        return wrong(image, self.height, self.width, 3)

    def batch(
        self, step: int, size: int, part: slice = slice(None)
    ) -> tuple[NDArray[np.uint8], list[str]]:
        """Draw a batch of samples, beginning at ``step * size``.

        Args:
            step: index of the batch.
            size: samples of a full batch.
            part: slice of the batch for one of several training processes.

        Returns:
            images uint8 (n, height, width, 3) and n texts.
        """
        indices = range(step * size, (step + 1) * size)[part]
        images = np.empty((len(indices), self.height, self.width, 3), np.uint8)
        texts = []
        for row, i in enumerate(indices):
            images[row], text, _ = self.sample(i)
            texts.append(text)
        return images, texts

    def _text(self, i: int, draws: Draws) -> PlateText:
        kind = tuple(KIND_WEIGHTS)[pick(self._kind_shares, draws.next())]
        province = PROVINCES[pick(self._province_shares, draws.next())]
        if self.evenly:
            kinds = [k for k in KIND_WEIGHTS if self.kinds.get(k)]
            provinces = [p for p in PROVINCES if self.provinces.get(p)]
            kind = kinds[i % len(kinds)]
            province = provinces[i // len(kinds) % len(provinces)]
        return draw_text(draws, kind, province, "O" in self.alphabet)

    def _style(self, draws: Draws) -> Style:
        han = HAN_FACES[0] if draws.chance(0.7) else HAN_FACES[1]
        latin = LATIN_FACES[draws.below(len(LATIN_FACES))] if draws.chance(0.2) else None
        weight = WEIGHTS[draws.below(len(WEIGHTS))]
        folder = self.glyphs if draws.chance(self.glyph_share) else None
        return Style(han, latin, weight, folder)
