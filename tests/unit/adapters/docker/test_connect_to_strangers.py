"""What else may answer at an engine's address: an older engine, another program, one that says nothing sensible."""

from __future__ import annotations

import http.server
import json
import socketserver
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.docker.connect import connect
from tonnage.errors import EngineLacksError, EngineUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.errors import TonnageError


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextmanager
def _answering(path: Path, answer: str, status: int = 200) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer.encode())))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - so the library calls it
            pass

    with _Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            thread.join()


def _refused(directory: Path, answer: str, status: int = 200) -> TonnageError:
    with (
        _answering(directory / "s", answer, status) as endpoint,
        pytest.raises((EngineLacksError, EngineUnreachableError)) as refused,
        connect({}, endpoint),
    ):
        pass
    return refused.value


def test_an_engine_that_is_too_old_is_told_its_version(tmp_path: Path) -> None:
    error = _refused(tmp_path, json.dumps({"Version": "18.09.1", "ApiVersion": "1.39", "Os": "linux"}))
    assert (error.exit_code, error.what) == (7, "the engine is too old: Docker 18.09.1")
    assert "1.39" in error.why


def test_an_engine_for_windows_containers_is_told_as_such(tmp_path: Path) -> None:
    error = _refused(tmp_path, json.dumps({"Version": "27.0", "ApiVersion": "1.46", "Os": "windows"}))
    assert (error.exit_code, error.what) == (7, "this engine runs Windows containers")


@pytest.mark.parametrize("answer", ["{}", "[]", "3", '"x"', "null", "<html>", ""])
def test_another_program_is_not_taken_for_an_engine(tmp_path: Path, answer: str) -> None:
    error = _refused(tmp_path, answer)
    assert (error.exit_code, error.what) == (6, f"what answers at unix://{tmp_path}/s is not a Docker engine")
    assert "DOCKER_HOST" in error.todo


def test_a_page_that_is_not_found_is_no_engine_either(tmp_path: Path) -> None:
    assert "is not a Docker engine" in _refused(tmp_path, "no such page", 404).what


@pytest.mark.parametrize("status", [403, 500])
def test_an_engine_that_refuses_to_tell_its_version_is_quoted(tmp_path: Path, status: int) -> None:
    error = _refused(tmp_path, json.dumps({"message": "not for you"}), status)
    assert (error.exit_code, error.why) == (6, "not for you")


def test_a_user_without_permission_is_told_which_group_has_it() -> None:
    code = (
        "import os, socket, sys; from tonnage.adapters.docker.connect import connect\n"
        "path = sys.argv[1]; server = socket.socket(socket.AF_UNIX); server.bind(path); server.listen()\n"
        "os.chmod(path, 0)\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: connect({}, f'unix://{path}')\n"
        "except Exception as error: print(error.exit_code, error)\n"
    )
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        path = f"{directory}/docker.sock"
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"6 no permission on the engine's socket {path}\n")
    assert "\n  sudo usermod -aG docker $USER\n" in done.stdout
