"""A door to the engine that writes on new containers which files a stack was read from.

Compose writes on every container where its project file lies, and programs look there: ``docker compose ls``, and a
reclaim elsewhere that has to know which images a stack names. Compose is given a private file that is gone soon, and
no flag or variable of it says anything else. So it speaks to the engine through a socket of ours: what it asks goes on
as it is, but for these labels of a container that is made. Its hash of the configuration does not count them.

Each request has a connection of its own, so that no answer need be understood: it goes back byte by byte.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Mapping

_CREATES = regex(rb"POST (?:/v[0-9.]+)?/containers/create[? ]")
_LENGTH = regex(rb"(?i)\r\ncontent-length: *([0-9]+)")
_KEPT_OPEN = regex(rb"(?i)\r\nconnection: *(?!upgrade)[^\r]*")
_UPGRADES = regex(rb"(?i)\r\nupgrade:")
_END = b"\r\n\r\n"
_PIECE_BYTES = 65536
_LONGEST_HEAD_BYTES = 1 << 20
_LONGEST_BODY_BYTES = 16 << 20


class LabelledDoor:
    """A socket that leads to an engine, open inside of a ``with`` block.

    Args:
        directory: A private directory that lives longer.
        engine: Where the engine is: ``unix://PATH`` or ``tcp://HOST:PORT``.
        labels: What containers get; an empty one is taken off.
        certificates: Directory with ``ca.pem``, ``cert.pem`` and ``key.pem``; empty where nothing is encrypted.
    """

    def __init__(self, directory: str, engine: str, labels: Mapping[str, str], certificates: str = "") -> None:
        self.path = str(Path(directory, "engine.sock"))
        self._engine = engine
        self._labels = labels
        self._certificates = certificates
        self._listening = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._serve, name="labelled door", daemon=True)

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._listening.bind(self.path)
        self._listening.listen()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more; what is under way ends with those who asked."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                asking, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(asking,), daemon=True).start()

    def _pass_on(self, asking: socket.socket) -> None:
        # Whoever asks sees a closed connection, as when the engine itself closes it.
        with asking, contextlib.suppress(OSError, ValueError):
            question = _read_question(asking)
            if not question:
                return
            with self._connected() as engine:
                engine.sendall(labelled(question, self._labels))
                _both_ways(asking, engine)

    def _connected(self) -> socket.socket:
        if self._engine.startswith("unix://"):
            engine = socket.socket(socket.AF_UNIX)
            try:
                engine.connect(self._engine.removeprefix("unix://"))
            except BaseException:
                engine.close()
                raise
            return engine
        parts = urlsplit(self._engine)
        plain = socket.create_connection((parts.hostname or "", parts.port or 2375))
        if not self._certificates:
            return plain
        where = Path(self._certificates)
        context = ssl.create_default_context(cafile=str(where / "ca.pem"))
        context.load_cert_chain(str(where / "cert.pem"), str(where / "key.pem"))
        return context.wrap_socket(plain, server_hostname=parts.hostname)


def labelled(question: bytes, labels: Mapping[str, str]) -> bytes:
    """Return a request as the engine gets it: with these labels where it makes a container, and the last one.

    Raises:
        ValueError: It makes a container, and its body cannot be understood.
    """
    head, _, body = question.partition(_END)
    if not _UPGRADES.search(head):
        head = _KEPT_OPEN.sub(b"", head) + b"\r\nConnection: close"
    if _CREATES.match(head) and body:
        wanted = json.loads(body)
        own = {**(wanted.get("Labels") or {}), **labels}
        wanted["Labels"] = {key: value for key, value in own.items() if value or key not in labels}
        body = json.dumps(wanted).encode()
        head = _LENGTH.sub(b"\r\nContent-Length: %d" % len(body), head)
    return head + _END + body


def _read_question(asking: socket.socket) -> bytes:
    """Return a request with its body, as far as its length is told before; empty when nobody asks anything."""
    told = b""
    while _END not in told:
        piece = asking.recv(_PIECE_BYTES)
        if not piece or len(told) > _LONGEST_HEAD_BYTES:
            return b""
        told += piece
    head, _, body = told.partition(_END)
    found = _LENGTH.search(head)
    if _CREATES.match(head) and found and (length := int(found[1])) <= _LONGEST_BODY_BYTES:
        while len(body) < length and (piece := asking.recv(_PIECE_BYTES)):
            body += piece
        told = head + _END + body
    return told


def _both_ways(asking: socket.socket, engine: socket.socket) -> None:
    """Hand over what each side says until the engine has said all, or nobody listens any more."""
    sides = {asking: engine, engine: asking}
    while True:
        pending = isinstance(engine, ssl.SSLSocket) and engine.pending()
        ready = [engine] if pending else select.select(list(sides), [], [])[0]
        for side in ready:
            piece = side.recv(_PIECE_BYTES)
            if not piece:
                return
            sides[side].sendall(piece)
