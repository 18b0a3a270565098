"""Recipe values that depend on the labels: the alphabet, and the pictures of an epoch."""

from __future__ import annotations

from pathlib import Path

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.data.labelled import read_labelled
from crnn_ctc.errors import InputError
from crnn_ctc.plates.schemes import normaliser
from crnn_ctc.recipe import (
    DigitsData,
    LabelledData,
    Names,
    OwnAlphabet,
    PlateViewsData,
    Recipe,
    RowsData,
    Sources,
)


def with_alphabet(recipe: Recipe, folder: Path) -> Recipe:
    """Replace the alphabet ``LABELS`` of a recipe by the characters of all its labels.

    Validation labels are included.

    Raises:
        InputError: the labels cannot be read.
    """
    if not isinstance(recipe.data, LabelledData) or recipe.alphabet != "LABELS":
        return recipe
    characters: set[str] = set()
    for name in [*names_of(recipe.data.train), *names_of(recipe.data.validation)]:
        for sample in read_labelled(folder / name, normalise=normaliser(None, recipe.plates)):
            new = sorted(set(sample.text) - characters)
            try:
                characters.update(Alphabet.of("".join(new)).characters if new else "")
            except InputError as error:
                raise InputError(f"{sample.where}: label {sample.text!r}: {error}") from None
    found = OwnAlphabet(characters="".join(sorted(characters)))
    return recipe.model_copy(update={"alphabet": found})


def with_images(recipe: Recipe, folder: Path) -> Recipe:
    """Convert ``epochs`` of a recipe to ``images``.

    Raises:
        InputError: the labels cannot be read, or the recipe's data are digits.
    """
    epochs = recipe.training.epochs
    if epochs is None:
        return recipe
    if isinstance(recipe.data, DigitsData | PlateViewsData | RowsData):
        raise InputError(
            f"recipe {recipe.name}: training.epochs counts labelled pictures, these are "
            "made anew for every step; set training.images"
        )
    form = normaliser(None if recipe.alphabet == "LABELS" else recipe.characters, recipe.plates)
    pictures = sum(
        1
        for name in names_of(recipe.data.train)
        for _ in read_labelled(folder / name, normalise=form)
    )
    images = max(1, round(epochs * pictures))
    training = recipe.training.model_copy(update={"images": images, "epochs": None})
    return recipe.model_copy(update={"training": training})


def names_of(sources: Names | Sources) -> list[str]:
    """List the manifests and folders of a recipe key."""
    return [sources] if isinstance(sources, str) else list(sources)
