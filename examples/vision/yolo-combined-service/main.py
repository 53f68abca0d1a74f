"""The service yolo-combined: objects and poses from YOLOv8 or YOLO11 networks."""

from __future__ import annotations

import yolo_service
from serving.app import create_app

app = create_app(yolo_service.SERVICE)
