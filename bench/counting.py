"""What passes the network, counted on its way."""

from __future__ import annotations

import select
import socket
import threading
from collections import Counter

PIECE_BYTES = 65_536


class Counting(threading.Thread):
    """A proxy that passes encrypted connections on and counts their bytes, encryption included.

    Args:
        host: The address of this machine where it listens.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(daemon=True)
        self.listening = socket.create_server((host, 0))
        self.address = f"http://{host}:{self.listening.getsockname()[1]}"
        self.passed_bytes = 0
        self.by_host: Counter[str] = Counter()
        self.connections = 0
        self.unknown: set[str] = set()
        self.lock = threading.Lock()

    def run(self) -> None:
        """Accept connections until the program ends."""
        while True:
            client, _ = self.listening.accept()
            threading.Thread(target=self.pass_on, args=(client,), daemon=True).start()

    def pass_on(self, client: socket.socket) -> None:
        """Connect one client to what it asks for."""
        with client:
            asked = b""
            while b"\r\n\r\n" not in asked:
                more = client.recv(PIECE_BYTES)
                if not more:
                    return
                asked += more
            method, target, _ = asked.split(b" ", 2)
            if method != b"CONNECT":
                client.sendall(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
                return
            host, _, port = target.decode().rpartition(":")
            try:
                server = self.reached(host, int(port))
            except OSError:
                self.unknown.add(host)
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
                return
            with server:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                with self.lock:
                    self.connections += 1
                self.copy(client, server, host)

    def reached(self, host: str, port: int) -> socket.socket:
        """Connect to a server; how long looking up a name takes that nobody has is not what is measured."""
        if host in self.unknown:
            raise ConnectionError
        return socket.create_connection((host.strip("[]"), port), timeout=20)

    def copy(self, one: socket.socket, other: socket.socket, host: str) -> None:
        """Copy both ways until one side ends."""
        while True:
            for each in select.select([one, other], [], [])[0]:
                try:
                    piece = each.recv(PIECE_BYTES)
                    (other if each is one else one).sendall(piece)
                except OSError:
                    return
                if not piece:
                    return
                with self.lock:
                    self.passed_bytes += len(piece)
                    self.by_host[host] += len(piece)
