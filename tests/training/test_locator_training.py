"""A locator trained on a person's photographs: the files that are taken, the views, the run."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from crnn_ctc.data.scenes import read_scenes
from crnn_ctc.errors import InputError
from crnn_ctc.find.locator import Locator
from crnn_ctc.model_file.guard import read_model
from crnn_ctc.model_file.runtime import open_session
from helpers.streets import street

torch = pytest.importorskip("torch")

CORNERS = "150,330 310,330 310,381 150,381"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    photo = street(("blue", (150, 330), 160))
    for name in ("a", "b"):
        photo.save(folder / f"{name}.jpg", quality=95)
    rows = [f'a.jpg,"{CORNERS}",苏D18RL9', f'b.jpg,"{CORNERS}",苏D18RL9']
    (folder / "train.csv").write_text("\n".join(["file,corners,label", *rows]), encoding="utf-8")
    return folder


def test_a_table_has_a_row_a_plate(tmp_path: Path) -> None:
    table = tmp_path / "set.csv"
    table.write_text(
        "file,corners,bbox,label,subset\n"
        f'a.jpg,"{CORNERS}",,苏D18RL9,day\n'
        "a.jpg,,10 20 110 50,,day\n"
        "empty.jpg,,,,night\n",
        encoding="utf-8",
    )
    two, none = read_scenes(table)
    assert (two.path, two.subset) == (tmp_path / "a.jpg", "day")
    assert [(plate.exact, plate.text) for plate in two.plates] == [(True, "苏D18RL9"), (False, "")]
    assert two.plates[1].corners.tolist() == [[10, 20], [110, 20], [110, 50], [10, 50]]
    assert none.plates == ()


def test_files_of_yolo_and_labelme_are_read(photos: Path, tmp_path: Path) -> None:
    for name in ("a", "b", "c", "unmarked"):
        (tmp_path / f"{name}.jpg").write_bytes((photos / "a.jpg").read_bytes())
    box = [0.25, 0.6, 0.2, 0.1]
    (tmp_path / "a.txt").write_text(" ".join(map(str, [0, *box])))
    points = [0.2, 0.5, 0.4, 0.5, 0.4, 0.6, 0.2, 0.6]
    (tmp_path / "b.txt").write_text(" ".join(map(str, [0, *box, *points])) + "\n\n")
    shape = {"label": "苏D18RL9", "points": [[150, 330], [310, 330], [310, 381], [150, 381]]}
    (tmp_path / "c.json").write_text(json.dumps({"shapes": [shape]}))
    a, b, c = read_scenes(tmp_path)
    assert a.plates[0].corners[[0, 2]] == pytest.approx(np.array([[135, 330], [315, 390]]))
    assert b.plates[0].exact
    assert b.plates[0].corners[2] == pytest.approx([360, 360])
    assert (c.plates[0].text, c.plates[0].corners[1].tolist()) == ("苏D18RL9", [310, 330])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,label\na.jpg,x\n", "no column corners"),
        ('file,corners\na.jpg,"1,2 3,4 5"\n', "set.csv:2"),
        ('file,corners\na.jpg,"0,0 0,9 9,9 9,0"\n', "order tl, tr, br, bl"),
        ("file,bbox\na.jpg,10 20 5 30\n", "order tl, tr, br, bl"),
    ],
)
def test_wrong_tables_are_told_by_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "set.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        list(read_scenes(tmp_path / "set.csv"))


def test_wrong_folders_are_told(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        list(read_scenes(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="no picture there has a labelme"):
        list(read_scenes(tmp_path))
    (tmp_path / "a.jpg").write_bytes((photos / "a.jpg").read_bytes())
    (tmp_path / "a.txt").write_text("0 0.5 0.5")
    with pytest.raises(InputError, match=r"a\.txt:1: 3 numbers"):
        list(read_scenes(tmp_path))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2 0.5 0.5 0.2 0.1", "class 2"),
        ("0 320 240 90 30", "lies outside of the picture"),
        ("0 0.5 -0.2 0.2 0.1", "lies outside of the picture"),
    ],
)
def test_yolo_files_of_other_classes_or_pixels_are_told_by_line(
    photos: Path, tmp_path: Path, line: str, said: str
) -> None:
    (tmp_path / "a.jpg").write_bytes((photos / "a.jpg").read_bytes())
    (tmp_path / "a.txt").write_text(f"0 0.5 0.5 0.2 0.1\n{line}\n")
    with pytest.raises(InputError, match=rf"a\.txt:2: .*{said}"):
        list(read_scenes(tmp_path))


def test_a_plate_outside_of_its_photograph_is_told(photos: Path, tmp_path: Path) -> None:
    from crnn_ctc.training.locator import open_street

    (tmp_path / "a.jpg").write_bytes((photos / "a.jpg").read_bytes())
    table = tmp_path / "set.csv"
    table.write_text("file,bbox\na.jpg,880 580 990 650\na.jpg,1880 580 1990 650\n")
    (scene,) = read_scenes(table)
    with pytest.raises(InputError, match=r"a\.jpg: a plate at \[1880, 580\] lies outside"):
        open_street(scene)


def test_views_depend_on_their_number_alone(photos: Path) -> None:
    from crnn_ctc.synthesis.street import StreetSynthesizer
    from crnn_ctc.synthesis.synthesizer import PlateSynthesizer
    from crnn_ctc.training.locator import open_street

    streets = [open_street(scene) for scene in read_scenes(photos / "train.csv")]

    def made() -> StreetSynthesizer:
        plates = PlateSynthesizer(3, 64, 224, cut="corners", perspective=0.0)
        return StreetSynthesizer(streets, 3, 128, plates)

    forward, backward = made(), made()
    views = [forward.view(i) for i in range(6)]
    for i in reversed(range(6)):
        again = backward.view(i)
        assert np.array_equal(again.image, views[i].image)
        assert np.array_equal(again.plates, views[i].plates)
    assert all(view.image.shape == (128, 128, 3) for view in views)
    assert sum(len(view.plates) for view in views) > 0
    for view in views:
        for plate in view.plates:
            assert (plate.mean(0) > 0).all()
            assert (plate.mean(0) < 128).all()


def test_a_run_goes_on_as_if_nothing_had_been(photos: Path, tmp_path: Path) -> None:
    from crnn_ctc.export.locator import export_locator
    from crnn_ctc.recipe import load_any_recipe
    from crnn_ctc.training import locator as training
    from crnn_ctc.training.checkpoint import STATE, load_tensors
    from crnn_ctc.training.loop import Interrupted
    from crnn_ctc.training.run_start import ChangedRunError

    changes = [
        "data.train=train.csv", "data.validation=train.csv", "data.size=64",
        "data.validation_views=2", "training.images=12", "training.restarts=[]",
        "training.batch_size=2", "training.validations=1", "training.precision=float32",
    ]  # fmt: skip
    recipe = load_any_recipe("plates-find", changes)
    recipe = recipe.model_copy(
        update={"data": recipe.data.model_copy(update={"distractors": None})}
    )
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    training.train_locator(recipe, photos, whole)

    stopping = pytest.MonkeyPatch()
    loss, steps = training.locator_loss, 0

    def stop_at_three(*given: object) -> object:
        nonlocal steps
        steps += 1
        if steps == 3:
            signal.raise_signal(signal.SIGTERM)
        return loss(*given)  # type: ignore[arg-type]

    with stopping.context() as patch:
        patch.setattr(training, "locator_loss", stop_at_three)
        with pytest.raises(Interrupted, match="step 3 of 6"):
            training.train_locator(recipe, photos, broken)
    with pytest.raises(InputError, match="holds a run already"):
        training.train_locator(recipe, photos, broken)
    with pytest.raises(ChangedRunError, match=r"another recipe \(seed differ\)"):
        training.train_locator(recipe.model_copy(update={"seed": 9}), photos, broken, resume=True)
    training.train_locator(recipe, photos, broken, resume=True)
    one, other = (load_tensors(run / STATE)[0] for run in (whole, broken))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)

    card, difference = export_locator(whole, tmp_path / "mine-find.onnx", half=True)
    assert difference < 1e-4
    assert (tmp_path / "mine-find.onnx").stat().st_size < 1_000_000
    assert Locator(tmp_path / "mine-find.onnx").card == card
    assert Locator(tmp_path / "mine-find.onnx").find(np.zeros((90, 200, 3), np.uint8)) == []


def test_a_run_begins_with_a_model_file() -> None:
    from crnn_ctc.model_file.opening import locator_path
    from crnn_ctc.net.locator import FromPixels, LocatorNetwork
    from crnn_ctc.training.finetune import settle_norms
    from crnn_ctc.training.from_onnx import load_locator

    images = np.random.default_rng(3).integers(0, 256, (2, 64, 96, 3)).astype(np.uint8)
    with locator_path("plates-find") as path:
        session = open_session(read_model(path), 1, "plates-find")
    heat, corners = session.run(["heat", "corners"], {"images": images})
    own_light = bool(Locator().card.recipe.get("own_light"))
    network = LocatorNetwork(own_light)
    network.load_state_dict(load_locator("plates-find"))
    for _ in range(2):  # settled norms compute the same
        with torch.inference_mode():
            ours = FromPixels(network).eval()(torch.from_numpy(images))
        assert np.abs(ours[0].numpy() - heat).max() < 1e-4
        assert np.abs(ours[1].numpy() - corners).max() < 1e-2
        settle_norms(network, torch.from_numpy(images))


def test_a_reader_is_no_start_for_a_locator() -> None:
    from crnn_ctc.training.from_onnx import load_locator

    with pytest.raises(InputError, match="a reader, it finds nothing"):
        load_locator("plates-small")


@pytest.mark.parametrize("dimmed", [1.0, 0.25])
def test_a_locator_of_its_own_light_sees_the_dark_as_the_day(dimmed: float) -> None:
    from crnn_ctc.net.network import standardize

    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    seen = standardize(image * dimmed, stride=4)
    assert seen.mean().abs() < 0.1
    assert 0.8 < seen.std() < 1.1
    assert torch.corrcoef(torch.stack([seen.ravel(), standardize(image).ravel()]))[0, 1] > 0.999
