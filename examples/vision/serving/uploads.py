"""Reads an image out of a request, and no more bytes than are allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request
from starlette.datastructures import UploadFile

from serving.images import TYPES, RejectedImageError

if TYPE_CHECKING:
    from starlette.types import Message

# What a form adds to the image: its boundaries, the heads of its parts, and its other fields.
FORM_BYTES = 65_536
UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Upload:
    """An image file with the fields that were sent beside it."""

    content: bytes
    fields: dict[str, str]


async def read_upload(request: Request, *, max_bytes: int) -> Upload:
    """Read an upload: a form with the file in the field "image", or an image alone as the whole body.

    Args:
        request: The request, of which nothing has been read.
        max_bytes: Longest image file that is read.

    Raises:
        RejectedImageError: When there is no image, it is called something else, or there are too many bytes.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _read_form(_limited(request, max_bytes + FORM_BYTES), max_bytes)
    if kind not in TYPES:
        raise RejectedImageError(
            415,
            f"The content type is {kind or 'missing'}; send a form (multipart/form-data) with the file in the field "
            f"image, or the image alone as {' or '.join(TYPES)}.",
        )
    return Upload(await _limited(request, max_bytes).body(), dict(request.query_params))


async def _read_form(request: Request, max_bytes: int) -> Upload:
    async with request.form(max_files=1, max_fields=8, max_part_size=FORM_BYTES) as form:
        image = form.get("image")
        if not isinstance(image, UploadFile):
            raise RejectedImageError(400, "The form has no file in the field image.")
        if image.content_type and image.content_type not in (*TYPES, UNKNOWN):
            raise RejectedImageError(
                415, f"The file's content type is {image.content_type}; send {' or '.join(TYPES)}."
            )
        content = await image.read(max_bytes + 1)
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
    if len(content) > max_bytes:
        raise RejectedImageError(413, f"The image has more than {max_bytes} bytes, which is the most that is read.")
    return Upload(content, fields)


def _limited(request: Request, limit_bytes: int) -> Request:
    """Return the same request, of which at most so many bytes can be read."""
    refusal = RejectedImageError(413, f"The upload has more than {limit_bytes} bytes, which is the most that is read.")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise refusal
    received_bytes = 0

    async def receive() -> Message:
        nonlocal received_bytes
        message = await request.receive()
        received_bytes += len(message.get("body", b""))
        if received_bytes > limit_bytes:
            raise refusal
        return message

    return Request(request.scope, receive)
