"""Intent: wheels that two services have in common are stored once, and nobody can tell from the images.

Steps: build two services by hand as they are written, then with Tonnage and ``share: auto``; build one again alone;
change what one needs; take sharing away.
State checked: every file of the images with its mode and content, entry points, layers in common, shared images.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
import threading
from typing import IO, TYPE_CHECKING, Any, cast

import pytest
from tests.scenarios.vision_stack import base_image, why_there_is_no_base_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

pytestmark = [
    pytest.mark.engine,
    pytest.mark.each_engine,
    pytest.mark.skipif(bool(why_there_is_no_base_image()), reason=why_there_is_no_base_image()),
]

DOCKERFILE = """FROM python:3.11-slim
ENV PIP_NO_CACHE_DIR=1
WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY main.py .
CMD ["python", "main.py"]
"""
STAGED = """ARG BASE=python:3.11-slim
FROM ${BASE} AS wheels
RUN python -m pip install --no-cache-dir numpy==1.26.4 pyyaml==6.0.2

FROM wheels AS serving
RUN pip install --no-cache-dir "flask>=3,<3.1"
COPY main.py /srv/main.py
CMD ["python", "/srv/main.py"]
"""
SHARED = re.compile(r"localhost/tonnage/shared:[0-9a-f]{24}")
# What may differ: who installed it, its record, what was asked for by name, bytecode, and the heads of commands.
OTHERWISE = re.compile(r".*\.dist-info/(INSTALLER|RECORD|REQUESTED)|.*\.pyc|.*/__pycache__")
COMMANDS = "usr/local/bin/"


@pytest.fixture
def stack(request: pytest.FixtureRequest, engine: RealEngine, project: Project) -> Iterator[Project]:
    if not request.config.getoption("--long"):
        pytest.skip("it fetches and installs for minutes: --long")
    with open(base_image(), "rb") as archive:  # noqa: PTH123 - as text
        engine.client.images.load(archive)
    add(project, "api", DOCKERFILE, "numpy==1.26.4\nflask==3.0.3\nrequests==2.32.3\n")
    add(project, "worker", STAGED, "")
    project.top = {"x-tonnage": {"share": "auto"}}
    project.write()
    yield project
    engine.wipe()


def add(project: Project, name: str, dockerfile: str, requirements: str) -> None:
    directory = project.directory / name
    directory.mkdir()
    (directory / "Dockerfile").write_text(dockerfile)
    (directory / "requirements.txt").write_text(requirements)
    (directory / "main.py").write_text("import flask, numpy\nprint(numpy.arange(3).sum(), flask.__name__)\n")
    project.services[name] = {"build": f"./{name}", "x-tonnage": {"one-shot": True, "stability": "0.2s"}}


def files(project: Project, image: str) -> dict[str, tuple[Any, ...]]:
    """Return every file of an image: its kind, mode, owner, and what it holds or leads to."""
    made = project.real.client.containers.create(image)
    try:
        with (project.directory / "exported.tar").open("wb") as written:
            for piece in made.export():
                written.write(cast("bytes", piece))
    finally:
        made.remove()
    found: dict[str, tuple[Any, ...]] = {}
    with tarfile.open(project.directory / "exported.tar") as archive:
        for each in archive:
            held = cast("IO[bytes]", archive.extractfile(each)).read() if each.isfile() else b""
            if each.name.startswith(COMMANDS) and held.startswith(b"#!"):
                held = b"a command"
            content = hashlib.sha256(held).hexdigest() if each.isfile() else each.linkname
            found[each.name] = (each.type, oct(each.mode), each.uid, each.gid, content)
    return found


def differing(one: dict[str, tuple[Any, ...]], other: dict[str, tuple[Any, ...]]) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name) and not OTHERWISE.fullmatch(name))


def layers(project: Project, image: str) -> list[str]:
    return cast("list[str]", project.real.client.images.get(image).attrs["RootFS"]["Layers"])


def shared_names(project: Project) -> list[str]:
    tags = [tag for image in project.real.client.images.list() for tag in image.tags]
    return sorted(tag for tag in tags if SHARED.fullmatch(tag))


def frozen(project: Project, image: str) -> bytes:
    """Return what is installed in an image, with versions, and its commands."""
    script = (
        "from importlib.metadata import distributions as d;"
        "print(sorted((x.name, x.version, sorted(e.name + e.value for e in x.entry_points)) for x in d()))"
    )
    return project.real.client.containers.run(image, ["python", "-c", script], remove=True)


def test_images_on_shared_wheels_hold_what_those_hold_that_were_built_alone(stack: Project) -> None:
    for name in ("api", "worker"):
        stack.docker("build", "--quiet", "--tag", f"alone-{name}", name)
    planned = stack.tonnage("plan", "--explain-sharing", "--json")
    assert planned.exit_code == 0, planned.stderr
    sharing = json.loads(planned.stdout)["sharing"]
    assert [each["services"] for each in sharing["images"]] == [["api", "worker"]], sharing

    deployed = stack.deploy()

    [shared] = shared_names(stack)
    below = layers(stack, shared)
    for name in ("api", "worker"):
        image = f"{stack.name}-{name}"
        assert layers(stack, image)[: len(below)] == below, deployed.stderr
        assert differing(files(stack, f"alone-{name}"), files(stack, image)) == []
        assert frozen(stack, f"alone-{name}") == frozen(stack, image)
    assert "nothing to do" in stack.tonnage("plan").stdout

    # One that is built alone stands on the same image.
    (stack.directory / "api" / "main.py").write_text("import flask\nprint('again')\n")
    assert shared in stack.tonnage("plan").stdout
    stack.deploy()
    assert shared_names(stack) == [shared]

    # Nothing stands on it any more.
    stack.top = {"x-tonnage": {"share": "off", "keep-versions": 0}}
    for text in ("FROM python:3.11-slim\nCMD true\n", "FROM python:3.11-slim\nCMD sleep 0\n"):
        for name in ("api", "worker"):
            (stack.directory / name / "Dockerfile").write_text(text)
        stack.write()
        stack.deploy()
    assert shared_names(stack) == []


def test_a_change_of_one_requirement_builds_what_lies_above_what_is_shared(stack: Project) -> None:
    stack.deploy()
    [shared] = shared_names(stack)
    first = {name: layers(stack, f"{stack.name}-{name}") for name in ("api", "worker")}

    (stack.directory / "api" / "requirements.txt").write_text("numpy==1.26.4\nflask==3.0.3\nrequests==2.32.4\n")
    deployed = stack.deploy()

    # The image that is there holds nearly all of what both have in common now.
    assert shared_names(stack) == [shared], deployed.stderr
    below = layers(stack, shared)
    assert layers(stack, f"{stack.name}-worker") == first["worker"]
    changed = layers(stack, f"{stack.name}-api")
    assert changed[: len(below)] == below
    assert changed != first["api"]
    assert b"('requests', '2.32.4'" in frozen(stack, f"{stack.name}-api")
    run = json.loads(stack.tonnage("report", "--json").stdout)["runs"][0]
    assert [each["name"] for each in run["steps"] if each["name"].endswith(".build")] == ["api.build"], run["steps"]
    assert not [each for each in run["steps"] if each["name"].startswith("share.")], run["steps"]


def test_a_shared_image_that_somebody_removes_meanwhile_is_done_without(stack: Project) -> None:
    removed: list[str] = []
    done = threading.Event()

    def remove() -> None:
        while not done.is_set():
            for name in shared_names(stack):
                stack.real.client.images.remove(name, force=True)
                removed.append(name)
            done.wait(0.02)

    hand = threading.Thread(target=remove)
    hand.start()
    try:
        deployed = stack.deploy()
    finally:
        done.set()
        hand.join()

    assert removed, deployed.stderr
    assert "so it is built as its Dockerfile says" in deployed.stderr
    assert b"('numpy', '1.26.4'" in frozen(stack, f"{stack.name}-worker")
    # The next change finds its way again.
    (stack.directory / "api" / "main.py").write_text("import flask\nprint('again')\n")
    stack.deploy()
    assert "nothing to do" in stack.tonnage("plan").stdout


def test_a_base_that_moves_takes_what_is_shared_with_it(stack: Project) -> None:
    stack.deploy()
    [shared] = shared_names(stack)
    (stack.directory / "Moved").write_text("FROM python:3.11-slim\nRUN echo moved >/etc/moved\n")
    stack.docker("build", "--quiet", "--tag", "python:3.11-slim", "--file", "Moved", ".")
    base = layers(stack, "python:3.11-slim")

    stack.top = {"x-tonnage": {"share": "auto", "keep-versions": 0}}
    stack.write()
    deployed = stack.deploy()

    names = shared_names(stack)
    assert len(names) == 1, deployed.stderr
    assert names != [shared]
    [moved] = names
    below = layers(stack, moved)
    assert below[: len(base)] == base
    for name in ("api", "worker"):
        assert layers(stack, f"{stack.name}-{name}")[: len(below)] == below
    assert "nothing to do" in stack.tonnage("plan").stdout


# Headers, programs with their modes, files for share and etc, namespaces, one module alone, commands, and extensions.
KINDS = "greenlet==3.1.1 ninja==1.11.1.3 protobuf==5.29.3 google-auth==2.37.0 jupyterlab-widgets==3.0.13 six==1.17.0"


def test_wheels_of_every_kind_are_installed_as_pip_does(stack: Project) -> None:
    for name in ("api", "worker"):
        text = f"FROM python:3.11-slim\nRUN pip install --no-cache-dir numpy==1.26.4 {KINDS}\nCMD echo {name}\n"
        (stack.directory / name / "Dockerfile").write_text(text)
    stack.docker("build", "--quiet", "--tag", "alone", "api")

    built = stack.tonnage("build")
    assert built.exit_code == 0, built.stderr

    [shared] = shared_names(stack)
    below = layers(stack, shared)
    image = f"{stack.name}-api"
    assert layers(stack, image)[: len(below)] == below
    assert differing(files(stack, "alone"), files(stack, image)) == []
    assert frozen(stack, "alone") == frozen(stack, image)


def test_uv_installs_what_one_service_has_alone_and_no_archive_is_kept_meanwhile(stack: Project) -> None:
    (stack.directory / "api" / "requirements.txt").write_text(
        "flask==3.0.3\nnumpy==1.26.4\nscipy==1.13.1\npandas==2.2.2\n"
    )
    stack.docker("build", "--quiet", "--tag", "alone-api", "api")
    alone, alone_frozen = files(stack, "alone-api"), frozen(stack, "alone-api")
    # The disk of the tests has no room for it beside the others where images lie in containerd.
    stack.docker("image", "rm", "alone-api")
    stack.docker("builder", "prune", "--all", "--force")
    del stack.services["worker"]
    stack.top = {"x-tonnage": {"installer": "uv", "share": "off", "cleanup": "always"}}
    stack.write()

    deployed = stack.deploy()

    assert len(shared_names(stack)) == 1
    assert differing(alone, files(stack, f"{stack.name}-api")) == []
    assert alone_frozen == frozen(stack, f"{stack.name}-api")
    run = json.loads(stack.tonnage("report", "--json").stdout)["runs"][0]
    steps = {each["name"]: each for each in run["steps"]}
    # pip had 70 MB of archives on top.
    made = [each for name, each in steps.items() if name.startswith("share.") or name.endswith(".build")]
    assert len(made) == 2, deployed.stderr
    for each in made:
        assert each["measured"][0]["transient_bytes"] < 20_000_000, each
