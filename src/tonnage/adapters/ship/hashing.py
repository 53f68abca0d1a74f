"""Bytes that are what their digest says, or a failure; counted on the way."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tonnage.errors import StepFailedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tonnage.model.ship import StoredBlob


def checked(pieces: Iterable[bytes], blob: StoredBlob) -> Iterator[bytes]:
    """Give the same bytes, of which there are as many as the blob has and which have its digest.

    Raises:
        StepFailedError: They are others.
    """
    told = hashlib.sha256()
    missing = blob.size_bytes
    for piece in pieces:
        missing -= len(piece)
        if missing < 0:
            break
        told.update(piece)
        yield piece
    if missing or f"sha256:{told.hexdigest()}" != blob.digest:
        raise StepFailedError(
            f"the layer {blob.digest} was read otherwise than it is named",
            why="The engine's store is damaged, or was changed meanwhile.",
            todo="Build or pull the image again.",
        )
