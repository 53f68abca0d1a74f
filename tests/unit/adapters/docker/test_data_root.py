"""Where an engine of this machine has its data, and what its containers mount, whether it answers or not."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.docker.container_files import mounted_by_containers
from tonnage.adapters.docker.data_root import data_root, usual_data_root

if TYPE_CHECKING:
    from pathlib import Path

DEAD = "unix:///nonexistent/docker.sock"


def context(directory: Path, name: str, address: str) -> dict[str, str]:
    """Make a docker context the current one; return the environment."""
    meta = directory / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": address}}}))
    (directory / "config.json").write_text(json.dumps({"currentContext": name}))
    return {"DOCKER_CONFIG": str(directory)}


def test_a_dead_engine_has_its_data_where_its_settings_say(tmp_path: Path) -> None:
    settings = tmp_path / "daemon.json"
    settings.write_text(json.dumps({"data-root": str(tmp_path)}))
    assert usual_data_root({}, DEAD, settings=str(settings)) == str(tmp_path)
    settings.write_text("[1, 2")
    assert usual_data_root({}, DEAD, settings=str(settings)) in {"/var/lib/docker", "/"}
    assert data_root({}, DEAD)


@pytest.mark.parametrize("host", ["ssh://user@machine", "tcp://127.0.0.1:1", "http://127.0.0.1:1"])
def test_an_engine_elsewhere_has_none_here(tmp_path: Path, host: str) -> None:
    assert usual_data_root({}, host) == ""
    assert usual_data_root({"DOCKER_HOST": host}) == ""
    assert data_root({}, host) == ""
    assert usual_data_root(context(tmp_path, "theirs", host)) == ""


def test_a_context_that_names_a_socket_of_this_machine_is_this_machine(tmp_path: Path) -> None:
    assert usual_data_root(context(tmp_path, "desktop", DEAD))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "gone"}))
    assert usual_data_root({"DOCKER_CONFIG": str(tmp_path)}) == ""
    assert usual_data_root({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "default"})
    (tmp_path / "config.json").write_text("{")
    assert usual_data_root({"DOCKER_CONFIG": str(tmp_path)}) == ""


def test_what_containers_mount_is_read_without_the_engine(tmp_path: Path) -> None:
    mounts = {"/models": {"Type": "bind", "Source": "/srv/models"}, "/data": {"Type": "volume", "Source": "/v"}}
    for number, text in enumerate((json.dumps({"Name": "/web", "MountPoints": mounts}), "{", '{"MountPoints": null}')):
        (tmp_path / "containers" / str(number)).mkdir(parents=True)
        (tmp_path / "containers" / str(number) / "config.v2.json").write_text(text)
    assert mounted_by_containers(str(tmp_path)) == {"/srv/models": "web"}
    assert mounted_by_containers(str(tmp_path / "nowhere")) == {}
