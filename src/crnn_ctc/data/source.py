"""Training batches and validation set of a recipe."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.data.completed import names_of
from crnn_ctc.data.digits import hold_out, load_digits
from crnn_ctc.data.label_tally import LabelTally, alphabet_line, rare_line
from crnn_ctc.data.labelled import Labelled, read_labelled
from crnn_ctc.data.sequences import SequenceSource, protocol
from crnn_ctc.errors import InputError
from crnn_ctc.image import ROW_STEP, batches_by_width, fit, free_width, load
from crnn_ctc.plates.schemes import normaliser
from crnn_ctc.recipe import (
    DigitsData,
    LabelledData,
    PlatesData,
    PlateViewsData,
    Recipe,
    RowsData,
)
from crnn_ctc.synthesis.text import KIND_WEIGHTS, PROVINCES

if TYPE_CHECKING:
    from crnn_ctc.data.packed import Packed
    from crnn_ctc.data.plate_pictures import Rectify
    from crnn_ctc.synthesis.synthesizer import PlateSynthesizer

_VALIDATION_SEED = 2_000_003
"""Added to a run's seed for the plates of the validation set."""

_LOG = logging.getLogger(__name__)


Places = list[tuple[float, ...]]
"""For each text, the centres of its characters as fractions of the picture's width."""


class Source(Protocol):
    """Unlimited training batches, which depend only on the seed and the step."""

    @property
    def pictures(self) -> int:
        """Number of labelled pictures, without synthetic ones."""

    def batch(
        self, step: int, size: int, part: slice = ...
    ) -> tuple[NDArray[np.uint8], list[str]] | tuple[NDArray[np.uint8], list[str], Places]:
        """Part of batch ``step``: images uint8 (n, H, W, C), n texts and, if known, n places."""


@dataclass(frozen=True)
class Validation:
    """A fixed set, such as the validation set.

    Attributes:
        images: uint8 (N, H, W, C); or N of (H, W, C) with different widths.
        texts: N labels.
    """

    images: NDArray[np.uint8] | list[NDArray[np.uint8]]
    texts: list[str]

    def batches(self, size: int) -> Iterator[tuple[NDArray[np.uint8], list[str]]]:
        """Yield batches of all pictures: at most ``size`` of equal width, in any order."""
        for places in batches_by_width([image.shape[1] for image in self.images], size):
            chosen = [self.images[place] for place in places]
            yield np.stack(chosen), [self.texts[place] for place in places]


def open_training_data(
    recipe: Recipe, folder: Path, rectifier: Rectify | None = None
) -> tuple[Source, Validation]:
    """Open the training batches and the validation set of a recipe.

    Logs the sources of the labels, and warnings about them.

    Args:
        recipe: recipe to train.
        folder: folder of its data.
        rectifier: the rectifier that ``recipe.rectifier`` names, if any.

    Raises:
        InputError: the folder lacks the data of the recipe.
    """
    if isinstance(recipe.data, DigitsData):
        return _digits(recipe, recipe.data, folder)
    if isinstance(recipe.data, PlateViewsData):
        assert rectifier is not None
        return _views(recipe, recipe.data, folder, rectifier)
    if isinstance(recipe.data, RowsData):
        return _rows(recipe, recipe.data, folder)
    return _crops(recipe, recipe.data, folder, rectifier)


def _digits(recipe: Recipe, data: DigitsData, folder: Path) -> tuple[Source, Validation]:
    train, held = hold_out(load_digits(folder, "train"), data.validation)
    source = SequenceSource(
        train,
        data.per_sequence,
        recipe.seed,
        data.clean,
        data.elastic,
        data.shear,
        data.bent,
        data.stretch,
        data.stroke,
    )
    images, texts = protocol(held, "distorted", data.validation_sequences, data.per_sequence)
    return source, Validation(images, texts)


def _rows(recipe: Recipe, data: RowsData, folder: Path) -> tuple[Source, Validation]:
    from crnn_ctc.data.rows import RowSource
    from crnn_ctc.synthesis.rows import RowComposer
    from crnn_ctc.synthesis.shapes import Shapes

    train, held = hold_out(load_digits(folder / data.digits, "train"), data.held_out)
    composer = RowComposer(
        recipe.seed, Shapes(train.images, train.labels), data.pens, data.no_text, data.squares
    )
    source = RowSource(composer, recipe.input.width, data.uses)
    images: list[NDArray[np.uint8]] = []
    texts: list[str] = []
    if data.validation_drawn:
        other = replace(
            composer, seed=recipe.seed + _VALIDATION_SEED, shapes=Shapes(held.images, held.labels)
        )
        images, texts = source.held_out(other, data.validation_drawn)
    form = normaliser(recipe.characters)
    for name in names_of(data.validation) if data.validation else []:
        for sample in read_labelled(folder / name, normalise=form):
            picture = load(sample.path)
            size = recipe.input
            width = free_width(picture, size.height, size.width, ROW_STEP)
            images.append(fit(picture, size.height, width, size.channels, data.ink))
            texts.append(sample.text)
    return source, Validation(images, texts)


def _crops(
    recipe: Recipe, data: PlatesData | LabelledData, folder: Path, rectifier: Rectify | None
) -> tuple[Source, Validation]:
    from crnn_ctc.data.plates import PlateSource, Pool

    if isinstance(data.train, dict):  # sorted by name, as the recipe's order may change
        weighted = [([name], weight) for name, weight in sorted(data.train.items())]
    else:
        weighted = [(names_of(data.train), 1.0)]
    pools = []
    trained, trained_samples = LabelTally(), []
    for names, weight in weighted:
        paths = [folder / name for name in names]
        samples = _samples(recipe, paths, trained)
        trained_samples += samples
        if rectifier is None:  # a rectifier needs the original pictures
            crops = _packed(recipe, samples, paths)
            pools.append(Pool(crops.images, crops.texts, weight))
    held_labels, paths = LabelTally(), [folder / name for name in names_of(data.validation)]
    held_samples = _samples(recipe, paths, held_labels)
    if rectifier is None:
        packed = _packed(recipe, held_samples, paths)
        held = Validation(packed.images, packed.texts)
    for tally, what in ((trained, "training"), (held_labels, "validation")):
        for line in tally.sources():
            _LOG.info("%s %s", what, line)
        for line in tally.warnings():
            _LOG.warning("warning: %s", line)
    if isinstance(data, LabelledData):
        _LOG.info("%s", alphabet_line(trained, recipe.characters.characters))
        if rare := rare_line(trained):
            _LOG.warning("warning: %s", rare)
        if rectifier is not None:
            return _rectified_crops(recipe, data, trained_samples, held_samples, rectifier)
        return PlateSource(pools, None, 0.0, data.balance, data.augment, recipe.seed), held

    from crnn_ctc.synthesis.synthesizer import PlateSynthesizer

    synthesizer = PlateSynthesizer(
        recipe.seed,
        recipe.input.height,
        recipe.input.width,
        glyphs=folder / data.glyphs if data.glyphs else None,
        glyph_share=data.glyph_share,
        kinds=data.kinds or KIND_WEIGHTS,
        cut=data.cut,
        perspective=data.perspective,
        alphabet=recipe.characters,
    )
    source = PlateSource(
        pools,
        synthesizer,
        data.synthetic,
        data.balance,
        data.augment,
        recipe.seed,
        data.perspective,
        data.unreadable,
    )
    return source, _with_synthetic(held, synthesizer, data.validation_drawn)


def _views(
    recipe: Recipe, data: PlateViewsData, folder: Path, rectifier: Rectify
) -> tuple[Source, Validation]:
    from crnn_ctc.data.plate_pictures import (
        backgrounds,
        ccpd_plates,
        crop_plates,
        rectified_set,
        scene_plates,
    )
    from crnn_ctc.data.plate_views import RectifiedSource, ViewSource
    from crnn_ctc.synthesis.synthesizer import PlateSynthesizer

    alphabet, size = recipe.characters, recipe.input
    synthesizer = PlateSynthesizer(
        recipe.seed,
        size.height,
        size.width,
        glyphs=folder / data.glyphs if data.glyphs else None,
        glyph_share=data.glyph_share,
        kinds=data.kinds or KIND_WEIGHTS,
        cut="corners",
        perspective=0.5,
    )
    scenes = folder / data.scenes
    plates = scene_plates(scenes) + (ccpd_plates(folder / data.ccpd) if data.ccpd else [])
    crops = read_labelled(folder / data.crops, normalise=normaliser(alphabet, recipe.plates))
    spelt = [crop for crop in crops if all(c in alphabet for c in crop.text)]
    plates += crop_plates(spelt, rectifier)
    plates = [plate for plate in plates if all(c in alphabet for c in plate.text)]
    # straight plates come directly from the synthesizer, the others from views
    views = ViewSource(
        plates,
        synthesizer,
        backgrounds(scenes),
        data.synthetic,
        data.balance,
        recipe.seed,
        data.light,
    )
    source = RectifiedSource(
        views, rectifier, synthesizer, data.straight, data.unreadable, size.height, size.width
    )
    samples = [
        sample
        for name in names_of(data.validation)
        for sample in read_labelled(folder / name, normalise=normaliser(alphabet, recipe.plates))
    ]
    images, texts = rectified_set(samples, rectifier, size.height, size.width)
    return source, Validation(images, texts)


def _rectified_crops(
    recipe: Recipe,
    data: LabelledData,
    trained: list[Labelled],
    held: list[Labelled],
    rectifier: Rectify,
) -> tuple[Source, Validation]:
    """Open rectified random views of labelled pictures."""
    from crnn_ctc.data.plate_pictures import crop_plates, imagined_backgrounds, rectified_set
    from crnn_ctc.data.plate_views import RectifiedSource, ViewSource

    size = recipe.input
    plates = crop_plates(trained, rectifier, own_aspect=True)
    grounds = imagined_backgrounds(recipe.seed)
    views = ViewSource(plates, None, grounds, 0.0, data.balance, recipe.seed)
    source = RectifiedSource(views, rectifier, None, 0.0, _NO_TEXT, size.height, size.width)
    return source, Validation(*rectified_set(held, rectifier, size.height, size.width))


_NO_TEXT = 0.03
"""Share of training pictures without text, for a reader behind a rectifier."""


def _with_synthetic(held: Validation, synthesizer: PlateSynthesizer, count: int) -> Validation:
    """Append ``count`` held-out synthetic plates, cycling through kinds and provinces."""
    if not count:
        return held
    kinds, provinces = dict.fromkeys(KIND_WEIGHTS, 1.0), dict.fromkeys(PROVINCES, 1.0)
    other = replace(
        synthesizer,
        seed=synthesizer.seed + _VALIDATION_SEED,
        kinds=kinds,
        provinces=provinces,
        evenly=True,
    )
    images, texts = other.batch(0, count)
    return Validation(np.concatenate([np.asarray(held.images), images]), held.texts + texts)


def _samples(recipe: Recipe, paths: list[Path], tally: LabelTally) -> list[Labelled]:
    """Read the labelled crops of manifests and folders, and check the labels."""
    form = normaliser(recipe.characters, recipe.plates)
    samples = [
        sample
        for path in paths
        for sample in tally.watch(path, read_labelled(path, normalise=form))
    ]
    _check(samples, recipe)
    return samples


def _packed(recipe: Recipe, samples: list[Labelled], paths: list[Path]) -> Packed:
    """Pack labelled crops as inputs of the recipe's network."""
    import platformdirs

    from crnn_ctc.data.packed import Size, pack

    size = recipe.input
    packed = pack(
        samples,
        Size(size.height, size.width, size.channels, recipe.data.ink),
        platformdirs.user_cache_path("crnn-ctc") / "packed",
    )
    for line in packed.errors:
        _LOG.warning("left out: %s", line)
    if packed.errors:
        where = ", ".join(map(str, paths))
        _LOG.warning("left out: %d of %d pictures of %s", len(packed.errors), len(samples), where)
    return packed


def _check(samples: list[Labelled], recipe: Recipe) -> None:
    """Check that the network can spell every label.

    Raises:
        InputError: a label has another character, or needs more time steps than there are.
    """
    from crnn_ctc.net.architectures import network_class

    alphabet, width = recipe.characters, recipe.input.width
    count_steps = network_class(recipe.network.architecture).steps
    for sample in samples:
        try:
            alphabet.encode(sample.text)
        except InputError as error:
            raise InputError(f"{sample.where}: {error}") from None
        needed = alphabet.steps_needed(sample.text)
        if isinstance(recipe.data, PlatesData) and needed > recipe.data.steps_needed():
            raise InputError(
                f"{sample.where}: label {sample.text!r} is longer than any plate; correct it"
            )
        if needed > count_steps(width):
            enough = next(w for w in count(width) if count_steps(w) >= needed)
            raise InputError(
                f"{sample.where}: label {sample.text!r} needs {needed} time steps with its "
                f"repeats, {width} pixels make {count_steps(width)}; correct it, or set "
                f"input.width={enough}"
            )
