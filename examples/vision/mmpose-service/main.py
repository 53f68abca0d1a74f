"""The service mmpose: poses of people whose boxes are known, from RTMPose networks."""

from __future__ import annotations

import rtmpose_service
from serving.app import create_app

app = create_app(rtmpose_service.SERVICE)
