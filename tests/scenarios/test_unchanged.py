"""Intent: what containers get of an image decides whether a version changed, not its id or what is attached to it.

Steps: deploy; build the same by hand, in every way that gives the image another id; deploy; change what is attached;
remove an image that shares layers with another.
State checked: containers, steps of the runs, attestations, and the bytes that come free.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from tonnage.adapters.docker.facts import DockerFacts

if TYPE_CHECKING:
    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

pytestmark = [pytest.mark.engine, pytest.mark.each_engine]

PLAIN = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}


def nothing_happens(project: Project, container: str) -> None:
    project.deploy()
    # What an earlier deploy superseded may still go.
    assert not [name for name in project.step_names() if not name.startswith("web.remove-nameless")]
    assert project.engine.details("web")["Id"] == container


def test_what_was_built_by_hand_from_the_same_changes_nothing(project: Project) -> None:
    project.web("web", "web 1", run="head -c 300007 /dev/urandom > /big")
    project.deploy()
    container = str(project.engine.details("web")["Id"])
    nothing_happens(project, container)
    name = f"{project.name}-web"
    ids = {project.engine.image_id(f"{name}:latest")}
    for variables in ({}, {}, PLAIN):
        project.docker("build", "--quiet", "--tag", name, "./web", environment=variables)
        ids.add(project.engine.image_id(f"{name}:latest"))
        nothing_happens(project, container)
    assert len(ids) > 1

    # The next version is another one, and there is a way back.
    project.web("web", "web 2", run="head -c 300007 /dev/urandom > /big")
    project.deploy()
    assert str(project.engine.details("web")["Id"]) != container
    assert project.tonnage("rollback").exit_code == 0


@pytest.mark.only_on("before, BuildKit attaches nothing to an image", since=23)
def test_what_is_attached_is_as_the_user_set_it_and_an_image_without_it_is_known_again(project: Project) -> None:
    project.web("web", "web 1")
    ended = project.tonnage("deploy", environment=PLAIN)
    assert ended.exit_code == 0, ended.stderr
    nothing_happens(project, str(project.engine.details("web")["Id"]))
    if not compose_knows_it(project):
        return
    for said, manifests in (("false", {"image": 1}), ("mode=max", {"image": 1, "attestation": 1})):
        project.web("web", "web 1", build={"context": "./web", "provenance": said})
        project.deploy()
        nothing_happens(project, str(project.engine.details("web")["Id"]))
        assert kinds(project, f"{project.name}-web:latest") in (manifests, {})


def compose_knows_it(project: Project) -> bool:
    """Return whether what reads the stack has heard of attestations: Compose 2 has only since 2.39."""
    project.web("web", "web 1", build={"context": "./web", "provenance": "false"})
    return project.tonnage("plan").exit_code == 0


def kinds(project: Project, name: str) -> dict[str, int]:
    """Count the manifests of an image by their kind; none where the engine does not tell them."""
    api: Any = project.engine.client.api
    if tuple(map(int, api.version()["ApiVersion"].split("."))) < (1, 47):
        return {}
    listed = api.get("http+docker://localhost/v1.47/images/json?manifests=1").json()
    found = next(image.get("Manifests") or [] for image in listed if name in (image["RepoTags"] or ()))
    told = [manifest["Kind"] for manifest in found]
    return {kind: told.count(kind) for kind in told}


def test_the_bytes_that_an_image_has_alone_come_free_with_it(project: Project) -> None:
    real = project.real
    for name, size_bytes in (("one", 9_000_011), ("two", 7_000_003)):
        project.web(name, name)
        lines = ["FROM busybox:latest", "RUN head -c 30000001 /dev/urandom > /both"]
        lines.append(f"RUN head -c {size_bytes} /dev/urandom > /own")
        (project.directory / name / "Dockerfile").write_text("\n".join(lines))
        project.docker("build", "--quiet", "--tag", f"{name}:1", f"./{name}")
    api: Any = real.client.api
    api.prune_builds(all=True)
    found = {image.references[0]: image for image in DockerFacts(real.connection).images() if image.references}
    assert abs(found["one:1"].shared_bytes - found["two:1"].shared_bytes) < 10_000
    before = available_bytes(real)
    real.client.images.remove("one:1")
    freed_bytes = available_bytes(real, above=before) - before
    assert freed_bytes == pytest.approx(found["one:1"].unique_bytes, rel=0.01, abs=200_000)


def available_bytes(real: RealEngine, above: int | None = None) -> int:
    """Return what is available where images lie, once it is more than what is given."""
    ends = time.monotonic() + 300
    while True:
        os.sync()
        seen = os.statvfs(real.images_mount)
        count = seen.f_bavail * seen.f_frsize
        if above is None or count > above + 1_000_000 or time.monotonic() > ends:
            return count
        time.sleep(0.2)
