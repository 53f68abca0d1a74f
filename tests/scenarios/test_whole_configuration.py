"""Intent: what a compose file says of a service is what the engine has, whichever Compose is installed.

Steps: deploy a service that says nearly everything that can be said, and one with two replicas; change both.
State checked: the containers' configuration, their files, their networks; labels by which Compose 2 knows its own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.real_engine import BUSYBOX
from tests.scenarios.driving import QUICK

from tonnage.adapters.docker.tools import Tools

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

COMMAND = ["sh", "-c", 'echo "hello world" $$HOME; exec sleep 1000', "arg with  spaces", 'it\'s "q"']
ENVIRONMENT = {
    "DOLLAR": "a$$b$${c}",
    "QUOTES": "it's \"quoted\" 'x'",
    "SPACES": "  x  y ",
    "NEWLINE": "one\ntwo",
    "UNICODE": "\u00fc\u0085\u2028\U0001f600",
    "EMPTY": "",
    "SIGNS": "a=b #c \\$$d",
}
EVERYTHING: dict[str, Any] = {
    "image": BUSYBOX,
    "entrypoint": ["env", "EXTRA=a b $$c"],
    "command": COMMAND,
    "environment": ENVIRONMENT,
    "env_file": "one.env",
    "healthcheck": {"test": ["CMD-SHELL", 'test -d "$${HOME:-/}"'], "interval": "1s", "retries": 4},
    "tmpfs": ["/run:size=1m"],
    "volumes": [
        "./made:/made",
        "kept:/kept:ro",
        {"type": "tmpfs", "target": "/sticky", "tmpfs": {"size": 1048576, "mode": 0o1700}},
    ],
    "configs": ["settings", {"source": "settings", "target": "/etc/second.toml"}],
    "secrets": [{"source": "token", "target": "own"}],
    "networks": {"front": {"aliases": ["www", "w2"], "ipv4_address": "172.29.7.9"}, "back": {}},
    "extra_hosts": ["db=192.0.2.17", "six=::1"],
    "ulimits": {"nofile": {"soft": 1009, "hard": 2003}, "nproc": 97},
    "cap_add": ["NET_ADMIN"],
    "cap_drop": ["MKNOD"],
    "devices": ["/dev/null:/dev/mine:r"],
    "init": True,
    "read_only": True,
    "hostname": "fixed",
    "user": "0:0",
    "working_dir": "/tmp",
    "labels": {"a.b": "c$$d"},
    "stop_signal": "SIGKILL",
    "stop_grace_period": "1m1s500ms",
    "shm_size": "65m",
    "sysctls": {"net.ipv4.ip_unprivileged_port_start": 0},
    "dns": ["192.0.2.53"],
    "logging": {"driver": "json-file", "options": {"max-size": "1m"}},
    "group_add": [17],
    "ports": ["127.0.0.1:18117:80", "18118-18119:90-91/udp"],
    "deploy": {
        "resources": {
            "limits": {"cpus": "0.5", "memory": "100m", "pids": 97},
            "reservations": {"memory": "20m"},
        },
        "restart_policy": {"condition": "on-failure", "max_attempts": 3},
    },
    "x-tonnage": {"stability": "300ms"},
}
TOP: dict[str, Any] = {
    "networks": {
        "front": {"ipam": {"config": [{"subnet": "172.29.7.0/24"}]}},
        "back": {"driver_opts": {"com.docker.network.driver.mtu": "1400"}},
    },
    "volumes": {"kept": {"labels": {"of": "a test"}}},
    "configs": {"settings": {"file": "settings.toml"}},
    "secrets": {"token": {"file": "token.txt"}},
}


def _write(project: Project, **many: object) -> None:
    (project.directory / "settings.toml").write_text("a = 1\n")
    (project.directory / "token.txt").write_text("swordfish")
    (project.directory / "one.env").write_text("FROM_FILE=of a file\nDOLLAR=lost\n")
    replicated = {"image": BUSYBOX, "command": ["sleep", "1000"], "deploy": {"replicas": 2}, **QUICK, **many}
    _save(project, {"web": EVERYTHING, "many": replicated}, TOP)


def _save(project: Project, services: dict[str, Any], top: dict[str, Any]) -> None:
    content = json.dumps({"name": project.name, "services": services, **top})
    # YAML knows no pairs of surrogates, and needs these two escaped.
    content = content.replace("\\ud83d\\ude00", "\U0001f600")
    (project.directory / "compose.yaml").write_text(content, encoding="utf-8")


def test_the_engine_has_what_the_file_says(project: Project) -> None:
    _write(project)
    project.deploy()
    details = project.engine.details("web")
    config, host = details["Config"], details["HostConfig"]
    expected: dict[str, Any] = {
        "Entrypoint": ["env", "EXTRA=a b $c"],
        "Cmd": [text.replace("$$", "$") for text in COMMAND],
        "Hostname": "fixed",
        "User": "0:0",
        "WorkingDir": "/tmp",
        "StopSignal": "SIGKILL",
    }
    # Compose 1 rounds up, Compose 2 down.
    assert config["StopTimeout"] in {61, 62}
    assert {key: config[key] for key in expected} == expected
    variables = dict(entry.split("=", 1) for entry in config["Env"])
    wanted = {key: value.replace("$$", "$") for key, value in ENVIRONMENT.items()}
    assert variables.items() >= {**wanted, "FROM_FILE": "of a file"}.items()
    assert config["Labels"]["a.b"] == "c$d"
    assert config["Healthcheck"]["Test"] == ["CMD-SHELL", 'test -d "${HOME:-/}"']
    expected = {
        "NanoCpus": 500_000_000,
        "Memory": 104_857_600,
        "MemoryReservation": 20_971_520,
        "PidsLimit": 97,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "ShmSize": 68_157_440,
        "CapAdd": ["CAP_NET_ADMIN"],
        "CapDrop": ["CAP_MKNOD"],
        "Init": True,
        "ReadonlyRootfs": True,
        "Dns": ["192.0.2.53"],
        "GroupAdd": ["17"],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        "Sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"},
        "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/mine", "CgroupPermissions": "r"}],
    }
    # Older engines tell capabilities as they are written.
    for key in ("CapAdd", "CapDrop"):
        host[key] = [f"CAP_{name.removeprefix('CAP_')}" for name in host[key]]
    assert {key: host[key] for key in expected} == expected
    assert sorted(host["ExtraHosts"]) == ["db:192.0.2.17", "six:::1"]
    assert {limit["Name"]: (limit["Soft"], limit["Hard"]) for limit in host["Ulimits"]} == {
        "nofile": (1009, 2003),
        "nproc": (97, 97),
    }
    assert {key: value[0]["HostPort"] for key, value in host["PortBindings"].items()} == {
        "80/tcp": "18117",
        "90/udp": "18118",
        "91/udp": "18119",
    }


def test_files_mounts_and_networks_are_what_the_file_says(project: Project) -> None:
    _write(project)
    project.deploy()
    engine = project.engine
    details = engine.details("web")
    container = engine.client.containers.get(details["Id"])

    def told(command: str) -> str:
        output = container.exec_run(["sh", "-c", command]).output
        assert isinstance(output, bytes)
        return output.decode()

    assert told("cat /settings /etc/second.toml /run/secrets/own") == "a = 1\na = 1\nswordfish"
    assert told("touch /settings /kept/x /made/x 2>&1 | wc -l") == "2\n"
    assert (project.directory / "made" / "x").is_file()
    assert told("stat -c %a /sticky; mount | grep -c 'tmpfs on /sticky.*size=1024k'") == "1700\n1\n"
    networks = details["NetworkSettings"]["Networks"]
    assert sorted(networks) == [f"{project.name}_back", f"{project.name}_front"]
    front = networks[f"{project.name}_front"]
    assert front["IPAddress"] == "172.29.7.9"
    assert {"www", "w2", "web"} <= set(front["Aliases"])
    back = engine.client.networks.get(f"{project.name}_back")
    assert back.attrs["Options"] == {"com.docker.network.driver.mtu": "1400"}
    assert back.attrs["Labels"]["com.docker.compose.network"] == "back"
    volume = engine.client.volumes.get(f"{project.name}_kept")
    assert volume.attrs["Labels"]["of"] == "a test"
    assert volume.attrs["Labels"]["com.docker.compose.volume"] == "kept"


def test_every_replica_runs_is_proven_and_is_replaced(project: Project) -> None:
    _write(project)
    project.deploy()
    engine = project.engine
    first = engine.containers("many")
    assert [seen.state for seen in first] == ["running", "running"]
    project.deploy()
    assert engine.containers("many") == first

    _write(project, environment={"CHANGED": "1"})
    project.deploy()
    second = engine.containers("many")
    assert [seen.state for seen in second] == ["running", "running"]
    assert not {seen.id for seen in first} & {seen.id for seen in second}

    _write(project, deploy={"replicas": 1})
    project.deploy()
    assert [seen.state for seen in engine.containers("many")] == ["running"]


def test_a_part_of_a_volume_is_mounted_or_refused_but_never_the_whole(project: Project) -> None:
    mount = {"type": "volume", "source": "kept", "target": "/part", "volume": {"subpath": "part"}}
    web = {"image": BUSYBOX, "command": ["sleep", "1000"], "volumes": [mount], **QUICK}
    _save(project, {"web": web}, {"volumes": {"kept": {}}})
    ended = project.tonnage("deploy")
    tool = Tools(project.environment).need_compose()
    if tool.generation == 1:
        assert ended.exit_code == 7
        assert project.engine.containers("web") == []
    else:
        assert ended.exit_code != 0 or "part" in str(project.engine.details("web")["Mounts"])
