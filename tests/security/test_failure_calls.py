"""What a project may say of who is told when a deploy failed: an address that everybody reaches, and no program."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.simulated_ports import SICK, make_world

from tonnage.model.deploy.failure_call import FailureCall
from tonnage.wiring.failure_calls import call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Captured = pytest.CaptureFixture[str]


class Hook(BaseHTTPRequestHandler):
    """Keeps what it is told, and answers as the path says."""

    told: list[tuple[str, str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.told.append((self.path, self.headers["Content-Type"], body))
        self.send_response(int(self.path.rpartition("/")[2]))
        self.send_header("Location", "/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    Hook.told = []
    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", Hook.told
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "written",
    [
        "touch PWNED",
        "['touch', 'PWNED']",
        "{command: touch PWNED}",
        "http://example.org/x",
        "file:///etc/passwd",
        "//x",
    ],
)
def test_a_project_names_no_program_and_nothing_without_tls(tmp_path: Path, capsys: Captured, written: str) -> None:
    marker = tmp_path / "marker"
    world = make_world(tmp_path)
    compose = tmp_path / "compose.yaml"
    shown = f"x-tonnage:\n  on-failure: {written.replace('PWNED', str(marker))}\n"
    compose.write_text(compose.read_text() + shown)
    world.recipe(SICK)
    assert world.run("deploy") == 2
    assert world.simulator.facts.containers() == ()
    assert not marker.exists()
    assert "on-failure" in capsys.readouterr().err


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://169.254.169.254/latest",
        "https://10.0.0.7:8443/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.7]/x",
        "https://2130706433/x",
    ],
)
def test_an_address_of_a_project_leads_nowhere_but_to_the_public(address: str) -> None:
    trouble = call(FailureCall(address=address, by_project=True), "{}", {})
    assert "Files of a project name public addresses only" in trouble


def test_the_users_own_address_gets_the_document_and_is_not_redirected(
    hook: tuple[str, list[tuple[str, str, bytes]]],
) -> None:
    address, told = hook
    assert call(FailureCall(address=f"{address}/hooks/204"), json.dumps({"document": "run"}), {}) == ""
    assert call(FailureCall(address=f"{address}/307"), "{}", {}) == "it answered 307"
    assert call(FailureCall(address=f"{address}/500"), "{}", {}) == "it answered 500"
    assert [(path, kind) for path, kind, _ in told] == [
        ("/hooks/204", "application/json"),
        ("/307", "application/json"),
        ("/500", "application/json"),
    ]
    assert told[0][2] == b'{"document": "run"}'


def test_what_is_shown_of_an_address_is_its_server() -> None:
    shown = FailureCall(address="https://user:word@hooks.example.org:8443/T0/B0/secret?key=1").name
    assert shown == "https://hooks.example.org:8443/..."


def test_a_project_address_is_not_shown_among_settings(tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path)
    compose = tmp_path / "compose.yaml"
    compose.write_text(compose.read_text() + "x-tonnage: {on-failure: 'https://hooks.example.org/T0/secret'}\n")
    assert world.run("doctor", "--settings") == 0
    told = capsys.readouterr()
    assert "secret" not in told.err + told.out
    assert "https://hooks.example.org/..." in told.out
