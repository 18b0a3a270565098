"""OpenVINO reads what ONNX Runtime reads."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from conftest import EXAMPLES, run_cli
from crnn_ctc import InputError, MissingExtraError, Reader
from crnn_ctc.image import load
from crnn_ctc.reader import shipped
from test_cli import run_without

PLATES = sorted((EXAMPLES / "plates").iterdir())
DIGITS = sorted((EXAMPLES / "digits").iterdir())


@pytest.fixture(scope="module")
def _openvino() -> None:
    """OpenVINO is there: absent, this skips; with CRNN_CTC_REQUIRE_DATA=1, it fails."""
    if find_spec("openvino") is None:
        reason = 'OpenVINO is not installed: pip install "crnn-ctc[openvino]"'
        if os.environ.get("CRNN_CTC_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.mark.usefixtures("_openvino")
# OpenVINO rounds 8-bit models otherwise
@pytest.mark.parametrize("name", [name for name in shipped() if not name.endswith("-int8")])
@pytest.mark.parametrize("n", [1, 3, 6])
def test_openvino_computes_the_same(name: str, n: int) -> None:
    one, other = Reader(name), Reader(name, runtime="openvino")
    assert other.card == one.card
    paths = (PLATES if name.startswith("plates") else DIGITS)[:n]
    images = np.stack([one.fit(load(path)) for path in paths])
    got, expected = other.log_probs(images), one.log_probs(images)
    assert got.dtype == np.float32
    np.testing.assert_allclose(np.exp(got), np.exp(expected), atol=1e-4)
    np.testing.assert_array_equal(got.argmax(-1), expected.argmax(-1))


@pytest.mark.usefixtures("_openvino")
def test_openvino_reads_the_same() -> None:
    readings = list(Reader().read(PLATES))
    others = list(Reader(runtime="openvino").read(PLATES))
    assert [r.text for r in others] == [r.text for r in readings]
    np.testing.assert_allclose(
        [r.confidence for r in others], [r.confidence for r in readings], atol=1e-3
    )


@pytest.mark.usefixtures("_openvino")
def test_a_result_stays_when_the_next_comes() -> None:
    reader = Reader("digits-tiny", runtime="openvino")
    first, second = (reader.fit(load(path))[None] for path in DIGITS[:2])
    kept = reader.log_probs(first)
    copy = kept.copy()
    reader.log_probs(second)
    np.testing.assert_array_equal(kept, copy)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_threads_may_read_side_by_side(request: pytest.FixtureRequest, runtime: str) -> None:
    if runtime == "openvino":
        request.getfixturevalue("_openvino")
    reader = Reader("digits-tiny", runtime=runtime)  # type: ignore[arg-type]
    alone = [reader(path).text for path in DIGITS]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda path: reader(path).text, DIGITS * 5))
    assert together == alone * 5


@pytest.mark.usefixtures("_openvino")
def test_openvino_says_what_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    for content in (b"", b"not a model", b"\x08\x0a" * 100):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a model") as caught:
            Reader(path, runtime="openvino")
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


@pytest.mark.usefixtures("_openvino")
def test_openvino_on_the_command_line() -> None:
    done = run_cli("predict", PLATES[0], "--runtime", "openvino", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["text"] == Reader()(PLATES[0]).text


def test_a_runtime_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"runtime 'tensorrt': give onnxruntime or openvino"):
        Reader(runtime="tensorrt")  # type: ignore[arg-type]
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r'pip install "crnn-ctc\[openvino\]"'):
        Reader(runtime="openvino")
    for verb in (["predict", PLATES[0]], ["evaluate", "plates-tiny", EXAMPLES]):
        done = run_without({"openvino"}, *verb, "--runtime", "openvino")
        assert done.returncode == 2
        assert b'pip install "crnn-ctc[openvino]"' in done.stderr
        assert b"Traceback" not in done.stderr


@pytest.mark.usefixtures("_openvino")
def test_openvino_needs_no_onnxruntime() -> None:
    done = run_without({"onnxruntime"}, "predict", PLATES[0], "--runtime", "openvino")
    assert done.returncode == 0, done.stderr
