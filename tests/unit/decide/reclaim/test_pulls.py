"""Which programs pull, by their command lines, and which pull goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.decide.reclaim.pulls import UNSEEN_PULL_S, asked_by, going_on, is_asked
from tonnage.model.reclaim.pulls import Client, Pulling, Traffic

if TYPE_CHECKING:
    from tonnage.model.reclaim.pulls import Asked

NOW_S = 2_000_000.0


def asked(line: str, *, host: str = "", began_s: float = NOW_S - 7) -> Asked | None:
    """Return what a command line asks for."""
    return asked_by(Client(pid=7, began_s=began_s, arguments=tuple(line.split()), directory="/srv", host=host))


@pytest.mark.parametrize(
    ("line", "who", "words"),
    [
        ("docker pull busybox:1", "docker pull (7)", ("busybox:1",)),
        ("/usr/bin/docker -H unix:///x.sock pull -q --platform=linux/amd64 a", "docker pull (7)", ("a",)),
        ("docker image pull a:2", "docker pull (7)", ("a:2",)),
        ("docker run --rm -it a:3 sh", "docker run (7)", ("a:3", "sh")),
        ("docker container create a", "docker create (7)", ("a",)),
        ("docker compose pull", "docker compose pull (7)", ()),
        ("/usr/libexec/docker/cli-plugins/docker-compose compose up -d", "docker-compose up (7)", ()),
        ("python3 /usr/bin/docker-compose -f a.yaml pull web", "docker-compose pull (7)", ()),
        ("/usr/bin/python3 /usr/local/bin/tonnage deploy", "tonnage deploy (7)", ()),
    ],
)
def test_a_program_that_pulls_is_known_by_its_command_line(line: str, who: str, words: tuple[str, ...]) -> None:
    found = asked(line)
    assert found is not None
    assert (found.who, found.words) == (who, words)
    assert found.compose == ("compose" in line or "tonnage" in line)
    assert found.only_pulls == (" pull" in line)


@pytest.mark.parametrize(
    "line",
    [
        "docker ps",
        "docker image ls",
        "docker image prune",
        "docker compose logs -f",
        "docker",
        "vi docker pull",
        "dockerd --debug",
        "tonnage reclaim --until 14GB",
        "tonnage status",
        "sh -c docker pull",
        "",
    ],
)
def test_another_program_does_not_pull(line: str) -> None:
    assert asked(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "docker compose -p shop -f one.yaml --file=/srv/two.yaml --project-directory sub --env-file e up -d web",
        "docker --context default compose -p shop --env-file e -f one.yaml -f /srv/two.yaml --workdir sub up",
        "docker-compose compose --project-name=shop -f one.yaml -f /srv/two.yaml --workdir sub --env-file=e up",
        "tonnage deploy -p shop --file one.yaml -f /srv/two.yaml --project-directory=sub --env-file e",
    ],
)
def test_which_project_is_meant_stands_in_the_command_line(line: str) -> None:
    found = asked(line)
    assert found is not None
    assert found.files == ("one.yaml", "/srv/two.yaml")
    assert (found.project_directory, found.project_name, found.env_files) == ("sub", "shop", ("e",))


def test_a_program_that_names_another_engine_does_not_count() -> None:
    mine = "unix:///var/run/docker.sock"
    for line, host, meant in (
        ("docker pull a", "", True),
        ("docker pull a", "unix:///run/docker.sock", True),
        ("docker pull a", "ssh://vm", False),
        ("docker -H unix:///run/docker.sock pull a", "ssh://vm", True),
        ("docker --host=ssh://vm compose pull", "", False),
        ("tonnage deploy", "unix:///elsewhere.sock", False),
    ):
        found = asked(line, host=host)
        assert found is not None
        assert is_asked(mine, found) is meant, line


def test_a_pull_goes_on_as_long_as_who_asked_for_it_runs_or_the_engine_downloads() -> None:
    pull, run = asked("docker compose pull", began_s=NOW_S - 900), asked("docker run a", began_s=NOW_S - 90_000)
    assert pull is not None
    assert run is not None
    for downloading in (True, False, None):
        found = going_on(Traffic(downloading=downloading), [pull], NOW_S)
        assert found == Pulling(NOW_S - 900, "docker compose pull (7)")
    # A container in the foreground is no pull any more, which only the engine's files tell.
    assert going_on(Traffic(downloading=False), [run], NOW_S) is None
    assert going_on(Traffic(downloading=None), [run], NOW_S) == Pulling(NOW_S - 90_000, "docker run (7)")
    assert going_on(Traffic(downloading=True), [run, pull], NOW_S) == Pulling(NOW_S - 90_000, "docker run (7)")
    assert going_on(Traffic(downloading=True), [], NOW_S) == Pulling(NOW_S - UNSEEN_PULL_S, "somebody")
    assert going_on(Traffic(), [], NOW_S) is None
