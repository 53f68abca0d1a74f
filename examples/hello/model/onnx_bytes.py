"""Writes the few messages of an ONNX file that a small network needs, so that no ONNX package has to be installed.

Source: onnx/onnx.proto, ir_version 8, operator set 13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

FLOAT = 1


def model(
    nodes: Sequence[tuple[str, Sequence[str], str]],
    weights: Mapping[str, np.ndarray],
    given: tuple[str, int],
    result: tuple[str, int],
) -> bytes:
    """Return a model that takes and gives rows of numbers.

    Args:
        nodes: Operator, names of what goes in, and name of what comes out.
        weights: Constants by name.
        given: Name and width of the input.
        result: Name and width of the output.
    """
    graph = b"".join(
        [
            *(_message(1, _node(*node)) for node in nodes),
            _text(2, "network"),
            *(_message(5, _tensor(name, values)) for name, values in weights.items()),
            _message(11, _rows(*given)),
            _message(12, _rows(*result)),
        ]
    )
    operator_set = _text(1, "") + _number(2, 13)
    return _number(1, 8) + _message(8, operator_set) + _message(7, graph)


def _node(operator: str, inputs: Sequence[str], output: str) -> bytes:
    return b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, operator)


def _tensor(name: str, values: np.ndarray) -> bytes:
    sizes = b"".join(_number(1, size) for size in values.shape)
    return sizes + _number(2, FLOAT) + _text(8, name) + _message(9, values.astype("<f4").tobytes())


def _rows(name: str, width: int) -> bytes:
    shape = _message(1, _text(2, "rows")) + _message(1, _number(1, width))
    return _text(1, name) + _message(2, _message(1, _number(1, FLOAT) + _message(2, shape)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits to a byte
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
