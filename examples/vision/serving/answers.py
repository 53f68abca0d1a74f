"""Detections and poses in the form in which every service answers, so that one client reads all three."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


def detection(box: NDArray[np.floating], score: float, class_id: int, labels: Sequence[str]) -> dict[str, Any]:
    """Describe a box.

    Args:
        box: Left, top, right and bottom in pixels of the image.
        score: How sure the network is, from 0 to 1.
        class_id: Number of the class.
        labels: Names of the classes; a class beyond them is called by its number.
    """
    return {"class": _label(class_id, labels), "class_id": class_id, "score": round(score, 5), "box": _rounded(box)}


def pose(
    box: NDArray[np.floating], score: float, keypoints: NDArray[np.floating], labels: Sequence[str]
) -> dict[str, Any]:
    """Describe a person.

    Args:
        box: Left, top, right and bottom in pixels of the image.
        score: How sure the network is, from 0 to 1.
        keypoints: Rows of x, y in pixels of the image, and score.
        labels: Names of the keypoints; one beyond them is called by its number.
    """
    points = [
        {
            "name": _label(number, labels),
            "x": round(float(x), 2),
            "y": round(float(y), 2),
            "score": round(float(sure), 5),
        }
        for number, (x, y, sure) in enumerate(keypoints)
    ]
    return {"score": round(score, 5), "box": _rounded(box), "keypoints": points}


def _label(number: int, labels: Sequence[str]) -> str:
    return labels[number] if number < len(labels) else str(number)


def _rounded(box: NDArray[np.floating]) -> list[float]:
    return [round(float(edge), 2) for edge in box]
