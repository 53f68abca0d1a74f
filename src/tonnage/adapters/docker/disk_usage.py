"""Asking the engine how bytes are used: a slow question, of which it takes one at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tonnage.adapters.docker import sdk
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.errors import StepFailedError

if TYPE_CHECKING:
    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.docker.wire import Json

_SLOW_S = 600
_BUSY = "already running"
_BUSY_TRIES = 30


def disk_usage(connection: DockerConnection, kind: str) -> Json:
    """Return the answer of ``GET /system/df``, waiting while the engine answers somebody else.

    Raises:
        StepFailedError: The engine refuses, or is busy with others for too long.
        EngineUnreachableError: The engine stops answering.
    """
    params = {"type": kind} if connection.typed_usage else None
    with speaking_to(connection.endpoint, "ask how the disk is used"):
        for _ in range(_BUSY_TRIES):
            try:
                return connection.read("/system/df", params=params, timeout_s=_SLOW_S)
            except sdk.APIError as error:
                if _BUSY not in str(error.explanation):
                    raise
            time.sleep(1)
    raise StepFailedError(
        "could not ask how the disk is used",
        why=f"The engine has been answering somebody else's question for {_BUSY_TRIES} s.",
        todo="Look who else asks, for example:\n  docker system df",
    )
