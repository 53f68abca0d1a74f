"""With Compose what it read counts: the built-in reader only adds places, whatever it makes of the files itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tonnage.errors import UsageError
from tonnage.model.stack import Place
from tonnage.runtime.load_stack import StackRequest, differing, load_stack
from tonnage.sources.compose.differences import Difference

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.stack import Stack

REMOTE = "include: [oci://example.org/stack]\n"
WEB = "services:\n  web:\n    image: a\n    x-tonnage:\n      stability: 9s\n"
YAML = """\
name: n
services:
  far:
    command:
      - |
        x-tonnage: {no: such}
    image: b
    x-tonnage:
      weights:
        manifest: /a$$b.json
  web:
    image: a
    x-tonnage:
      stability: 9s
networks:
  default:
    x-tonnage: {no: such}
"""


class Compose:
    """Compose with what it printed; it counts how often it was asked for YAML."""

    version = "2.40.3"

    def __init__(self, form: dict[str, Any], yaml: str = "") -> None:
        self.form = form
        self.yaml = yaml
        self.asked = 0
        self.profiles: list[tuple[str, ...]] = []

    def config(self, request: StackRequest) -> str:
        self.profiles.append(request.profiles)
        hidden = () if request.profiles else ("tool",)
        services = {name: service for name, service in self.form["services"].items() if name not in hidden}
        return json.dumps({"name": "n", **self.form, "services": services})

    def config_in_yaml(self, request: StackRequest) -> str:
        assert request.working_directory
        self.asked += 1
        if not self.yaml:
            raise UsageError("Compose refuses the stack's files", why="it says no")
        return self.yaml


def form(**services: dict[str, Any]) -> dict[str, Any]:
    return {"services": services or {"web": {"image": "a"}}}


def read(directory: Path, text: str, compose: Compose, **asked: Any) -> Stack:  # noqa: ANN401 - as the request
    (directory / "compose.yaml").write_text(text)
    request = StackRequest(working_directory=str(directory), **asked)
    return load_stack(request, environment={}, compose=compose, builds=False)


def test_settings_are_kept_where_only_compose_follows_the_files(tmp_path: Path) -> None:
    compose = Compose({**form(far={"image": "b"}, web={"image": "a"}), "x-tonnage": {"keep-free": "13GB"}}, YAML)

    stack = read(tmp_path, f"x-tonnage:\n  keep-free: 13GB\n{REMOTE}{WEB}", compose)

    file = str(tmp_path / "compose.yaml")
    assert stack.settings == (("keep-free", "13GB"),)
    assert stack.settings_places == (("keep-free", Place(file, 2)),)
    assert stack.service("web").settings.stability_s == 9
    assert stack.service("web").place == Place(file, 5)
    weights = stack.service("far").settings.weights
    assert weights is not None
    assert weights.manifest == "/a$b.json"
    assert "the built-in reader cannot follow the files" in stack.notes[0]


def test_a_setting_in_yaml_that_cannot_be_read_has_the_line_of_its_key(tmp_path: Path) -> None:
    compose = Compose({**form(), "x-tonnage": {"keep-free": "much"}}, YAML)

    with pytest.raises(UsageError) as refused:
        read(tmp_path, f"a: [\n'x-tonnage': \n{WEB}", compose)

    assert refused.value.place == f"{tmp_path / 'compose.yaml'}:2"


def test_what_both_read_alike_is_not_asked_for_again(tmp_path: Path) -> None:
    compose = Compose(form(web={"image": "a", "command": None, "networks": {"default": None}}), YAML)
    compose.form["networks"] = {"default": {"name": "n_default", "ipam": {}}}

    stack = read(tmp_path, f"name: n\n{WEB}", compose)

    assert stack.service("web").settings.stability_s == 9
    assert compose.asked == 0


def test_settings_are_those_of_compose_where_the_two_differ(tmp_path: Path) -> None:
    compose = Compose(form(web={"image": "a"}, far={"image": "b"}), YAML.replace("9s", "8s"))

    assert read(tmp_path, f"name: n\n{WEB}", compose).service("web").settings.stability_s == 8
    assert read(tmp_path, f"name: n\n{WEB}".replace("x-tonnage", "x-other"), compose).services
    assert compose.asked == 1


def test_a_name_longer_than_a_line_has_its_settings_as_well(tmp_path: Path) -> None:
    name = "a" * 130
    yaml = f"services:\n  ? {name}\n  : image: a\n    x-tonnage:\n      stability: 9s\n"

    stack = read(
        tmp_path, f"{REMOTE}services: {{{name}: {{image: a}}}}\n", Compose(form(**{name: {"image": "a"}}), yaml)
    )

    assert stack.service(name).settings.stability_s == 9


def test_settings_that_nobody_can_tell_stop_the_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        read(tmp_path, f"{REMOTE}{WEB}", Compose(form()))

    assert refused.value.exit_code == 2
    assert refused.value.what.startswith("what stands under x-tonnage cannot be read: the file oci://example.org/stack")
    assert refused.value.place == f"{tmp_path / 'compose.yaml'}:1"
    assert "COMPOSE_EXPERIMENTAL_OCI_REMOTE=true" in refused.value.todo


def test_a_service_that_is_named_is_active_where_only_compose_knows_its_profiles(tmp_path: Path) -> None:
    compose = Compose(form(web={"image": "a"}, tool={"image": "b", "profiles": ["t"]}), YAML)

    stack = read(tmp_path, f"{REMOTE}{WEB}", compose, services=("tool",))

    assert {service.name for service in stack.services} == {"web", "tool"}
    assert compose.profiles == [("*",), ("t",)]


def test_a_doubled_dollar_is_one_in_keys_as_well(tmp_path: Path) -> None:
    labelled = {"image": "a", "labels": {"a$$b": "c$$d"}, "sysctls": {"k$$": "1"}}
    compose = Compose({**form(web=labelled), "x-tonnage": {"keep-free": "1GB"}}, YAML)

    config = read(tmp_path, WEB, compose).service("web").config

    assert config == {"image": "a", "labels": {"a$b": "c$d"}, "sysctls": {"k$": "1"}}


def test_differences_are_told_with_both_values_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "name: n\nservices:\n  web:\n    image: a\n    user: own\n    environment: {A: own-secret, B: same}\n"
        "    cap_add: [X, Y]\n    command: [x, y]\n    networks: [default]\n"
    )
    printed = {
        "image": "a",
        "user": "theirs",
        "environment": {"A": "their-secret", "B": "same"},
        "cap_add": ["Y", "X"],
        "command": ["y", "x"],
        "networks": {"default": None},
        "init": True,
    }
    compose = Compose({**form(web=printed), "networks": {"default": {"name": "n_default", "ipam": {}}}})

    found = differing(StackRequest(working_directory=str(tmp_path)), environment={}, compose=compose)

    told = {".".join(each.path[2:]): (place.line, each.compose, each.own) for place, each in found}
    assert told == {
        "user": (5, '"theirs"', '"own"'),
        "environment.A": (6, "a value that is not shown", "a value that is not shown"),
        "command": (8, '["y", "x"]', '["x", "y"]'),
        "init": (3, "true", "nothing"),
    }


def test_a_difference_in_a_file_outside_of_the_project_shows_no_value(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "other.yaml").write_text("services: {web: {image: a, user: own}}\n")
    (tmp_path / "shop" / "compose.yaml").write_text("include: [../other.yaml]\n")

    found = differing(
        StackRequest(working_directory=str(tmp_path / "shop")),
        environment={},
        compose=Compose(form(web={"image": "a", "user": "theirs"})),
    )

    assert [each for _place, each in found if each.path[-1] == "user"] == [
        Difference(
            path=("services", "web", "user"), compose="a value that is not shown", own="a value that is not shown"
        )
    ]


class Older(Compose):
    """A Compose that does not know a key."""

    version = "2.26.1"

    def __init__(self, said: str) -> None:
        super().__init__({})
        self.said = said

    def config(self, request: StackRequest) -> str:
        raise UsageError("Compose refuses the stack's files", why=f"{request.working_directory}: {self.said}")


@pytest.mark.parametrize(
    ("written", "path", "needed", "line"),
    [
        (
            "    networks: {default: {interface_name: eth7}}",
            "services.web.networks.default.interface_name",
            "2.36.0",
            4,
        ),
        ("    provider: {type: t}", "services.web.provider", "2.36.0", 4),
        ("    models: [m]\nmodels: {m: {model: x}}", "models", "2.38.0", 5),
        ("    build: {context: ., sbom: true}", "services.web.build.sbom", "2.39.0", 4),
        ("    pull_policy: daily", "services.web.pull_policy", "2.34.0", 4),
        ("    pull_policy: every_12h", "services.web.pull_policy", "2.34.0", 4),
        ("    env_file: [{path: e, format: raw}]", "services.web.env_file.0.format", "2.30.0", 4),
    ],
)
def test_a_key_that_an_older_compose_refuses_is_told_with_the_version_that_knows_it(
    tmp_path: Path, written: str, path: str, needed: str, line: int
) -> None:
    compose = Older(f"Additional property {path.rpartition('.')[2]} is not allowed")
    with pytest.raises(UsageError) as refused:
        read(tmp_path, f"services:\n  web:\n    image: a\n{written}\n", compose)
    assert refused.value.what == f"{path} needs Docker Compose {needed}"
    assert "Compose 2.26.1 is installed" in refused.value.why
    assert refused.value.place == f"{tmp_path}/compose.yaml:{line}"


def test_what_an_older_compose_refuses_for_another_reason_is_not_laid_on_a_new_key(tmp_path: Path) -> None:
    text = "services:\n  web:\n    image: a\n    post_start: [{command: x}]\n"
    with pytest.raises(UsageError, match="Compose refuses the stack's files"):
        read(tmp_path, text, Older("something else"))


def test_a_service_with_a_provider_is_refused_with_the_reason(tmp_path: Path) -> None:
    compose = Compose(form(db={"provider": {"type": "cloud"}}))
    with pytest.raises(UsageError) as refused:
        read(tmp_path, "services:\n  db:\n    provider: {type: cloud}\n", compose)
    assert refused.value.what == "the service 'db' has a provider, which is not carried out"
    assert refused.value.place == f"{tmp_path}/compose.yaml:3"
    assert "outside of the engine" in refused.value.why


def test_limits_of_devices_are_read_under_the_names_that_compose_takes(tmp_path: Path) -> None:
    limits = {"weight": 100, "device_read_bps": [{"Path": "/dev/a", "Rate": "10485760"}]}
    compose = Compose(form(web={"image": "a", "blkio_config": limits}))
    stack = read(tmp_path, "services: {web: {image: a}}\n", compose)
    assert stack.service("web").config["blkio_config"] == {
        "weight": 100,
        "device_read_bps": [{"path": "/dev/a", "rate": "10485760"}],
    }


def test_files_of_labels_stay_known_although_compose_prints_only_what_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "a.labels").write_text("L=1\n")
    compose = Compose(form(web={"image": "a", "labels": {"L": "1"}}))
    stack = read(tmp_path, "services: {web: {image: a, label_file: a.labels}}\n", compose)
    assert stack.service("web").config["label_file"] == [f"{tmp_path}/a.labels"]
