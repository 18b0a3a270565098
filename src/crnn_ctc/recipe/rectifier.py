"""The recipe of a rectifier: TOML with ``task = "rectify"``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from crnn_ctc.recipe.data import Names
from crnn_ctc.recipe.schema import Training
from crnn_ctc.recipe.section import Positive, Section, Share

if TYPE_CHECKING:
    from typing_extensions import Self


class CornersData(Section):
    """Plates with corners; see :mod:`crnn_ctc.data.plate_pictures`."""

    scenes: str | None = None
    """Manifest of whole photographs with a column ``corners``, relative to the data folder."""
    crops: Names | None = None
    """Labelled pictures of lines of text: a manifest or folder, or a list of them. The column
    ``corners`` says where the text stands; without it, the text fills the picture."""
    ccpd: str | None = None
    """Folder of CCPD pictures, whose names hold corners; those of ``val`` and ``test`` are left
    out."""
    validation: str = "val"
    """Photographs with corners, or labelled pictures like ``crops``, whose views choose the best
    weights."""
    validation_views: Positive = 3
    """Validation views per picture."""
    glyphs: str | None = None
    """Folder of glyph pictures cut from real plates, relative to the data folder."""
    glyph_share: Share = 0.5
    """Share of the synthetic plates that use those glyphs."""
    kinds: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Sampling weights of the kinds of synthetic plates; by default all kinds."""
    synthetic: Share = 0.4
    """Share of the views that show a synthetic plate."""
    balance: Share = 0.3
    """How evenly first characters are sampled: 0 takes every plate equally often, 1 every first
    character."""

    @model_validator(mode="after")
    def _has_pictures(self) -> Self:
        if self.scenes is None and self.crops is None:
            raise ValueError("name scenes (photographs with corners) or crops (labelled pictures)")
        return self


class RectifierRecipe(Section):
    """A rectifier's recipe, checked."""

    task: Literal["rectify"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    description: str = ""
    licence: str = "Apache-2.0"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    data: CornersData
    training: Training
