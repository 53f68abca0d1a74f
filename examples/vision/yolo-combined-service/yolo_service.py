"""What yolo-combined does with an image: objects by one network, people and their poses by another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import yolo_decoding
from serving.answers import detection, pose
from serving.letterbox import GREY, as_input, fit
from serving.models import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from serving.letterbox import Letterbox
    from serving.models import Model
    from serving.settings import Settings

DETECT, POSE = "yolo-detect", "yolo-pose"


def predict(
    image: NDArray[np.uint8], models: Mapping[str, Model], _fields: Mapping[str, str], settings: Settings
) -> dict[str, Any]:
    """Find objects and poses in an image."""
    return {"detections": _detect(image, models[DETECT], settings), "poses": _pose(image, models[POSE], settings)}


def check(model: Model) -> None:
    """Run a network on grey, and decode what comes out."""
    width, height = model.file.input_width, model.file.input_height
    [output, *_] = model.network(as_input(np.full((height, width, 3), GREY, dtype=np.uint8)))
    if model.file.model == POSE:
        yolo_decoding.poses(output)
    else:
        yolo_decoding.objects(output)


def _detect(image: NDArray[np.uint8], model: Model, settings: Settings) -> list[dict[str, Any]]:
    placed, output = _run(image, model)
    found = yolo_decoding.objects(output)
    rows = found.choose(confidence=settings.confidence, iou=settings.iou, most=settings.max_detections)
    boxes = placed.boxes_back(found.boxes[rows])
    return [
        detection(box, float(found.scores[row]), int(found.classes[row]), model.file.labels)
        for box, row in zip(boxes, rows, strict=True)
    ]


def _pose(image: NDArray[np.uint8], model: Model, settings: Settings) -> list[dict[str, Any]]:
    placed, output = _run(image, model)
    found = yolo_decoding.poses(output)
    rows = found.choose(confidence=settings.confidence, iou=settings.iou, most=settings.max_detections)
    boxes = placed.boxes_back(found.boxes[rows])
    keypoints = found.keypoints[rows]
    points = np.concatenate([placed.back(keypoints[..., :2]), keypoints[..., 2:]], axis=-1)
    return [
        pose(box, float(found.scores[row]), person, model.file.labels)
        for box, row, person in zip(boxes, rows, points, strict=True)
    ]


def _run(image: NDArray[np.uint8], model: Model) -> tuple[Letterbox, NDArray[np.float32]]:
    placed = fit(image, model.file.input_width, model.file.input_height)
    return placed, model.network(as_input(placed.apply(image)))[0]


SERVICE = Service("yolo-combined", (DETECT, POSE), predict, check)
