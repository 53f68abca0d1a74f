"""What containers get of labels on the way to the engine, and that all else goes on as it is."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING

from tonnage.adapters.docker.compose.labelled import LabelledDoor, labelled

if TYPE_CHECKING:
    from pathlib import Path

LABELS = {"files": "/srv/shop/prod.yml", "env": ""}


def create(body: dict[str, object], path: str = "/v1.45/containers/create?name=web") -> bytes:
    text = json.dumps(body).encode()
    return f"POST {path} HTTP/1.1\r\nHost: d\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text


def test_a_container_gets_the_labels_and_loses_those_that_are_empty() -> None:
    asked = create({"Image": "i", "Labels": {"own": "1", "files": "/tmp/x/compose.json", "env": "/tmp/x/empty.env"}})
    head, _, body = labelled(asked, LABELS).partition(b"\r\n\r\n")
    assert json.loads(body) == {"Image": "i", "Labels": {"own": "1", "files": "/srv/shop/prod.yml"}}
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(labelled(create({"Image": "i"}), LABELS).partition(b"\r\n\r\n")[2])["Labels"] == {
        "files": "/srv/shop/prod.yml"
    }


def test_what_makes_no_container_goes_on_as_it_is_and_ends_with_its_answer() -> None:
    for path in ("/v1.45/networks/create", "/containers/abc/start", "/containers/create/x"):
        asked = create({"Labels": {"own": "1"}}, path)
        head, _, body = labelled(asked, LABELS).partition(b"\r\n\r\n")
        assert body == asked.partition(b"\r\n\r\n")[2]
        assert head.endswith(b"\r\nConnection: close")
    kept = b"GET /x HTTP/1.1\r\nConnection: keep-alive\r\nHost: d\r\n\r\n"
    assert labelled(kept, LABELS) == b"GET /x HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n"
    # One that becomes another conversation is left alone.
    attach = b"POST /containers/x/attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    assert labelled(attach, LABELS) == attach


def test_a_request_that_comes_in_pieces_is_put_together_and_the_answer_goes_back(tmp_path: Path) -> None:
    engine = socket.socket(socket.AF_UNIX)
    engine.bind(str(tmp_path / "e"))
    engine.listen()
    heard: list[bytes] = []

    def answer() -> None:
        asking, _ = engine.accept()
        with asking:
            while not b"".join(heard).endswith(b"}}"):
                heard.append(asking.recv(65536))
            asking.sendall(b"HTTP/1.1 201 Created\r\n\r\nmade")

    thread = threading.Thread(target=answer)
    thread.start()
    asked = create({"Image": "i" * 100_003, "Labels": {"own": "1"}})
    with LabelledDoor(str(tmp_path), f"unix://{tmp_path}/e", LABELS) as door, socket.socket(socket.AF_UNIX) as client:
        client.connect(door.path)
        for start in range(0, len(asked), 30_011):
            client.sendall(asked[start : start + 30_011])
        told = b""
        while piece := client.recv(65536):
            told += piece
    thread.join()
    engine.close()
    assert told == b"HTTP/1.1 201 Created\r\n\r\nmade"
    body = json.loads(b"".join(heard).partition(b"\r\n\r\n")[2])
    assert body["Labels"] == {"own": "1", "files": "/srv/shop/prod.yml"}


def test_whoever_asks_an_engine_that_is_gone_sees_a_closed_connection(tmp_path: Path) -> None:
    with LabelledDoor(str(tmp_path), f"unix://{tmp_path}/none", {}) as door, socket.socket(socket.AF_UNIX) as client:
        client.connect(door.path)
        client.sendall(b"GET /_ping HTTP/1.1\r\n\r\n")
        assert client.recv(1) == b""
