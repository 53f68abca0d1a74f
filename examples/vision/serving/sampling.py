"""Resizing and cropping with bilinear interpolation, as OpenCV does it; no rotation, so both axes are independent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]


def resize(image: Image, width: int, height: int) -> Image:
    """Resize without smoothing first; pixels are areas, and the outermost ones go on beyond the edge.

    Args:
        image: Rows, columns, channels.
        width: Columns of the result.
        height: Rows of the result.

    Source: cv2.resize with INTER_LINEAR, checked against OpenCV 5.0.
    """
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width):
        return image
    along_y = np.clip((np.arange(height) + 0.5) * (rows / height) - 0.5, 0, rows - 1)
    along_x = np.clip((np.arange(width) + 0.5) * (columns / width) - 0.5, 0, columns - 1)
    return _sample(image, along_y, along_x)


def crop(image: Image, left: float, top: float, step_x: float, step_y: float, width: int, height: int) -> Image:
    """Cut a rectangle out at another scale; pixels are points, and everything beyond the edge is black.

    Args:
        image: Rows, columns, channels.
        left: Where column 0 of the result lies in the image.
        top: Where row 0 of the result lies in the image.
        step_x: How far apart columns of the result lie in the image.
        step_y: How far apart rows of the result lie in the image.
        width: Columns of the result.
        height: Rows of the result.

    Source: cv2.warpAffine with INTER_LINEAR and BORDER_CONSTANT, checked against OpenCV 5.0.
    """
    rows, columns = image.shape[:2]
    along_y = np.clip(top + step_y * np.arange(height), -1, rows) + 1
    along_x = np.clip(left + step_x * np.arange(width), -1, columns) + 1
    first_y, last_y = _span(along_y, rows)
    first_x, last_x = _span(along_x, columns)
    # Interpolation across the edge needs a black pixel around the part that is looked at.
    framed = np.pad(image[first_y:last_y, first_x:last_x], ((1, 1), (1, 1), (0, 0)))
    return _sample(framed, along_y - first_y, along_x - first_x)


def _span(positions: NDArray[np.floating], length: int) -> tuple[int, int]:
    """Return the part of an axis that positions, shifted by one, fall into, with one pixel to spare."""
    first = min(max(int(positions.min()) - 2, 0), length)
    last = min(max(int(positions.max()) + 2, first), length)
    return first, last


def _sample(image: Image, along_y: NDArray[np.floating], along_x: NDArray[np.floating]) -> Image:
    top, left = along_y.astype(np.intp), along_x.astype(np.intp)
    bottom = np.minimum(top + 1, image.shape[0] - 1)
    right = np.minimum(left + 1, image.shape[1] - 1)
    down = (along_y - top).astype(np.float32)[:, None, None]
    across = (along_x - left).astype(np.float32)[None, :, None]
    # Columns first: few pixels are converted where a large image is made small.
    upper, lower = image[top], image[bottom]
    mixed_upper = upper[:, left] * (1 - across) + upper[:, right] * across
    mixed_lower = lower[:, left] * (1 - across) + lower[:, right] * across
    mixed = mixed_upper * (1 - down) + mixed_lower * down
    return np.asarray(np.rint(mixed), dtype=np.uint8)
