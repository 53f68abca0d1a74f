"""Intent: images are pulled when it is said so, as steps with bytes that the registry tells.

Steps: a registry whose tag moves; images that do not fit; images that were pushed by a build. Deploys with
``pull_policy``, ``--pull`` and ``--no-build``.
State checked: plans, the page, images on the engine, steps of the journal.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.docker_registry import digest_of, free_address, move_tag, needs_registry, registry
from tests.scenarios.driving import CHECK, QUICK, SERVES
from tests.scenarios.watching import page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

pytestmark = [pytest.mark.engine, needs_registry]
# The same in the engine's network and in this one.
ADDRESS = free_address()
PORT = 18097
MIB = 1 << 20


@pytest.fixture
def registry_root(engine: RealEngine, tmp_path: Path) -> Iterator[Path]:
    """Start a registry that the engine and this machine reach. Yields where it keeps its images."""
    with registry(tmp_path, ADDRESS, engine.netns, ""):
        yield tmp_path / "images"


def pushed(project: Project, tag: str, text: str = "", run: str = "") -> str:
    """Build and push an image as others do, and take it from the engine; return its name."""
    name = f"{ADDRESS}/{project.name}/app:{tag}"
    context = project.directory / "theirs"
    context.mkdir(exist_ok=True)
    (context / "index.html").write_text(text)
    lines = ["FROM busybox:latest", f"RUN {run}" if run else "", "COPY index.html /www/index.html", SERVES]
    (context / "Dockerfile").write_text("\n".join(filter(None, lines)))
    project.docker("build", "--quiet", "--tag", name, "./theirs")
    project.docker("push", "--quiet", name)
    project.docker("image", "rm", name)
    project.docker("builder", "prune", "--all", "--force")
    return name


def move(project: Project, tag: str, to: str) -> None:
    move_tag(ADDRESS, f"{project.name}/app", tag, to)


def an_image(project: Project, tag: str, **keys: Any) -> None:  # noqa: ANN401 - as YAML
    """Write a stack of one service that is only an image."""
    image = f"{ADDRESS}/{project.name}/app:{tag}"
    project.services["app"] = {"image": image, "healthcheck": CHECK, "ports": [f"{PORT}:8080"], **QUICK, **keys}
    project.write()


def planned(project: Project, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
    """Return a plan as JSON."""
    ended = project.tonnage("plan", "--json", *arguments)
    assert ended.exit_code == exit_code, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def steps(plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in plan["steps"]}


@pytest.mark.each_engine
@pytest.mark.usefixtures("registry_root")
def test_a_tag_that_moved_is_pulled_when_the_policy_says_so_and_can_be_gone_back_from(project: Project) -> None:
    engine = project.engine
    pushed(project, "one", "one", "dd if=/dev/urandom of=/weights bs=1M count=5")
    pushed(project, "two", "two", "dd if=/dev/urandom of=/weights bs=1M count=7")
    move(project, "latest", "one")
    an_image(project, "latest", pull_policy="always")
    pull = steps(planned(project))["app.pull"]
    assert 5 * MIB <= pull["kept"]["likely_bytes"] <= 12 * MIB
    project.deploy()
    assert page(project.real.address, PORT) == "one"
    first = engine.container("app")
    assert planned(project)["steps"] == []

    move(project, "latest", "two")
    assert planned(project, "--pull", "missing")["steps"] == []
    pull = steps(planned(project))["app.pull"]
    assert "its registry has another" in pull["cause"]
    assert 7 * MIB <= pull["kept"]["likely_bytes"] <= 16 * MIB
    project.deploy()
    assert page(project.real.address, PORT) == "two"
    second = engine.container("app")
    assert engine.kept("app") == [first.image, second.image]
    assert planned(project)["steps"] == []

    assert project.tonnage("rollback").exit_code == 0
    assert page(project.real.address, PORT) == "one"
    refused = project.tonnage("deploy")
    assert refused.exit_code == 2, refused.stderr
    assert "app was rolled back from v2, and this is v2 again" in refused.stderr
    assert page(project.real.address, PORT) == "one"


@pytest.mark.usefixtures("registry_root")
def test_images_that_are_named_by_their_digest_are_pulled_kept_and_gone_back_to(project: Project) -> None:
    engine = project.engine
    names = []
    for text in ("one", "two"):
        name = pushed(project, text, text)
        names.append(f"{name.removesuffix(f':{text}')}@{digest_of(ADDRESS, f'{project.name}/app', text)}")
    an_image(project, "one", image=names[0])
    assert "app.pull" in steps(planned(project))
    project.deploy()
    assert page(project.real.address, PORT) == "one"
    assert planned(project)["steps"] == []
    first = engine.container("app")

    an_image(project, "one", image=names[1])
    project.deploy()
    assert page(project.real.address, PORT) == "two"
    assert engine.kept("app") == [first.image, engine.container("app").image]
    assert planned(project)["steps"] == []
    project.docker("image", "prune", "--force")

    assert project.tonnage("rollback").exit_code == 0
    assert page(project.real.address, PORT) == "one"
    assert engine.container("app").image == first.image
    an_image(project, "one", image=names[0])
    project.deploy()
    assert page(project.real.address, PORT) == "one"


@pytest.mark.usefixtures("registry_root")
def test_a_tag_is_asked_for_again_when_it_is_older_than_the_policy_lets_it_be(project: Project) -> None:
    pushed(project, "one", "one")
    pushed(project, "two", "two")
    move(project, "latest", "one")
    an_image(project, "latest", pull_policy="every_0s")
    ended = project.tonnage("deploy")
    if ended.exit_code == 2:
        # This Compose knows no policy with a span of time.
        assert "services.app.pull_policy needs Docker Compose 2.34.0" in ended.stderr
        return
    assert ended.exit_code == 0, ended.stderr
    move(project, "latest", "two")
    an_image(project, "latest", pull_policy="daily")
    assert planned(project)["steps"] == []
    an_image(project, "latest", pull_policy="every_0s")
    assert "app.pull" in steps(planned(project))


def test_without_its_registry_a_pull_is_unknown_and_a_missing_image_is_not_pulled_for_never(project: Project) -> None:
    an_image(project, "1", pull_policy="never")
    refused = project.tonnage("deploy")
    assert refused.exit_code == 2
    assert "pull_policy: never: it is not pulled" in refused.stderr
    an_image(project, "1")
    plan = planned(project)
    assert steps(plan)["app.pull"]["kept"]["grade"] == "unknown"
    assert any(note.startswith("app: unknown: ") for note in plan["notes"])


@pytest.mark.usefixtures("registry_root")
def test_a_pull_that_does_not_fit_is_refused_and_one_that_does_after_reclaiming_is_made_to_fit(
    project: Project,
) -> None:
    engine = project.engine
    pushed(project, "big", "big", "dd if=/dev/urandom of=/weights bs=1M count=150")
    an_image(project, "big")
    before = engine.everything()
    available = planned(project)["available_bytes"]
    keep_free = f"{available - 60 * MIB}B"
    plan = planned(project, "--keep-free", keep_free, exit_code=3)
    assert "app.pull cannot fit" in plan["refusal"]["what"]
    refused = project.tonnage("deploy", "--keep-free", keep_free)
    assert refused.exit_code == 3, refused.stderr
    assert engine.everything() == before

    context = project.directory / "other"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM busybox:latest\nRUN dd if=/dev/urandom of=/other bs=1M count=400\n")
    # Where it comes from is known, so that it may go for a deploy.
    of_a_stack = ("--label", "tonnage.stack=gone", "--label", "tonnage.service=web")
    project.docker("build", "--quiet", *of_a_stack, "--tag", "unused:1", "./other")
    (context / "Dockerfile").write_text("FROM busybox:latest\nRUN head -c 9000000 /dev/urandom > /here\n")
    project.docker("build", "--quiet", "--tag", "only-here:1", "./other")
    project.docker("builder", "prune", "--all", "--force")
    available = planned(project)["available_bytes"]
    keep_free = f"{available - 60 * MIB}B"
    names = list(steps(planned(project, "--keep-free", keep_free)))
    assert names.index("app.reclaim") < names.index("app.pull")
    project.deploy("--keep-free", keep_free)
    assert page(project.real.address, PORT) == "big"
    assert not engine.image_id("unused:1")
    assert engine.image_id("only-here:1")


@pytest.mark.usefixtures("registry_root")
def test_what_was_pushed_is_pulled_and_not_built_again(project: Project) -> None:
    engine = project.engine
    image = f"{ADDRESS}/{project.name}/app:latest"
    for text in ("one", "two"):
        project.web("app", text, image=image, ports=[f"{PORT}:8080"])
        ended = project.tonnage("build", "--push", "--cleanup-after")
        assert ended.exit_code == 0, ended.stderr
        # A machine that has not what it was built from.
        dockerfile = project.directory / "app" / "Dockerfile"
        dockerfile.rename(project.directory / "Dockerfile")
        ended = project.deploy("--no-build")
        (project.directory / "Dockerfile").rename(dockerfile)
        assert page(project.real.address, PORT) == text, ended.stderr
        assert "app.pull" in project.step_names()
        assert "app.build" not in project.step_names()
        assert planned(project, "--no-build")["steps"] == []
    assert len(engine.kept("app")) == 2

    project.web("app", "three", pull_policy="always")
    assert planned(project)["steps"] == []
    project.services["app"]["image"] = f"{ADDRESS}/{project.name}/app:three"
    project.write()
    assert "app.build" in steps(planned(project))
    refused = project.tonnage("plan", "--no-build")
    assert refused.exit_code == 2
    assert "there is no image" in refused.stderr


@pytest.mark.usefixtures("registry_root")
def test_a_base_that_moved_is_built_on_where_the_build_pulls(project: Project) -> None:
    base = f"{ADDRESS}/{project.name}/app:latest"
    pushed(project, "one", "one")
    pushed(project, "two", "two")
    move(project, "latest", "one")
    build = {"dockerfile_inline": f"FROM {base}\n", "context": ".", "pull": True}
    project.services["app"] = {"build": build, "healthcheck": CHECK, "ports": [f"{PORT}:8080"], **QUICK}
    project.write()
    project.deploy()
    assert planned(project)["steps"] == []
    move(project, "latest", "two")
    assert steps(planned(project))["app.build"]["cause"] == "its base image changed"
    project.deploy()
    assert page(project.real.address, PORT) == "two"
    assert planned(project)["steps"] == []
