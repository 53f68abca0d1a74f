"""Watching from outside while the command works: a page, the containers of a service, the bytes of a disk.

Each watcher looks 20 times a second, less often on a busy machine, in a thread of its own and keeps what it saw.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Generic, TypeVar

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
    thread.start()
    try:
        yield watch
    finally:
        end.set()
        thread.join()


def page(address: str, port: int) -> str:
    """Return what a page says, or in words why it says nothing."""
    try:
        with urllib.request.urlopen(f"http://{address}:{port}/", timeout=2.0) as answer:
            return str(answer.read().decode())
    except OSError as error:
        return f"no answer: {error}"


def ran_at_once(project: Project, since_s: float, running: int) -> list[int]:
    """Return how many containers of a project ran after each start and each end since then, as the engine tells.

    Args:
        running: How many ran at that time.
    """
    client: Any = project.real.client
    events = client.events(
        since=since_s,
        until=time.time(),
        decode=True,
        filters={"event": ["start", "die"], "label": f"com.docker.compose.project={project.name}"},
    )
    changes = (1 if told["Action"] == "start" else -1 for told in events)
    return list(itertools.accumulate(changes, initial=running))


def available_bytes(mount: str) -> int:
    """Return what an ordinary process may still write."""
    status = os.statvfs(mount)
    return status.f_bavail * status.f_frsize


def soon(condition: Callable[[], object], *, within_s: float = 300.0) -> bool:
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
