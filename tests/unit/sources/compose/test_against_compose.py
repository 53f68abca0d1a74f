"""An older Compose as a judge: what it prints for some files must mean the same to the reader as the files themselves.

Compose 1.29 knows no profiles by file, no nested defaults, no ``!reset`` and no ``include``; the files stay within it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tonnage.sources.compose.canonical import canonical
from tonnage.sources.compose.file_selection import select_files
from tonnage.sources.compose.loading import load_files

if TYPE_CHECKING:
    from pathlib import Path

COMPOSE = shutil.which("docker-compose")
ENVIRONMENT = {"NAME": "n", "EMPTY": "", "HOME": "/home/me"}

BASE = """\
version: "3.9"
services:
  web:
    image: example.org/${NAME}:${TAG:-1}
    command: sh -c "echo $${HOME}"
    environment: {A: "1", B: "${EMPTY-d}", C: "${EMPTY:-d}", D: "$$x", N: 1.10, T: "true", O: 0777, Y: "yes"}
    labels: [a=1, b]
    ports: ["8000:8000", "127.0.0.1:9000-9001:9000-9001/udp", "3000", "5000-5010:50"]
    volumes: ["./data:/data", "named:/n:ro", "~/m:/m", /anonymous]
    dns: 192.0.2.1
    expose: [7000]
    env_file: one.env
    healthcheck: {test: "x y", interval: 90s, retries: 3}
    depends_on: [db]
    ulimits: {nofile: {soft: 1, hard: 2}, nproc: 7}
    tmpfs: /run
    cap_add: [NET_ADMIN]
    build: {context: ./web, args: [X=1, Y=2]}
  db: {image: db}
volumes: {named: }
"""
OVERRIDE = """\
version: "3.9"
services:
  web:
    entrypoint: a 'b c'
    environment: ["B=later", "E"]
    labels: {b: "2"}
    ports: ["8000:8000", "8100:81"]
    volumes: ["./other:/data"]
    dns: [192.0.2.2]
    expose: ["7000", "7001"]
    healthcheck: {test: [CMD, z]}
    cap_add: [NET_ADMIN, SYS_PTRACE]
    build: {args: {Y: 3}, target: last}
"""
EXTENDING = """\
version: "3.9"
services:
  base:
    image: example.org/base
    environment: {A: base, B: base}
    volumes: ["./data:/data"]
  web:
    extends: base
    environment: {B: web}
  far:
    extends: {file: shared/common.yml, service: common}
    command: [far]
"""
COMMON = """\
version: "3.9"
services:
  common:
    build: .
    volumes: ["./data:/data"]
    env_file: common.env
"""
ENV_FILE = "F=file\nA=lost\n# a comment\nG='q'\nexport H=h\nI=\n"


def services(directory: Path, *files: str) -> dict[str, Any]:
    selection = select_files(
        files=files,
        directory="",
        profiles=(),
        env_files=(),
        working_directory=str(directory),
        environment=ENVIRONMENT,
    )
    form = canonical(load_files(selection, project_name="judged"), profiles=())
    return {name: sorted_lists(service) for name, service in form["services"].items()}


def sorted_lists(service: dict[str, Any]) -> dict[str, Any]:
    """Return a service with the order of its lists left out, except where order has a meaning."""
    return {
        key: sorted(value, key=lambda each: json.dumps(each, sort_keys=True))
        if isinstance(value, list) and key not in {"command", "entrypoint"}
        else value
        for key, value in service.items()
    }


@pytest.mark.skipif(COMPOSE is None, reason="docker-compose is not installed")
@pytest.mark.parametrize(
    "files",
    [
        {"docker-compose.yml": BASE, "one.env": ENV_FILE, "web/Dockerfile": "FROM db\n"},
        {
            "docker-compose.yml": BASE,
            "docker-compose.override.yml": OVERRIDE,
            "one.env": ENV_FILE,
            "web/Dockerfile": "",
        },
        {"docker-compose.yml": EXTENDING, "shared/common.yml": COMMON, "shared/common.env": ENV_FILE},
    ],
    ids=["one-file", "override", "extends"],
)
def test_what_compose_prints_means_the_same_as_the_files(files: dict[str, str], tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert COMPOSE is not None
    printed = subprocess.run(
        [COMPOSE, "config"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert printed.returncode == 0, printed.stderr

    own = services(tmp_path)
    (tmp_path / "printed.yml").write_text(printed.stdout)

    assert services(tmp_path, "printed.yml") == own
