"""The targets of fuzz/, for a moment each, on the same inputs each time."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.data import ROOT

sys.path.append(str(ROOT / "fuzz"))

#: Targets, and how many inputs: some seconds in all.
TARGETS = {
    "images": 150, "ccpd_names": 200, "idx_files": 150, "manifests": 100, "recipes": 100,
    "model_files": 40,
}  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A good input with some bytes changed, put in, doubled or cut off."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        match draw(st.sampled_from(["change", "insert", "double", "cut"])):
            case "change":
                content[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "insert":
                content[at:at] = draw(st.binary(max_size=9))
            case "double":
                content[at:at] = content[at : at + draw(st.integers(1, 99))]
            case "cut":
                del content[at : at + draw(st.sampled_from([1, 9, len(content)]))]
    return bytes(content)


@pytest.fixture(autouse=True)
def most_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target changes it: it is put back."""
    monkeypatch.setattr("crnn_ctc.image.MAX_PIXELS", 50_000_000)


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_of_a_target(name: str) -> None:
    target = import_module(name).TARGET
    for seed in target.seeds:
        target.check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_target(name: str) -> None:
    target = import_module(name).TARGET

    @settings(
        max_examples=TARGETS[name],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated(target.seeds))
    def keeps_its_promise(content: bytes) -> None:
        target.check(content)

    keeps_its_promise()
