"""Settings of a service, each an environment variable with a default."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BACKENDS = ("onnx", "torch")


class SettingError(ValueError):
    """An environment variable has a value that cannot be used."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a service is told from outside.

    Attributes:
        backend: Program that runs the networks: "onnx" or "torch".
        weights_dir: Directory of the weights and of their manifest.
        max_image_bytes: Longest image file that is read.
        max_image_pixels: Most pixels that are decoded.
        confidence: Lowest score of a detection, from 0 to 1; it has to be above it.
        iou: Overlap, from 0 to 1, above which the weaker of two boxes of one class is dropped.
        max_detections: Most boxes that are returned.
        concurrency: Images that are worked on at the same time.
    """

    backend: str = "onnx"
    weights_dir: Path = Path("/weights")
    max_image_bytes: int = 20_000_000
    max_image_pixels: int = 50_000_000
    confidence: float = 0.25
    iou: float = 0.7
    max_detections: int = 300
    concurrency: int = 2


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings; a variable that is empty counts as not set.

    Raises:
        SettingError: For a value that cannot be used; names the variable.
    """
    default = Settings()
    backend = environment.get("BACKEND") or default.backend
    if backend not in BACKENDS:
        raise SettingError(f"BACKEND is {backend!r}, but it has to be one of: {', '.join(BACKENDS)}.")
    return Settings(
        backend=backend,
        weights_dir=Path(environment.get("WEIGHTS_DIR") or default.weights_dir),
        max_image_bytes=_count(environment, "MAX_IMAGE_BYTES", default.max_image_bytes),
        max_image_pixels=_count(environment, "MAX_IMAGE_PIXELS", default.max_image_pixels),
        confidence=_fraction(environment, "CONFIDENCE", default.confidence),
        iou=_fraction(environment, "IOU", default.iou),
        max_detections=_count(environment, "MAX_DETECTIONS", default.max_detections),
        concurrency=_count(environment, "CONCURRENCY", default.concurrency),
    )


def _count(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise SettingError(f"{name} is {text!r}, but it has to be a whole number above 0.")
    return int(text)


def _fraction(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise SettingError(f"{name} is {text!r}, but it has to be a number from 0 to 1.")
    return value
