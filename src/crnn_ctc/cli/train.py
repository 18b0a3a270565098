"""crnn-ctc train: train a recipe on data, into a run folder."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crnn_ctc.cli.str_enum import StrEnum
from crnn_ctc.errors import InputError

if TYPE_CHECKING:
    from crnn_ctc.recipe import Recipe

_RESUME = "go on with the same command and --resume"


class Resize(StrEnum):
    """Treatment of the alphabet of the model that a run starts from."""

    NEW = "new"
    UNION = "union"


def train(
    recipe: Annotated[
        str, typer.Argument(help="Name of a shipped recipe, or a TOML file.", metavar="RECIPE")
    ],
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder with the recipe's data.")],
    run: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the results; by default runs/NAME."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a key of the recipe; may be repeated."
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL|RUN",
            help="Begin with the weights of a shipped model, a model file or a run folder.",
        ),
    ] = None,
    resize: Annotated[
        Resize,
        typer.Option(
            help="With --from: the recipe's alphabet (new), or also what the model knows (union)."
        ),
    ] = Resize.NEW,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume the run from its last checkpoint.")
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that share each batch; by default one a core in long runs on a CPU.",
        ),
    ] = None,
) -> None:
    """Train a reader."""
    # read once, when torch loads OpenMP: busy-waiting threads make training forty times slower as
    # soon as anything else runs on the machine
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from crnn_ctc.cli.extras import needs

    with needs("train", "training"):
        from crnn_ctc import recipe as recipes
        from crnn_ctc.training.distributed import process_count, train_together
        from crnn_ctc.training.locator import train_locator
        from crnn_ctc.training.loop import Interrupted
        from crnn_ctc.training.reader import train_reader
        from crnn_ctc.training.rectifier import train_rectifier
        from crnn_ctc.training.run_start import ChangedRunError

    if resize is Resize.UNION and start is None:
        raise InputError("--resize union: there is no model to take characters from; give --from")
    # only one of several processes logs
    main = os.environ.get("RANK", "0") == "0"
    logging.basicConfig(format="%(message)s", level=logging.WARNING if main else logging.ERROR)
    logging.getLogger("crnn_ctc").setLevel(logging.INFO if main else logging.ERROR)
    plan = recipes.load_any_recipe(recipe, changes)
    if not isinstance(plan, recipes.Recipe) and (processes or 1) > 1:
        raise InputError(
            f"--processes {processes}: recipes of task {plan.task} train in one; leave it out"
        )
    folder = run or Path("runs") / plan.name
    try:
        best: float | None
        begin = Path(start) if start else None
        if isinstance(plan, recipes.LocatorRecipe):
            best = train_locator(plan, data, folder, resume, start)
            what = "mean IoU"
        elif isinstance(plan, recipes.RectifierRecipe):
            best = train_rectifier(plan, data, folder, resume, begin)
            what = "corner error, in plate heights,"
        else:
            if (together := process_count(plan, processes)) > 1:
                _check(plan, data, folder, resume, start, resize is Resize.UNION)
                print(f"{together} processes; --processes 1 for one", file=sys.stderr)
                words = _words(recipe, data, folder, changes, start)
                words += ["--resize", resize.value, *(["--resume"] if resume else [])]
                raise typer.Exit(train_together(together, words[1:]))
            best = train_reader(plan, data, folder, resume, start, resize.value)
            what = "exact match"
    except ChangedRunError as error:
        again = train_on(recipe, data, folder, changes)
        raise InputError(f"{error}; or begin a new run with its weights: {again}") from None
    except Interrupted as stop:
        if str(stop):
            print(f"{stop}; {_RESUME}", file=sys.stderr)
        raise typer.Exit(130) from None
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror or error}); {_RESUME}"
        ) from error
    if best is not None:
        print(f"best {what} on the validation set: {100 * best:.2f} %", file=sys.stderr)
        after = f"crnn-ctc export {shlex.quote(str(folder))}"
        if isinstance(plan, recipes.RectifierRecipe):  # it becomes part of a reader's model file
            trained = shlex.quote(f"data.rectifier={folder}")
            reader = "plates-nano" if plan.data.scenes else "text-nano"
            after = f"crnn-ctc train {reader} --data {shlex.quote(str(data))} --set {trained}"
        print(f"next: {after}", file=sys.stderr)
        if resume:
            again = train_on(recipe, data, folder, changes)
            print(f"to train on, with more pictures say: {again}", file=sys.stderr)


def _check(
    recipe: Recipe, data: Path, run: Path, resume: bool, start: str | None, union: bool
) -> None:
    """Raise early the errors that each of several processes would raise."""
    from crnn_ctc.data.completed import with_alphabet, with_images
    from crnn_ctc.data.source import open_training_data
    from crnn_ctc.training.finetune import check_start, open_start, united, widened
    from crnn_ctc.training.run_start import check_run
    from crnn_ctc.training.trained_rectifier import open_rectifier

    logger = logging.getLogger("crnn_ctc")
    level = logger.level
    logger.setLevel(logging.ERROR)  # the main process logs it again
    try:
        recipe = with_images(with_alphabet(recipe, data), data)
        if start is not None:
            known = open_start(start)
            recipe = united(recipe, known) if union else recipe
            check_start(recipe, widened(known, recipe))
        rectifier = open_rectifier(recipe.rectifier) if recipe.rectifier else None
        source, _ = open_training_data(recipe, data, rectifier)
        check_run(run, recipe, source.pictures, resume)
    finally:
        logger.setLevel(level)


def train_on(recipe: str, data: Path, run: Path, changes: list[str] | None) -> str:
    """Build the command that starts a new run from the weights of ``run``."""
    number = next(n for n in count(2) if not Path(f"{run}-{n}").exists())
    return shlex.join(_words(recipe, data, Path(f"{run}-{number}"), changes, str(run)))


def _words(
    recipe: str, data: Path, run: Path, changes: list[str] | None, start: str | None
) -> list[str]:
    """Build the command of a run."""
    words = ["crnn-ctc", "train", recipe, "--data", str(data)]
    words += [] if start is None else ["--from", start]
    words += ["--run", str(run)]
    return words + [word for change in changes or [] for word in ("--set", change)]
