"""The outputs of YOLO-NAS: boxes (1, N, 4) that are decoded already, and scores (1, N, C).

Boxes are left, top, right and bottom in pixels of the network's input. One place may be of several classes: each score
above the threshold counts as a detection of its own. What a network gives besides is for training, and is left alone.

Source: super-gradients 3.7, training/models/detection_models/pp_yolo_e/post_prediction_callback.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from serving.boxes import suppress
from serving.models import OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Of what is above the threshold, only the likeliest take part in suppression, which bounds the time of a crowded image.
# super-gradients takes 1024, so few that one large object can use up all of them.
CANDIDATES = 30_000


@dataclass(frozen=True, slots=True)
class Found:
    """The likeliest detections, highest score first.

    Attributes:
        boxes: Left, top, right and bottom, one row for each detection.
        scores: How sure the network is.
        classes: Number of the class.
    """

    boxes: NDArray[np.floating]
    scores: NDArray[np.floating]
    classes: NDArray[np.integer]

    def choose(self, *, confidence: float, iou: float, most: int) -> NDArray[np.intp]:
        """Return the rows that stay after class-wise non-maximum suppression, highest score first."""
        return suppress(self.boxes, self.scores, self.classes, confidence=confidence, iou=iou, most=most)


def objects(outputs: Sequence[NDArray[np.float32]], *, confidence: float) -> Found:
    """Decode the outputs of a network.

    Args:
        outputs: All outputs in their order; the first two count.
        confidence: Scores have to be above it.

    Raises:
        OutputError: When the outputs have other shapes.
    """
    shapes = [output.shape for output in outputs[:2]]
    match shapes:
        case [(1, places, 4), (1, scored, classes)] if places == scored and classes > 0:
            boxes, scores = outputs[0][0], outputs[1][0]
        case _:
            told = " and ".join(str(shape) for shape in shapes)
            raise OutputError(f"its outputs have the shapes {told}, not (1, N, 4) and (1, N, classes).")
    row, kind = np.nonzero(scores > confidence)
    found = scores[row, kind]
    order = np.argsort(-found, kind="stable")[:CANDIDATES]
    return Found(boxes[row[order]], found[order], kind[order])
