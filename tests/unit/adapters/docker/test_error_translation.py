"""Why an engine does not answer, in the words of each case; sockets here are real ones."""

from __future__ import annotations

import http.server
import json
import os
import socket
import threading
from typing import TYPE_CHECKING, ClassVar

import pytest

from tonnage.adapters.docker.connect import connect
from tonnage.adapters.docker.error_translation import refused, speaking_to, unreachable
from tonnage.adapters.docker.facts import DockerFacts
from tonnage.errors import EngineLacksError, EngineUnreachableError, StepFailedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Answers(http.server.BaseHTTPRequestHandler):
    """Something that answers like an engine of a chosen version, and refuses all but its version and its info."""

    version: ClassVar[dict[str, str]] = {"Version": "24.0.9", "ApiVersion": "1.43", "MinAPIVersion": "1.12"}

    def do_GET(self) -> None:
        known: dict[str, object] = {"/version": self.version, "/v1.43/info": {"DockerRootDir": 7}}
        status = 200 if self.path in known else 500
        body = json.dumps(known.get(self.path, {"message": "disk I/O error"})).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_missing_socket_says_how_to_start_an_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachableError) as caught:
        connect({}, f"unix://{tmp_path}/docker.sock")
    assert caught.value.exit_code == 6
    assert f"there is no engine at {tmp_path}/docker.sock" in caught.value.what
    assert "does not exist" in caught.value.why


def test_a_rootless_engine_nearby_is_pointed_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "docker.sock"))
        error = unreachable("unix:///var/run/docker.sock", FileNotFoundError(2, "No such file"))
    assert f"\n  export DOCKER_HOST=unix://{tmp_path}/docker.sock" in error.todo


def test_a_socket_without_permission_says_how_to_join_the_group() -> None:
    error = unreachable("unix:///var/run/docker.sock", PermissionError(13, "Permission denied"))
    assert "no permission on the engine's socket /var/run/docker.sock" in error.what
    assert str(os.getuid()) in error.why
    assert "\n  sudo usermod -aG docker $USER\n" in error.todo


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming somebody else needs root")
def test_a_real_socket_of_root_refuses_somebody_else(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "docker.sock"))
        listening.listen()
        os.seteuid(65534)
        try:
            with pytest.raises(EngineUnreachableError, match="no permission"):
                connect({}, f"unix://{tmp_path}/docker.sock")
        finally:
            os.seteuid(0)


def test_a_socket_on_which_nobody_listens_says_so(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "docker.sock"))
    with pytest.raises(EngineUnreachableError, match="connection refused on the engine's socket") as caught:
        connect({}, f"unix://{tmp_path}/docker.sock")
    assert "systemctl restart docker" in caught.value.todo


def test_a_refused_tcp_connection_says_so() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(EngineUnreachableError, match=f"connection to tcp://127.0.0.1:{port} was refused"):
        connect({"DOCKER_HOST": f"tcp://127.0.0.1:{port}"})


def test_the_given_host_is_stronger_than_the_environment(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachableError, match="given"):
        connect({"DOCKER_HOST": "unix:///nowhere/environment.sock"}, f"unix://{tmp_path}/given.sock")


def test_the_environment_is_stronger_than_the_docker_context() -> None:
    with pytest.raises(EngineUnreachableError, match=r"environment\.sock"):
        connect({"DOCKER_HOST": "unix:///nowhere/environment.sock", "DOCKER_CONTEXT": "nosuch"})


def test_a_docker_context_that_is_not_there_is_not_passed_over() -> None:
    with pytest.raises(UsageError, match="no docker context nosuch") as caught:
        connect({"DOCKER_CONTEXT": "nosuch"})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("address", ["somewhere", "ftp://example.org", "unix://relative.sock"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="not an engine's address"):
        connect({}, address)


@pytest.mark.parametrize("address", ["ssh://user:secret@example.org", "ssh://example.org/path", "ssh://"])
def test_what_is_no_ssh_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="not an ssh address"):
        connect({}, address)


def test_an_engine_that_refuses_is_quoted(port: int) -> None:
    with connect({}, f"tcp://127.0.0.1:{port}") as connection:
        assert connection.client.api.api_version == "1.43"
        with pytest.raises(StepFailedError, match="could not list the images") as caught:
            DockerFacts(connection).images()
    assert caught.value.why == "disk I/O error"


def test_a_reply_of_another_form_is_lacking_not_a_crash(port: int) -> None:
    with connect({}, f"tcp://127.0.0.1:{port}") as connection, pytest.raises(EngineLacksError, match="documents"):
        DockerFacts(connection).engine()


def test_an_engine_that_dies_in_the_middle_is_unreachable(port: int) -> None:
    with connect({}, f"tcp://127.0.0.1:{port}") as connection:
        connection.client.api.base_url = "http://127.0.0.1:1"
        with pytest.raises(EngineUnreachableError):
            DockerFacts(connection).containers()


def test_a_failure_of_ours_passes_through_the_door() -> None:
    with pytest.raises(UsageError, match="mine"), speaking_to("unix:///x.sock", "do"):
        raise UsageError("mine")


@pytest.mark.parametrize(
    ("said", "todo"),
    [
        ("write /var/lib/docker/tmp/x: no space left on device", "tonnage reclaim"),
        ("pull access denied for example.org/x, repository does not exist", "docker login"),
        ("unauthorized: authentication required", "docker login"),
        ("manifest unknown: manifest unknown", "Check the name"),
        ("dial tcp: lookup example.org: no such host", "network"),
        ("something else", ""),
    ],
)
def test_what_the_engine_says_leads_to_what_to_do(said: str, todo: str) -> None:
    error = refused("pull example.org/x", said)
    assert error.why == said
    assert todo in error.todo
    assert error.exit_code == 10


def test_an_engine_without_words_is_said_to_give_no_reason() -> None:
    assert refused("pull x", " ").why == "The engine gave no reason."
