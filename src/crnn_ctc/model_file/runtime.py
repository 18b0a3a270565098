"""What computes a model's graph: ONNX Runtime, or OpenVINO where that is installed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.errors import InputError, MissingExtraError
from crnn_ctc.model_file.guard import read_model

RuntimeName = Literal["onnxruntime", "openvino"]


@dataclass(frozen=True)
class Tensor:
    """What goes into a graph or comes out of it.

    Attributes:
        name: of it.
        dtype: as numpy calls it.
        shape: -1 where a size is free.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Found:
    """What a rectifier found in N views.

    Attributes:
        corners: shares of the view, float32 (N, 4, 2); see :data:`crnn_ctc.rectify.Corners`.
        rows: probability of two rows, float32 (N,).
        colours: probability of each colour, float32 (N, 5).
    """

    corners: NDArray[np.float32]
    rows: NDArray[np.float32]
    colours: NDArray[np.float32]


class Runtime(Protocol):
    """One model, ready to compute.

    Attributes:
        name: of the library.
        version: of the library.
        inputs: of the graph.
        outputs: of the graph.
    """

    name: str
    version: str
    inputs: list[Tensor]
    outputs: list[Tensor]

    def metadata(self, key: str) -> str | None:
        """An entry of the file's metadata; None where there is none."""

    def log_probs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, H, W, C) to float32 (N, T, K); threads may call it side by side.

        Raises:
            InputError: the graph cannot be computed, which opening it does not always tell.
        """

    def find(self, views: NDArray[np.uint8]) -> Found:
        """Views uint8 (N, h, w, 3) to plates, of a graph with a rectifier; as ``log_probs``."""


def open_runtime(model: str, threads: int, runtime: str = "onnxruntime") -> Runtime:
    """A model file, on the CPU.

    Args:
        model: the file.
        threads: that compute.
        runtime: see :data:`RuntimeName`.

    Raises:
        InputError: not a model, one that holds what ours do not, or no such runtime.
        MissingExtraError: the runtime is not installed.
    """
    if runtime == "onnxruntime":
        return OnnxRuntime(model, threads)
    if runtime == "openvino":
        return OpenVino(model, threads)
    raise InputError(f"runtime {runtime!r}: give onnxruntime or openvino")


class OnnxRuntime:
    """ONNX Runtime; see :func:`open_runtime`."""

    name = "ONNX Runtime"

    def __init__(self, model: str, threads: int) -> None:
        import onnxruntime

        self._model = model
        self._session = open_session(read_model(model), threads, model)
        self.version: str = onnxruntime.__version__
        with _only_models(model):
            self.inputs = [_onnx_tensor(value) for value in self._session.get_inputs()]
            self.outputs = [_onnx_tensor(value) for value in self._session.get_outputs()]
        # a graph with a rectifier has two inputs: the one that is not asked for gets an empty batch
        self._empty = {
            value.name: np.zeros((0, *value.shape[1:]), np.uint8)
            for value in self.inputs
            if len(self.inputs) == 2 and min(value.shape[1:], default=0) > 0
        }

    def metadata(self, key: str) -> str | None:
        """See :class:`Runtime`."""
        value = self._session.get_modelmeta().custom_metadata_map.get(key)
        return None if value is None else str(value)

    def log_probs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :class:`Runtime`."""
        with _only_models(self._model):
            out = self._session.run(["log_probs"], self._empty | {"images": images})[0]
        return np.asarray(out, np.float32)

    def find(self, views: NDArray[np.uint8]) -> Found:
        """See :class:`Runtime`."""
        with _only_models(self._model):
            out = self._session.run(["corners", "rows", "colours"], self._empty | {"views": views})
        return Found(*(np.asarray(values, np.float32) for values in out))


def open_session(content: bytes, threads: int, name: str = "model", precise: bool = False) -> Any:
    """An ONNX Runtime session on the CPU for a model file's content.

    Args:
        content: the bytes of the file.
        threads: intra-op threads.
        name: the file's name, for errors.
        precise: 8-bit products that cannot saturate, slower on processors without VNNI.

    Raises:
        InputError: not a model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # threads that spin while they wait slow down whatever else runs on the machine
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    # it would else take a file for its own format by some bytes that ONNX may hold too
    options.add_session_config_entry("session.load_model_format", "ONNX")
    if precise:
        options.add_session_config_entry("session.x64quantprecision", "1")
    with _only_models(name):
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _onnx_tensor(value: Any) -> Tensor:
    # a free size is a name, or None
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    return Tensor(value.name, value.type.removeprefix("tensor(").removesuffix(")"), shape)


class OpenVino:
    """OpenVINO; see :func:`open_runtime`."""

    name = "OpenVINO"

    def __init__(self, model: str, threads: int) -> None:
        try:
            import openvino
        except ModuleNotFoundError as error:
            raise MissingExtraError("runtime openvino", "openvino", error.name) from None

        content = read_model(model)
        core = openvino.Core()
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # float32 as the others have it, not bfloat16 where the processor multiplies it
            "INFERENCE_PRECISION_HINT": "f32",
            "CPU_DENORMALS_OPTIMIZATION": True,
            # a thread bound to a core waits for whatever else runs there
            "ENABLE_CPU_PINNING": False,
        }
        with _only_models(model):
            graph = core.read_model(content)
            self._compiled = core.compile_model(graph, "CPU", settings)
            self.inputs = [_openvino_tensor(value) for value in graph.inputs]
            self.outputs = [_openvino_tensor(value) for value in graph.outputs]
        self._model, self._graph = model, graph
        self._own = threading.local()
        self.version: str = openvino.__version__.partition("-")[0]

    def metadata(self, key: str) -> str | None:
        """See :class:`Runtime`."""
        path = ["framework", key]  # where OpenVINO puts a file's metadata
        return str(self._graph.get_rt_info(path).value) if self._graph.has_rt_info(path) else None

    def log_probs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :class:`Runtime`."""
        if not hasattr(self._own, "request"):  # a request computes one batch at a time
            self._own.request = self._compiled.create_infer_request()
        with _only_models(self._model):
            return np.asarray(self._own.request.infer({"images": images})["log_probs"], np.float32)

    def find(self, _views: NDArray[np.uint8]) -> Found:
        """See :class:`Runtime`."""
        raise InputError(f"{self._model}: has a rectifier, which only ONNX Runtime computes")


def _openvino_tensor(value: Any) -> Tensor:
    shape = tuple(size.get_length() if size.is_static else -1 for size in value.partial_shape)
    return Tensor(value.any_name, np.dtype(value.element_type.to_dtype()).name, shape)


@contextmanager
def _only_models(name: str) -> Iterator[None]:
    """Say in one line why a runtime will not open a file, or cannot compute what it opened."""
    try:
        yield
    except Exception as error:  # the runtimes' errors share no base but Exception
        # OpenVINO says where in its own source it failed before it says why
        lines = [line for line in str(error).strip().splitlines() if "Exception from" not in line]
        reason = lines[0][:160] if lines else type(error).__name__
        raise InputError(
            f"{name}: not a model file ({reason}); give a file that crnn-ctc export wrote"
        ) from None
