"""What Compose 1 is given: the same meaning in its own words, or a refusal that names what it cannot do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.sources.compose.test_cases import GOOD, open_case

from tonnage.adapters.docker.compose.project_file import for_start_first, for_switch
from tonnage.decide.deploy.changes import compose_project
from tonnage.errors import EngineLacksError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMPOSE_1 = shutil.which("docker-compose")
JUDGE = """
import os, sys
from compose.cli.main import main
sys.argv[1:] = ["--env-file", "empty.env", "--file", "compose.json", "config", "--quiet"]
for directory in sys.stdin:
    child = os.fork()
    if not child:
        os.chdir(directory.rstrip("\\n"))
        said = os.open("said", os.O_WRONLY | os.O_CREAT)
        os.dup2(said, 1), os.dup2(said, 2)
        sys.exit(main())
    accepted = os.waitpid(child, 0)[1] == 0 and not os.stat(directory.rstrip("\\n") + "/said").st_size
    print("accepted" if accepted else "refused", flush=True)
"""
NEEDS_2 = {
    "networks-secrets-configs": [
        "services.web.extra_hosts: several addresses of two",
        "configs.inline.content",
        "secrets.token.environment",
    ],
    "volumes": ["services.web.volumes: subpath of /bound"],
}


def _project(top: dict[str, Any] | None = None, **web: object) -> dict[str, Any]:
    return {"name": "shop", "services": {"web": {"image": "web", **web}, "db": {"image": "db"}}, **(top or {})}


def _given(text: str) -> dict[str, Any]:
    given: dict[str, Any] = json.loads(text)
    return given


def _web(**web: object) -> dict[str, Any]:
    written: dict[str, Any] = _given(for_switch(_project(None, **web), 1))["services"]["web"]
    return {key: value for key, value in written.items() if key not in {"image", "pull_policy"}}


@pytest.mark.parametrize(
    ("written", "given"),
    [
        ({"command": None, "develop": {"watch": []}, "attach": False}, {}),
        (
            {"healthcheck": {"test": ["CMD", "true"], "start_interval": "1s"}},
            {"healthcheck": {"test": ["CMD", "true"]}},
        ),
        (
            {"depends_on": {"db": {"condition": "service_healthy", "required": True}, "gone": {"required": False}}},
            {"depends_on": {"db": {"condition": "service_healthy"}}},
        ),
        (
            {"ports": [{"target": 80, "published": "8017", "host_ip": "127.0.0.1"}, {"target": 80, "mode": "ingress"}]},
            {"ports": ["127.0.0.1:8017:80/tcp", "80/tcp"]},
        ),
        (
            {"ports": [{"target": 53, "published": "53", "protocol": "udp", "host_ip": "::1"}, "17:17"]},
            {"ports": ["[::1]:53:53/udp", "17:17"]},
        ),
        ({"extra_hosts": ["db=192.0.2.17", "six=::1"]}, {"extra_hosts": ["db:192.0.2.17", "six:::1"]}),
        ({"env_file": [{"path": "/nowhere/17.env", "required": False}, "a.env"]}, {"env_file": ["a.env"]}),
        (
            {"devices": [{"source": "/dev/a", "target": "/dev/b", "permissions": "r"}, {"source": "/dev/c"}, "/d:/d"]},
            {"devices": ["/dev/a:/dev/b:r", "/dev/c:/dev/c:rwm", "/d:/d"]},
        ),
        (
            {"deploy": {"resources": {"limits": {"cpus": "1.5", "memory": "104729", "pids": 97}}}, "mem_limit": "7"},
            {"cpus": 1.5, "mem_limit": "104729", "pids_limit": 97},
        ),
        ({"deploy": {"resources": {"reservations": {"memory": "104729", "cpus": "1"}}}}, {"mem_reservation": "104729"}),
        ({"deploy": {"replicas": 3, "update_config": {"order": "start-first"}, "labels": {"a": "b"}}}, {"scale": 3}),
        ({"deploy": {"replicas": 3}, "scale": 2}, {"scale": 2}),
        (
            {"deploy": {"restart_policy": {"condition": "on-failure", "max_attempts": 3, "delay": "5s"}}},
            {"restart": "on-failure:3"},
        ),
        ({"deploy": {"restart_policy": {}}, "restart": "no"}, {"restart": "always"}),
        ({"stop_grace_period": "1m1s500ms"}, {"stop_grace_period": "62s"}),
        ({"mem_swappiness": "61"}, {"mem_swappiness": 61}),
        (
            {"networks": {"default": {"mac_address": "02:00:00:00:00:11", "aliases": ["a"]}}},
            {"networks": {"default": {"aliases": ["a"]}}, "mac_address": "02:00:00:00:00:11"},
        ),
    ],
)
def test_the_same_meaning_is_written_in_the_older_form(written: dict[str, Any], given: dict[str, Any]) -> None:
    assert _web(**written) == given


@pytest.mark.parametrize("gpus", ["all", [{"count": "all"}], [{"count": -1, "capabilities": ["gpu"]}]])
def test_gpus_become_a_reservation_that_leaves_reserved_memory_alone(gpus: object) -> None:
    web = _web(gpus=gpus, mem_reservation="104729")
    devices = [{"count": -1, "capabilities": ["gpu"]}]
    assert web["deploy"] == {"resources": {"reservations": {"devices": devices, "memory": "104729"}}}
    assert web["mem_reservation"] == "104729"


@pytest.mark.parametrize(
    ("mount", "given"),
    [
        ({"bind": {"create_host_path": True}}, "/a:/b"),
        ({"bind": {"create_host_path": True}, "read_only": True}, "/a:/b:ro"),
        ({"bind": {"create_host_path": True, "propagation": "rshared", "selinux": "z"}}, "/a:/b:rshared,z"),
        ({"bind": {"selinux": "Z"}, "read_only": True}, "/a:/b:ro,Z"),
        ({"bind": {"create_host_path": False}}, {"type": "bind", "source": "/a", "target": "/b"}),
        ({"source": "/a:c", "bind": {"create_host_path": True}}, {"type": "bind", "source": "/a:c", "target": "/b"}),
    ],
)
def test_a_directory_is_made_where_it_would_be_made_by_compose_2(mount: dict[str, Any], given: object) -> None:
    assert _web(volumes=[{"type": "bind", "source": "/a", "target": "/b", **mount}])["volumes"] == [given]


@pytest.mark.parametrize("mode", [0o1700, "1700"])
def test_a_tmpfs_with_a_mode_is_written_where_it_can_have_one(mode: int | str) -> None:
    mount = {"type": "tmpfs", "target": "/t", "tmpfs": {"size": "104729", "mode": mode}}
    assert _web(volumes=[mount], tmpfs=["/run"]) == {"tmpfs": ["/run", "/t:mode=1700,size=104729"]}


@pytest.mark.parametrize(
    ("mount", "given"),
    [
        ({}, "data:/b"),
        ({"volume": {}, "read_only": True}, "data:/b:ro"),
        ({"volume": {"nocopy": True}, "read_only": True}, "data:/b:ro,nocopy"),
        ({"volume": {"nocopy": False}}, "data:/b"),
        ({"target": "/b:c"}, {"type": "volume", "source": "data", "target": "/b:c"}),
        ({"source": ""}, {"type": "volume", "source": "", "target": "/b"}),
    ],
)
def test_a_volume_of_another_name_is_taken_when_a_container_is_recreated(mount: dict[str, Any], given: object) -> None:
    written = {"type": "volume", "source": "data", "target": "/b", **mount}
    assert _web(volumes=[written])["volumes"] == [given]


def test_files_of_configs_are_mounted_and_unused_secrets_left_out() -> None:
    top = {
        "configs": {"settings": {"file": "/etc/settings"}},
        "secrets": {"token": {"file": "/etc/token"}, "of-a-build": {"environment": "TOKEN"}},
    }
    wanted = {
        "configs": [{"source": "settings", "target": "/settings", "mode": "0440"}],
        "secrets": [{"source": "token", "target": "/run/secrets/token", "uid": "17", "mode": "0440"}],
    }
    given = _given(for_switch(_project(top, **wanted), 1))
    assert given["services"]["web"]["volumes"] == [
        {"type": "bind", "source": "/etc/settings", "target": "/settings", "read_only": True}
    ]
    assert given["services"]["web"]["secrets"] == [{"source": "token", "target": "/run/secrets/token"}]
    assert "configs" not in given
    assert given["secrets"] == {"token": {"file": "/etc/token"}}


def test_networks_and_volumes_are_labelled_as_compose_2_expects() -> None:
    top = {
        "networks": {"front": {"name": "shop_front"}, "own": {"name": "own"}},
        "volumes": {"data": {"name": "shop_data", "labels": {"a": "b"}}},
    }
    given = _given(for_switch(_project(top), 1))
    assert given["networks"] == {"front": {}, "own": {"name": "own"}}
    assert given["volumes"] == {"data": {"labels": {"a": "b"}}}
    assert "name" not in given


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"annotations": {"a": "b"}}, "services.web.annotations"),
        ({"cgroup": "private"}, "services.web.cgroup"),
        ({"uts": "host"}, "services.web.uts"),
        ({"models": {"llm": {}}}, "services.web.models"),
        ({"post_start": [{"command": "x"}]}, "services.web.post_start"),
        ({"networks": {"default": {"gw_priority": 1}}}, "services.web.networks.default.gw_priority"),
        ({"extra_hosts": ["a=192.0.2.1", "a=192.0.2.2"]}, "services.web.extra_hosts: several addresses of a"),
        ({"devices": [{"source": "example.com/npu=0"}]}, "services.web.devices: example.com/npu=0"),
        (
            {"volumes": [{"type": "volume", "source": "v", "target": "/b", "volume": {"subpath": "c"}}]},
            "services.web.volumes: subpath of /b",
        ),
        ({"volumes": [{"type": "image", "source": "v", "target": "/b"}]}, "services.web.volumes: the type image of /b"),
        ({"secrets": [{"source": "token", "target": "/t"}]}, "secrets.token.environment"),
        ({"configs": [{"source": "inline", "target": "/t"}]}, "configs.inline.content"),
        ({"configs": [{"source": "elsewhere", "target": "/t"}]}, "configs.elsewhere.external"),
    ],
)
def test_what_only_compose_2_can_do_is_refused_by_name(written: dict[str, Any], told: str) -> None:
    top = {
        "secrets": {"token": {"environment": "TOKEN"}},
        "configs": {"inline": {"content": "x"}, "elsewhere": {"external": True}},
    }
    for text in (for_switch, lambda project, one: for_start_first(project, "web", one)):
        with pytest.raises(EngineLacksError) as refused:
            text(_project(top, **written), 1)
        assert told in refused.value.why.splitlines()[1:]
        assert re.search(r"^  apt-get install -y docker-compose-v2$", refused.value.todo, re.MULTILINE)
    assert for_switch(_project(top, **written), 2)


def test_everything_that_is_lacking_is_told_at_once() -> None:
    with pytest.raises(EngineLacksError) as refused:
        for_switch(_project({"networks": {"n": {"enable_ipv4": False}}}, uts="host", cgroup="host"), 1)
    assert refused.value.why.splitlines()[1:] == [
        "services.web.uts",
        "services.web.cgroup",
        "networks.n.enable_ipv4",
    ]


@pytest.fixture(scope="module")
def compose_1() -> Iterator[Callable[[Path], str]]:
    """Compose 1, which takes seconds to start, started once; called with a directory, it says what it thinks of it."""
    head = Path(COMPOSE_1).read_bytes().partition(b"\n")[0] if COMPOSE_1 else b""
    if not re.match(rb"#!.*python", head):
        pytest.skip("docker-compose is not installed, or of a later generation")
    interpreter = head.removeprefix(b"#!").decode().split()
    with subprocess.Popen(
        [*interpreter, "-c", JUDGE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as judge:

        def judged(directory: Path) -> str:
            assert judge.stdin is not None
            assert judge.stdout is not None
            print(directory, file=judge.stdin, flush=True)
            return judge.stdout.readline().strip()

        yield judged


@pytest.mark.parametrize("name", GOOD)
def test_compose_1_accepts_what_it_is_given_for_every_good_stack(
    name: str, compose_1: Callable[[Path], str], tmp_path: Path
) -> None:
    stack = open_case(name).stack()
    project = compose_project(stack, stack.services[0])
    if name in NEEDS_2:
        with pytest.raises(EngineLacksError) as refused:
            for_switch(project, 1)
        assert [line.strip() for line in refused.value.why.splitlines()[1:]] == NEEDS_2[name]
        return
    (tmp_path / "compose.json").write_text(for_switch(project, 1))
    (tmp_path / "empty.env").touch()

    assert compose_1(tmp_path) == "accepted", (tmp_path / "said").read_text()


def test_compose_1_refuses_what_only_compose_2_knows(compose_1: Callable[[Path], str], tmp_path: Path) -> None:
    (tmp_path / "compose.json").write_text(for_switch(_project(None, uts="host"), 2))
    (tmp_path / "empty.env").touch()

    assert compose_1(tmp_path) == "refused"


def test_containers_of_the_stack_are_named_by_their_services() -> None:
    services = {
        "gate": {"image": "a", "container_name": "the-gate"},
        "one": {"image": "a", "network_mode": "container:the-gate", "pid": "container:the-gate"},
        "two": {
            "image": "a",
            "network_mode": "container:elsewhere",
            "volumes_from": ["container:the-gate:ro", "container:elsewhere", "gate"],
        },
    }
    written = json.loads(for_switch({"name": "shop", "services": services}, 1))["services"]
    assert (written["one"]["network_mode"], written["one"]["pid"]) == ("service:gate", "service:gate")
    assert written["two"]["network_mode"] == "container:elsewhere"
    assert written["two"]["volumes_from"] == ["gate:ro", "container:elsewhere", "gate"]
