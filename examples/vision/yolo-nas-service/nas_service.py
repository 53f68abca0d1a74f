"""What yolo-nas does with an image: objects by a YOLO-NAS network, with the preprocessing that it was trained with.

The longest edge is brought to 4 pixels less than the input, in the middle of grey, from 0 to 1, red first.

Source: super-gradients 3.7, training/processing/processing.py (default_yolo_nas_coco_processing_params).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nas_decoding
import numpy as np
from serving.answers import detection
from serving.letterbox import GREY, as_input, fit
from serving.models import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from serving.models import Model
    from serving.settings import Settings

NAS = "yolo-nas"
MARGIN = 4


def predict(
    image: NDArray[np.uint8], models: Mapping[str, Model], _fields: Mapping[str, str], settings: Settings
) -> dict[str, Any]:
    """Find objects in an image."""
    model = models[NAS]
    placed = fit(image, model.file.input_width, model.file.input_height, margin=MARGIN)
    found = nas_decoding.objects(model.network(as_input(placed.apply(image))), confidence=settings.confidence)
    rows = found.choose(confidence=settings.confidence, iou=settings.iou, most=settings.max_detections)
    boxes = placed.boxes_back(found.boxes[rows])
    return {
        "detections": [
            detection(box, float(found.scores[row]), int(found.classes[row]), model.file.labels)
            for box, row in zip(boxes, rows, strict=True)
        ]
    }


def check(model: Model) -> None:
    """Run the network on grey, and decode what comes out."""
    width, height = model.file.input_width, model.file.input_height
    nas_decoding.objects(model.network(as_input(np.full((height, width, 3), GREY, dtype=np.uint8))), confidence=0.0)


SERVICE = Service("yolo-nas", (NAS,), predict, check)
