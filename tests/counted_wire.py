"""A wire that counts: what connects to one address is passed on to another one, and the bytes of both ways are noted.

It is a program of its own, so that it can run in an engine's network: ``python counted_wire.py LISTEN TARGET FILE``.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass
class CountedWire:
    """What a wire counted so far."""

    file: Path

    def bytes(self) -> tuple[int, int]:
        """Return the bytes that went to the target, and those that came from it."""
        up, down = json.loads(self.file.read_text())
        return int(up), int(down)


@contextlib.contextmanager
def counted_wire(file: Path, listen: str, target: str, enter: Sequence[str] = ()) -> Iterator[CountedWire]:
    """Pass on what connects to ``listen``, both addresses as ``host:port``."""
    running = subprocess.Popen([*enter, sys.executable, __file__, listen, target, str(file)])
    try:
        end = time.monotonic() + 60
        while not file.exists():
            assert time.monotonic() < end, "the wire did not start"
            time.sleep(0.02)
        yield CountedWire(file)
    finally:
        running.kill()
        running.wait()


def _serve(listen: str, target: str, file: Path) -> None:
    counts, lock = [0, 0], threading.Lock()

    def note(way: int, count: int) -> None:
        with lock:
            counts[way] += count
            made = file.with_suffix(".new")
            made.write_text(json.dumps(counts))
            made.replace(file)

    def passed_on(way: int, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 18):
                note(way, len(piece))
                sink.sendall(piece)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    with socket.create_server(_address(listen)) as server:
        note(0, 0)
        while True:
            client, _ = server.accept()
            there = socket.create_connection(_address(target))
            for way, source, sink in ((0, client, there), (1, there, client)):
                threading.Thread(target=passed_on, args=(way, source, sink), daemon=True).start()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
