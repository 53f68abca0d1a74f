"""What mmpose does with an image: for each box of a person, one crop, one run of an RTMPose network, one pose.

Boxes come with the request, in the field "boxes", as JSON: rows of left, top, right and bottom in pixels of the image.
Without them the whole image is one box.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import affine_crop
import numpy as np
import simcc
from serving.answers import pose
from serving.models import FieldError, Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from serving.models import Model
    from serving.settings import Settings

RTMPOSE = "rtmpose"
MOST_BOXES = 100
EDGES = 4


def predict(
    image: NDArray[np.uint8], models: Mapping[str, Model], fields: Mapping[str, str], _settings: Settings
) -> dict[str, Any]:
    """Find the pose in each box.

    Raises:
        FieldError: When the boxes cannot be used.
    """
    height, width = image.shape[:2]
    boxes = read_boxes(fields["boxes"], width, height) if fields.get("boxes") else [(0.0, 0.0, width, height)]
    return {"poses": [_pose(image, np.asarray(box, dtype=np.float64), models[RTMPOSE]) for box in boxes]}


def read_boxes(text: str, width: int, height: int) -> list[tuple[float, ...]]:
    """Read the boxes of a request.

    Args:
        text: JSON: rows of left, top, right and bottom in pixels.
        width: Width of the image.
        height: Height of the image.

    Raises:
        FieldError: When they are no boxes, too many, or outside of the image.
    """
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FieldError(f"The field boxes is not JSON: {error}.") from error
    if not isinstance(rows, list) or len(rows) > MOST_BOXES:
        raise FieldError(f"The field boxes has to be a list of at most {MOST_BOXES} boxes.")
    return [_read_box(number, row, width, height) for number, row in enumerate(rows, start=1)]


def check(model: Model) -> None:
    """Run the network on black, and decode what comes out."""
    width, height = model.file.input_width, model.file.input_height
    simcc.keypoints(model.network(affine_crop.as_input(np.zeros((height, width, 3), dtype=np.uint8))), width, height)


def _pose(image: NDArray[np.uint8], box: NDArray[np.float64], model: Model) -> dict[str, Any]:
    region = affine_crop.region_of(box, model.file.input_width, model.file.input_height)
    outputs = model.network(affine_crop.as_input(region.crop(image)))
    found = simcc.keypoints(outputs, model.file.input_width, model.file.input_height)
    points = np.concatenate([region.back(found[:, :2]), found[:, 2:]], axis=1)
    return pose(box, float(np.clip(found[:, 2], 0, 1).mean()), points, model.file.labels)


def _read_box(number: int, row: object, width: int, height: int) -> tuple[float, ...]:
    if not isinstance(row, list) or len(row) != EDGES or not all(_is_number(edge) for edge in row):
        raise FieldError(f"Box {number} has to be four numbers: left, top, right, bottom.")
    left, top, right, bottom = box = tuple(float(edge) for edge in row)
    if not (left < right and top < bottom):
        raise FieldError(f"Box {number} is empty: its right has to be beyond its left, its bottom below its top.")
    if not (left < width and top < height and right > 0 and bottom > 0):
        raise FieldError(f"Box {number} is outside of the image, which has {width} x {height} pixels.")
    # Edges far outside would make a crop in which the image is a dot.
    if max(abs(edge) for edge in box) > 2 * max(width, height):
        raise FieldError(f"Box {number} reaches too far beyond the image, which has {width} x {height} pixels.")
    return box


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


SERVICE = Service("mmpose", (RTMPOSE,), predict, check)
