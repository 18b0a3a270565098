"""crnn-ctc info: describe a model or a recipe."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crnn_ctc.errors import InputError

if TYPE_CHECKING:
    from crnn_ctc.model_file.card import Card


def info(
    name: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|RECIPE",
            help="A shipped model, a model file, a run folder, a shipped recipe or a TOML file.",
        ),
    ],
    as_recipe: Annotated[
        bool,
        typer.Option("--recipe", help="Show the shipped recipe, where a model has the same name."),
    ] = False,
    layers: Annotated[bool, typer.Option("--layers", help="Show each layer; needs torch.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the card as JSON.")] = False,
    list_keys: Annotated[
        bool,
        typer.Option("--keys", help="List each key of the recipe: value, type, range and meaning."),
    ] = False,
) -> None:
    """Show the layers, parameters, gradients and GFLOPs of a model, and its card."""
    from crnn_ctc.cli.model_options import open_model
    from crnn_ctc.model_file.opening import is_locator, shipped_models

    if list_keys:
        print_keys(name)
        return
    if not as_recipe and is_locator(name):
        locator_info(name, as_json)
        return
    recipe = as_recipe or name.endswith(".toml")
    if recipe or not (name in shipped_models() or Path(name).exists()):
        recipe_info(name, layers)
        return
    card = open_model(name).card
    if as_json:
        print(json.dumps(json.loads(card.to_json()), indent=2, ensure_ascii=False))
        return
    print(card.line())
    print_card(card)
    if layers:
        print_layers(card.recipe)


def locator_info(name: str, as_json: bool) -> None:
    """Print the card of a locator."""
    from crnn_ctc.find.locator import Locator

    card = Locator(name).card
    if as_json:
        print(json.dumps(json.loads(card.to_json()), indent=2, ensure_ascii=False))
        return
    rows = {
        "description": card.description,
        "architecture": card.architecture,
        "parameters": f"{card.parameters:,}",
        "input": "RGB, uint8 (N, H, W, 3), H and W multiples of 32",
        "output": "heat (N, H/8, W/8), corners (N, 8, H/8, W/8)",
        "trained on": card.data,
        "licence": card.licence,
        "written by": f"crnn-ctc {card.version}",
    }
    print(f"{card.name} finds plates in photographs")
    for key, value in rows.items():
        if value:
            print(f"{key:<12}  {value}")


def recipe_info(name: str, layers: bool) -> None:
    """Print the network and the length of training of a recipe."""
    from crnn_ctc.cli.extras import needs

    with needs("train", "building a recipe's network"):
        from crnn_ctc.net.build import build
        from crnn_ctc.recipe import load_recipe
        from crnn_ctc.training.run_folder import make_card

    recipe = load_recipe(name)
    card = make_card(recipe, build(recipe), {"step": 0, "validation": {}})
    print(replace(card, metrics={}).line())
    print_card(replace(card, metrics={}))
    plan = recipe.training
    if plan.epochs is None:
        length = f"{plan.images:,} pictures in {plan.steps:,} steps of {plan.batch_size}"
    else:
        length = f"each picture {plan.epochs:g} times in steps of {plan.batch_size}"
    early = f", at most {plan.patience} validations without a better one" if plan.patience else ""
    print(f"training      {length}, learning rate {plan.learning_rate:g}{early}")
    if layers:
        print_layers(recipe.model_dump())


def print_keys(name: str) -> None:
    """Print each key of a recipe with its value and range."""
    from crnn_ctc.cli.extras import needs

    with needs("train", "listing the keys of recipes"):
        from crnn_ctc.recipe import load_recipe
        from crnn_ctc.recipe.keys import keys

    recipe = load_recipe(name)
    for key in keys(recipe.data.kind):
        section, _, last = key.name.rpartition(".")
        value: Any = getattr(recipe, section) if section else recipe
        if not hasattr(value, last):
            continue  # characters are implied by the alphabet's name
        allowed = f"{key.type}, {key.range}" if key.range else key.type
        default = f"default: {key.default}" if key.default else "must be set"
        print(f"{key.name} = {getattr(value, last)!r}  ({allowed}; {default})")
        print(f"    {key.meaning}")


def print_card(card: Card) -> None:
    """Print a model's card."""
    colour = {1: "grey", 3: "RGB"}[card.channels]
    width, steps = str(card.width), str(card.steps)
    if step := card.width_step:
        width = f"W (a multiple of {step}, {card.height} to {card.width})"
        steps = f"W / {card.width // card.steps}"
    rows = {
        "description": card.description,
        "architecture": card.architecture,
        "input": f"{width}x{card.height} pixels, {colour}, uint8 (N, H, W, C)",
        "output": f"log-probabilities (N, {steps}, {len(card.alphabet)})",
        "alphabet": f"{card.alphabet.characters} and the blank at {card.alphabet.blank}",
        "grammar": card.grammar or "any text",
        "trained on": card.data,
        "licence": card.licence,
        "written by": f"crnn-ctc {card.version}",
    }
    for key, value in rows.items():
        if value:
            print(f"{key:<12}  {value}")
    try:
        print_metrics(card.metrics)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(
            f"{card.name}: its card is damaged (metrics); export it again with: crnn-ctc export"
        ) from None


def print_metrics(metrics: dict[str, Any]) -> None:
    """Print the metrics in a model's card."""
    match = metrics.get("validation", {}).get("exact_match")
    if match is not None:
        print(f"validation    exact match {100 * match:.2f} % at step {metrics['step']:,}")
    if int8 := metrics.get("int8"):
        before, after = 100 * int8["exact_match_float"], 100 * int8["exact_match_int8"]
        where = "".join(c for c in int8["checked_on"] if c.isprintable())
        print(f"in 8 bits     exact match {after:.2f} %, in float {before:.2f} ({where})")


def print_layers(values: dict[str, Any]) -> None:
    """Print each layer of the network of a recipe's ``values``."""
    from crnn_ctc.cli.extras import needs

    with needs("train", "listing layers"):
        from crnn_ctc.net.build import build
        from crnn_ctc.net.summary import summarize
        from crnn_ctc.recipe import Recipe

    recipe = Recipe.model_validate(values)
    size = recipe.input
    summary = summarize(build(recipe), size.channels, size.height, size.width)
    print(f"\n{'layer':<8} {'kind':<12} {'output':>16} {'parameters':>12} {'MMAC':>9}")
    for layer in summary.layers:
        shape = " x ".join(map(str, layer.shape))
        print(
            f"{layer.name:<8} {layer.kind:<12} {shape:>16} {layer.parameters:>12,} "
            + (f"{'unknown':>9}" if layer.macs is None else f"{layer.macs / 1e6:>9.2f}")
        )
    if summary.uncounted:
        print(f"not counted in GFLOPs: {', '.join(summary.uncounted)}")
