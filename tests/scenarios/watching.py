"""Watching from outside while the command works: a page, the containers of a service, the bytes of a disk.

Each watcher looks at least 20 times a second in a thread of its own and keeps what it saw.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.scenarios.driving import Project

EVERY_S = 0.05
# What the engine writes for itself meanwhile.
SLACK_BYTES = 5_000_011
_Look = TypeVar("_Look")


class Watch(Generic[_Look]):
    """What was seen, in order."""

    def __init__(self) -> None:
        self.seen: list[_Look] = []
        self.seconds = 0.0

    @property
    def rate_hz(self) -> float:
        return len(self.seen) / self.seconds


@contextlib.contextmanager
def watching(look: Callable[[], _Look]) -> Iterator[Watch[_Look]]:
    """Look again and again while the block lasts."""
    watch: Watch[_Look] = Watch()
    end = threading.Event()

    def go_on() -> None:
        due_s = time.monotonic()
        while not end.is_set():
            watch.seen.append(look())
            due_s += EVERY_S
            end.wait(max(0.0, due_s - time.monotonic()))

    thread = threading.Thread(target=go_on, daemon=True)
    began = time.monotonic()
    thread.start()
    try:
        yield watch
    finally:
        end.set()
        thread.join()
        watch.seconds = time.monotonic() - began


def page(address: str, port: int) -> str:
    """Return what a page says, or in words why it says nothing."""
    try:
        with urllib.request.urlopen(f"http://{address}:{port}/", timeout=2.0) as answer:
            return str(answer.read().decode())
    except OSError as error:
        return f"no answer: {error}"


def running_on_volume(project: Project, volume: str) -> Callable[[], int]:
    """Return a look that counts the containers that run on a volume of the project."""
    filters = {"volume": f"{project.name}_{volume}", "status": "running"}
    return lambda: len(project.real.client.api.containers(filters=filters))


def available_bytes(mount: str) -> int:
    """Return what an ordinary process may still write."""
    status = os.statvfs(mount)
    return status.f_bavail * status.f_frsize


def soon(condition: Callable[[], object], *, within_s: float = 60.0) -> bool:
    """Return whether something comes true within some seconds."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def bytes_come_back(mount: str, before_bytes: int) -> bool:
    """Return whether a disk soon has its available bytes again: an engine removes what is not used a bit later."""
    return soon(lambda: available_bytes(mount) >= before_bytes - SLACK_BYTES)
