from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from crnn_ctc import InputError
from crnn_ctc.alphabet import DIGITS
from crnn_ctc.decode import greedy_texts
from crnn_ctc.recipe import load_recipe
from helpers.cli import SMALL, run_cli, sets

torch = pytest.importorskip("torch")

from crnn_ctc.training.distillation import Teacher, gather_steps  # noqa: E402
from crnn_ctc.training.loss import distillation_loss  # noqa: E402


def spelt(spots: dict[int, int], steps: int, sure: float = 0.999) -> np.ndarray:
    """Log-probabilities (1, S, 11) of a text whose classes stand at the given steps."""
    classes = np.full(steps, DIGITS.blank)
    for step, character in spots.items():
        classes[step] = character
    probs = np.full((1, steps, 11), (1 - sure) / 10, np.float32)
    probs[0, np.arange(steps), classes] = sure
    return np.log(probs)


@pytest.mark.parametrize("steps", [12, 13, 24, 25, 50])
def test_gathered_steps_spell_the_same(steps: int) -> None:
    given = spelt({2: 3, 8: 3, 12: 7, 20: 0}, 25)
    gathered = gather_steps(given, steps, DIGITS.blank)
    assert gathered.shape == (1, steps, 11)
    assert gathered.dtype == np.float32
    np.testing.assert_allclose(gathered.sum(-1), 1, atol=1e-5)
    assert (gathered >= -1e-6).all()
    assert greedy_texts(np.log(np.maximum(gathered, 1e-9)), DIGITS) == ["3370"]


def test_as_many_steps_stay_what_they_are() -> None:
    given = np.log(np.random.default_rng(0).dirichlet(np.ones(11), (2, 9)).astype(np.float32))
    np.testing.assert_allclose(gather_steps(given, 9, 10), np.exp(given), atol=2e-6)


def test_a_step_of_two_is_blank_if_both_are() -> None:
    probs = np.array([[[0.2, 0.1, 0.7], [0.3, 0.3, 0.4]]], np.float32)
    gathered = gather_steps(np.log(probs), 1, 2)[0, 0]
    assert gathered[2] == pytest.approx(0.7 * 0.4, abs=1e-6)
    first, second = 1 - 0.8 * 0.7, 1 - 0.9 * 0.7  # one of both says it
    assert gathered[0] / gathered[1] == pytest.approx(first / second, rel=1e-5)


def test_distillation_is_least_where_the_teacher_is_followed() -> None:
    targets = torch.tensor(np.exp(spelt({1: 2}, 4, sure=0.9)))
    same, other = targets.log(), torch.tensor(spelt({1: 3}, 4, sure=0.9))
    assert distillation_loss(same, targets) < distillation_loss(other, targets)
    assert distillation_loss(other, torch.zeros_like(targets)) == 0


def test_a_teacher_is_not_followed_where_it_is_wrong() -> None:
    recipe = load_recipe("digits-nano")
    teacher = Teacher("digits-tiny", recipe, 20)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 32, 160, 1), dtype=np.uint8)
    read = greedy_texts(teacher._reader.log_probs(images), DIGITS)
    targets = teacher.targets(images, [read[0], read[1] + "1"])
    np.testing.assert_allclose(targets[0].sum(-1), 1, atol=1e-5)
    assert not targets[1].any()


def test_a_teacher_of_other_pictures_or_characters() -> None:
    with pytest.raises(InputError, match=r"plates-tiny: takes pictures of 168x48 with 3 channels"):
        Teacher("plates-tiny", load_recipe("digits-nano"), 20)
    own = load_recipe("digits-nano", ["alphabet.characters=0123456789X"])
    with pytest.raises(InputError, match="digits-tiny: knows another alphabet"):
        Teacher("digits-tiny", own, 20)
    with pytest.raises(InputError, match="no such"):
        Teacher("nobody", load_recipe("digits-nano"), 20)


def test_a_teacher_has_a_weight_and_a_weight_its_teacher() -> None:
    with pytest.raises(InputError, match="teacher and distillation go together"):
        load_recipe("plates-nano", ["training.teacher=plates-tiny"])
    with pytest.raises(InputError, match="teacher and distillation go together"):
        load_recipe("plates-nano", ["training.distillation=0.5"])
    changes = ["training.images=12800", "training.teacher=plates-tiny", "training.distillation=0.8"]
    plan = load_recipe("plates-nano", changes).training
    assert [plan.taught(step) for step in (0, 50, 100)] == pytest.approx([0.8, 0.4, 0])


@pytest.mark.slow
def test_a_run_listens_to_its_teacher(
    small_emnist: Path, small_model: Path, tmp_path: Path
) -> None:
    taught = [f"training.teacher={small_model}", "training.distillation=0.9"]
    losses = {}
    for name, changes in {"alone": [], "taught": taught}.items():
        plan = (*SMALL, "training.images=160", *changes)
        out = run_cli(
            "train", "digits-tiny", "--data", small_emnist, "--run", tmp_path / name, *sets(*plan)
        )
        assert out.returncode == 0, out.stderr
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        losses[name] = [json.loads(line)["loss"] for line in lines if '"loss"' in line]
    # a mean over steps, most of them blank, instead of a text's
    assert losses["taught"][0] < 0.9 * losses["alone"][0]
