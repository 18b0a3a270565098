"""Two contenders on the same pictures: McNemar's test, paired counts, the command line."""

from __future__ import annotations

import json
import shutil
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn_ctc.evaluation.aligned import Pair, aligned
from crnn_ctc.evaluation.compare import Paired, mcnemar, paired
from helpers.cli import run_cli
from helpers.data import EXAMPLES, ROOT

PLATES = EXAMPLES / "plates"


@pytest.mark.parametrize(("b", "c"), [(b, c) for b in range(6) for c in range(6)])
def test_mcnemar_counts_all_ways(b: int, c: int) -> None:
    """Against every way in which coins may have fallen."""
    n = b + c
    falls = [sum(way) for way in product((0, 1), repeat=n)]
    as_uneven = sum(abs(2 * heads - n) >= abs(b - c) for heads in falls)
    assert mcnemar(b, c) == pytest.approx(as_uneven / len(falls))


def test_mcnemar_of_known_tables() -> None:
    assert mcnemar(0, 0) == 1
    # 5 of 20, a binomial table: 0.0207 to one side
    assert mcnemar(5, 15) == pytest.approx(0.04139, abs=1e-5)
    assert mcnemar(15, 5) == mcnemar(5, 15)
    assert mcnemar(0, 1000) == pytest.approx(2.0**-999)  # smaller than a sum of floats would be
    assert mcnemar(3000, 3000) == 1


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_pairs_are_counted_once(outcomes: list[tuple[bool, bool]]) -> None:
    found = paired(outcomes)
    assert found.n == len(outcomes)
    accuracies = [sum(side) / found.n for side in zip(*outcomes, strict=True)]
    assert found.difference == pytest.approx(accuracies[1] - accuracies[0])


def test_groups_have_their_own_p() -> None:
    values = Paired(5, 0, 6, 1).as_json()
    assert values["p"] == pytest.approx(2 / 2**6)
    assert (values["n"], values["difference"]) == (12, 0.5)


def test_a_reading_beside_its_label() -> None:
    assert aligned("A81", "AB1") == [Pair("A", "A", 0), Pair("B", "8", 1), Pair("1", "1", 2)]
    verdicts = [pair.verdict for pair in aligned("XAB", "AB1")]
    assert verdicts == ["extra", "right", "right", "missed"]
    assert [pair.verdict for pair in aligned("", "AB")] == ["missed", "missed"]
    assert aligned("", "") == []


@given(st.text("AB1", max_size=6), st.text("AB1", max_size=6))
def test_alignment_loses_nothing(text: str, label: str) -> None:
    pairs = aligned(text, label)
    assert "".join(pair.read for pair in pairs) == text
    assert "".join(pair.truth for pair in pairs) == label
    assert [pair.place for pair in pairs if pair.read] == list(range(len(text)))


def test_two_ways_of_decoding(tmp_path: Path) -> None:
    """digits:4 cannot spell five digits: the first is right everywhere, the second nowhere."""
    file = tmp_path / "compared.json"
    done = run_cli(
        "evaluate", "digits-tiny", EXAMPLES / "digits", "--decode", "greedy",
        "--against", "grammar", "--grammar", "digits:4", "--json", file,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    values = json.loads(file.read_text(encoding="utf-8"))
    n = values["paired"]["n"]
    assert n == len(list((EXAMPLES / "digits").iterdir()))
    assert values["a"]["decode"] == "greedy"
    assert values["b"]["decode"] == "grammar digits:4"
    assert values["b"]["exact_match"] == 0
    counts = values["paired"]
    assert counts["only_b"] == 0
    assert counts["only_a"] == round(n * values["a"]["exact_match"]) > 0
    out = done.stdout.decode()
    assert f"both 0, only a {counts['only_a']}, only b 0" in out
    assert f"p = {counts['p']:.4g}" in out


def test_two_models(tmp_path: Path) -> None:
    """A copy of a model reads as it does; its name is then the one that the user gave."""
    copy = tmp_path / "other.onnx"
    model = ROOT / "src/crnn_ctc/models/plates-tiny.onnx"
    shutil.copy(model, copy)
    file, page = tmp_path / "compared.json", tmp_path / "compared.html"
    done = run_cli("evaluate", "plates-tiny", copy, PLATES, "--json", file, "--report", page)
    assert done.returncode == 0, done.stderr
    values = json.loads(file.read_text(encoding="utf-8"))
    assert (values["a"]["name"], values["b"]["name"]) == ("plates-tiny", str(copy))
    assert (values["paired"]["only_a"], values["paired"]["only_b"], values["paired"]["p"]) == (
        0, 0, 1,
    )  # fmt: skip
    assert {"by_province", "by_length"} <= set(values)
    assert "Nowhere" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plates-tiny", "plates-tiny", PLATES], "named twice"),
        (["plates-tiny", "digits-tiny", "plates-tiny", PLATES], "two models can be compared"),
        (["plates-tiny", "digits-tiny", PLATES, "--against", "search"], "name one model"),
        (["plates-tiny", PLATES, "--against", "grammar"], "decoded so already"),
        (["plates-tiny", PLATES, "--grammar", "none", "--against", "grammar"], "names no grammar"),
        (["plates-tiny", "nothing", PLATES], "no such model"),
        (["plates-tiny"], "Missing argument"),
    ],
)
def test_what_cannot_be_compared(arguments: list[object], says: str) -> None:
    done = run_cli("evaluate", *arguments)
    assert done.returncode == 2
    assert says in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
