"""The programs that run networks: ONNX Runtime, or PyTorch with TorchScript modules.

Each is imported only when it is asked for, because an image has one of them only. A graphics card is used when the
program that is installed finds one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from serving.weights import WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Network = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]


def load(backend: str, path: Path) -> Network:
    """Load a network.

    Args:
        backend: "onnx" or "torch".
        path: File of the network.

    Returns:
        A function from the network's only input to all its outputs, in their order.

    Raises:
        WeightsError: When the backend is not installed, or cannot read the file.
    """
    try:
        return _load_torch(path) if backend == "torch" else _load_onnx(path)
    except ImportError as error:
        raise WeightsError(f"The backend {backend} is not installed in this image: {error}.") from error
    except Exception as error:  # each backend has exceptions of its own
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise WeightsError(f"The weights {path} cannot be loaded by the backend {backend}: {reason[0]}") from error


def _load_onnx(path: Path) -> Network:
    import onnxruntime  # noqa: PLC0415 - see the module's docstring

    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    found = onnxruntime.get_available_providers()
    options = onnxruntime.SessionOptions()
    # Services share a machine: a thread that waits gives its core away instead of turning in circles.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        path, options, providers=[provider for provider in wanted if provider in found]
    )
    name = session.get_inputs()[0].name

    def run(batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return [np.asarray(output, dtype=np.float32) for output in session.run(None, {name: batch})]

    return run


def _load_torch(path: Path) -> Network:
    import torch  # noqa: PLC0415 - see the module's docstring

    device = "cuda" if torch.cuda.is_available() else "cpu"
    module = torch.jit.load(str(path), map_location=device).eval()

    def run(batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            answer = module(torch.from_numpy(batch).to(device))
        return [tensor.float().cpu().numpy() for tensor in _flatten(answer)]

    return run


def _flatten(answer: Any) -> list[Any]:  # noqa: ANN401 - a tensor, or nested tuples and lists of tensors
    if isinstance(answer, (tuple, list)):
        return [tensor for part in answer for tensor in _flatten(part)]
    return [answer]
