"""Intent: what builders and other image stores have left goes where it is named, and never else.

Steps: make the volume of a builder, and what the classic store leaves when stores are switched; reclaim and ask doctor.
State checked: volumes, files, available bytes, an engine that builds and runs as before.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.random_engines import MIB, available

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = [pytest.mark.engine, pytest.mark.each_engine]
VOLUME = "buildx_buildkit_lost0_state"
NOTHING = {"BUILDX_CONFIG": "/nonexistent"}


def reclaim(project: Project, *arguments: str) -> dict[str, Any]:
    """Reclaim, and return what was told."""
    ended = project.tonnage("reclaim", *arguments, "--json", environment=NOTHING)
    assert ended.exit_code in (0, 4), ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


def reasons(told: dict[str, Any], kind: str) -> list[str]:
    return [each["reason"] for each in told["protected"] if each["kind"] == kind]


def test_the_volume_of_a_builder_that_is_gone_goes_where_it_is_named(project: Project) -> None:
    client = project.real.client
    builder: Any = client.containers.create(
        "busybox:latest",
        "true",
        name="buildx_buildkit_lost0",
        volumes={VOLUME: {"bind": "/var/lib/buildkit", "mode": "rw"}},
    )
    place = Path(client.volumes.get(VOLUME).attrs["Mountpoint"])
    (place / "cache").write_bytes(os.urandom(9 * MIB))
    only = ("--only", "builder-volume", "--free", "8MB", "--yes")
    assert reasons(reclaim(project, *only), "builder-volume") == [
        "the container buildx_buildkit_lost0 of the builder is there"
    ]
    builder.remove()
    unnamed = reclaim(project)
    assert reasons(unnamed, "builder-volume") == ["only with --only builder-volume"]
    assert any("a volume of a builder that is gone holds 9.4" in note for note in unnamed["notes"])
    told = " ".join(project.tonnage("doctor", environment=NOTHING).stdout.split())
    assert "a volume of a builder that is gone holds 9.4" in told
    assert place.exists()

    gone = reclaim(project, *only)
    assert [each["name"] for each in gone["removed"]] == [VOLUME]
    assert gone["removed"][0]["freed_bytes"] == pytest.approx(gone["removed"][0]["promised_bytes"], rel=0.01)
    assert VOLUME not in {volume.name for volume in client.volumes.list()}


@pytest.mark.only_on("images lie in containerd, and the classic store is the other one", store="containerd")
def test_what_the_classic_store_has_left_goes_where_it_is_named_and_the_engine_goes_on(project: Project) -> None:
    root = Path(project.real.client.info()["DockerRootDir"])
    layer = root / "overlay2" / "abc" / "diff"
    layer.mkdir(parents=True)
    (layer / "file").write_bytes(os.urandom(9 * MIB))
    (root / "image" / "overlay2" / "layerdb").mkdir(parents=True)
    hidden = root / "containers" / ("0" * 64)
    hidden.mkdir(parents=True)
    (hidden / "config.v2.json").write_text(json.dumps({"Name": "/database", "Driver": "overlay2"}))
    mount = ("--mount", project.real.mount)
    only = ("--only", "other-store", "--free", "8MB", "--yes", *mount)
    assert "database" in reasons(reclaim(project, *only), "other-store")[0]
    (hidden / "config.v2.json").unlink()
    hidden.rmdir()
    assert reasons(reclaim(project, *mount), "other-store") == ["only with --only other-store"]
    assert "of the classic image store" in " ".join(project.tonnage("doctor").stdout.split())
    assert (layer / "file").exists()

    before_bytes = available(project.real, project.real.mount)
    gone = reclaim(project, *only)
    assert [each["kind"] for each in gone["removed"]] == ["other-store"]
    assert available(project.real, project.real.mount) - before_bytes == pytest.approx(9 * MIB, rel=0.01)
    assert not (root / "overlay2").exists()
    project.web("web", "web 1")
    project.deploy()
    assert "other store" not in project.tonnage("doctor").stdout
