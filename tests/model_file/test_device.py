"""Where a network is computed: the providers of the installed ONNX Runtime, and stubs of others."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from crnn_ctc import InputError, Reader
from crnn_ctc.model_file.runtime import DEVICES
from helpers.cli import run_cli
from helpers.data import EXAMPLES

DIGITS = sorted((EXAMPLES / "digits").iterdir())
PLATE = EXAMPLES / "plates" / "苏D18RL9_blue.jpg"


class Stub:
    """An ONNX Runtime that has another provider, which starts, or does not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, device: str, starts: str) -> None:
        self.provider = DEVICES[device].provider
        self.starts = starts
        self.session = onnxruntime.InferenceSession
        self.opened: list[Sequence[str]] = []
        monkeypatch.setattr(
            onnxruntime, "get_available_providers", lambda: [self.provider, "CPUExecutionProvider"]
        )
        monkeypatch.setattr(onnxruntime, "InferenceSession", self.open)

    def open(self, content: bytes, options: Any, providers: list[str]) -> Any:
        self.opened.append(providers)
        if self.provider in providers and self.starts == "raises":
            raise RuntimeError("no CUDA-capable device is detected")
        session = self.session(content, options, providers=["CPUExecutionProvider"])
        if self.provider in providers and self.starts == "yes":
            session.get_providers = lambda: providers
        return session


def test_the_cpu_is_the_default() -> None:
    for reader in (Reader("digits-tiny"), Reader("digits-tiny", device="cpu")):
        assert reader.runtime.device == "cpu"


@pytest.mark.parametrize("device", [name for name in DEVICES if name != "cpu"])
def test_a_build_without_the_device_is_named(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(InputError) as caught:
        Reader("digits-tiny", device=device)
    assert f"device {device} needs {DEVICES[device].package}" in str(caught.value)
    assert f"pip install {DEVICES[device].package}" in str(caught.value)
    assert Reader("digits-tiny", device="auto").runtime.device == "cpu"


def test_a_device_that_nobody_knows() -> None:
    with pytest.raises(InputError, match="device 'tpu': give one of auto, cpu, cuda"):
        Reader("digits-tiny", device="tpu")


@pytest.mark.parametrize("asked", ["cuda", "auto"])
def test_a_device_that_works(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = Stub(monkeypatch, "cuda", "yes")
    reader = Reader("digits-tiny", device=asked)
    assert reader.runtime.device == "cuda"
    # what the device cannot compute, the CPU does
    assert stub.opened == [["CUDAExecutionProvider", "CPUExecutionProvider"]]
    assert reader(DIGITS[0]).text == DIGITS[0].name[:5]


@pytest.mark.parametrize("starts", ["no", "raises"])
def test_a_device_that_does_not_start(
    starts: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No driver, say: ONNX Runtime then takes the CPU without a word, or raises."""
    Stub(monkeypatch, "cuda", starts)
    with pytest.raises(InputError, match=r"device cuda: .* does not start here.*--device cpu"):
        Reader("digits-tiny", device="cuda")
    assert Reader("digits-tiny", device="auto").runtime.device == "cpu"
    (tmp_path / "x.onnx").write_bytes(b"not a model")
    with pytest.raises(InputError, match="not a model"):
        Reader(tmp_path / "x.onnx", device="cuda")


def test_auto_leaves_alone_what_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    Stub(monkeypatch, "openvino", "yes")
    assert Reader("digits-tiny", device="auto").runtime.device == "cpu"
    assert Reader("digits-tiny", device="openvino").runtime.device == "openvino"


def test_on_the_command_line() -> None:
    done = run_cli("predict", PLATE, "--device", "auto", "--format", "text")
    assert done.returncode == 0, done.stderr
    for verb in (["predict", PLATE], ["evaluate", "plates-tiny", EXAMPLES]):
        done = run_cli(*verb, "--device", "directml")
        assert done.returncode == 2
        assert b"onnxruntime-directml" in done.stderr
        assert b"Traceback" not in done.stderr


def test_threads_may_read_side_by_side() -> None:
    reader = Reader("digits-tiny")
    alone = [reader(path).text for path in DIGITS]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda path: reader(path).text, DIGITS * 5))
    assert together == alone * 5
