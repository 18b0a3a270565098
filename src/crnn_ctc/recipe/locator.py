"""The recipe of a locator: TOML with ``task = "find"``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from crnn_ctc.recipe.data import Names
from crnn_ctc.recipe.schema import Training
from crnn_ctc.recipe.section import Positive, Section


class ScenesData(Section):
    """Photographs with plates; see :func:`crnn_ctc.data.scenes.read_scenes`.

    ``train`` and ``validation`` are sets of photographs, ``distractors`` folders of pictures that
    resemble plates, all relative to the data folder. Every second distractor is used; the others
    are for measurements. ``size`` is the side of a training view in pixels, ``widths`` the least
    and greatest width of a plate in it.
    """

    trained_on: str = "photographs of cars, and synthetic plates"
    train: Names
    validation: Names
    distractors: Names | None = None
    size: Annotated[int, Field(ge=64, le=1024, multiple_of=64)] = 320
    widths: Annotated[tuple[Positive, Positive], Field(strict=False)] = (18, 300)
    validation_views: Annotated[int, Field(ge=0)] = 200


class LocatorRecipe(Section):
    """A locator's recipe, checked.

    ``own_light`` is whether the network standardizes each picture by its own light.
    """

    task: Literal["find"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    description: str = ""
    licence: str = "Apache-2.0"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    own_light: bool = False
    data: ScenesData
    training: Training
