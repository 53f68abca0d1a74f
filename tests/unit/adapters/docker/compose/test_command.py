from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tonnage.adapters.docker.compose.command import ComposeText, start_first, switch
from tonnage.adapters.docker.compose.project_file import for_start_first, for_switch, is_told, with_values
from tonnage.adapters.docker.tools import ComposeTool
from tonnage.errors import EngineLacksError, EngineUnreachableError, ReserveCrossedError, StepFailedError, UsageError

if TYPE_CHECKING:
    from tonnage.errors import TonnageError


def _project(**web: object) -> dict[str, Any]:
    return {"name": "shop", "services": {"web": {"image": "web", **web}, "db": {"image": "db"}}}


def _web(text: str) -> dict[str, Any]:
    web: dict[str, Any] = json.loads(text)["services"]["web"]
    return web


def test_nothing_is_pulled_or_hidden_by_a_profile_and_what_is_built_has_the_name_that_compose_gives_it() -> None:
    project = _project(build={"context": "."}, profiles=["gpu"])
    assert _web(for_switch(project, 2)) == {"image": "web", "build": {"context": "."}, "pull_policy": "never"}
    assert _web(for_start_first(project, "web", 2)) == {"image": "web", "pull_policy": "never", "restart": "no"}
    # The first generation would give it another name, and counts to the configuration what it does not heed.
    assert _web(for_switch(project, 1)) == {"image": "web"}
    del project["services"]["web"]["image"]
    assert _web(for_switch(project, 2)) == {"build": {"context": "."}, "pull_policy": "never"}
    assert _web(for_switch(project, 1)) == {"image": "shop-web"}


def test_the_second_generation_gets_the_project_as_it_is() -> None:
    gpus = [{"count": "all"}]
    text = for_switch(_project(gpus=gpus, command=None), 2)
    assert json.loads(text)["name"] == "shop"
    assert _web(text) == {"image": "web", "pull_policy": "never", "gpus": gpus, "command": None}


def test_a_dollar_is_doubled_so_that_compose_substitutes_nothing_again() -> None:
    project = _project(environment={"PRICE": "5$"})
    assert _web(for_switch(project, 2))["environment"] == {"PRICE": "5$$"}
    assert project == _project(environment={"PRICE": "5$"})


def test_a_file_of_labels_is_named_where_it_is_there_and_nobody_can_tell_what_is_counted_then(tmp_path: Path) -> None:
    (tmp_path / "labels").touch()
    there, gone = [str(tmp_path / "labels")], [str(tmp_path / "gone")]
    assert _web(for_switch(_project(label_file=there), 2))["label_file"] == there
    assert "label_file" not in _web(for_switch(_project(label_file=gone), 2))
    assert "label_file" not in _web(for_switch(_project(label_file=there), 1))
    assert not is_told({"image": "i", "label_file": there})


def test_characters_reach_yaml_as_what_they_are() -> None:
    text = for_switch(_project(environment={"A": "\u00fc\u0085\u2028\U0001f600\x7f"}), 2)
    assert '"\\u00fc\\u0085\\u2028\U0001f600\\u007f"' in text
    assert _web(text)["environment"] == {"A": "\u00fc\u0085\u2028\U0001f600\x7f"}


def test_a_container_that_starts_first_is_in_nobodys_way() -> None:
    project = _project(
        ports=["80:80"],
        container_name="web",
        restart="always",
        deploy={"restart_policy": {"condition": "any"}, "replicas": 3},
        networks={"default": {"aliases": ["api"], "ipv4_address": "192.0.2.17", "priority": 17}, "other": None},
    )
    assert _web(for_start_first(project, "web", 2)) == {
        "image": "web",
        "pull_policy": "never",
        "restart": "no",
        "deploy": {"replicas": 3},
        "networks": {"default": {"priority": 17}, "other": None},
    }


def _tool(folder: Path, script: str, generation: int = 2) -> ComposeTool:
    program = folder / "docker-compose"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return ComposeTool((str(program),), generation, "1.29.2" if generation == 1 else "2.27.0")


def _switch(tool: ComposeTool, cancel: threading.Event | None = None) -> list[str]:
    lines: list[str] = []
    switch(
        tool,
        "shop",
        "/srv/shop",
        "web",
        _project(),
        environment={"PATH": "/usr/bin:/bin", "DOCKER_HOST": "unix:///nowhere"},
        labels={},
        on_line=lines.append,
        holder=lambda port: "the container web of the stack other" if port == 8017 else "",
        cancel=cancel or threading.Event(),
    )
    return lines


def test_up_gets_a_private_file_that_is_gone_afterwards(tmp_path: Path) -> None:
    script = 'echo "$@" | sed "s# /[^ ]*/# #g"; stat -c %a "$8"; echo "$8"; echo "$COMPOSE_IGNORE_ORPHANS"; pwd'
    command, mode, file, ignore, where = _switch(_tool(tmp_path, script))
    assert command == (
        "--ansi never --project-name shop --project-directory shop --file compose.json --env-file empty.env"
        " up -d --no-build --no-deps -- web"
    )
    assert (mode, file, ignore) == ("600", "compose.json", "1")
    assert not Path(where).exists()


def test_one_that_starts_first_gets_its_own_name_and_no_ports(tmp_path: Path) -> None:
    tool = _tool(tmp_path, f'echo "$@" > {tmp_path}/told')
    start_first(
        tool,
        "shop",
        "/srv/shop",
        "web",
        _project(),
        "shop-web-candidate",
        environment={"PATH": "/usr/bin:/bin", "DOCKER_HOST": "unix:///nowhere"},
        labels={},
        cancel=threading.Event(),
    )
    told = (tmp_path / "told").read_text()
    assert told.endswith("run -d -T --no-deps --name shop-web-candidate -- web\n")


def _failure(folder: Path, words: str, generation: int = 2) -> TonnageError:
    (folder / "words").write_text(words)
    with pytest.raises((StepFailedError, EngineLacksError, EngineUnreachableError)) as caught:
        _switch(_tool(folder, f"cat {folder}/words >&2; exit 1", generation))
    return caught.value


ENDPOINT = "driver failed programming external connectivity on endpoint shop_web_1 (17): "


@pytest.mark.parametrize(
    "words",
    [
        f"ERROR: for web  Cannot start service web: {ENDPOINT}Bind for 0.0.0.0:8017 failed: port is already allocated",
        f"Error response from daemon: {ENDPOINT}Bind for :::8017 failed: port is already allocated",
    ],
)
def test_a_port_that_another_container_has_is_told_with_its_holder(tmp_path: Path, words: str) -> None:
    error = _failure(tmp_path, words)
    assert error.what == "web could not be brought up: port 8017 of the host is taken"
    assert error.why == "It is held by the container web of the stack other."


@pytest.mark.parametrize(
    "words",
    [
        f"{ENDPOINT}Error starting userland proxy: listen tcp4 0.0.0.0:8019: bind: address already in use",
        f"{ENDPOINT}failed to bind host port for 0.0.0.0:8019:172.18.0.2:80/tcp: address already in use",
        f"{ENDPOINT}failed to bind host port 0.0.0.0:8019/tcp: address already in use",
    ],
)
def test_a_port_that_a_program_outside_has_is_told_as_such(tmp_path: Path, words: str) -> None:
    error = _failure(tmp_path, f"Error response from daemon: {words}")
    assert "port 8019" in error.what
    assert error.why == "It is held by a program outside this engine."


def test_the_reason_is_the_last_error_without_its_wrapping(tmp_path: Path) -> None:
    words = (
        "Creating shop_web_1 ... error\n\n"
        'ERROR: for shop_web_1  Cannot start service web: exec: "nope": not found\n\n'
        'ERROR: for web  Cannot start service web: exec: "nope": not found\n'
        "Encountered errors while bringing up the project."
    )
    error = _failure(tmp_path, words, 1)
    assert error.why == 'exec: "nope": not found'
    assert "Creating shop_web_1" in error.log


def test_what_the_first_generation_does_not_know_is_told_with_what_to_install(tmp_path: Path) -> None:
    words = (
        "The Compose file 'compose.json' is invalid because:\nUnsupported config option for services.web: 'annotations'"
    )
    error = _failure(tmp_path, words, 1)
    assert isinstance(error, EngineLacksError)
    assert "'annotations'" in error.why
    assert "\n  apt-get install -y docker-compose-v2" in error.todo


def test_a_first_generation_that_is_too_old_for_the_engine_is_told_as_such(tmp_path: Path) -> None:
    error = _failure(tmp_path, "Traceback (most recent call last):\nKeyError: 'ContainerConfig'", 1)
    assert isinstance(error, EngineLacksError)


def test_a_full_disk_and_a_silent_engine_have_their_own_classes(tmp_path: Path) -> None:
    full = _failure(tmp_path, "Error response from daemon: mkdir /x: no space left on device")
    assert isinstance(full, ReserveCrossedError)
    silent = _failure(tmp_path, "Cannot connect to the Docker daemon at unix:///nowhere. Is it running?")
    assert isinstance(silent, EngineUnreachableError)


def test_a_switch_that_is_stopped_says_so(tmp_path: Path) -> None:
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    with pytest.raises(StepFailedError, match="it was stopped"):
        _switch(_tool(tmp_path, "exec sleep 31"), cancel)


@dataclass(frozen=True)
class _Request:
    files: tuple[str, ...] = ("a.yaml", "b.yaml")
    directory: str = "/srv/shop"
    project_name: str = "shop"
    profiles: tuple[str, ...] = ("gpu",)
    env_files: tuple[str, ...] = ("own.env",)
    working_directory: str = "/"
    variables: frozenset[str] | None = frozenset({"TAG"})


def test_a_stack_is_read_with_the_flags_of_the_request(tmp_path: Path) -> None:
    text = ComposeText(_tool(tmp_path, 'echo "$@"; pwd'), {"PATH": "/usr/bin:/bin"}).config(_Request())
    assert text == (
        "--project-name shop --project-directory /srv/shop --file a.yaml --file b.yaml --env-file own.env"
        " --profile gpu config --format json\n/\n"
    )


def test_what_compose_refuses_is_wrong_usage_in_its_own_words(tmp_path: Path) -> None:
    script = (
        "echo 'time=\"x\" level=warning msg=\"a\"' >&2; echo 'yaml: line 17: did not find expected key' >&2; exit 15"
    )
    with pytest.raises(UsageError) as caught:
        ComposeText(_tool(tmp_path, script), {"PATH": "/usr/bin:/bin"}).config(_Request())
    assert caught.value.why == "yaml: line 17: did not find expected key"


def test_where_compose_cannot_write_json_its_yaml_is_read(tmp_path: Path) -> None:
    words = "json: error calling MarshalJSON for type types.SSHKey: invalid character ':' after top-level value"
    script = f'case "$*" in *json*) echo "{words}" >&2; exit 1;; esac; echo "services: {{}}"'
    assert ComposeText(_tool(tmp_path, script), {"PATH": "/usr/bin:/bin"}).config(_Request()) == "services: {}\n"


def test_compose_is_given_what_the_files_mean_and_what_it_needs_and_fetches_nothing(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/h", "TAG": "1", "MY_SECRET": "s3cr3t", "COMPOSE_PROFILES": "a"}
    given = ComposeText(_tool(tmp_path, "env"), environment).config(_Request()).splitlines()
    assert {"TAG=1", "HOME=/h", "COMPOSE_PROFILES=a"} <= set(given)
    assert {"COMPOSE_EXPERIMENTAL_GIT_REMOTE=0", "COMPOSE_EXPERIMENTAL_OCI_REMOTE=0"} <= set(given)
    assert not [line for line in given if line.startswith("MY_SECRET")]


def test_content_of_secrets_and_configs_reaches_compose_under_names_of_our_own() -> None:
    shared = {
        "secrets": {"tok": {"environment": "LD_PRELOAD"}, "file": {"file": "/f"}, "unset": {"environment": "UNSET"}},
        "configs": {"app": {"environment": "APP"}},
    }
    project = {**_project(), **shared}
    changed, given = with_values(project, {"LD_PRELOAD": "s3cr3t", "APP": "5$"})
    assert given == {"TONNAGE_VALUE_0": "s3cr3t", "TONNAGE_VALUE_1": "5$"}
    assert changed["secrets"] == {**shared["secrets"], "tok": {"environment": "TONNAGE_VALUE_0"}}
    assert changed["configs"] == {"app": {"environment": "TONNAGE_VALUE_1"}}
    assert project == {**_project(), **shared}
    assert with_values(_project(), {"LD_PRELOAD": "x"}) == (_project(), {})
