"""One question to an engine on this machine and its plain answer, without loading what a conversation needs.

Whatever is not a plain success is left to the conversation proper: it asks again, and says what is wrong.
"""

from __future__ import annotations

import json
import socket

_PIECE_BYTES = 65536
_OK = b"200"


def answer(socket_path: str, question: str, within_s: float) -> object | None:
    """Return what an engine answers to a GET.

    Returns:
        The JSON of its answer; None when it is no plain success.

    Raises:
        OSError: Nobody listens there, this user may not ask, or it was silent for too long.
    """
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(within_s)
        door.connect(socket_path)
        told = b""
        try:
            # Version 1.0 has no pieces and keeps nothing open: the answer ends with the connection.
            door.sendall(f"GET {question} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
            pieces = []
            while piece := door.recv(_PIECE_BYTES):
                pieces.append(piece)
            told = b"".join(pieces)
        except TimeoutError:
            raise
        except OSError:
            return None
    head, _, body = told.partition(b"\r\n\r\n")
    if head.split(b" ", 2)[1:2] != [_OK] or b"transfer-encoding" in head.lower():
        return None
    try:
        found: object = json.loads(body)
    except ValueError:
        return None
    return found
