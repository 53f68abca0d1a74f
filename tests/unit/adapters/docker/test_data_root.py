"""Where an engine of this machine has its data, and what its containers mount, whether it answers or not."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from tonnage.adapters.docker.container_files import containers_in_files
from tonnage.adapters.docker.data_root import data_root, usual_data_root, usual_endpoint
from tonnage.errors import CannotReclaimError

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


def test_containers_are_read_without_the_engine(tmp_path: Path) -> None:
    mounts = {"/models": {"Type": "bind", "Source": "/srv/models"}, "/data": {"Type": "volume", "Source": "/v"}}
    labels = {"com.docker.compose.project": "shop"}
    whole = json.dumps({"Name": "/web", "Config": {"Labels": labels}, "MountPoints": mounts})
    for number, text in enumerate((whole, "{", '{"MountPoints": null}', '{"Name": "/x", "Config": {"Labels": null}}')):
        (tmp_path / "containers" / str(number)).mkdir(parents=True)
        (tmp_path / "containers" / str(number) / "config.v2.json").write_text(text)
    (tmp_path / "containers" / "empty").mkdir()
    found = containers_in_files(str(tmp_path))
    assert [(each.name, each.project, each.binds) for each in found] == [
        ("web", "shop", ("/srv/models",)),
        ("x", "", ()),
    ]
    assert found[0].labels == labels
    assert containers_in_files(str(tmp_path / "nowhere")) == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user")
def test_containers_that_may_not_be_looked_at_are_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "containers").mkdir(mode=0o700)
    for each in (tmp_path, *tmp_path.parents):
        if each == Path("/tmp"):
            break
        each.chmod(0o755)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            containers_in_files(str(tmp_path))
        except CannotReclaimError as error:
            code = 0 if "sudo" in error.todo and "nothing removed" in error.what else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_an_engine_of_the_user_is_taken_where_the_machine_has_none_that_the_user_may_use(tmp_path: Path) -> None:
    machines, users = tmp_path / "docker.sock", tmp_path / "run" / "docker.sock"
    environment = {"XDG_RUNTIME_DIR": str(users.parent)}
    users.parent.mkdir()
    # Without either, what does not answer is the machine's.
    assert usual_endpoint(environment, str(machines)) == f"unix://{machines}"
    users.touch()
    assert usual_endpoint(environment, str(machines)) == f"unix://{users}"
    assert usual_endpoint({"XDG_RUNTIME_DIR": "run"}, str(machines)) == f"unix://{machines}"
    assert usual_endpoint({}, str(machines)) == f"unix://{machines}"
    machines.touch()
    assert usual_endpoint(environment, str(machines)) == f"unix://{machines}"
