"""A recipe: all that decides a trained model, in one TOML file."""

from crnn_ctc.recipe.data import (
    ROW_HEIGHT,
    ROW_STEP,
    DigitsData,
    LabelledData,
    Names,
    PlatesData,
    PlateViewsData,
    RowsData,
    Sources,
)
from crnn_ctc.recipe.networks import NETWORKS
from crnn_ctc.recipe.schema import (
    Input,
    NetworkSettings,
    OwnAlphabet,
    Recipe,
    Training,
)
from crnn_ctc.recipe.toml_file import load, shipped

__all__ = [
    "NETWORKS",
    "ROW_HEIGHT",
    "ROW_STEP",
    "DigitsData",
    "Input",
    "LabelledData",
    "Names",
    "NetworkSettings",
    "OwnAlphabet",
    "PlateViewsData",
    "PlatesData",
    "Recipe",
    "RowsData",
    "Sources",
    "Training",
    "load",
    "shipped",
]
