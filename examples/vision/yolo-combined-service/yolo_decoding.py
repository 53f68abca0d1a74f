"""The outputs of YOLOv8 and YOLO11: one column for each place that was looked at.

Objects: (1, 4 + C, N), the rows being centre x, centre y, width, height, and a score for each of C classes.
Poses: (1, 5 + 3 K, N), the rows being centre x, centre y, width, height, the score, and x, y, score of K keypoints.
Coordinates are pixels of the network's input; scores are from 0 to 1 already. One class is told for each place.

Source: ultralytics 8.3, ultralytics/utils/ops.py (non_max_suppression) and nn/modules/head.py (Detect, Pose).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from serving.boxes import suppress, xyxy_from_cxcywh
from serving.models import OutputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOX = 4
POINT = 3


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that a network found, one row for each place.

    Attributes:
        boxes: Left, top, right and bottom.
        scores: How sure the network is.
        classes: Number of the likeliest class.
        keypoints: For each place x, y and score of each keypoint; none for objects.
    """

    boxes: NDArray[np.floating]
    scores: NDArray[np.floating]
    classes: NDArray[np.integer]
    keypoints: NDArray[np.floating]

    def choose(self, *, confidence: float, iou: float, most: int) -> NDArray[np.intp]:
        """Return the rows that stay after class-wise non-maximum suppression, highest score first."""
        return suppress(self.boxes, self.scores, self.classes, confidence=confidence, iou=iou, most=most)


def objects(output: NDArray[np.float32]) -> Found:
    """Decode the output of a network for objects.

    Raises:
        OutputError: When the output has another shape.
    """
    rows = _rows(output, BOX + 1, "(1, 4 + classes, N)")
    classes = rows[:, BOX:].argmax(axis=1)
    scores = rows[np.arange(len(rows)), BOX + classes]
    return Found(xyxy_from_cxcywh(rows[:, :BOX]), scores, classes, np.empty((len(rows), 0, POINT), dtype=np.float32))


def poses(output: NDArray[np.float32]) -> Found:
    """Decode the output of a network for poses of people.

    Raises:
        OutputError: When the output has another shape.
    """
    wanted = "(1, 5 + 3 * keypoints, N)"
    rows = _rows(output, BOX + 1 + POINT, wanted)
    points = rows[:, BOX + 1 :]
    if points.shape[1] % POINT:
        raise OutputError(f"its output has the shape {output.shape}, not {wanted}.")
    keypoints = points.reshape(len(rows), -1, POINT)
    classes = np.zeros(len(rows), dtype=np.intp)
    return Found(xyxy_from_cxcywh(rows[:, :BOX]), rows[:, BOX], classes, keypoints)


def _rows(output: NDArray[np.float32], least: int, wanted: str) -> NDArray[np.float32]:
    if output.ndim != 3 or output.shape[0] != 1 or output.shape[1] < least:  # noqa: PLR2004 - batch, values, places
        raise OutputError(f"its output has the shape {output.shape}, not {wanted}.")
    return np.asarray(output[0].T)
