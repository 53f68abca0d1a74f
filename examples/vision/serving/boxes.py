"""Boxes: their formats, how much they overlap, and which of many overlapping ones stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Integers = NDArray[np.integer]


def xyxy_from_cxcywh(boxes: Floats) -> Floats:
    """Turn boxes given by centre and size into left, top, right and bottom; the last axis has the four numbers."""
    half = boxes[..., 2:] / 2
    return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)


def cxcywh_from_xyxy(boxes: Floats) -> Floats:
    """Turn boxes given by left, top, right and bottom into centre and size; the last axis has the four numbers."""
    size = boxes[..., 2:] - boxes[..., :2]
    return np.concatenate([boxes[..., :2] + size / 2, size], axis=-1)


def overlap(box: Floats, boxes: Floats) -> Floats:
    """Return, for each of the boxes, the area in common with one box divided by the area of both together.

    Args:
        box: Left, top, right and bottom.
        boxes: One row for each box, in the same form.
    """
    common = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.prod(np.maximum(common, 0), axis=1)
    together = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - shared
    return np.asarray(np.divide(shared, together, out=np.zeros_like(shared), where=together > 0))


def suppress(
    boxes: Floats, scores: Floats, classes: Integers, *, confidence: float, iou: float, most: int
) -> NDArray[np.intp]:
    """Choose boxes by class-wise non-maximum suppression.

    A box is dropped when one of its class with a higher score overlaps it by more than `iou`. Boxes of equal score
    are taken in the order in which they are given.

    Args:
        boxes: One row for each box: left, top, right, bottom.
        scores: One score for each box.
        classes: One class for each box.
        confidence: Scores have to be above it.
        iou: Overlap, from 0 to 1, that is still let pass.
        most: How many boxes are returned at most.

    Returns:
        Rows of the boxes that stay, highest score first.

    Source: the semantics of cv2.dnn.NMSBoxesBatched, checked against OpenCV 5.0.
    """
    rows = np.flatnonzero(scores > confidence)
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    boxes = boxes.astype(np.float64)
    kept: list[int] = []
    while rows.size and len(kept) < most:
        best, rows = rows[0], rows[1:]
        kept.append(int(best))
        dropped = (classes[rows] == classes[best]) & (overlap(boxes[best], boxes[rows]) > iou)
        rows = rows[~dropped]
    return np.asarray(kept, dtype=np.intp)
