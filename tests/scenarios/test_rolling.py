"""Intent: behind a proxy that reads labels a new version takes over without a failed request, and a bad one gets none.

Steps: deploy a service behind nginx, whose configuration is made anew from labels; change it; then let it be bad.
State checked: what nginx answers, four requests at a time without a pause; containers, networks, labels.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import docker.errors
import pytest
from tests.scenarios.watching import soon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.scenarios.driving import Project

NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
pytestmark = [
    pytest.mark.engine,
    pytest.mark.each_engine,
    pytest.mark.skipif(NGINX is None, reason="no nginx (package nginx-light)"),
]
PORT = 18097
LABEL = "com.example.proxy.port"
CONFIGURATION = """\
daemon off; pid {place}/pid; error_log {place}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
 access_log off; client_body_temp_path {place}/a; proxy_temp_path {place}/b; fastcgi_temp_path {place}/c;
 uwsgi_temp_path {place}/d; scgi_temp_path {place}/e;
 upstream web {{ {servers} }}
 server {{ listen {address}:{port}; location / {{ proxy_pass http://web; proxy_connect_timeout 2s; }} }}
}}
"""


class Proxy:
    """nginx in the engine's network, its upstreams made anew from labels ten times a second."""

    def __init__(self, project: Project, place: Path) -> None:
        self._project = project
        self._place = place
        self._file = place / "nginx.conf"
        self._servers = ""
        self._end = threading.Event()
        self._started: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        assert self._renew()
        command = ["ip", "netns", "exec", self._project.real.netns, str(NGINX), "-c", str(self._file)]
        self._started = subprocess.Popen([*command, "-e", str(self._place / "error.log")])
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        if self._started is not None:
            self._thread.join()
            self._started.terminate()
            self._started.wait(10.0)

    def _follow(self) -> None:
        while not self._end.wait(0.1):
            if self._renew():
                subprocess.run([str(NGINX), "-c", str(self._file), "-s", "reload"], check=False, capture_output=True)

    def _renew(self) -> bool:
        """Write the configuration; return whether it has other servers than before."""
        api = self._project.real.client.api
        servers = []
        for each in api.containers(filters={"label": [LABEL]}):
            try:
                told = api.inspect_container(each["Id"])
            except docker.errors.NotFound:
                continue
            front = told["NetworkSettings"]["Networks"].get(f"{self._project.name}_front") or {}
            if told["State"]["Running"] and front.get("IPAddress"):
                servers.append(f"server {front['IPAddress']}:{told['Config']['Labels'][LABEL]} max_fails=0;")
        text = " ".join(sorted(servers))
        if not text or text == self._servers:
            return False
        self._servers = text
        self._file.write_text(
            CONFIGURATION.format(place=self._place, servers=text, address=self._project.real.address, port=PORT)
        )
        return True


@contextmanager
def asking(address: str) -> Iterator[list[str]]:
    """Ask without a pause, from four threads; keep each answer, or what there was in its place."""
    answers: list[str] = []
    end = threading.Event()

    def ask() -> None:
        while not end.is_set():
            try:
                connection = HTTPConnection(address, PORT, timeout=10.0)
                connection.request("GET", "/")
                reply = connection.getresponse()
                answers.append(f"{reply.status} {reply.read().decode()}")
                connection.close()
            except OSError as error:
                answers.append(f"failed: {error}")

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
    for each in threads:
        each.start()
    try:
        yield answers
    finally:
        end.set()
        for each in threads:
            each.join()


@pytest.fixture
def behind_nginx(project: Project, tmp_path: Path) -> Iterator[Project]:
    """Return a deployed project whose service is reached through nginx."""
    settings: dict[str, Any] = {"x-tonnage": {"stability": "500ms", "switch": "rolling", "drain": "2s"}}
    project.web(
        "web",
        "web 1",
        labels={LABEL: "8080"},
        networks={"front": {"aliases": ["api.internal"]}, "back": {}},
        depends_on=["db"],
        **settings,
    )
    project.web("db", "db 1", networks=["back"])
    project.top["networks"] = {"front": {}, "back": {}}
    project.write()
    project.deploy()
    place = tmp_path / "nginx"
    place.mkdir()
    proxy = Proxy(project, place)
    proxy.start()
    try:
        assert soon(lambda: ask_once(project) == "200 web 1")
        yield project
    finally:
        proxy.close()


def ask_once(project: Project) -> str:
    connection = HTTPConnection(project.real.address, PORT, timeout=10.0)
    try:
        connection.request("GET", "/")
        reply = connection.getresponse()
        return f"{reply.status} {reply.read().decode()}"
    except OSError as error:
        return f"failed: {error}"
    finally:
        connection.close()


def test_a_new_version_takes_over_without_a_failed_request_and_a_bad_one_gets_none(behind_nginx: Project) -> None:
    project, engine = behind_nginx, behind_nginx.engine
    first = engine.container("web")
    project.web("web", "web 2")
    with asking(project.real.address) as answers:
        project.deploy()
        assert soon(lambda: answers[-1] == "200 web 2")
    assert set(answers) == {"200 web 1", "200 web 2"}
    assert len(answers) > 100
    second = engine.details("web")
    assert second["Id"] != first.id
    networks = second["NetworkSettings"]["Networks"]
    assert {name.removeprefix(f"{project.name}_") for name in networks} == {"front", "back"}
    assert {"web", "api.internal"} <= set(networks[f"{project.name}_front"]["Aliases"])
    assert "web" in networks[f"{project.name}_back"]["Aliases"]
    assert project.tonnage("verify").exit_code == 0
    assert project.tonnage("deploy").exit_code == 0
    assert engine.container("web").id == second["Id"]

    project.web("web", "web 3", cmd='CMD ["sh", "-c", "sleep 300"]')
    with asking(project.real.address) as answers:
        assert project.tonnage("deploy").exit_code == 5
    assert set(answers) == {"200 web 2"}
    assert engine.container("web").id == second["Id"]
    assert project.step("web.prove-rolling").outcome == "failed"

    project.web("web", "web 2")
    with asking(project.real.address) as answers:
        ended = project.tonnage("rollback", "web")
        assert ended.exit_code == 0, ended.stderr
        assert soon(lambda: answers[-1] == "200 web 1")
    assert set(answers) == {"200 web 1", "200 web 2"}
    assert engine.container("web").id != second["Id"]
