"""The part of an image that an RTMPose network is given for one person, and the way back from its pixels.

A box is made a quarter larger and then, along one axis, as large as the network's input has it; what lies outside of
the image is black. Colours are red, green and blue, brought to mean 0 and deviation 1 as on ImageNet.

Source: mmpose 1.3, datasets/transforms (GetBBoxCenterScale, TopdownAffine); checked against rtmlib 0.0.16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from serving import sampling

if TYPE_CHECKING:
    from numpy.typing import NDArray

PADDING = 1.25
MEAN = np.array([123.675, 116.28, 103.53], dtype=np.float32)
DEVIATION = np.array([58.395, 57.12, 57.375], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of an image, in its pixels, with the shape of a network's input."""

    left: float
    top: float
    width: float
    height: float
    input_width: int
    input_height: int

    def crop(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut the rectangle out, in the size of the network's input."""
        step_x, step_y = self.width / self.input_width, self.height / self.input_height
        return sampling.crop(image, self.left, self.top, step_x, step_y, self.input_width, self.input_height)

    def back(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map points of the input (the last axis is x, y) to points of the image."""
        scale = np.array([self.width / self.input_width, self.height / self.input_height])
        return np.asarray(points * scale + (self.left, self.top), dtype=np.float64)


def region_of(box: NDArray[np.floating], input_width: int, input_height: int) -> Region:
    """Return the rectangle that is cut out for a person.

    Args:
        box: Left, top, right and bottom.
        input_width: Width of the network's input in pixels.
        input_height: Height of the network's input in pixels.
    """
    left, top, right, bottom = (float(edge) for edge in box)
    shape = input_width / input_height
    width, height = (right - left) * PADDING, (bottom - top) * PADDING
    if width > height * shape:
        height = width / shape
    else:
        width = height * shape
    return Region((left + right - width) / 2, (top + bottom - height) / 2, width, height, input_width, input_height)


def as_input(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn rows, columns and channels from 0 to 255 into a batch of one: channels, rows, columns, normalised."""
    normalised = (crop.astype(np.float32) - MEAN) / DEVIATION
    return np.ascontiguousarray(normalised.transpose(2, 0, 1)[None])
