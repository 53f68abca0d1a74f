"""From the bytes of an upload to pixels. Limits are checked before anything is decoded."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp")

# The limit of pixels is the service's own, which is checked below, and not one that only warns.
Image.MAX_IMAGE_PIXELS = None


class RejectedImageError(Exception):
    """An upload that is not worked on.

    Attributes:
        status: Status of the HTTP answer.
        message: What is wrong with it.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def decode(content: bytes, *, max_bytes: int, max_pixels: int) -> NDArray[np.uint8]:
    """Decode an image file, turned upright as its EXIF tag says.

    Args:
        content: The file.
        max_bytes: Longest file that is decoded.
        max_pixels: Most pixels that are decoded; read from the file's head.

    Returns:
        Rows, columns, and the channels red, green and blue.

    Raises:
        RejectedImageError: For what is empty, too large, no image, or damaged.
    """
    if not content:
        raise RejectedImageError(400, "The image is empty: 0 bytes were sent.")
    if len(content) > max_bytes:
        raise RejectedImageError(413, f"The image has {len(content)} bytes; at most {max_bytes} are read.")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise RejectedImageError(415, f"This is not an image in one of the formats {', '.join(FORMATS)}.") from error
    except Exception as error:  # damage makes Pillow fail in ways that it does not name
        raise RejectedImageError(400, f"The head of the image is damaged: {error}.") from error
    with image:
        if image.width * image.height > max_pixels:
            raise RejectedImageError(
                413,
                f"The image has {image.width} x {image.height} = {image.width * image.height} pixels; "
                f"at most {max_pixels} are decoded.",
            )
        try:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        except Exception as error:  # as above
            raise RejectedImageError(400, f"The image is damaged: {error}.") from error
