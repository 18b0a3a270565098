"""What computes a model's graph: ONNX Runtime, on the CPU or another device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.errors import InputError
from crnn_ctc.model_file.guard import read_model


class Device(NamedTuple):
    """A kind of device.

    Attributes:
        provider: the execution provider of ONNX Runtime that computes on it.
        package: the build of ONNX Runtime that has the provider.
    """

    provider: str
    package: str


CPU, AUTO = "cpu", "auto"

DEVICES = {
    CPU: Device("CPUExecutionProvider", "onnxruntime"),
    "cuda": Device("CUDAExecutionProvider", "onnxruntime-gpu"),
    "directml": Device("DmlExecutionProvider", "onnxruntime-directml"),
    "coreml": Device("CoreMLExecutionProvider", "onnxruntime for macOS"),
    "openvino": Device("OpenVINOExecutionProvider", "onnxruntime-openvino"),
}
"""What can compute a graph, by the name that users give."""

_AUTO = ("cuda", "directml", "coreml")


@dataclass(frozen=True)
class Tensor:
    """What goes into a graph or comes out of it.

    Attributes:
        name: name of it.
        dtype: as numpy calls it.
        shape: -1 where a size is free.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class RectifierOutput:
    """What a rectifier found in N views.

    Attributes:
        corners: shares of the view, float32 (N, 4, 2); see :data:`crnn_ctc.rectify.Corners`.
        rows: probability of two rows, float32 (N,).
        colours: probability of each colour, float32 (N, 5).
    """

    corners: NDArray[np.float32]
    rows: NDArray[np.float32]
    colours: NDArray[np.float32]


class Runtime:
    """A model file, opened in ONNX Runtime.

    Args:
        model: the file.
        threads: intra-op threads on the CPU.
        device: device that computes; see :func:`open_session`.

    Attributes:
        device: device that computes, ``auto`` resolved.
        version: version of ONNX Runtime.
        inputs: inputs of the graph.
        outputs: outputs of the graph.

    Raises:
        InputError: not a model, one that holds what ours do not, or no such device.
    """

    def __init__(self, model: str, threads: int, device: str = CPU) -> None:
        import onnxruntime

        self._model = model
        self._session = open_session(read_model(model), threads, model, device=device)
        self.device = device_of(self._session)
        self.version: str = onnxruntime.__version__
        self.inputs = [_tensor(value) for value in self._session.get_inputs()]
        self.outputs = [_tensor(value) for value in self._session.get_outputs()]
        # a graph with a rectifier has two inputs: the one that is not asked for gets an empty batch
        self._empty = {
            value.name: np.zeros((0, *value.shape[1:]), np.uint8)
            for value in self.inputs
            if len(self.inputs) == 2 and min(value.shape[1:], default=0) > 0
        }

    def metadata(self, key: str) -> str | None:
        """An entry of the file's metadata; None where there is none."""
        value = self._session.get_modelmeta().custom_metadata_map.get(key)
        return None if value is None else str(value)

    def log_probs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, H, W, C) to float32 (N, T, K); threads may call it side by side.

        Raises:
            InputError: the graph cannot be computed, which opening it does not always tell.
        """
        return self._run(["log_probs"], {"images": images})[0]

    def find(self, views: NDArray[np.uint8]) -> RectifierOutput:
        """Views uint8 (N, h, w, 3) to plates, of a graph with a rectifier; as :meth:`log_probs`."""
        return RectifierOutput(*self._run(["corners", "rows", "colours"], {"views": views}))

    def _run(
        self, outputs: list[str], inputs: dict[str, NDArray[np.uint8]]
    ) -> list[NDArray[np.float32]]:
        try:
            found = self._session.run(outputs, self._empty | inputs)
        except Exception as error:  # ONNX Runtime's errors share no base but Exception
            raise _no_model(self._model, error) from None
        return [np.asarray(values, np.float32) for values in found]


def open_session(
    content: bytes,
    threads: int,
    name: str = "model",
    precise: bool = False,
    device: str = CPU,
) -> Any:
    """An ONNX Runtime session for a model file's content.

    Args:
        content: bytes of the file.
        threads: intra-op threads on the CPU.
        name: the file's name, for errors.
        precise: 8-bit products that cannot saturate, slower on processors without VNNI.
        device: one of :data:`DEVICES`, or ``auto`` for the first of ``cuda``, ``directml`` and
            ``coreml`` that works here, else the CPU.

    Raises:
        InputError: not a model, or the device is not there.
    """
    import onnxruntime

    if device not in (*DEVICES, AUTO):
        raise InputError(f"device {device!r}: give one of {', '.join((AUTO, *DEVICES))}")
    available = onnxruntime.get_available_providers()
    wanted = _AUTO if device == AUTO else (device,)
    for choice in wanted:
        if DEVICES[choice].provider not in available:
            continue
        try:
            session = _open_on(choice, content, threads, name, precise)
        except InputError:
            _open_on(CPU, content, threads, name, precise)  # raises where the file is at fault
            continue
        if device_of(session) == choice:
            return session
    if device == AUTO:
        return _open_on(CPU, content, threads, name, precise)
    known = DEVICES[device]
    if known.provider in available:
        raise InputError(
            f"device {device}: {known.provider} does not start here (is there such a device, with "
            "its driver and libraries?); give --device cpu, or auto"
        )
    raise InputError(
        f"device {device} needs {known.package}, and the installed onnxruntime has no "
        f"{known.provider}; change it with: pip uninstall onnxruntime, pip install {known.package}"
    )


def _open_on(device: str, content: bytes, threads: int, name: str, precise: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # errors of a provider that does not start are told by our own line
    options.log_severity_level = 3 if device == CPU else 4
    # threads that spin while they wait slow down whatever else runs on the machine
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    # it would else take a file for its own format by some bytes that ONNX may hold too
    options.add_session_config_entry("session.load_model_format", "ONNX")
    if precise:
        options.add_session_config_entry("session.x64quantprecision", "1")
    # what a device cannot compute, the CPU does
    providers = dict.fromkeys((DEVICES[device].provider, DEVICES[CPU].provider))
    with _only_models(name):
        return onnxruntime.InferenceSession(content, options, providers=list(providers))


def device_of(session: Any) -> str:
    """The name in :data:`DEVICES` of what computes a session's graph."""
    provider = session.get_providers()[0]
    return next(name for name, device in DEVICES.items() if device.provider == provider)


def _tensor(value: Any) -> Tensor:
    # a free size is a name, or None
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    return Tensor(value.name, {"float": "float32", "double": "float64"}.get(kind, kind), shape)


@contextmanager
def _only_models(name: str) -> Iterator[None]:
    """Say in one line why a file cannot be opened."""
    try:
        yield
    except Exception as error:  # ONNX Runtime's errors share no base but Exception
        raise _no_model(name, error) from None


def _no_model(name: str, error: Exception) -> InputError:
    lines = str(error).strip().splitlines()
    reason = lines[0][:160] if lines else type(error).__name__
    return InputError(
        f"{name}: not a model file ({reason}); give a file that crnn-ctc export wrote"
    )
