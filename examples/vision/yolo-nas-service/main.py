"""The service yolo-nas: objects from YOLO-NAS networks."""

from __future__ import annotations

import nas_service
from serving.app import create_app

app = create_app(nas_service.SERVICE)
