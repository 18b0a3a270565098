"""Recipes: the settings of a training in one TOML file."""

from crnn_ctc.recipe.data import (
    DigitsData,
    LabelledData,
    Names,
    PlatesData,
    PlateViewsData,
    RowsData,
    Sources,
)
from crnn_ctc.recipe.locator import LocatorRecipe
from crnn_ctc.recipe.networks import NETWORKS
from crnn_ctc.recipe.rectifier import RectifierRecipe
from crnn_ctc.recipe.schema import (
    Input,
    NetworkSettings,
    OwnAlphabet,
    Recipe,
    Training,
)
from crnn_ctc.recipe.toml_file import (
    RECTIFY,
    TASK,
    AnyRecipe,
    load_any_recipe,
    load_recipe,
    read_values,
    shipped_recipes,
)

__all__ = [
    "NETWORKS",
    "RECTIFY",
    "TASK",
    "AnyRecipe",
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
    "load_any_recipe",
    "load_recipe",
    "read_values",
    "shipped_recipes",
]
