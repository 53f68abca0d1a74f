"""Reads an image out of a request, and no more bytes than are allowed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from serving.images import TYPES, RejectedImageError

if TYPE_CHECKING:
    from starlette.types import Message

# What a form adds to the image: its boundaries, the heads of its parts, and its other fields.
FORM_BYTES = 65_536
UNKNOWN = "application/octet-stream"

# How much of a refused upload is received nevertheless, and for how long.
DISCARDED_BYTES = 100_000_000
DISCARDING_S = 10


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
    body = _Body(request)
    try:
        return await _read(request, body, max_bytes)
    except (RejectedImageError, HTTPException):
        await body.discard()
        raise


async def _read(request: Request, body: _Body, max_bytes: int) -> Upload:
    kind = _kind(request.headers.get("content-type"))
    if kind == "multipart/form-data":
        return await _read_form(body.limited_to(max_bytes + FORM_BYTES), max_bytes)
    if kind not in TYPES:
        raise RejectedImageError(
            415,
            f"The content type is {kind or 'missing'}; send a form (multipart/form-data) with the file in the field "
            f"image, or the image alone as {' or '.join(TYPES)}.",
        )
    return Upload(await body.limited_to(max_bytes).body(), dict(request.query_params))


async def _read_form(request: Request, max_bytes: int) -> Upload:
    async with request.form(max_files=1, max_fields=8, max_part_size=FORM_BYTES) as form:
        image = form.get("image")
        if not isinstance(image, UploadFile):
            raise RejectedImageError(400, "The form has no file in the field image.")
        kind = _kind(image.content_type)
        if kind not in ("", *TYPES, UNKNOWN):
            raise RejectedImageError(415, f"The file's content type is {kind}; send {' or '.join(TYPES)}.")
        content = await image.read(max_bytes + 1)
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
    if len(content) > max_bytes:
        raise RejectedImageError(413, f"The image has more than {max_bytes} bytes, which is the most that is read.")
    return Upload(content, fields)


def _kind(content_type: str | None) -> str:
    """Return a content type without its parameters; capital letters do not count in it."""
    return (content_type or "").partition(";")[0].strip().lower()


class _Body:
    """What is still to come of a request."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.received_bytes = 0
        self.has_ended = False

    def limited_to(self, limit_bytes: int) -> Request:
        """Return the same request, of which at most so many bytes can be read."""
        refusal = RejectedImageError(413, f"The upload has more than the {limit_bytes} bytes that are read at most.")
        announced = self.request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > limit_bytes:
            raise refusal

        async def receive() -> Message:
            message = await self.receive()
            if self.received_bytes > limit_bytes:
                raise refusal
            return message

        return Request(self.request.scope, receive)

    async def receive(self) -> Message:
        """Receive the next part."""
        message = await self.request.receive()
        self.received_bytes += len(message.get("body", b""))
        self.has_ended = not message.get("more_body", False)
        return message

    async def discard(self) -> None:
        """Receive the rest without keeping it, within limits: who is still sending does not read an answer."""
        if "expect" in self.request.headers and not self.received_bytes:
            return
        last_byte = self.received_bytes + DISCARDED_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(DISCARDING_S):
                while not self.has_ended and self.received_bytes < last_byte:
                    await self.receive()
