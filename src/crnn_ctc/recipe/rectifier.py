"""The recipe of a rectifier: TOML with ``task = "rectify"``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from crnn_ctc.recipe.schema import Training
from crnn_ctc.recipe.section import Positive, Section, Share


class CornersData(Section):
    """Plates with corners; see :mod:`crnn_ctc.data.plate_views`.

    ``scenes`` and ``validation`` are manifests with a column ``corners``, ``ccpd`` and ``glyphs``
    folders, seen from the data folder. ``kinds`` are weights of the kinds of plates that are drawn.
    """

    scenes: str = "scenes/train.csv"
    ccpd: str | None = "ccpd"
    validation: str = "scenes/dev.csv"
    validation_views: Positive = 3
    glyphs: str | None = None
    glyph_share: Share = 0.5
    kinds: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    synthetic: Share = 0.4
    balance: Share = 0.3


class RectifierRecipe(Section):
    """A rectifier's recipe, checked."""

    task: Literal["rectify"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    description: str = ""
    licence: str = "Apache-2.0"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    data: CornersData
    training: Training
