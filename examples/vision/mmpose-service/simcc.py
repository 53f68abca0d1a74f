"""The outputs of RTMPose: for each keypoint how likely each column is, (1, K, W), and each row, (1, K, H).

Columns and rows are finer than the pixels of the input by a whole or broken factor, 2 in the published networks. A
keypoint is where both are likeliest, its score the mean of both; without any likelihood above 0 it is at (-1, -1) of
the fine grid.

Source: mmpose 1.3, codecs/utils/post_processing.py (get_simcc_maximum), codecs/simcc_label.py; with the score as in
rtmlib 0.0.16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from serving.models import OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def keypoints(outputs: Sequence[NDArray[np.float32]], input_width: int, input_height: int) -> NDArray[np.float64]:
    """Decode the outputs of a network for one person.

    Args:
        outputs: All outputs in their order; the first two count.
        input_width: Width of the network's input in pixels.
        input_height: Height of the network's input in pixels.

    Returns:
        Rows of x and y in pixels of the input, and score.

    Raises:
        OutputError: When the outputs have other shapes.
    """
    shapes = [output.shape for output in outputs[:2]]
    match shapes:
        case [(1, points, columns), (1, same, rows)] if (
            points == same and columns >= input_width and rows >= input_height
        ):
            along_x, along_y = outputs[0][0], outputs[1][0]
        case _:
            told = " and ".join(str(shape) for shape in shapes)
            raise OutputError(
                f"its outputs have the shapes {told}, not (1, keypoints, W) and (1, keypoints, H) "
                f"for an input of {input_width} x {input_height}."
            )
    scores = (along_x.max(axis=1) + along_y.max(axis=1)).astype(np.float64) / 2
    places = np.stack([along_x.argmax(axis=1), along_y.argmax(axis=1)], axis=1).astype(np.float64)
    places[scores <= 0] = -1
    places /= (columns / input_width, rows / input_height)
    return np.concatenate([places, scores[:, None]], axis=1)
