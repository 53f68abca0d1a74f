"""Pulling and pushing images through the engine, with progress and a way to stop.

The engine sends one JSON line for each thing that happens, among them the failure, after a status of success.
"""

from __future__ import annotations

import base64
import contextlib
import queue
import socket
import threading
from typing import TYPE_CHECKING

from msgspec import DecodeError, Struct, field
from msgspec import json as decoding

from tonnage.adapters.docker import sdk
from tonnage.adapters.docker.error_translation import refused, speaking_to
from tonnage.errors import StepFailedError
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import requests

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.interface import Cancel, Progress

_LOOK_S = 0.1
_LEAVE_WITHIN_S = 5.0
_NO_LOGIN = base64.urlsafe_b64encode(b"{}")
_MOVING = frozenset({"Downloading", "Pushing"})
_ARRIVED = frozenset({"Download complete", "Pull complete", "Already exists", "Pushed", "Layer already exists"})


class _Detail(Struct, kw_only=True):
    current: int | None = None
    total: int | None = None


class _Message(Struct, kw_only=True):
    status: str = ""
    layer: str = field(name="id", default="")
    detail: _Detail | None = field(name="progressDetail", default=None)
    error: str = ""


def pull(
    connection: DockerConnection,
    reference: str,
    *,
    progress: Progress,
    cancel: Cancel,
    platform: str = "",
    on_status: Callable[[str, str], None] = lambda _layer, _status: None,
) -> str:
    """Pull an image, for this platform or the engine's own, and return its id.

    Args:
        on_status: Is told of each layer, by the name that the engine has for it, what the engine says of it.

    Raises:
        StepFailedError: Not found, denied, no space left, or cancelled.
        EngineUnreachableError: The engine stops answering.
    """
    repository, tag = sdk.parse_repository_tag(reference)
    doing = f"pull {reference}"
    with speaking_to(connection.endpoint, doing):
        params = {"fromImage": repository, "tag": tag or "latest"} | ({"platform": platform} if platform else {})
        _transfer(connection, "/images/create", params, reference, doing, progress, cancel, on_status)
        reply = connection.read(f"/images/{reference}/json")
    return str(reply["Id"])


def push(
    connection: DockerConnection,
    reference: str,
    *,
    progress: Progress,
    cancel: Cancel,
    on_status: Callable[[str, str], None] = lambda _layer, _status: None,
) -> None:
    """Push an image to the registry in its name.

    Args:
        on_status: As of :func:`pull`; what is said of the whole has no layer.

    Raises:
        StepFailedError: No such image, denied, or cancelled.
        EngineUnreachableError: The engine stops answering.
    """
    repository, tag = sdk.parse_repository_tag(reference)
    doing = f"push {reference}"
    with speaking_to(connection.endpoint, doing):
        params = {"tag": tag or "latest"}
        _transfer(connection, f"/images/{repository}/push", params, reference, doing, progress, cancel, on_status)


def _transfer(
    connection: DockerConnection,
    path: str,
    params: Mapping[str, str],
    reference: str,
    doing: str,
    progress: Progress,
    cancel: Cancel,
    on_status: Callable[[str, str], None],
) -> None:
    """Send the request and follow its messages to the end.

    The engine may be silent for long, and even its first byte may take its time. So another thread does the waiting.
    """
    messages: queue.SimpleQueue[_Message | BaseException | None] = queue.SimpleQueue()
    stopped = threading.Event()
    headers = _login(connection, reference)

    def follow() -> None:
        try:
            response = connection.ask("POST", path, params=params, headers=headers, stream=True, timeout_s=None)
            with contextlib.closing(response), _shut_when(stopped, response):
                for line in response.iter_lines():
                    messages.put(_message(line))
            messages.put(None)
        except Exception as error:  # noqa: BLE001 - it is raised again by the thread that waits for it
            messages.put(error)

    thread = threading.Thread(target=follow, name=doing, daemon=True)
    thread.start()
    told = _LayerProgress(progress)
    try:
        while (message := _next(messages, cancel, doing)) is not None:
            if isinstance(message, BaseException):
                raise message
            if message.error:
                raise refused(doing, message.error)
            told.take(message)
            on_status(message.layer, message.status)
    finally:
        stopped.set()
        thread.join(_LEAVE_WITHIN_S)


def _next(
    messages: queue.SimpleQueue[_Message | BaseException | None], cancel: Cancel, doing: str
) -> _Message | BaseException | None:
    """Return the next message, looking meanwhile whether to stop."""
    while not cancel.is_set():
        with contextlib.suppress(queue.Empty):
            return messages.get(timeout=_LOOK_S)
    raise StepFailedError(f"could not {doing}", why="It was stopped.")


@contextlib.contextmanager
def _shut_when(stopped: threading.Event, response: requests.Response) -> Iterator[None]:
    """Cut the connection when the one who waits has left: that is what tells the engine to stop."""
    over = threading.Event()
    reached = getattr(getattr(response.raw, "connection", None), "sock", None)

    def watch() -> None:
        while not over.is_set():
            if stopped.wait(_LOOK_S):
                if reached is not None:
                    with contextlib.suppress(OSError):
                        reached.shutdown(socket.SHUT_RDWR)
                return

    threading.Thread(target=watch, name="transfer stop", daemon=True).start()
    try:
        yield
    finally:
        over.set()


class _LayerProgress:
    """Sums up what the layers tell, and passes it on when it changed."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._current: dict[str, int] = {}
        self._total: dict[str, int] = {}
        self._done: set[str] = set()
        self._layers: set[str] = set()
        self._last = ""

    def take(self, message: _Message) -> None:
        """Take one message: a line of the whole, or where one layer is."""
        if not message.layer or message.status.startswith(("Pulling from", "The push refers")):
            if message.status:
                self._progress.log(message.status)
            return
        self._layers.add(message.layer)
        detail = message.detail
        if message.status in _MOVING and detail is not None and detail.total:
            self._current[message.layer] = detail.current or 0
            self._total[message.layer] = detail.total
        elif message.status in _ARRIVED:
            self._done.add(message.layer)
            self._current[message.layer] = self._total.get(message.layer, 0)
        moved, total = sum(self._current.values()), sum(self._total.values())
        text = f"{len(self._done)}/{len(self._layers)} layers"
        text += f", {format_bytes(moved)} of {format_bytes(total)}" if total else ""
        if text != self._last:
            self._last = text
            self._progress.at(text)


def _message(line: bytes) -> _Message:
    """Read one line; what is no message of the documented form says nothing."""
    try:
        return decoding.decode(line, type=_Message) if line else _Message()
    except DecodeError:
        return _Message()


def _login(connection: DockerConnection, reference: str) -> dict[str, str]:
    """Return the user's own login at the registry of this name, as the docker command would send it."""
    registry, _ = sdk.resolve_repository_name(sdk.parse_repository_tag(reference)[0])
    header = sdk.get_config_header(connection.client.api, registry)
    return {"X-Registry-Auth": (header or _NO_LOGIN).decode()}
