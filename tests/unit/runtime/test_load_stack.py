from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tonnage.errors import UsageError
from tonnage.model.stack import Dependency, HealthSpec, Mount, Place, Port, ProbeSpec, ServiceSettings
from tonnage.runtime.load_stack import StackRequest, load_stack, require_services

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.stack import Stack

COMPOSE = """\
x-tonnage:
  keep-free: 2GiB
services:
  web:
    build:
      context: ./web
      args: {B: "2", A: "$$1"}
      secrets: [token]
    ports: ["127.0.0.1:8000:80"]
    volumes: [data:/data, "./conf:/conf:ro"]
    tmpfs: [/run]
    hostname: fixed
    restart: always
    scale: 1
    environment: {PRICE: 5$$}
    depends_on:
      migrate: {condition: service_completed_successfully}
    healthcheck: {test: [CMD, check], interval: 2s, start_period: 1m}
    gpus: all
    x-tonnage: {probe: {port: 80}, stability: 7s}
  migrate:
    image: example.org/migrate:1
volumes: {data: }
secrets: {token: {environment: TOKEN}}
"""


@dataclass
class Prints:
    text: str
    version: str = "2.40.3"

    def config(self, request: StackRequest) -> str:
        assert request.files == ()
        return self.text

    def config_in_yaml(self, request: StackRequest) -> str:
        assert request.files == ()
        raise UsageError("it is asked for what it has printed")


class Refuses:
    version = "2.40.3"

    def config(self, request: StackRequest) -> str:
        assert request.files == ()
        raise UsageError("Compose says no")

    config_in_yaml = config


def write(directory: Path, text: str = COMPOSE) -> Path:
    (directory / "web").mkdir()
    (directory / "web" / "Dockerfile").write_text("FROM busybox:latest\n")
    (directory / "compose.yaml").write_text(text)
    return directory


def read(directory: Path, **asked: tuple[str, ...]) -> Stack:
    request = StackRequest(working_directory=str(directory), project_name="hello", **asked)  # type: ignore[arg-type]
    return load_stack(request, environment={"TOKEN": "t"}, compose=None)


def test_everything_that_a_plan_needs_is_in_the_model(tmp_path: Path) -> None:
    stack = read(write(tmp_path))

    web, migrate = stack.services
    assert (stack.name, stack.directory, stack.files) == ("hello", str(tmp_path), (str(tmp_path / "compose.yaml"),))
    assert stack.settings == (("keep-free", "2GiB"),)
    assert stack.settings_places == (("keep-free", Place(str(tmp_path / "compose.yaml"), 2)),)
    assert web.image == "hello-web"
    assert web.build is not None
    assert web.build.context == str(tmp_path / "web")
    assert web.build.dockerfile == str(tmp_path / "web" / "Dockerfile")
    assert web.build.args == (("B", "2"), ("A", "$1"))
    assert web.build.secrets == ("id=token,env=TOKEN",)
    assert web.ports == (Port(target=80, published="8000", host_ip="127.0.0.1"),)
    assert web.mounts == (
        Mount(kind="volume", source="data", target="/data"),
        Mount(kind="bind", source=str(tmp_path / "conf"), target="/conf", read_only=True),
        Mount(kind="tmpfs", source="", target="/run"),
    )
    assert web.devices == ("gpu (all)",)
    assert (web.hostname, web.replicas) == ("fixed", 1)
    assert web.depends_on == (Dependency(service="migrate"),)
    assert web.health == HealthSpec(interval_s=2.0, start_period_s=60.0)
    assert web.settings == ServiceSettings(probe=ProbeSpec(port=80), stability_s=7.0)
    assert web.place == Place(str(tmp_path / "compose.yaml"), 4)
    assert migrate.settings.one_shot
    assert web.config["environment"]["PRICE"] == "5$"
    assert not {"x-tonnage", "build"} & web.config.keys()
    assert "image" not in web.config


def test_yaml_is_taken_where_compose_prints_it_in_place_of_json(tmp_path: Path) -> None:
    write(tmp_path, "services: {web: {image: a, x-tonnage: {switch: stop-first}}}\n")
    request = StackRequest(working_directory=str(tmp_path))
    printed = "name: from-compose\nservices:\n  web:\n    image: a\n    environment:\n      A: 5$$\n"
    printed += "    x-tonnage:\n      switch: stop-first\n"

    stack = load_stack(request, environment={}, compose=Prints(printed))

    assert stack.name == "from-compose"
    assert stack.service("web").config == {"environment": {"A": "5$"}, "image": "a"}
    assert stack.service("web").settings.switch == "stop-first"
    assert str(stack.service("web").place) == f"{tmp_path / 'compose.yaml'}:1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("services: {web: {imagge: a}}\n", "compose.yaml:1: the key 'imagge' is not known in services.web"),
        ("services: {web: {image: a}}\n", "Compose says no"),
    ],
)
def test_what_compose_refuses_is_refused_with_the_line_where_the_built_in_reader_sees_it_too(
    tmp_path: Path, text: str, message: str
) -> None:
    write(tmp_path, text)

    with pytest.raises(UsageError) as refused:
        load_stack(StackRequest(working_directory=str(tmp_path)), environment={}, compose=Refuses())

    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("image: a, scale: 2, container_name: cc", "has 2 replicas and a fixed container_name"),
        ("image: a, deploy: {replicas: -1}", "cannot have -1 replicas"),
        ("image: a, network_mode: host, networks: [default]", "has both network_mode and networks"),
        ("image: a, networks: [b]", "refers to network 'b', which is not defined"),
        ("image: a, secrets: [b]", "refers to secret 'b', which is not defined"),
        ("image: a, ports: [{published: 80}]", "services.web.ports[0] has no 'target'"),
        ("image: a, ports: [{target: 80, published: x}]", "published must be text such as 8080 or 8000-8010"),
        ("image: a, env_file: [{required: false}]", "services.web.env_file[0] has no 'path'"),
        ("image: a, volumes: [{type: bind, target: /a}]", "services.web.volumes[0] has no 'source'"),
        ("image: a, volumes: [{type: tmpfs}]", "services.web.volumes[0] has no 'target'"),
        ("extends: {file: b.yaml}", "services.web.extends has no 'service'"),
        ("extends: {file: b.yaml, service: c}", "b.yaml does not exist"),
        ("build: {dockerfile: gone}", "the service 'web' has no Dockerfile"),
        ("build: {context: ./web, additional_contexts: {b: ../gone}}", "the additional context 'b'"),
        ("image: a, depends_on: [web]", "depend on each other in a circle: web -> web"),
    ],
)
def test_a_service_that_makes_no_sense_is_refused_with_its_place(tmp_path: Path, service: str, message: str) -> None:
    write(tmp_path, f"services: {{web: {{{service}}}}}\n")

    with pytest.raises(UsageError) as refused:
        read(tmp_path)

    assert message in refused.value.what
    assert refused.value.place == f"{tmp_path / 'compose.yaml'}:1"


def test_a_linked_project_directory_gives_its_own_name_to_the_project(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "releases").mkdir()
    link = tmp_path / "releases" / "current"
    link.symlink_to(tmp_path)
    request = StackRequest(working_directory=str(tmp_path))

    stack = load_stack(request, environment={"PWD": str(link)}, compose=None)

    assert (stack.name, stack.directory) == ("current", str(link))


def test_the_name_of_the_shell_for_another_directory_is_not_taken(tmp_path: Path) -> None:
    write(tmp_path)

    stack = load_stack(StackRequest(working_directory=str(tmp_path)), environment={"PWD": "/"}, compose=None)

    assert stack.directory == str(tmp_path)


def test_a_missing_compose_file_is_refused_with_every_place_that_was_looked_at(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        read(tmp_path)

    assert refused.value.what == "there is no compose file"
    assert "compose.yaml, compose.yml, docker-compose.yml, docker-compose.yaml" in refused.value.why
    assert str(tmp_path) in refused.value.why
    assert "-f FILE" in refused.value.todo


def test_a_named_compose_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the compose file .*/gone\.yaml does not exist"):
        read(tmp_path, files=("gone.yaml",))


def test_a_compose_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(UsageError, match="is not UTF-8 text"):
        read(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_context_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "web").chmod(0)

    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path)


def test_contexts_are_not_asked_for_where_nothing_is_built(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {build: ./gone}}\n")
    request = StackRequest(working_directory=str(tmp_path))

    assert load_stack(request, environment={}, compose=None, builds=False).service("web").build is not None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wbe", "Did you mean 'web'?"),
        ("nothing-like-it", "Known services: web."),
        ("debug", "Activate one of its profiles with --profile."),
    ],
)
def test_an_unknown_service_is_refused_with_the_nearest(tmp_path: Path, name: str, message: str) -> None:
    write(tmp_path, "services: {web: {image: a}, debug: {image: b, profiles: [d]}}\n")
    stack = read(tmp_path)

    require_services(stack, ["web"])
    with pytest.raises(UsageError) as refused:
        require_services(stack, ["web", name])

    assert refused.value.todo == message


def test_the_image_of_a_service_as_a_context_is_named_as_an_image(tmp_path: Path) -> None:
    text = "services: {web: {build: {context: ., additional_contexts: {below: service:%s}}}, base: {build: .}}\n"
    (tmp_path / "Dockerfile").write_text("FROM below\n")
    write(tmp_path, text % "base")
    build = read(tmp_path).service("web").build

    assert build is not None
    assert build.additional_contexts == (("below", f"docker-image://{read(tmp_path).service('base').image}"),)
    assert build.built_on == ("base",)
    for other, message in (("bsae", "which does not exist"), ("web", "in a circle: web -> web")):
        (tmp_path / "compose.yaml").write_text(text % other)
        with pytest.raises(UsageError, match=message) as refused:
            read(tmp_path)
        assert refused.value.place.endswith("compose.yaml:1")


def test_a_service_that_is_named_needs_no_profile(tmp_path: Path) -> None:
    write(
        tmp_path,
        "services:\n  web: {image: a}\n  tool: {image: b, profiles: [t, u], depends_on: [helper]}\n"
        "  helper: {image: c, profiles: [u]}\n  other: {image: d, profiles: [o]}\n",
    )
    request = StackRequest(working_directory=str(tmp_path), services=("tool",))

    for named in (request, replace(request, services=("web", "tool"))):
        stack = load_stack(named, environment={}, compose=None)
        assert {service.name for service in stack.services} == {"web", "tool", "helper"}
        require_services(stack, named.services)
        assert all("the service tool" not in note for note in stack.notes)
    stack = load_stack(replace(request, services=("helper",)), environment={"COMPOSE_PROFILES": "o"}, compose=None)
    assert {service.name for service in stack.services} == {"web", "tool", "helper", "other"}


def test_a_named_service_is_active_also_where_every_service_has_a_profile(tmp_path: Path) -> None:
    write(tmp_path, "services: {tool: {image: b, profiles: [t]}, other: {image: c, profiles: [o]}}\n")
    request = StackRequest(working_directory=str(tmp_path), services=("tool",))

    assert [each.name for each in load_stack(request, environment={}, compose=None).services] == ["tool"]


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ("8080:80", "8080:81", True),
        ("8080:80", "127.0.0.1:8080:81", True),
        ("127.0.0.1:8080:80", "127.0.0.2:8080:80", False),
        ("0.0.0.0:8080:80", "127.0.0.1:8080:80", True),
        ("0.0.0.0:8080:80", "[::1]:8080:80", False),
        ("8080:80/udp", "8080:80/tcp", False),
        ("8080-8090:80", "8080:80", False),
        ("80", "80", False),
    ],
)
def test_two_services_may_not_publish_the_same_port_of_one_address(
    tmp_path: Path, *, first: str, second: str, clash: bool
) -> None:
    write(tmp_path, f"services: {{a: {{image: a, ports: ['{first}']}}, b: {{image: b, ports: ['{second}']}}}}\n")

    if clash:
        with pytest.raises(UsageError, match=r"the services 'a' and 'b' both publish port 8080/tcp"):
            read(tmp_path)
    else:
        assert len(read(tmp_path).services) == 2


def test_what_a_service_shares_with_another_is_known_however_it_names_it(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n"
        "  gate: {image: a, container_name: the-gate}\n"
        "  one: {image: a, network_mode: 'service:gate', pid: 'service:gate', depends_on: [gate]}\n"
        "  two: {image: a, network_mode: 'container:the-gate', volumes_from: ['container:the-gate:ro']}\n"
        "  three: {image: a, volumes_from: ['gate:ro'], network_mode: 'container:elsewhere'}\n"
        "  four: {image: a, depends_on: {gate: {condition: service_started, restart: true}}}\n"
    )
    stack = load_stack(StackRequest(working_directory=str(tmp_path)), environment={}, compose=None)
    depends = {each.name: each.depends_on for each in stack.services}
    assert depends == {
        "gate": (),
        "one": (Dependency(service="gate", shares=("network", "pid")),),
        "two": (Dependency(service="gate", shares=("network", "volumes")),),
        "three": (Dependency(service="gate", shares=("volumes",)),),
        "four": (Dependency(service="gate", restart=True),),
    }
    assert [each.name for each in stack.services if each.joins] == ["one", "two", "three"]


def test_content_of_secrets_comes_from_the_environment_before_files_of_variables(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ONE=of the file\nTWO=of the file\nUNUSED=of the file\n")
    (tmp_path / "compose.yaml").write_text(
        "services: {web: {image: a, secrets: [one, two, three], configs: [two]}}\n"
        "secrets: {one: {environment: ONE}, two: {environment: TWO}, three: {environment: THREE}}\n"
        "configs: {two: {environment: TWO}}\n"
    )
    stack = load_stack(StackRequest(working_directory=str(tmp_path)), environment={"ONE": "typed"}, compose=None)
    assert stack.values == (("ONE", "typed"), ("TWO", "of the file"))
