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
from crnn_ctc.recipe.locator import LocatorRecipe, load_locator
from crnn_ctc.recipe.networks import NETWORKS
from crnn_ctc.recipe.rectifier import RectifierRecipe, load_rectifier
from crnn_ctc.recipe.schema import (
    Input,
    NetworkSettings,
    OwnAlphabet,
    Recipe,
    Training,
)
from crnn_ctc.recipe.toml_file import RECTIFY, TASK, load_recipe, read_values, shipped_recipes

__all__ = [
    "NETWORKS",
    "RECTIFY",
    "ROW_HEIGHT",
    "ROW_STEP",
    "TASK",
    "DigitsData",
    "Input",
    "LabelledData",
    "LocatorRecipe",
    "Names",
    "NetworkSettings",
    "OwnAlphabet",
    "PlateViewsData",
    "PlatesData",
    "Recipe",
    "RectifierRecipe",
    "RowsData",
    "Sources",
    "Training",
    "load_locator",
    "load_recipe",
    "load_rectifier",
    "read_values",
    "shipped_recipes",
]
