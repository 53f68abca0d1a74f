"""Fits an image of any shape into a network's fixed input, with grey bars, and maps what is found there back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serving.sampling import resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

GREY = 114


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where an image lies in a network's input. All lengths are pixels.

    Attributes:
        image_width: Width of the image.
        image_height: Height of the image.
        width: Width of the image when fitted.
        height: Height of the image when fitted.
        left: Width of the bar on the left.
        top: Height of the bar on top.
        input_width: Width of the input.
        input_height: Height of the input.
    """

    image_width: int
    image_height: int
    width: int
    height: int
    left: int
    top: int
    input_width: int
    input_height: int

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the input: the image resized, in the middle of grey."""
        canvas = np.full((self.input_height, self.input_width, image.shape[2]), GREY, dtype=np.uint8)
        fitted = resize(image, self.width, self.height)
        canvas[self.top : self.top + self.height, self.left : self.left + self.width] = fitted
        return canvas

    def forward(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map points of the image (the last axis is x, y) to points of the input."""
        return points * self._scale() + (self.left, self.top)

    def back(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map points of the input (the last axis is x, y) to points of the image, at most to its edge."""
        mapped = (points - np.array([self.left, self.top])) / self._scale()
        return np.asarray(np.clip(mapped, 0, (self.image_width, self.image_height)), dtype=np.float64)

    def boxes_back(self, boxes: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map rows of left, top, right and bottom in the input to the image."""
        return self.back(boxes.reshape(-1, 2, 2)).reshape(-1, 4)

    def _scale(self) -> NDArray[np.float64]:
        return np.array([self.width / self.image_width, self.height / self.image_height])


def fit(image: NDArray[np.uint8], input_width: int, input_height: int, *, margin: int = 0) -> Letterbox:
    """Find the largest size that keeps the image's shape and fits into the input.

    Args:
        image: Rows, columns, channels.
        input_width: Width of the input in pixels.
        input_height: Height of the input in pixels.
        margin: Pixels of width and of height, in all, that always stay grey.
    """
    rows, columns = image.shape[:2]
    scale = min((input_height - margin) / rows, (input_width - margin) / columns)
    # A line of one pixel stays one.
    width, height = max(round(columns * scale), 1), max(round(rows * scale), 1)
    left, top = (input_width - width) // 2, (input_height - height) // 2
    return Letterbox(columns, rows, width, height, left, top, input_width, input_height)


def as_input(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn rows, columns and channels from 0 to 255 into a batch of one: channels, rows, columns from 0 to 1."""
    planes = np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32)
    planes /= 255
    return planes
